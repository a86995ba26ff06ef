# podman and crun, and systemd as the service manager of the host: in the root file system that tests/setup/runtimes.sh makes.
# systemd is PID 1 of the machine here.

# A container takes seconds to start here, and each call of podman a second of a processor.
WAIT_SECS=200
WAIT_PAUSE=1

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
[program:limited]
command=sleep 1000
cgroup_pids_max=5
[program:notices]
command=sh -c 'trap "echo stopped >/run/stopped; exit 0" TERM; while :; do sleep 0.1; done'
EOF
    # That of the packages.
    cp /vm/sv.service /etc/systemd/system
    systemctl daemon-reload
    systemctl start sv
    wait_state web RUNNING
    wait_state notices RUNNING
    wait_state limited RUNNING
    # As the unit has Delegate=yes.
    limited="$(sed 's/^0:://' "/proc/$(pid limited)/cgroup")"
    contains "$limited" /system.slice/sv.service/
    is "$(cat "/sys/fs/cgroup$limited/pids.max")" 5
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

test_podman_loads_the_image() {
    podman import --change 'ENTRYPOINT ["/sv"]' /vm/image.tar localhost/sv-test
    # As the examples name them.
    podman tag localhost/sv-test localhost/sv localhost/web
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

# Runs a manifest. podman builds an image from the folder of that name in the current one, and `/sv` has the name of an image.
play() {
    (cd /root && podman kube play "$@")
}

# A field of a container, as `podman inspect` has it.
field() {
    podman inspect -f "{{.$2}}" "$1"
}

test_the_example_deployment() {
    play /vm/kubernetes/web.yaml
    # The startup and the liveness probe.
    wait_for '[ "$(podman inspect -f "{{.State.Health.Status}}" web-pod-web)" = healthy ]'
    is "$(podman exec web-pod-web /sv pid)" 1
    # The number of workers is that of the environment.
    is "$(podman exec web-pod-web /sv status 'worker:*' | grep -c RUNNING)" 4
    # As the readiness probe and `preStop` would, which podman ignores.
    podman exec web-pod-web /sv health web
    podman exec web-pod-web /sv stop 'worker:*'
    # Over the network of the pod.
    infra="$(podman ps -q --filter name=infra)"
    address="$(podman inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$infra")"
    is "$(curl -fsS "http://$address:8080/")" "hello from web"
    podman kube down /vm/kubernetes/web.yaml
}

test_the_example_with_a_shared_process_namespace() {
    # podman mounts a file system in memory for each container, and Kubernetes one for the pod.
    sed '/medium: Memory/d; /sizeLimit/d; s/emptyDir:/emptyDir: {}/' /vm/kubernetes/sidecar.yaml >/root/sidecar.yaml
    play --network none /root/sidecar.yaml
    wait_for 'podman exec web-with-logs-web /sv health'
    # The first process is that of the pod.
    [ "$(podman exec web-with-logs-web /sv pid)" != 1 ]
    podman exec web-with-logs-web cat /proc/1/comm | grep catatonit
    podman exec web-with-logs-logs ps | grep 'sv run'
    # An orphan is adopted by `sv`, as it is a subreaper.
    orphan="$(podman exec web-with-logs-web cat /run/orphan)"
    is "$(podman exec web-with-logs-web awk '/^PPid/ { print $2 }' "/proc/$orphan/status")" \
        "$(podman exec web-with-logs-web /sv pid)"
    wait_for 'podman logs web-with-logs-logs 2>&1 | grep -q "a line of chatty"'
    podman kube down /root/sidecar.yaml
}

test_an_http_probe_restarts_the_container() {
    cat >/root/probes.yaml <<'EOF'
apiVersion: v1
kind: Pod
metadata:
  name: probes
spec:
  restartPolicy: Always
  containers:
    - name: web
      image: localhost/sv-test
      command: ["/sv"]
      env:
        - name: SV_INET_HTTP_SERVER_PORT
          value: "127.0.0.1:9001"
        - name: SV_PROGRAM_FRAGILE_COMMAND
          value: /bin/sh -c "[ ! -e /fault/now ] && exec sleep 1000"
        - name: SV_PROGRAM_FRAGILE_STARTRETRIES
          value: "0"
      livenessProbe:
        httpGet:
          path: /healthz
          port: 9001
        periodSeconds: 2
        timeoutSeconds: 20
        failureThreshold: 1
      volumeMounts:
        - name: fault
          mountPath: /fault
  volumes:
    # Empty again when the container is restarted.
    - name: fault
      emptyDir:
        medium: Memory
EOF
    play --network none /root/probes.yaml
    wait_for '[ "$(podman inspect -f "{{.State.Health.Status}}" probes-web)" = healthy ]'
    before="$(field probes-web State.StartedAt)"
    podman exec probes-web /bin/touch /fault/now
    podman exec probes-web /sv restart fragile && fail "it has started" || true
    wait_for "[ \"\$(podman inspect -f '{{.State.StartedAt}}' probes-web)\" != '$before' ]"
    wait_for 'podman exec probes-web /sv status fragile | grep -q RUNNING'
    podman kube down /root/probes.yaml
}

# A pod of a job, which ends it. Takes the restart policy and the command of the job.
job_pod() {
    cat <<EOF
apiVersion: v1
kind: Pod
metadata:
  name: job
spec:
  restartPolicy: $1
  containers:
    - name: job
      image: localhost/sv-test
      command: ["/sv"]
      env:
        - name: SV_PROGRAM_JOB_COMMAND
          value: /bin/sh -c "$2"
        - name: SV_PROGRAM_JOB_ON_EXIT
          value: shutdown
      volumeMounts:
        - name: message
          mountPath: /dev/termination-log
        - name: state
          mountPath: /state
  volumes:
    - name: message
      hostPath:
        path: /run/message
        type: File
    - name: state
      emptyDir: {}
EOF
}

test_the_exit_status_of_a_pod() {
    : >/run/message
    job_pod Never 'sleep 2; exit 7' >/root/job.yaml
    play --network none /root/job.yaml
    is "$(podman wait job-job)" 7
    contains "$(cat /run/message)" "job ended: exit status 7"
    is "$(field job-job RestartCount)" 0
    podman kube down /root/job.yaml
}

test_a_pod_is_restarted_on_failure_only() {
    : >/run/message
    job_pod OnFailure 'sleep 2; [ -e /state/again ] || { touch /state/again; exit 7; }' >/root/job.yaml
    play --network none /root/job.yaml
    wait_for 'podman inspect -f "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}" job-job | grep -qx "1 exited 0"'
    podman kube down /root/job.yaml
}
