# What scenarios and suites use. A scenario runs with `set -eux`, so that a command that fails is a scenario that fails,
# and the end of its trace is shown.

# A file system of its own, which is only for the tests.
PROGRAMS=/scratch/sv.d
LOG=/scratch/sv.log

# A suite may define these three again.

# Before `sv` is started.
prepare() {
    mount_all
}

# More lines of [supervisord].
supervisor_options() {
    # Emulated, the console is slow.
    echo "silent=true"
}

# After the last scenario: must end the machine.
finish() {
    sv shutdown
}

mount_all() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /tmp
    ip link set lo up
}

# Instead of `prepare`: in a cgroup that stands for a container with this much memory.
prepare_in_container() {
    mount_all
    echo "+memory +cpu +pids" >/sys/fs/cgroup/cgroup.subtree_control
    mkdir /sys/fs/cgroup/container
    echo "$1" >/sys/fs/cgroup/container/memory.max
    echo 0 >/sys/fs/cgroup/container/cgroup.procs
}

# The folder of the cgroups of `sv` in there.
ours() {
    echo /sys/fs/cgroup/container/sv-*
}

# A file of a program's cgroup.
of() {
    cat "$(ours)/p-$1/$2"
}

# Whether a process is in the cgroup of a program.
is_in() {
    contains "$(cat "/proc/$2/cgroup")" "/p-$1"
}

# The processes whose command line is this, one in each line.
pids_of() {
    ps | sed -n "s/^ *\([0-9]*\) .* $1\$/\1/p"
}

# Adds a program with the options on standard input and starts it, or updates it.
program() {
    { echo "[program:$1]"; cat; } >"$PROGRAMS/$1.conf"
    sv update
}

fail() {
    echo "$*" >&2
    exit 1
}

# Compares what was found with what was expected.
is() {
    [ "$1" = "$2" ] || fail "found '$1', expected '$2'"
}

contains() {
    case "$1" in
    *"$2"*) ;;
    *) fail "no '$2' in '$1'" ;;
    esac
}

# Waits until a command line succeeds, for a minute or WAIT_SECS. It runs in a shell of its own, so that its attempts are not in the trace.
wait_for() {
    WAIT_SECS="${WAIT_SECS:-60}" WAIT_PAUSE="${WAIT_PAUSE:-0.1}" /vm/wait_for.sh "$1" || fail "waited in vain for: $1"
}

wait_state() {
    wait_for "sv status $1 | grep -q ' $2 '"
}

wait_log() {
    wait_for "grep -q '$1' $LOG"
}

# Starts a program with a member of its group that ignores SIGTERM, whose pid is then in /run/member.
start_group_that_ignores_term() {
    program group <<'EOF'
command=/bin/sh -c 'sh -c "trap : TERM; echo \$\$ >/run/member; while :; do sleep 0.1; done" & wait'
stopasgroup=true
killasgroup=true
stopwaitsecs=1
EOF
    wait_for "[ -s /run/member ]"
}

# Writes /tmp/NAME.conf for a supervisor below ours, with the programs on standard input.
nested_configuration() {
    {
        cat <<EOF
[supervisord]
logfile=/tmp/$1.log
[unix_http_server]
file=/tmp/$1.sock
[program-default]
command=sleep 1000
startretries=0
EOF
        cat
    } >"/tmp/$1.conf"
}

# Waits until that supervisor runs `one` and `two`, and `strict` has failed for this reason.
only_strict_fails() {
    wait_for "sv -c /tmp/$1.conf status one | grep RUNNING && sv -c /tmp/$1.conf status two | grep RUNNING"
    wait_for "sv -c /tmp/$1.conf status strict | grep FATAL"
    contains "$(sv -c "/tmp/$1.conf" status strict || true)" "$2"
}

# The process id of a program.
pid() {
    sv pid "$1"
}

# Has qemu's monitor carry out a command.
monitor() {
    echo "monitor $*" >&3
}
