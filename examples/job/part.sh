#!/bin/sh
# One part of a job: works for a moment, and fails with status 3 if FAIL is its number.
echo "part $1 of $2 begins"
sleep 1
if [ "$1" = "$FAIL" ]; then
    echo "part $1 fails" >&2
    exit 3
fi
echo "part $1 of $2 is done"
