#!/bin/sh
# Prints a line on TERM and keeps running. Only SIGKILL ends it.
trap 'echo "stubborn: ignoring TERM"' TERM

echo "stubborn: up with pid $$"
while :; do
    sleep 1
done
