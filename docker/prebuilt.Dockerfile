# The image of the top Dockerfile without its builder: the context holds a static binary called `sv`.
FROM scratch
COPY sv /sv
ENTRYPOINT ["/sv"]
