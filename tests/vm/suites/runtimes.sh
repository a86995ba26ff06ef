# podman and crun, and systemd as the service manager of the host: in the root file system that tests/setup/runtimes.sh makes.
# systemd is PID 1 of the machine here.

# A container takes seconds to start here.
WAIT_SECS=200

finish() {
    systemctl --no-block poweroff
}

# Runs a container in the background.
run_container() {
    podman run -d --network none "$@"
}

test_systemd_runs_it_as_a_service() {
    mkdir -p /etc/sv.d
    cat >/etc/supervisord.conf <<'EOF'
[supervisord]
logfile=/run/sv.log
[program:web]
command=sleep 1000
[program:notices]
command=sh -c 'trap "echo stopped >/run/stopped; exit 0" TERM; while :; do sleep 0.1; done'
EOF
    cat >/etc/systemd/system/sv.service <<'EOF'
[Service]
Type=exec
ExecStart=/sv run
ExecReload=/sv update
Restart=on-failure
KillMode=mixed
EOF
    systemctl daemon-reload
    systemctl start sv
    wait_state web RUNNING
    wait_state notices RUNNING
    main="$(systemctl show -p MainPID --value sv)"
    is "$(sv pid)" "$main"
    # Not reported to systemd as a failure, nor restarted.
    printf '[program:more]\ncommand=sleep 1000\n' >>/etc/supervisord.conf
    systemctl reload sv
    wait_state more RUNNING
    # The crash of it: systemd starts it again, and no program of the last run is left.
    web="$(pid web)"
    kill -KILL "$main"
    wait_for "[ \"\$(systemctl show -p MainPID --value sv)\" != $main ] && sv status web | grep -q RUNNING"
    [ ! -e "/proc/$web" ]
    systemctl stop sv
    is "$(cat /run/stopped)" stopped
    is "$(systemctl is-failed sv || true)" inactive
}

test_podman_load_the_image() {
    podman import --change 'ENTRYPOINT ["/sv"]' /vm/image.tar localhost/sv-test
}

test_pid_1_of_a_container() {
    run_container --name pid1 localhost/sv-test
    wait_for 'podman exec pid1 /sv status sleeper | grep -q RUNNING'
    is "$(podman exec pid1 /sv pid)" 1
    podman stop -t 30 pid1
    is "$(podman inspect -f '{{.State.ExitCode}}' pid1)" 0
    podman rm pid1
}

test_a_restricted_container() {
    run_container --name restricted --read-only --read-only-tmpfs=false --cap-drop ALL --security-opt no-new-privileges \
        --user 10001:10001 --tmpfs /run:mode=1777 localhost/sv-test
    wait_for 'podman exec restricted /sv status sleeper | grep -q RUNNING'
    podman stop -t 30 restricted
    is "$(podman inspect -f '{{.State.ExitCode}}' restricted)" 0
    podman rm restricted
}

test_the_exit_status_and_the_termination_message() {
    : >/run/message
    podman run --network none --name status -v /run/message:/dev/termination-log \
        -e SV_PROGRAM_JOB_COMMAND='/bin/sh -c "sleep 2; exit 7"' -e SV_PROGRAM_JOB_ON_EXIT=shutdown localhost/sv-test &&
        fail "status 0" || is "$?" 7
    contains "$(cat /run/message)" "job ended: exit status 7"
    podman rm status
}

test_the_memory_of_the_container_is_limited() {
    run_container --name memory --memory 64m -e SV_PROGRAM_HOG_COMMAND='/bin/tail /dev/zero' \
        -e SV_PROGRAM_HOG_AUTORESTART=false -e SV_PROGRAM_HOG_STARTSECS=0 localhost/sv-test
    wait_for 'podman logs memory 2>&1 | grep -q "exited: hog (terminated by SIGKILL"'
    is "$(podman exec memory /sv pid)" 1
    podman rm -f memory
}
