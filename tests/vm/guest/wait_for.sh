#!/bin/sh
# Tries a command line until it succeeds, for at most 40 seconds; then its last output is shown.
tries=0
until output="$(eval "$1" 2>&1)"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 400 ]; then
        echo "$output"
        exit 1
    fi
    sleep 0.1
done
