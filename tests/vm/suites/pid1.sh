# The duties of PID 1, in a machine with everything mounted.

test_is_pid_1() {
    is "$(sv pid)" 1
    contains "$(tr '\0' ' ' </proc/1/cmdline)" "/sv run"
}

test_reaps_a_thousand_orphans() {
    program orphans <<'EOF'
command=/bin/sh -c 'for i in $(seq 1000); do ( : & ); done; exec sleep 1000'
startsecs=0
EOF
    WAIT_SECS=120 wait_for '[ "$(cat /proc/$(sv pid orphans)/comm)" = sleep ]'
    wait_for '! cat /proc/[0-9]*/status 2>/dev/null | grep -q "^State:.Z"'
    wait_state orphans RUNNING
}

# The kernel sends PID 1 only what it has a handler for, or what it blocks.
test_signals_without_a_meaning_do_not_end_it() {
    for signal in USR1 USR2 PIPE ALRM VTALRM WINCH CONT TTIN TTOU URG CHLD IO PWR SYS XCPU XFSZ 34 50 64 KILL STOP; do
        kill -"$signal" 1
    done
    is "$(sv pid)" 1
}

# SIGSEGV of a child, and a core dump that cannot be written.
test_a_crash_is_told_from_an_exit() {
    program crash <<'EOF'
command=/bin/sh -c 'kill -SEGV $$'
startsecs=0
autorestart=false
EOF
    wait_log 'exited: crash (terminated by SIGSEGV'
}

# The whole group, with a member that ignores SIGTERM.
test_stopasgroup_ends_the_group() {
    start_group_that_ignores_term
    member="$(cat /run/member)"
    sv stop group
    wait_for "[ ! -e /proc/$member ]"
}
