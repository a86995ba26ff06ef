# Limits, priorities and privileges, with all capabilities of the machine, and with none.

limit() {
    sed -n "s/^$2  *\([^ ]*\)  *\([^ ]*\) .*/\1:\2/p" "/proc/$1/limits"
}

status_field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# Field 19 is the one after the name, which may hold blanks, but does not here.
nice_of() {
    cut -d ' ' -f 19 "/proc/$1/stat"
}

test_www_data_binds_port_80_with_one_capability() {
    program web <<'EOF'
command=httpd -f -p 80 -h /etc
user=www-data
capabilities=CAP_NET_BIND_SERVICE
no_new_privileges=true
EOF
    wait_for 'wget -qO - http://127.0.0.1/group | grep "^www-data"'
    is "$(status_field "$(pid web)" Uid | cut -f 1)" 33
    is "$(status_field "$(pid web)" CapBnd)" 0000000000000400
    is "$(status_field "$(pid web)" NoNewPrivs)" 1
}

test_www_data_without_it_does_not() {
    program web <<'EOF'
command=httpd -f -p 80 -h /etc
user=www-data
startretries=0
redirect_stderr=true
stdout_logfile=/run/web.log
EOF
    wait_state web FATAL
    contains "$(cat /run/web.log)" "Permission denied"
}

test_groups_umask_and_environment_together_with_privileges() {
    program web <<'EOF'
command=sh -c 'umask >/tmp/web.umask; echo "$HOME $USER $LOGNAME" >/tmp/web.env; exec sleep 1000'
user=www-data
set_user_environment=true
umask=027
capabilities=CAP_NET_BIND_SERVICE
no_new_privileges=true
nice=5
rlimit_nofile=100:200
kill_tree=true
EOF
    wait_state web RUNNING
    is "$(cat /tmp/web.umask) $(cat /tmp/web.env)" "0027 /tmp www-data www-data"
    is "$(status_field "$(pid web)" Groups)" "33 "
    # Groups are looked up at each start.
    echo "extra:x:77:www-data" >>/etc/group
    sv restart web
    pid="$(pid web)"
    is "$(status_field "$pid" Groups)" "33 77 "
    is "$(status_field "$pid" Gid | cut -f 1)" 33
    is "$(status_field "$pid" CapEff)" 0000000000000400
    is "$(status_field "$pid" CapAmb)" 0000000000000400
    is "$(limit "$pid" "Max open files")" 100:200
    is "$(nice_of "$pid")" 5
    sed -i '/^extra:/d' /etc/group
}

test_limits_and_priorities_are_raised_above_our_own() {
    program web <<'EOF'
command=sleep 1000
rlimit_nofile=2000:1048576
rlimit_core=unlimited
rlimit_memlock=64MB:unlimited
rlimit_nproc=77:88
nice=-7
ionice=realtime:3
oom_score_adj=-500
cpu_affinity=1
EOF
    wait_state web RUNNING
    pid="$(pid web)"
    is "$(limit "$pid" "Max open files")" 2000:1048576
    is "$(limit "$pid" "Max core file size")" unlimited:unlimited
    is "$(limit "$pid" "Max locked memory")" 67108864:unlimited
    is "$(limit "$pid" "Max processes")" 77:88
    is "$(nice_of "$pid")" -7
    is "$(ionice -p "$pid")" "realtime: prio 3"
    is "$(cat "/proc/$pid/oom_score_adj")" -500
    is "$(status_field "$pid" Cpus_allowed_list)" 1
}

