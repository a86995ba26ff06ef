#!/bin/sh
# An event listener in a few lines of shell: passes each unexpected end of a process to the command in ALERT, as
# one line on its standard input. Standard output belongs to the protocol; standard error goes to the log.
while echo READY && read -r header; do
    what=${header##* eventname:}
    payload=$(head -c "${header##* len:}")
    case "$what $payload" in
    # An expected exit is not reported.
    PROCESS_STATE_EXITED*" expected:1 "*) told=true ;;
    *) told=false ;;
    esac
    # FAIL rejects the event: it is sent again.
    if $told || echo "${what% len:*} $payload" | sh -c "$ALERT" >&2; then
        printf 'RESULT 2\nOK'
    else
        printf 'RESULT 4\nFAIL'
        sleep 1
    fi
done
