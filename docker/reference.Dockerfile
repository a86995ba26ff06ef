# Python's Supervisor, the reference that `sv` is compared with, for trying a configuration under both:
#
#     docker build -t supervisor-reference -f docker/reference.Dockerfile docker
#     docker run --rm -v "$PWD/supervisord.conf:/etc/supervisord.conf:ro" supervisor-reference
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN pip install --no-cache-dir supervisor==4.3.0
ENTRYPOINT ["supervisord", "-n"]
