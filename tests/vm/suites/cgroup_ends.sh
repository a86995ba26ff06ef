# The ends of programs in cgroups: out of memory, and with everything that they have started.

prepare() {
    prepare_in_container 200M
}

supervisor_options() {
    echo "silent=true"
    echo "[probe_http_server]"
    echo "port=9002"
}

test_a_program_above_memory_max_has_ended_out_of_memory() {
    program hog <<EOF
command=dd if=/dev/zero of=/dev/null bs=60M
startsecs=0
autorestart=false
cgroup_memory_max=20MB
EOF
    wait_log "exited: hog (terminated by SIGKILL, out of memory; not expected)"
    contains "$(sv why hog)" "last end:     terminated by SIGKILL, out of memory"
    contains "$(sv why hog)" "1 out of memory"
    contains "$(sv ps hog)" "OOM kill"
    contains "$(sv ps --json hog | tr -d ' \n')" '"out_of_memory":true'
    contains "$(wget -qO - http://127.0.0.1:9002/metrics)" \
        'sv_process_exits_total{group="hog",name="hog",kind="oom"} 1'
}

# It ends an inner supervisor, whose last words are the termination message.
test_the_termination_message_names_an_oom_kill() {
    cat >/tmp/inner.conf <<'EOF'
[supervisord]
logfile=/tmp/inner.log
[program:hog]
command=dd if=/dev/zero of=/dev/null bs=60M
startsecs=0
autorestart=false
on_exit=shutdown
cgroup_memory_max=20MB
EOF
    : >/dev/termination-log
    program inner <<'EOF'
command=/sv run -c /tmp/inner.conf
startsecs=0
autorestart=false
cgroup_memory_max=150MB
EOF
    wait_log "exited: inner (exit status 137; not expected)"
    is "$(cat /dev/termination-log)" \
        "sv ends with status 137: hog ended: terminated by SIGKILL, out of memory"
    rm /dev/termination-log
}

test_a_kill_by_hand_is_not_out_of_memory() {
    program hand <<EOF
command=sleep 1000
autorestart=false
cgroup_memory_max=20MB
EOF
    wait_state hand RUNNING
    kill -9 "$(pid hand)"
    wait_log "exited: hand (terminated by SIGKILL; not expected)"
}

test_a_killed_child_is_reported_when_the_program_ends() {
    program parent <<EOF
command=sh -c 'dd if=/dev/zero of=/dev/null bs=60M; exit 3'
startsecs=0
autorestart=false
cgroup_memory_max=20MB
EOF
    wait_log "parent: the OOM killer has killed 1 of its processes"
    wait_log "exited: parent (exit status 3; not expected)"
}

test_a_program_without_a_cgroup_has_ended_out_of_the_memory_of_the_container() {
    program greedy <<EOF
command=dd if=/dev/zero of=/dev/null bs=230M
startsecs=0
autorestart=false
oom_score_adj=1000
EOF
    wait_log "exited: greedy (terminated by SIGKILL, out of memory; not expected)"
}

test_an_old_kill_of_a_grandchild_is_not_blamed_on_a_later_one_by_hand() {
    program family <<EOF
command=sh -c 'dd if=/dev/zero of=/dev/null bs=230M; exec sleep 1000'
startsecs=0
oom_score_adj=1000
EOF
    program hand <<EOF
command=sleep 1000
autorestart=false
EOF
    wait_state hand RUNNING
    wait_for "ps | grep ' [s]leep 1000$' | grep -c . | grep 2"
    killed="$(date +%s)"
    # Each command lets the supervisor look at the counter, as anything does that happens to it.
    wait_for "sv pid && [ \$(date +%s) -gt $((killed + 7)) ]"
    kill -9 "$(pid hand)"
    wait_log "exited: hand (terminated by SIGKILL; not expected)"
}

test_pids_max_stops_forks() {
    program forks <<EOF
command=sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait'
cgroup_pids_max=4
autorestart=false
startsecs=0
EOF
    wait_for "grep -q 'max [1-9]' $(ours)/p-forks/pids.events || grep -q 'exited: forks' $LOG"
}

test_kill_tree_ends_what_has_left_for_a_session_of_its_own() {
    program legacy <<EOF
command=sh -c '(setsid sh -c "trap : TERM; sleep 2001 & while :; do wait; done" &) && exec sleep 2002'
kill_tree=true
stopwaitsecs=1
EOF
    wait_state legacy RUNNING
    wait_for "ps | grep ' [s]leep 2001$'"
    is_in legacy "$(pids_of 'sleep 2001')"
    sv stop legacy
    is "$(pids_of 'sleep 200[12]')" ""
    [ ! -e "$(ours)/p-legacy" ]
}

# As before Linux 5.14.
test_kill_tree_needs_no_cgroup_kill() {
    program legacy <<EOF
command=sh -c '(setsid sh -c "trap : TERM; sleep 2005 & while :; do wait; done" &) && exec sleep 2006'
kill_tree=true
stopwaitsecs=1
EOF
    wait_state legacy RUNNING
    wait_for "ps | grep ' [s]leep 2005$'"
    file="$(ours)/p-legacy/cgroup.kill"
    # It cannot be written to.
    mount --bind /proc/version "$file"
    echo 1 >"$file" && fail "it can be written to"
    sv stop legacy
    is "$(pids_of 'sleep 200[56]')" ""
    wait_for "[ ! -e $(ours)/p-legacy ]"
}

test_what_is_left_without_kill_tree_keeps_its_cgroup() {
    program daemon <<EOF
command=sh -c 'setsid sleep 3001 & exec sleep 1000'
cgroup_pids_max=10
EOF
    wait_state daemon RUNNING
    sv stop daemon
    left="$(pids_of 'sleep 3001')"
    is_in daemon "$left"
    sv start daemon
    is_in daemon "$left"
    is_in daemon "$(pid daemon)"
    sv stop daemon
    kill $(pids_of 'sleep 3001')
    wait_for "[ ! -e $(ours)/p-daemon ]"
}


test_a_successor_of_a_supervisor_that_has_crashed_ends_what_that_has_left() {
    cat >/tmp/inner.conf <<'EOF'
[supervisord]
logfile=/tmp/inner.log
[program:web]
command=sh -c 'setsid sleep 4001 & exec sleep 4002'
kill_tree=true
EOF
    program inner <<'EOF'
command=/sv run -s -c /tmp/inner.conf
EOF
    wait_for "ps | grep ' [s]leep 4001$'"
    first="$(pids_of 'sleep 4001')"
    kill -9 "$(pid inner)"
    wait_for "grep -c 'supervisord started' /tmp/inner.log | grep 2"
    wait_for "[ ! -e /proc/$first ] && ps | grep ' [s]leep 4001$'"
    sv stop inner
    is "$(pids_of 'sleep 400[12]')" ""
}
