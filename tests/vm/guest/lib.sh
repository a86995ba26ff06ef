# What scenarios and suites use. A scenario runs with `set -eux`, so that a command that fails is a scenario that fails,
# and the last lines of its trace are shown.

# A suite may define these again.

# Before `sv` is started.
prepare() {
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /tmp
    ip link set lo up
}

# More lines of [supervisord].
supervisor_options() {
    :
}

# After the last scenario: must end the machine.
finish() {
    sv shutdown
}

# Adds a program with the options on standard input, and starts it.
program() {
    { echo "[program:$1]"; cat; } >"/etc/sv.d/$1.conf"
    sv update
}

fail() {
    echo "$*" >&2
    exit 1
}

is() {
    [ "$1" = "$2" ] || fail "found '$1', expected '$2'"
}

contains() {
    case "$1" in
    *"$2"*) ;;
    *) fail "no '$2' in '$1'" ;;
    esac
}

# Waits until a command line succeeds. It runs in a shell of its own, so that its attempts are not in the trace.
wait_for() {
    /vm/wait_for.sh "$1" || fail "waited in vain for: $1"
}

wait_state() {
    wait_for "sv status $1 | grep -q ' $2 '"
}

wait_log() {
    wait_for "grep -q '$1' /var/log/sv.log"
}

# The process id of a program.
pid() {
    sv pid "$1"
}

# Has qemu's monitor carry out a command.
monitor() {
    echo "monitor $*" >&3
}
