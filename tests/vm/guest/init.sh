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
# Not on the console as well: emulated, it is slow.
cat >/etc/supervisord.conf <<EOF
[supervisord]
logfile=/var/log/sv.log
silent=true
$(supervisor_options)

[program:driver]
command=/bin/sh /vm/driver.sh
autorestart=false
startsecs=0
stopwaitsecs=1
stdout_logfile=/dev/console
redirect_stderr=true

[include]
files=/etc/sv.d/*.conf
EOF
prepare
exec /sv run -c /etc/supervisord.conf