test_update_changes_a_running_process_of_another_user() {
    program web <<'EOF'
command=sleep 1000
user=www-data
nice=3
rlimit_nofile=100:100
rlimit_core=1MB
cpu_affinity=0
EOF
    wait_state web RUNNING
    pid="$(pid web)"
    program web <<'EOF'
command=sleep 1000
user=www-data
nice=-3
rlimit_nofile=200:300
rlimit_core=2MB:unlimited
rlimit_nproc=77
cpu_affinity=1
oom_score_adj=-100
ionice=best-effort:1
EOF
    is "$(pid web)" "$pid"
    is "$(nice_of "$pid")" -3
    is "$(limit "$pid" "Max open files")" 200:300
    is "$(limit "$pid" "Max core file size")" 2097152:unlimited
    is "$(limit "$pid" "Max processes")" 77:77
    is "$(status_field "$pid" Cpus_allowed_list)" 1
    is "$(cat "/proc/$pid/oom_score_adj")" -100
    is "$(ionice -p "$pid")" "best-effort: prio 1"
}

test_rlimit_as_is_enforced() {
    program hog <<'EOF'
command=dd if=/dev/zero of=/dev/null bs=100M count=1
rlimit_as=50MB
startsecs=0
autorestart=false
redirect_stderr=true
stdout_logfile=/run/hog.log
EOF
    wait_for 'grep -q "memory exhausted\|out of memory" /run/hog.log'
}

test_rlimit_nproc_holds_a_user_that_forks() {
    program forks <<'EOF'
command=/bin/sh -c 'while :; do sleep 1000 & done'
user=www-data
rlimit_nproc=20
startsecs=0
autorestart=false
stopasgroup=true
redirect_stderr=true
stdout_logfile=/run/forks.log
EOF
    wait_for "grep -q \"can't fork\" /run/forks.log"
    contains "$(ps -o user,args | grep -c '^www-data .*sleep')" 19
    killall sleep || true
}

test_memory_limit_restarts_a_program_over_proc() {
    program leak <<'EOF'
command=/bin/sh -c 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); sleep 1000'
memory_limit=20MB
memory_interval=1
startsecs=0
EOF
    wait_log 'leak: .* of memory in use, memory_limit is 20 MB; restarting it'
    wait_for '[ "$(grep -c "spawned: .leak" /scratch/sv.log)" -gt 1 ]'
}

# A supervisor without a capability, and with no_new_privileges: as in a restricted container.
test_without_capabilities_options_work_or_are_named() {
    mkdir -p /run/inner
    cat >/run/inner/sv.conf <<'EOF'
[supervisord]
nodaemon=true
logfile=/run/inner/sv.log
[program-default]
command=sleep 1000
startretries=0
[program:nofile]
rlimit_nofile=unlimited
[program:nice]
nice=-5
[program:ionice]
ionice=realtime:0
[program:oom_score_adj]
oom_score_adj=-900
[program:capabilities]
capabilities=CAP_CHOWN
[program:user]
user=www-data
redirect_stderr=true
stdout_logfile=/run/inner/user.log
[program:lower]
nice=5
ionice=idle
oom_score_adj=500
rlimit_nofile=64:64
cpu_affinity=0
no_new_privileges=true
capabilities=
memory_limit=100MB
kill_tree=true
EOF
    program inner <<'EOF'
command=/sv run -c /run/inner/sv.conf
capabilities=
no_new_privileges=true
EOF
    wait_for 'sv -c /run/inner/sv.conf status lower | grep -q RUNNING'
    wait_for '[ "$(sv -c /run/inner/sv.conf status | grep -c FATAL)" = 6 ]'
    status="$(sv -c /run/inner/sv.conf status || true)"
    contains "$status" "cannot apply rlimit_nofile: Operation not permitted"
    contains "$status" "cannot apply nice: Permission denied"
    contains "$status" "cannot apply ionice: Operation not permitted"
    contains "$status" "cannot apply oom_score_adj: Permission denied"
    contains "$status" "cannot apply capabilities: Operation not permitted"
    contains "$status" "cannot apply user: Operation not permitted"
    # In Supervisor's own words.
    contains "$(cat /run/inner/user.log)" "supervisor: couldn't setuid to 33: "
}

finish() {
    program job <<'EOF'
command=/bin/sh -c 'sleep 2; exit 7'
on_exit=shutdown
EOF
}
