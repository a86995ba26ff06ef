# `sv` in place of Supervisor, in an image that runs Supervisor: its configuration is used unchanged.
#
#     make image
#     docker build -t web --build-arg BASE=your-image -f docker/recipes/drop-in.Dockerfile docker/recipes
#
# The CMD of the base no longer applies. Scripts that call supervisord or supervisorctl need a link of that name:
# RUN ln -sf /sv /usr/bin/supervisorctl
ARG SV=sv
ARG BASE=your-image

FROM ${SV} AS sv

FROM ${BASE}
COPY --from=sv /sv /sv
ENTRYPOINT ["/sv"]
