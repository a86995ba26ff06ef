# The image that ships: one static binary, nothing else. Use it as a base, or copy the binary out of it:
#
#     COPY --from=sv /sv /sv
#     ENTRYPOINT ["/sv"]
#
# `make image PREBUILT=1` makes the same image from a binary built outside (docker/prebuilt.Dockerfile),
# where the builder below cannot be pulled.

ARG RUST_IMAGE=rust:1-slim-bookworm

# The compiler runs on the machine that builds, whatever the platform of the image is:
#
#     docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7,linux/riscv64 .
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock LICENSE build.rs ./
COPY lines lines
COPY src src
# Cargo wants every target that the manifest names to be there, though only the binary is built.
COPY benches benches
COPY tests/setup/static.sh tests/setup/
ARG TARGETARCH
RUN cp "$(tests/setup/static.sh "$TARGETARCH")" /sv

FROM scratch
COPY --from=build /sv /sv
ENTRYPOINT ["/sv"]
