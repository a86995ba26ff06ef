# Programs with options of cgroups where cgroups cannot be made, as in an ordinary container.

prepare() {
    mount_all
    mount -o remount,ro /sys/fs/cgroup
}

test_programs_run_with_one_warning() {
    program one <<EOF
command=sleep 1000
cgroup_memory_max=50MB
EOF
    program two <<EOF
command=sleep 1000
cgroup_pids_max=50
EOF
    wait_state one RUNNING
    wait_state two RUNNING
    is "$(grep -c 'programs run without cgroups of their own: .*Read-only file system' $LOG)" 1
    contains "$(cat "/proc/$(pid one)/cgroup")" "0::/"
}

test_a_program_that_requires_a_cgroup_does_not_start() {
    program strict <<EOF
command=sleep 1000
cgroup=required
startretries=0
EOF
    wait_state strict FATAL
    contains "$(sv status strict || true)" "cannot apply cgroup: cannot use '/sys/fs/cgroup/sv-"
}

test_kill_tree_follows_processes_without_a_cgroup() {
    program legacy <<EOF
command=sh -c '(setsid env -i /bin/sh -c "trap : TERM; sleep 2001 & while :; do wait; done" &) && exec sleep 2002'
user=nobody
kill_tree=true
stopwaitsecs=1
EOF
    program other <<EOF
command=sh -c '(setsid sleep 2003 &) && exec sleep 2004'
kill_tree=true
EOF
    wait_state legacy RUNNING
    wait_state other RUNNING
    wait_for "ps | grep ' [s]leep 2001$'"
    sv stop legacy
    is "$(pids_of 'sleep 200[12]')" ""
    is "$(pids_of 'sleep 200[34]' | wc -l)" 2
}

# Only version 1 is mounted.
test_version_1_is_one_warning() {
    nested_configuration v1 <<'EOF'
[program:one]
cgroup_memory_max=50MB
[program:two]
cgroup_pids_max=50
kill_tree=true
[program:strict]
cgroup=required
EOF
    program inner <<'EOF'
command=unshare -m sh -c 'umount /sys/fs/cgroup && mount -t cgroup -o none,name=old old /sys/fs/cgroup && exec /sv run -s -c /tmp/v1.conf'
EOF
    only_strict_fails v1 "cannot apply cgroup: no file system of cgroup version 2 is mounted"
    is "$(grep -c WARN /tmp/v1.log)" 1
    contains "$(cat /tmp/v1.log)" "WARN programs run without cgroups of their own: no file system of cgroup version 2 is mounted"
}
