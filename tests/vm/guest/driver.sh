#!/bin/sh
# Runs the scenarios of the suite, one after the other, and writes their results to the second serial port.
export PATH=/bin
exec 3>/dev/ttyS1
. /vm/lib.sh
. /vm/suite.sh

for scenario in $(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' /vm/suite.sh); do
    (set -eux; "$scenario") >/run/output 2>&1 </dev/null
    if [ $? -eq 0 ]; then
        echo "ok $scenario" >&3
    else
        { tail -n 40 /run/output; echo "the log:"; tail -n 20 /var/log/sv.log; } | sed 's/^/    /' >&3
        echo "not ok $scenario" >&3
    fi
    rm -f /etc/sv.d/*
    sv update >/dev/null 2>&1
done
echo "done" >&3
finish
# What has been written reaches the port before the machine ends, as the driver is stopped before `sv` exits.
exec sleep 1000
