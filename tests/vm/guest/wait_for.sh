#!/bin/sh
# Tries a command line until it succeeds, for at most WAIT_SECS, with pauses of WAIT_PAUSE; then shows its last output.
deadline=$(($(date +%s) + WAIT_SECS))
until output="$(timeout 30 sh -c "$1" 2>&1)"; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "$output"
        exit 1
    fi
    sleep "$WAIT_PAUSE"
done
