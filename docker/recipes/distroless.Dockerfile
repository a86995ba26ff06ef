# `sv` in a distroless image. It has no shell, so every line is an array.
#
#     make image
#     docker build -t web -f docker/recipes/distroless.Dockerfile FOLDER
#
# The folder holds `app/`, with what is to be run, and a supervisord.conf such as the one beside this file.
ARG SV=sv
ARG BASE=gcr.io/distroless/base-debian12

FROM ${SV} AS sv

FROM ${BASE}
COPY --from=sv /sv /sv
COPY app /app
COPY supervisord.conf /etc/supervisord.conf
# A configuration with a mistake ends the build, not the container.
RUN ["/sv", "check", "--strict"]
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s --retries=3 CMD ["/sv", "health"]
ENTRYPOINT ["/sv"]
