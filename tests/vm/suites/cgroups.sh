# Cgroups of programs and their limits.

prepare() {
    prepare_in_container 200M
}

test_a_program_has_its_limits_in_a_cgroup_of_its_own() {
    program held <<EOF
command=sleep 1000
cgroup_memory_max=50MB
cgroup_memory_high=40MB
cgroup_cpu_max=50%
cgroup_pids_max=10
EOF
    program plain <<EOF
command=sleep 1000
EOF
    wait_state held RUNNING
    wait_state plain RUNNING
    is_in held "$(pid held)"
    is "$(of held memory.max)" 52428800
    is "$(of held memory.high)" 41943040
    is "$(of held cpu.max)" "50000 100000"
    is "$(of held pids.max)" 10
    # All others are where we are, and nobody is where we were started.
    contains "$(cat "/proc/$(pid plain)/cgroup")" /supervisor
    contains "$(cat /proc/1/cgroup)" /supervisor
    is "$(cat /sys/fs/cgroup/container/cgroup.procs)" ""
    sv stop held
    wait_for "[ ! -e $(ours)/p-held ]"
}

test_update_changes_the_limits_of_the_running_program() {
    program held <<EOF
command=sleep 1000
cgroup_memory_max=50MB
cgroup_pids_max=10
EOF
    wait_state held RUNNING
    before="$(pid held)"
    program held <<EOF
command=sleep 1000
cgroup_memory_max=60MB
cgroup_cpu_max=150%
nice=5
EOF
    is "$(pid held)" "$before"
    is "$(of held memory.max)" 62914560
    is "$(of held pids.max)" max
    is "$(of held cpu.max)" "150000 100000"
    is "$(cut -d ' ' -f 19 "/proc/$before/stat")" 5
}

test_a_limit_below_what_is_in_use_holds_nobody_up() {
    program big <<EOF
command=sh -c 'head -c 30000000 /dev/zero >/tmp/big; exec sleep 1000'
cgroup_memory_max=100MB
EOF
    wait_for "[ \$(stat -c %s /tmp/big) = 30000000 ]"
    program big <<EOF
command=sh -c 'head -c 30000000 /dev/zero >/tmp/big; exec sleep 1000'
cgroup_memory_max=100MB
cgroup_memory_high=10MB
EOF
    sv status big
    wait_for "grep -q 10485760 $(ours)/p-big/memory.high"
    rm /tmp/big
}

test_memory_limit_measures_the_cgroup() {
    # What is in a tmpfs is memory of the cgroup, and not resident in any process.
    program leak <<EOF
command=sh -c 'head -c 30000000 /dev/zero >/tmp/leak; exec sleep 1000'
cgroup_memory_max=100MB
memory_limit=20MB
memory_interval=1
EOF
    wait_log "leak: .* of memory in use, memory_limit is 20 MB; restarting it"
    sv stop leak
    rm /tmp/leak
}

test_cpu_max_throttles() {
    program busy <<EOF
command=sh -c 'while :; do :; done'
cgroup_cpu_max=10%
EOF
    wait_for "grep -q 'nr_throttled [1-9]' $(ours)/p-busy/cpu.stat"
}

test_any_name_has_a_cgroup() {
    program 'ä%%b' <<EOF
command=sleep 1000
cgroup=required
EOF
    wait_for "grep -q . '$(ours)/p-%c3%a4%25%25b/cgroup.procs' || grep -q . '$(ours)/p-%c3%a4%25b/cgroup.procs'"
}
