# Nothing can be written but /scratch, where the harness writes.

prepare() {
    mount_all
    umount /run
    umount /tmp
    mount -o remount,ro /
}

test_nothing_can_be_written() {
    for file in /run/file /tmp/file /var/log/file; do
        if touch "$file"; then fail "could write '$file'"; fi
    done
}

test_supervises() {
    program web <<'EOF'
command=/bin/sh -c 'echo started; exec sleep 1000'
EOF
    wait_state web RUNNING
    wait_for 'sv tail web | grep -q started'
    is "$(sv stop web)" "web: stopped"
    is "$(sv pid)" 1
}

test_a_log_that_cannot_be_written_is_named() {
    program web <<'EOF'
command=sleep 1000
stdout_logfile=/var/log/web.log
EOF
    wait_state web RUNNING
    wait_log "/var/log/web.log"
}

test_limits_need_nothing_to_write() {
    program web <<'EOF'
command=sleep 1000
user=www-data
rlimit_nofile=64:64
nice=-1
oom_score_adj=-100
capabilities=CAP_NET_BIND_SERVICE
no_new_privileges=true
memory_limit=100MB
kill_tree=true
cgroup_pids_max=20
EOF
    wait_state web RUNNING
    contains "$(cat "/proc/$(pid web)/cgroup")" /p-web
    is "$(cat "/proc/$(pid web)/oom_score_adj")" -100
}
