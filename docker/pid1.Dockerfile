# The image in which tests/container.rs watches `sv` as PID 1. The context holds two static binaries, `sv`
# and `busybox`; the programs to supervise are busybox applets. Each test copies its own
# /etc/supervisord.conf in before it starts the container.
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "-p", "/etc", "/tmp", "/var/log", "/run"]
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd && echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>/etc/passwd \
    && echo 'root:x:0:' >/etc/group && echo 'nogroup:x:65534:' >>/etc/group
# The names under which the binary is Supervisor.
RUN ln -s /sv /bin/supervisord && ln -s /sv /bin/supervisorctl
COPY sv /sv
ENTRYPOINT ["/sv"]
