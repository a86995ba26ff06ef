# The image in which tests/container.rs watches `sv` as PID 1. The context holds two static binaries, `sv`
# and `busybox`; the programs to supervise are busybox applets. Each test copies its own
# /etc/supervisord.conf in before it starts the container.
FROM scratch
COPY busybox /bin/busybox
# A tmpfs at /run gets the mode of the folder below it, whatever its options say, with many a runc.
# One step, for each costs a container. The links are the names under which the binary is another program.
RUN ["/bin/busybox", "sh", "-c", "\
    set -e; busybox mkdir -p /etc /tmp /var/log /run; busybox --install -s /bin; chmod 1777 /run; \
    printf 'root:x:0:0:root:/:/bin/sh\\nnobody:x:65534:65534:nobody:/:/bin/false\\n' >/etc/passwd; \
    printf 'root:x:0:\\nnogroup:x:65534:\\n' >/etc/group; \
    for name in supervisord supervisorctl tini dumb-init; do ln -s /sv /bin/$name; done"]
COPY sv /sv
ENTRYPOINT ["/sv"]
