# Nothing mounted: no /proc, no /sys, no cgroups, and of /dev only what the kernel itself needs.

prepare() {
    mknod /dev/ttyS1 c 4 65
}

test_supervises() {
    program web <<'EOF'
command=sleep 1000
EOF
    wait_state web RUNNING
    first="$(pid web)"
    kill -KILL "$first"
    wait_for "[ \"\$(sv pid web)\" != $first ] && sv status web | grep -q RUNNING"
    is "$(sv stop web)" "web: stopped"
    is "$(sv pid)" 1
}

test_a_group_is_stopped() {
    start_group_that_ignores_term
    sv stop group
    wait_for '! kill -0 $(cat /run/member)'
}

test_limits_work_or_are_named() {
    program web <<'EOF'
command=/bin/sh -c 'ulimit -n >/run/limits; exec sleep 1000'
rlimit_nofile=64:64
nice=-1
ionice=idle
cpu_affinity=0
memory_limit=100MB
capabilities=
no_new_privileges=true
EOF
    program oom <<'EOF'
command=sleep 1000
oom_score_adj=500
startretries=0
EOF
    wait_state web RUNNING
    wait_log "WARN memory_limit has no effect: cannot read .*/proc/self.*"
    sv restart web
    is "$(grep -c "WARN memory_limit" $LOG)" 1
    wait_for 'grep -x 64 /run/limits'
    wait_state oom FATAL
    contains "$(sv status oom || true)" "cannot apply oom_score_adj: No such file or directory"
}

test_cgroups_are_one_warning_or_an_error() {
    program one <<'EOF'
command=sleep 1000
cgroup_pids_max=5
EOF
    program two <<'EOF'
command=/bin/sh -c 'sleep 1000 & echo $! >/run/two; exec sleep 1000'
cgroup_memory_max=50MB
kill_tree=true
EOF
    program strict <<'EOF'
command=sleep 1000
cgroup=required
startretries=0
EOF
    wait_state one RUNNING
    wait_state two RUNNING
    wait_state strict FATAL
    contains "$(sv status strict || true)" "cannot apply cgroup: cannot read '/proc/self/cgroup'"
    is "$(grep -c "WARN kill_tree works only as killasgroup: cannot read .*/proc/self.*" $LOG)" 1
    is "$(grep -c "programs run without cgroups of their own: cannot read" $LOG)" 1
    wait_for "[ -s /run/two ]"
    # As killasgroup.
    sv stop two
    wait_for '! kill -0 $(cat /run/two)'
}
