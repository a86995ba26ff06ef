#!/bin/sh
# One part of a job: works for a moment and ends with the status that FAIL has for it.
echo "part $1 of $2 begins"
sleep 1
if [ "$1" = "$FAIL" ]; then
    echo "part $1 fails" >&2
    exit 3
fi
echo "part $1 of $2 is done"
