# Ctrl-Alt-Del, which the kernel reports to PID 1 as SIGINT, and the order of a shutdown.

prepare() {
    mount_all
    # 1, the default, reboots without asking PID 1.
    echo 0 >/proc/sys/kernel/ctrl-alt-del
}

# vm.rs reads on the console what happens after the end of the driver.
supervisor_options() {
    echo "silent=false"
}

finish() {
    for priority in 10 20 30; do
        program "prio$priority" <<EOF
command=/bin/sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
priority=$priority
EOF
        wait_state "prio$priority" RUNNING
    done
    program parent <<'EOF'
command=/bin/sh -c 'setsid sh -c "trap \"echo the orphan has got TERM >/dev/console; exit\" TERM; touch /run/trapped; while :; do sleep 0.1; done" & exit 0'
autorestart=false
startsecs=0
EOF
    wait_for '[ -e /run/trapped ]'
    monitor sendkey ctrl-alt-delete
}
