#!/bin/sh
# Runs for FLAKY_SECONDS, then crashes: with exit code 3 at first, by SIGSEGV the next time, and so on.
# FLAKY_STATE names the file that records how it crashed last.
seconds=${FLAKY_SECONDS:-8}
state=${FLAKY_STATE:-/dev/null}

echo "flaky: up with pid $$"
while [ "$seconds" -gt 0 ]; do
    sleep 1
    seconds=$((seconds - 1))
done

if grep -q exit "$state" 2>/dev/null; then
    echo signal >"$state"
    echo "flaky: a wild pointer" >&2
    kill -SEGV $$
else
    echo exit >"$state"
    echo "flaky: the disk is on fire" >&2
    exit 3
fi
