# A second SIGTERM ends a shutdown that waits for a program that ignores the first one.

supervisor_options() {
    echo "silent=false"
}

finish() {
    program stubborn <<'EOF'
command=/bin/sh -c 'trap "" TERM; touch /run/trapped; while :; do sleep 0.1; done'
stopwaitsecs=100000
EOF
    wait_for '[ -e /run/trapped ]'
    kill -TERM 1
    # What arrives within a second is the same request. The second one ends this loop too.
    while :; do
        sleep 0.5
        kill -TERM 1
    done
}
