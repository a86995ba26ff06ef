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

# The kernel's file is hidden by a pipe that is full, so that a child that writes to it is busy until it is read.
test_the_newest_limit_wins_over_one_that_keeps_the_kernel_busy() {
    limit() {
        program big <<EOF
command=sh -c 'head -c 30000000 /dev/zero >/tmp/big; exec sleep 1000'
cgroup_memory_max=100MB
cgroup_memory_high=$1
EOF
    }
    limit max
    wait_for "[ \$(stat -c %s /tmp/big) = 30000000 ]"
    mkfifo /tmp/high
    sleep 1001 <>/tmp/high &
    dd if=/dev/zero of=/tmp/high bs=65536 count=1
    file="$(ours)/p-big/memory.high"
    mount --bind /tmp/high "$file"
    limit 10MB
    limit 15MB
    limit 20MB
    dd if=/tmp/high of=/dev/null bs=65536 count=1
    : >/tmp/values
    wait_for "timeout 1 cat /tmp/high >>/tmp/values; grep -q 20971520 /tmp/values"
    is "$(cat /tmp/values)" 20971520
    umount "$file"
    kill $(pids_of 'sleep 1001')
    rm /tmp/big /tmp/high
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
    wait_log "stopped: leak (terminated by SIGTERM)"
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

# The kernel lets nothing enter a cgroup that distributes controllers to others.
test_a_cgroup_that_cannot_be_entered_is_one_warning() {
    program busy <<EOF
command=sleep 1000
cgroup_pids_max=50
startsecs=0
EOF
    wait_state busy RUNNING
    sv stop busy
    mkdir "$(ours)/p-busy" "$(ours)/p-busy/inner"
    echo +pids >"$(ours)/p-busy/cgroup.subtree_control"
    sleep 1002 &
    echo $! >"$(ours)/p-busy/inner/cgroup.procs"
    sv start busy
    wait_log "WARN .busy. runs without a cgroup of its own: cannot enter it: .*busy"
    contains "$(cat "/proc/$(pid busy)/cgroup")" /supervisor
    sv restart busy
    wait_state busy RUNNING
    # Where it is required that is an error.
    program busy <<EOF
command=sleep 1000
cgroup_pids_max=50
cgroup=required
startsecs=0
startretries=0
EOF
    sv restart busy || true
    wait_state busy FATAL
    contains "$(sv status busy || true)" "cannot apply cgroup: "
    is "$(grep -c "'busy' runs without a cgroup" $LOG)" 1
    kill $(pids_of 'sleep 1002')
}

test_a_cgroup_that_cannot_be_made_is_one_warning() {
    program first <<EOF
command=sleep 1000
cgroup_pids_max=50
EOF
    wait_state first RUNNING
    echo 0 >"$(ours)/cgroup.max.descendants"
    program second <<EOF
command=sleep 1000
cgroup_pids_max=50
EOF
    wait_state second RUNNING
    wait_log "WARN .second. runs without a cgroup of its own: cannot make it: "
    sv restart second
    is "$(grep -c "'second' runs without a cgroup" $LOG)" 1
    echo max >"$(ours)/cgroup.max.descendants"
    sv restart second
    is_in second "$(pid second)"
}

test_a_cgroup_that_somebody_else_has_removed_is_forgotten() {
    program web <<EOF
command=sh -c 'setsid sleep 1003 & exec sleep 1000'
cgroup_pids_max=50
EOF
    wait_state web RUNNING
    sv stop web
    left="$(pids_of 'sleep 1003')"
    is_in web "$left"
    echo "$left" >"$(ours)/supervisor/cgroup.procs"
    # Unless the supervisor, which has reaped another orphan just now, was faster.
    rmdir "$(ours)/p-web" || [ ! -e "$(ours)/p-web" ]
    # It is an orphan of the supervisor, which then looks for what is empty.
    kill "$left"
    wait_for "[ ! -e /proc/$left ]"
    wait_for "[ ! -e $(ours)/p-web ]"
    contains "$(sv exec web -- true 2>&1)" "the cgroup of web: it has none at present"
}

test_update_of_the_kind_of_cgroup_takes_the_next_start() {
    program web <<EOF
command=sleep 1000
cgroup=off
EOF
    wait_state web RUNNING
    before="$(pid web)"
    program web <<EOF
command=sleep 1000
cgroup=required
cgroup_pids_max=9
EOF
    is "$(pid web)" "$before"
    wait_log "WARN cannot apply cgroup_pids_max to .web.: it does not run in a cgroup of its own; its next start applies it"
    sv restart web
    is_in web "$(pid web)"
    is "$(of web pids.max)" 9
}

inner_config() {
    cat >/tmp/inner.conf <<EOF
[supervisord]
logfile=/tmp/inner.log
[unix_http_server]
file=/tmp/inner.sock
[program:web]
command=sleep 1000
cgroup_pids_max=$1
[program:$2]
command=sleep 1000
kill_tree=true
EOF
}

inner() {
    sv -c /tmp/inner.conf "$@"
}

inner_is_in() {
    wait_for "sv -c /tmp/inner.conf status $1 | grep RUNNING"
    is_in "$1" "$(inner pid "$1")"
}

# An inner supervisor, as the driver of the tests is a program of the outer one.
test_reload_makes_the_cgroups_of_programs_again() {
    inner_config 7 first
    program inner <<EOF
command=/sv run -s -c /tmp/inner.conf
cgroup_memory_max=150MB
cgroup_cpu_max=100%
cgroup_pids_max=100
EOF
    inner_is_in web
    inner_is_in first
    folder="$(echo "$(ours)"/p-inner/sv-*)"
    is "$(cat "$folder/p-web/pids.max")" 7
    before="$(inner pid web)"
    inner_config 8 second
    inner reload
    inner_is_in second
    inner_is_in web
    is "$(echo "$(ours)"/p-inner/sv-*)" "$folder"
    is "$(cat "$folder/p-web/pids.max")" 8
    [ "$(inner pid web)" != "$before" ]
    [ ! -e "$folder/p-first" ]
    # An update changes the one that runs, and adds and removes programs.
    before="$(inner pid web)"
    inner_config 9 third
    inner update
    inner_is_in third
    is "$(cat "$folder/p-web/pids.max")" 9
    is "$(inner pid web)" "$before"
    [ ! -e "$folder/p-second" ]
    sv stop inner
    [ ! -e "$(ours)/p-inner" ]
}

test_exec_joins_the_cgroup_of_the_program() {
    program web <<EOF
command=sleep 1000
cgroup_pids_max=20
nice=4
EOF
    wait_state web RUNNING
    contains "$(sv exec web -- cat /proc/self/cgroup)" "/p-web"
    is "$(sv exec web -- cut -d " " -f 19 /proc/self/stat)" 4
    sv stop web
    contains "$(sv exec web -- cat /proc/self/cgroup 2>&1)" \
        "note: the command runs outside of the cgroup of web: it has none at present"
}

test_the_example_of_a_noisy_neighbour_is_held() {
    neighbours() {
        sv -c /vm/noisy-neighbour/supervisord.conf "$@"
    }
    program neighbours <<'EOF'
command=/sv run -s -c /vm/noisy-neighbour/supervisord.conf
cgroup=required
EOF
    wait_for "sv -c /vm/noisy-neighbour/supervisord.conf status page | grep RUNNING"
    wait_for "grep -q 'nr_throttled [1-9]' $(ours)/p-neighbours/sv-*/p-report/cpu.stat"
    is "$(cat "$(ours)"/p-neighbours/sv-*/p-report/cpu.max)" "20000 100000"
    is "$(cat "$(ours)"/p-neighbours/sv-*/p-report/memory.max)" 100663296
    contains "$(timeout 20 wget -qO - http://127.0.0.1:8000/)" "This page answers"
    page="$(neighbours pid page)"
    # It has a fifth of an emulated processor.
    WAIT_SECS=180 wait_for "grep 'memory_limit is 64 MB; restarting it\|report (terminated by SIGKILL, out of memory' /vm/noisy-neighbour/run/supervisord.log"
    contains "$(timeout 20 wget -qO - http://127.0.0.1:8000/)" "This page answers"
    is "$(neighbours pid page)" "$page"
    neighbours stop report
    is "$(pids_of 'sleep 1000000')" ""
    sv stop neighbours
}

# Only root may move itself there.
test_exec_of_an_ordinary_user_runs_outside_of_the_cgroup() {
    cat >/tmp/user.conf <<'EOF'
[supervisord]
logfile=/tmp/user.log
[unix_http_server]
file=/tmp/user.sock
chmod=0777
[program:web]
command=sleep 1000
user=nobody
cgroup_pids_max=20
EOF
    program inner <<'EOF'
command=/sv run -s -c /tmp/user.conf
EOF
    wait_for "sv -c /tmp/user.conf status web | grep RUNNING"
    contains "$(sv -c /tmp/user.conf exec web -- cat /proc/self/cgroup)" /p-web
    su -s /bin/sh nobody -c 'sv -c /tmp/user.conf exec web -- id -un' >/tmp/exec 2>&1
    is "$(cat /tmp/exec)" "note: the command runs outside of the cgroup of web: Permission denied (os error 13)
nobody"
}

# What needs privileges is applied while the child is root, the cgroup before everything else.
test_everything_is_applied_to_a_program_of_an_ordinary_user() {
    program web <<'EOF'
command=sleep 1000
user=nobody:www-data
umask=077
nice=-3
ionice=realtime:2
oom_score_adj=-300
cpu_affinity=1
rlimit_nofile=2000:1048576
capabilities=CAP_NET_BIND_SERVICE
no_new_privileges=true
kill_tree=true
cgroup=required
cgroup_memory_max=50MB
cgroup_pids_max=20
EOF
    wait_state web RUNNING
    pid="$(pid web)"
    field() {
        sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
    }
    is_in web "$pid"
    is "$(of web pids.max) $(of web memory.max)" "20 52428800"
    is "$(field Uid | cut -f 1) $(field Gid | cut -f 1) $(field Umask)" "65534 33 0077"
    is "$(cut -d ' ' -f 19 "/proc/$pid/stat") $(cat "/proc/$pid/oom_score_adj")" "-3 -300"
    is "$(ionice -p "$pid")" "realtime: prio 2"
    is "$(field Cpus_allowed_list)" 1
    is "$(field CapBnd) $(field CapAmb) $(field NoNewPrivs)" "0000000000000400 0000000000000400 1"
    contains "$(grep 'Max open files' "/proc/$pid/limits")" " 2000 "
    sv stop web
}

# Where the cgroup that we were started in has no controllers.
test_without_a_controller_a_limit_is_one_warning_or_an_error() {
    mkdir /sys/fs/cgroup/bare /sys/fs/cgroup/bare/below
    nested_configuration bare <<'EOF'
[program:one]
cgroup_memory_max=50MB
[program:two]
cgroup_memory_max=50MB
[program:strict]
cgroup_memory_max=50MB
cgroup=required
EOF
    program bare <<'EOF'
command=sh -c 'echo 0 >/sys/fs/cgroup/bare/below/cgroup.procs; exec /sv run -s -c /tmp/bare.conf'
EOF
    only_strict_fails bare \
        "cannot apply cgroup_memory_max: the cgroup controller 'memory' is not available"
    is "$(grep -c "WARN cgroup_memory_max has no effect: the cgroup controller 'memory' is not available" /tmp/bare.log)" 1
}
