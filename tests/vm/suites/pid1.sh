# The duties of PID 1, in a machine with everything mounted.

test_is_pid_1() {
    is "$(sv pid)" 1
    contains "$(tr '\0' ' ' </proc/1/cmdline)" "/sv run"
}

test_reaps_thousands_of_orphans() {
    program orphans <<EOF
command=/bin/sh -c 'for i in \$(seq 1000); do ( : & ); done; exec sleep 1000'
startsecs=0
EOF
    wait_for '[ $(cat /proc/$(sv pid orphans)/comm) = sleep ]'
    wait_for '! cat /proc/[0-9]*/status 2>/dev/null | grep -q "^State:.Z"'
    contains "$(sv status orphans)" RUNNING
}
