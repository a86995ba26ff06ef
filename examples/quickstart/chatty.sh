#!/bin/sh
# Twenty lines at a time, a few times a second: enough to see its log rotate within a minute.
trap 'echo "chatty: stopping after $turn turns"; exit 0' TERM INT

turn=0
while :; do
    turn=$((turn + 1))
    line=0
    while [ "$line" -lt 20 ]; do
        line=$((line + 1))
        echo "turn=$turn line=$line program=chatty text='the quick brown fox jumps over the lazy dog'"
    done
    [ $((turn % 50)) -ne 0 ] || echo "chatty: $turn turns so far" >&2
    sleep 0.2
done
