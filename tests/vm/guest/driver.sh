#!/bin/sh
# Runs the scenarios of the suite, one after the other, and writes their results to the second serial port.
export PATH=/bin:/sbin
exec 3>/dev/ttyS1
. /vm/lib.sh
. /vm/suite.sh

# Runs a function, and writes what it was doing if it fails.
attempt() {
    # In a shell of its own: a subshell whose status is tested ignores -e.
    sh -eux -c '. /vm/lib.sh; . /vm/suite.sh; "$0"' "$1" >/scratch/output 2>&1 </dev/console && return
    # Each command of the scenario that has ended is an orphan there.
    { tail -n 40 /scratch/output; echo "the log:"; grep -v "reaped unknown pid" "$LOG" | tail -n 20; } | sed 's/^/    /' >&3
    echo "not ok $1" >&3
    return 1
}

for scenario in $(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' /vm/suite.sh); do
    attempt "$scenario" && echo "ok $scenario" >&3
    rm -f "$PROGRAMS"/*
    sv update >/scratch/update 2>&1
    # Only lines of its own are for the next one to find.
    : >"$LOG"
done
attempt finish && echo "ok finish" >&3 || sv shutdown
exec sleep 100000
