# The image that ships: one static binary, nothing else. Use it as a base, or copy the binary out of it:
#
#     COPY --from=sv /sv /sv
#     ENTRYPOINT ["/sv"]
#
# `make image PREBUILT=1` makes the same image from a binary built outside (docker/prebuilt.Dockerfile),
# where the builder below cannot be pulled.

ARG RUST_IMAGE=rust:1-slim-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# The toolchain's musl target brings its own C start files and libc: no C compiler for musl is needed.
RUN rustup target add "$(uname -m)-unknown-linux-musl"
COPY Cargo.toml Cargo.lock LICENSE build.rs ./
COPY src src
# Cargo wants every target that the manifest names to be there, though only the binary is built.
COPY benches benches
RUN target="$(uname -m)-unknown-linux-musl" \
    && cargo build --release --locked --bin sv --target "$target" \
    && cp "target/$target/release/sv" /sv

FROM scratch
COPY --from=build /sv /sv
ENTRYPOINT ["/sv"]
