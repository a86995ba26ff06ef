#!/bin/sh
# The first process of a machine: prepares it, and becomes `sv`.
export PATH=/bin
. /vm/lib.sh
. /vm/suite.sh

cat >/etc/passwd <<EOF
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/tmp:/bin/sh
EOF
cat >/etc/group <<EOF
root:x:0:
www-data:x:33:
nogroup:x:65534:
EOF
cat >/etc/supervisord.conf <<EOF
[supervisord]
logfile=$LOG
$(supervisor_options)

; The first to be started and the last to be stopped.
[program:driver]
command=/bin/sh /vm/driver.sh
priority=0
autorestart=false
startsecs=0
stopwaitsecs=1
stdout_logfile=/dev/console
redirect_stderr=true

[include]
files=$PROGRAMS/*.conf
EOF
mount -t tmpfs tmpfs /scratch
mkdir "$PROGRAMS"
prepare
exec /sv run -c /etc/supervisord.conf
