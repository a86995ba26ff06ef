# The machine runs out of memory.

oom_kills() {
    sed -n 's/^oom_kill //p' /proc/vmstat
}

test_the_kernel_kills_the_program_that_asked_for_it() {
    before="$(oom_kills)"
    program web <<'EOF'
command=sleep 1000
oom_score_adj=-900
EOF
    wait_state web RUNNING
    web="$(pid web)"
    # tail keeps the last line, which has no end.
    program hog <<'EOF'
command=tail /dev/zero
oom_score_adj=1000
autorestart=false
startsecs=0
EOF
    # Known by the counter of the machine: in the root cgroup there is no other.
    wait_log 'exited: hog (terminated by SIGKILL, out of memory; not expected)'
    wait_for "[ \"\$(sed -n 's/^oom_kill //p' /proc/vmstat)\" -gt $before ]"
    is "$(pid web)" "$web"
    is "$(sv pid)" 1
}
