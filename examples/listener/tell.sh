#!/bin/sh
# An event listener in a few lines of shell: hands each end of a process that nobody expected to the command in
# ALERT, as one line on its standard input. Standard output belongs to the protocol; what is said on standard
# error goes to the log.
while echo READY && read -r header; do
    what=${header##* eventname:}
    payload=$(head -c "${header##* len:}")
    case "$what $payload" in
    # The end of a program that ends well is no news.
    PROCESS_STATE_EXITED*" expected:1 "*) told=true ;;
    *) told=false ;;
    esac
    # FAIL hands the event back: it comes again.
    if $told || echo "${what% len:*} $payload" | sh -c "$ALERT" >&2; then
        printf 'RESULT 2\nOK'
    else
        printf 'RESULT 4\nFAIL'
        sleep 1
    fi
done
