#!/bin/sh
# Hears TERM, says so, and goes on. Only SIGKILL ends it.
trap 'echo "stubborn: I heard TERM and stay"' TERM

echo "stubborn: up with pid $$"
while :; do
    sleep 1
done
