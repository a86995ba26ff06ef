# A full file system, and a full table of processes.

test_a_full_disk_drops_output_and_comes_back() {
    mkdir /small
    mount -t tmpfs -o size=256k tmpfs /small
    program chatty <<'EOF'
command=/bin/sh -c 'yes | head -c 1000000; while ! [ -e /run/more ]; do sleep 0.1; done; while :; do echo again; sleep 0.1; done'
stdout_logfile=/small/chatty.log
stdout_logfile_maxbytes=0
EOF
    wait_log 'chatty.*No space left on device'
    wait_state chatty RUNNING
    : >/small/chatty.log
    touch /run/more
    wait_for 'grep -q again /small/chatty.log'
    sv stop chatty
    # A process that outlives the program may have its output for a moment.
    wait_for 'umount /small'
}

# As wait_log, but with commands of the shell alone, while nothing can be forked.
wait_log_without_fork() {
    set +x
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        while read -r line; do
            case "$line" in
            *"$1"*) set -x; return ;;
            esac
        done <"$LOG"
        read -r -t 1 _ <>/run/never || true
    done
    fail "no '$1' in the log"
}

test_a_full_table_of_processes_is_waited_out() {
    for name in first second third; do
        program "$name" <<'EOF'
command=sleep 1000
autostart=false
EOF
    done
    # They are forked before the table is full.
    mkfifo /run/full /run/never
    sh -c 'read -r _ </run/full; exec sv start first second third' &
    # Its sleepers are orphans when it ends, because it can't fork any more.
    program bomb <<'EOF'
command=/bin/sh -c 'while :; do sleep 30 & done'
autorestart=false
startsecs=0
EOF
    echo 400 >/proc/sys/kernel/pid_max
    wait_log_without_fork 'exited: bomb'
    # One of them has the process id of the bomb.
    echo full >/run/full
    wait_log_without_fork '; starts are retried until the shortage is over'
    echo 32768 >/proc/sys/kernel/pid_max
    for name in first second third; do
        wait_state "$name" RUNNING
    done
    is "$(sv pid)" 1
}
