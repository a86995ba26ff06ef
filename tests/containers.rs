//! Where `sv` must run: below another init, as any user, on file systems that take nothing, without
//! capabilities, at a terminal. Each test is a container of the static binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::process::Command;
use std::time::{Duration, Instant};

mod support;
use support::container::{Answer, Container, HEAD, SLEEPER, docker};
use support::terminal::Terminal;

/// What a restricted pod gives a container.
const RESTRICTED: [&str; 8] = [
    "--read-only",
    "--user",
    "1000620000:0",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--pids-limit=4000",
];

/// Says who it is, and that it could write to what a program takes for the container's output.
const SPEAKER: &str = "[program:speaker]
command=/bin/sh -c 'echo I am $(id -u):$(id -g); echo by path >/dev/stdout; exec sleep 100000'
stdout_logfile=/dev/stdout
stderr_logfile=/dev/stderr
";

/// Logs and sockets in /run alone.
fn in_run(programs: &str) -> String {
    let head = HEAD.replace("/var/log/supervisord.log", "/run/supervisord.log").replace("user=root\n", "");
    format!("{head}{programs}")
}

/// Docker waits twice as long before it kills, so a stop that takes no longer than this was not a kill. How long it
/// takes is a matter of the benches: a busy machine may need seconds.
const AT_ONCE: Duration = Duration::from_secs(30);

#[test]
fn docker_stop_of_fast_programs_needs_no_kill() {
    for arguments in [&["run", "-c", "/etc/supervisord.conf"][..], &["--", "sleep", "100000"]] {
        let options = ["--tmpfs", "/run"];
        let Some(container) = Container::configured(&options, arguments, &in_run(SLEEPER)) else { return };
        container.start();
        container.wait("the sleeper", || container.exec(&["pidof", "sleep"]).success().then_some(()));
        let began = Instant::now();
        assert!(docker(&["stop", "-t", "60", &container.name]).success());
        assert!(began.elapsed() < AT_ONCE, "docker stop took {:?}\n{}", began.elapsed(), container.logs());
    }
}

fn assert_stops_at_once(container: &Container) {
    let began = Instant::now();
    assert!(docker(&["stop", "-t", "60", &container.name]).success());
    let took = began.elapsed();
    assert!(took < AT_ONCE, "docker stop took {took:?}\n{}", container.logs());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

/// Ends by itself, by an error: its status is 2.
fn assert_refused(container: &Container, text: &str) {
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "2", "{}", container.logs());
    assert!(container.logs().contains(text), "{}", container.logs());
}

#[test]
fn a_restricted_container_with_a_tmpfs_at_run_lacks_nothing() {
    let options = [&RESTRICTED[..], &["--tmpfs", "/run:mode=1777"]].concat();
    let Some(container) = Container::configured(&options, &[], &in_run(SPEAKER)) else { return };
    container.start();
    container.wait_log("I am 1000620000:0\n");
    container.wait_log("by path\n");
    container.wait_ready();
    container.wait_log("success: speaker entered RUNNING state");
    assert_eq!(reported(&container.exec(&["/sv", "health"])), ("healthy\n".to_owned(), 0));
    assert_eq!(container.exec(&["cat", "/run/supervisord.pid"]).stdout, "1\n");
    assert!(!container.logs().contains("WARN"), "{}", container.logs());
    assert_stops_at_once(&container);
}

#[test]
fn without_any_place_to_write_it_warns_and_supervises() {
    let Some(container) = Container::configured(&RESTRICTED, &[], &in_run(SPEAKER)) else { return };
    container.start();
    container.wait_log("I am 1000620000:0\n");
    container.wait_log("success: speaker entered RUNNING state");
    let logs = container.logs();
    for line in [
        "WARN cannot open the log file '/run/supervisord.log': ",
        "WARN cannot listen on '/run/supervisor.sock': ",
        "; going on without [unix_http_server]",
        "WARN cannot write the pid file '/run/supervisord.pid': ",
    ] {
        assert!(logs.contains(line), "{line}\n{logs}");
    }
    // A program that exits is restarted, and orphans are reaped: that is supervision.
    let logs = container.logs();
    let (_, spawned) = logs.split_once("spawned: 'speaker' with pid ").unwrap();
    assert!(container.exec(&["kill", "-KILL", spawned.split_whitespace().next().unwrap()]).success());
    container.wait_log("exited: speaker (terminated by SIGKILL; not expected)");
    container.wait("another process", || {
        (container.logs().matches("spawned: 'speaker'").count() == 2).then_some(())
    });
    // A name that needs no file system takes the place of the socket.
    container.wait("health", || container.exec(&["/sv", "health"]).success().then_some(()));
    assert_stops_at_once(&container);
}

#[test]
fn as_pid_1_it_can_be_asked_without_a_configured_server() {
    const BARE: &str = "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=/run/supervisord.pid\n";
    let config = format!("{BARE}[program:sleeper]\ncommand=/bin/sleep 100000\nstartsecs=0\n");
    let as_nobody = config.replacen("[supervisord]", "[supervisord]\nuser=65534", 1);
    let root: &[&str] = &[];
    let tmp = ["--tmpfs", "/tmp:mode=1777"];
    for (options, config, place) in [
        (root, &config, "/run/sv-0/init-"),
        (&["--user", "1000"], &config, "/sv-1000/init-"),
        (&RESTRICTED, &config, "@sv-1000620000/"),
        // Root asks what runs as another user.
        (&tmp, &as_nobody, "/sv-65534/init-"),
    ] {
        let Some(container) = Container::configured(options, &[], config) else { return };
        container.start();
        let status = container.wait("an answer", || {
            let answer = container.exec(&["/sv", "status"]);
            answer.success().then_some(answer.stdout)
        });
        assert!(status.contains("sleeper") && status.contains("RUNNING"), "{place}: {status}");
        assert_eq!(
            reported(&container.exec(&["/sv", "-c", "/etc/supervisord.conf", "pid"])).0,
            "1\n",
            "{place}"
        );
        let listed =
            container.exec(&["sh", "-c", "cat /proc/net/unix; ls -d /run/sv-*/* /tmp/sv-*/*"]).stdout;
        assert!(listed.contains(place), "{place}: {listed}");
    }
}

#[test]
fn files_that_can_not_be_created_are_errors_with_strict_or_below_another_pid_1() {
    let strict = in_run(SLEEPER).replace("[supervisord]", "[supervisord]\nstrict=true");
    let Some(container) = Container::configured(&["--read-only"], &[], &strict) else { return };
    container.start();
    assert_refused(&container, "Error: cannot open the log file '/run/supervisord.log': ");

    let no_log = in_run(SLEEPER).replace("/run/supervisord.log", "/dev/null\nlogfile_maxbytes=0");
    let arguments = ["run", "-c", "/etc/supervisord.conf"];
    let Some(container) = Container::configured(&["--read-only", "--init"], &arguments, &no_log) else {
        return;
    };
    container.start();
    assert_refused(&container, "Error: cannot listen on '/run/supervisor.sock': Read-only file system");
}

#[test]
fn a_restart_retries_files_that_could_not_be_created() {
    // Root's alone, and not in the image, whose modes it would get.
    let options = ["--user", "65534:65534", "--tmpfs", "/data:mode=700"];
    let config = in_run(SLEEPER).replace("/run/", "/data/");
    let Some(container) = Container::configured(&options, &[], &config) else { return };
    container.start();
    container.wait_log("going on without [unix_http_server]");
    assert!(docker(&["exec", "-u", "0", &container.name, "chmod", "1777", "/data"]).success());
    container.signal("HUP");
    container.wait_ready();
    assert_eq!(container.exec(&["/sv", "pid"]).stdout, "1\n");
}

#[test]
fn our_own_user_needs_no_privilege_and_no_entry_in_passwd() {
    for (user, option) in [("1000620000", "1000620000"), ("65534", "nobody"), ("0", "root"), ("0", "0")] {
        let config =
            in_run(&SPEAKER.replace("[program:speaker]", &format!("[program:speaker]\nuser={option}")))
                .replace("[supervisord]", &format!("[supervisord]\nuser={option}"));
        let options = [
            "--user",
            user,
            "--tmpfs",
            "/run:mode=1777",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ];
        let Some(container) = Container::configured(&options, &[], &config) else { return };
        container.start();
        container.wait_log(&format!("I am {user}:"));
        container.wait_log("success: speaker entered RUNNING state");
        container.wait_log(&format!("Set uid to user {user} succeeded"));
    }
}

#[test]
fn switching_users_without_root_is_a_clear_error() {
    let config = |section: &str| in_run(SPEAKER).replace(section, &format!("{section}\nuser=nobody"));
    // Without capabilities, root may not do it either.
    for (user, why) in [
        (
            "1000620000",
            "Can't drop privilege as nonroot user: uid 1000620000 cannot become nobody (uid 65534)",
        ),
        ("0", "Could not set groups of effective user: uid 0 cannot become nobody (uid 65534)"),
    ] {
        let options = ["--user", user, "--tmpfs", "/run:mode=1777", "--cap-drop", "ALL"];
        let Some(container) = Container::configured(&options, &[], &config("[supervisord]")) else { return };
        container.start();
        assert_refused(&container, &format!("Error: {why}, the user of [supervisord]"));

        // As an option of a program it concerns that program alone.
        let programs = config("[program:speaker]") + SLEEPER;
        let Some(container) = Container::configured(&options, &[], &programs) else { return };
        container.start();
        let (first, _) = why.split_once(": ").unwrap();
        container.wait_log(&format!("couldn't setuid to 65534: {first}"));
        container.wait_log("success: sleeper entered RUNNING state");
    }
}

#[test]
fn children_of_another_user_write_to_the_output_of_a_container_of_root() {
    let program = SPEAKER.replace("[program:speaker]", "[program:speaker]\nuser=nobody");
    for options in [&["--tmpfs", "/run"][..], &["--tmpfs", "/run", "-t"]] {
        let Some(container) = Container::configured(options, &[], &in_run(&program)) else { return };
        container.start();
        container.wait_log("I am 65534:65534");
        // The path leads them to a pipe of ours that is theirs to open: of a terminal of root's it would not.
        container.wait_log("by path");
        container.wait_log("success: speaker entered RUNNING state");
    }
}

#[test]
fn at_a_terminal_it_is_pid_1_all_the_same() {
    let Some(container) = Container::configured(&["-t"], &[], &format!("{HEAD}{SLEEPER}")) else { return };
    container.start();
    container.wait_ready();
    assert_eq!(container.exec(&["/sv", "pid"]).stdout, "1\n");
    assert_stops_at_once(&container);
}

/// As `docker run -it` has it: what is typed, Ctrl-C and the size of the window come to the command.
#[test]
fn one_command_has_the_terminal_of_docker_run_it() {
    for entrypoint in ["/sv", "/bin/tini", "/bin/dumb-init"] {
        let options = ["-i", "-t", "--entrypoint", entrypoint];
        let script = "trap 'echo interrupted; exit 3' INT; echo up; read line; echo \"<$line>\"; \
            trap 'echo size $(stty size)' WINCH; echo armed; while :; do sleep 0.05; done";
        let Some(container) = Container::create(&options, &["--", "sh", "-c", script]) else { return };
        let mut attached = Command::new("docker");
        attached.args(["start", "-a", "-i", &container.name]);
        let mut terminal = Terminal::start(&attached);
        terminal.expect("up");
        terminal.type_in("word\r");
        terminal.expect("<word>");
        terminal.expect("armed");
        terminal.resize_until(50, 132, "size 50 132");
        terminal.type_in("\x03");
        terminal.expect("interrupted");
        assert_eq!(terminal.wait_exit().code(), Some(3), "{entrypoint}");
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "3", "{entrypoint}");
    }
}

/// What kernels before 5.11 and the profiles of old engines do not have; and what no supervisor needs.
const YOUNG_CALLS: &str = r#""close_range", "clone3", "epoll_pwait2", "faccessat2", "openat2", "pidfd_open",
    "pidfd_send_signal", "pidfd_getfd", "preadv2", "pwritev2", "renameat2", "rseq", "signalfd4", "statx",
    "copy_file_range", "getrandom", "membarrier", "prlimit64""#;

#[test]
fn a_sandbox_that_refuses_young_system_calls_takes_nothing_from_it() {
    for errno in ["38", "1"] {
        let profile = std::env::temp_dir().join(format!("sv-seccomp-{}-{errno}.json", std::process::id()));
        let refused =
            format!(r#"{{"names": [{YOUNG_CALLS}], "action": "SCMP_ACT_ERRNO", "errnoRet": {errno}}}"#);
        let rules = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{refused}]}}"#);
        std::fs::write(&profile, rules).unwrap();
        let sandbox = format!("seccomp={}", profile.display());
        let options = ["--security-opt", &sandbox, "--tmpfs", "/run"];
        // It was given a descriptor, which its children may not have.
        let script = "exec 9</etc/passwd; exec /sv run -c /etc/supervisord.conf";
        let program = "[program:speaker]\nstdout_logfile=/dev/stdout\n\
            command=/bin/sh -c 'ls /proc/self/fd/9 2>&1; echo told; exec sleep 100000'\n";
        let shell = [&options[..], &["--entrypoint", "/bin/sh"]].concat();
        let Some(container) = Container::configured(&shell, &["-c", script], &in_run(program)) else {
            return;
        };
        container.start();
        container.wait_log("told\n");
        assert!(container.logs().contains("/proc/self/fd/9: No such file"), "{}", container.logs());
        container.wait("it to be healthy", || container.exec(&["/sv", "health"]).success().then_some(()));
        container.signal("HUP");
        container.wait("another start", || (container.logs().matches("told\n").count() == 2).then_some(()));
        assert_stops_at_once(&container);

        let Some(one) = Container::create(&options, &["--", "sh", "-c", "exit 7"]) else { return };
        one.start();
        one.wait_exit();
        assert_eq!(one.inspect("{{.State.ExitCode}}"), "7", "{}", one.logs());
        std::fs::remove_file(&profile).unwrap();
    }
}

#[test]
fn a_limit_of_processes_only_affects_later_programs() {
    let many = "[program:many]\ncommand=/bin/sleep 100000\nprocess_name=%(process_num)02d\nnumprocs=40\n\
        startsecs=0\nstartretries=0\n";
    let options = ["--pids-limit", "32", "--tmpfs", "/run"];
    let Some(container) = Container::configured(&options, &[], &in_run(many)) else { return };
    container.start();
    // One line for all of them: they wait.
    container.wait_log("; starts are retried until the shortage is over");
    let reported = container.logs();
    assert_eq!(
        reported.matches("spawnerr: Too many processes in process table to spawn '").count(),
        1,
        "{reported}"
    );
    // It cannot serve clients, but it handles signals, restarts what has ended, and shuts down in order.
    container.signal("HUP");
    container.wait("another start", || {
        (container.logs().matches("supervisord started with pid 1").count() == 2).then_some(())
    });
    assert_eq!(container.inspect("{{.State.Running}}"), "true", "{}", container.logs());
    assert_stops_at_once(&container);
}

#[test]
fn a_program_that_takes_all_memory_is_killed_and_started_again() {
    let hog = "[program:hog]\nstartsecs=0\ncommand=/bin/sh -c 'exec sort /dev/zero'\n";
    let options = ["--memory", "24m", "--memory-swap", "24m", "--tmpfs", "/run"];
    let Some(container) = Container::configured(&options, &[], &in_run(&format!("{SLEEPER}{hog}"))) else {
        return;
    };
    container.start();
    container.wait_log("exited: hog (terminated by SIGKILL, out of memory; not expected)");
    container
        .wait("another start", || (container.logs().matches("spawned: 'hog'").count() > 1).then_some(()));
    assert_eq!(container.logs().matches("spawned: 'sleeper'").count(), 1, "{}", container.logs());
    assert_stops_at_once(&container);
}

#[test]
fn without_any_standard_descriptor_it_is_pid_1_all_the_same() {
    let program =
        "[program:lister]\nstartsecs=0\ncommand=/bin/sh -c 'ls /proc/self/fd >/run/fds; exec sleep 100000'\n";
    let options = ["--tmpfs", "/run", "--entrypoint", "/bin/sh"];
    let closed = ["-c", "exec /sv <&- >&- 2>&-"];
    let Some(container) = Container::configured(&options, &closed, &in_run(program)) else { return };
    container.start();
    container.wait_ready();
    container.wait("the program's descriptors", || {
        // The fourth is the listing's own.
        (container.exec(&["cat", "/run/fds"]).stdout == "0\n1\n2\n3\n").then_some(())
    });
    assert_stops_at_once(&container);

    let closed = ["-c", "exec /sv -- sh -c 'cat; echo told || exit 1; exit 7' <&- >&- 2>&-"];
    let Some(container) = Container::create(&options, &closed) else { return };
    container.start();
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "7");
}

#[test]
fn a_signal_is_forwarded_and_the_whole_stop_is_bounded() {
    let rules = "[supervisord]\nshutdown_timeout=1\nsignal_USR1=forward:web\n";
    let programs = "[program:web]
command=/bin/sh -c 'trap \"echo USR1 has come\" USR1; echo ready; while :; do sleep 0.1; done'
stdout_logfile=/dev/stdout
[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; echo deaf; while :; do sleep 1; done'
stdout_logfile=/dev/stdout
stopwaitsecs=600
";
    let config = format!("{HEAD}{programs}").replace("[supervisord]\n", rules);
    let Some(container) = Container::pid1(&config) else { return };
    for line in ["ready\n", "deaf\n"] {
        container.wait_log(line);
    }
    container.signal("USR1");
    container.wait_log("USR1 has come\n");
    let began = Instant::now();
    assert!(docker(&["stop", "-t", "600", &container.name]).success());
    assert!(began.elapsed() < AT_ONCE, "docker stop took {:?}", began.elapsed());
    assert!(
        container.logs().contains("shutdown_timeout is over: killing what is left"),
        "{}",
        container.logs()
    );
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

#[test]
fn a_group_is_stopped_with_its_leader_and_after_it() {
    let programs = "[program:leader]
command=/bin/sh -c '(trap \"\" TERM; echo left behind; exec sleep 100001) & exec sleep 100000'
stdout_logfile=/dev/stdout
stopasgroup=true
killasgroup=true
stopwaitsecs=1
";
    let Some(container) = Container::pid1(&format!("{HEAD}{programs}")) else { return };
    container.wait_log("left behind\n");
    container.wait_ready();
    assert_eq!(container.exec(&["/sv", "stop", "leader"]).stdout, "leader: stopped\n");
    let left = container.exec(&["pidof", "sleep"]);
    assert_eq!((left.stdout.as_str(), left.code), ("", Some(1)), "{}", container.logs());
}

#[test]
fn a_program_of_another_user_has_the_environment_of_a_login_when_asked() {
    let program = |name: &str, asked: &str| {
        format!(
            "[program:{name}]\ncommand=/bin/sh -c 'echo {name}=$HOME,$USER,$LOGNAME; exec sleep 100000'\n\
             user=nobody\nstdout_logfile=/dev/stdout\n{asked}"
        )
    };
    let config = [HEAD, &program("login", "set_user_environment=true\n"), &program("plain", "")].concat();
    let Some(container) = Container::pid1(&config) else { return };
    container.wait_log("login=/,nobody,nobody\n");
    // Supervisor's way: what PID 1 has itself.
    container.wait_log("plain=/,,\n");
}

#[test]
fn in_a_shared_pid_namespace_it_reaps_only_its_own_orphans() {
    let Some(pause) = Container::create(&["--entrypoint", "/bin/sleep"], &["100000"]) else { return };
    pause.start();
    let namespace = format!("container:{}", pause.name);
    let program = "[program:forker]\nstartsecs=0\n\
        command=/bin/sh -c '(sleep 77777 & echo $! >/run/orphan); exec sleep 100000'\n";
    let options = ["--pid", &namespace, "--tmpfs", "/run"];
    let arguments = ["run", "-c", "/etc/supervisord.conf"];
    let Some(container) = Container::configured(&options, &arguments, &in_run(program)) else { return };
    container.start();
    container.wait_ready();
    let ours = container.exec(&["/sv", "pid"]).stdout.trim().to_owned();
    assert_ne!(ours, "1");
    container.wait("the orphan to have the supervisor as its parent", || {
        let script = "grep ^PPid: /proc/$(cat /run/orphan)/status";
        container.exec(&["sh", "-c", script]).stdout.contains(&format!("PPid:\t{ours}\n")).then_some(())
    });
    assert_stops_at_once(&container);
    assert_eq!(pause.inspect("{{.State.Running}}"), "true");
}

#[test]
fn kill_tree_hits_nothing_else_in_a_shared_pid_namespace() {
    let script = "setsid sleep 88888 & echo $! >/run/theirs; exec sleep 100000";
    let shell = ["--entrypoint", "/bin/sh", "--tmpfs", "/run"];
    let Some(pause) = Container::create(&shell, &["-c", script]) else { return };
    pause.start();
    let is_alive = |container: &Container, file: &str| {
        container.exec(&["sh", "-c", &format!("test -d /proc/$(cat /run/{file})")]).success()
    };
    let program = |name: &str, options: &str| {
        format!(
            "[program:{name}]\nstartsecs=0\n\
             command=/bin/sh -c '(setsid sleep 77777 & echo $! >/run/{name}); exec sleep 100000'\n{options}\n"
        )
    };
    let programs = program("whole", "kill_tree=true") + &program("plain", "");
    for namespace in [format!("container:{}", pause.name), "host".to_owned()] {
        let options = ["--pid", &namespace, "--tmpfs", "/run"];
        let arguments = ["run", "-c", "/etc/supervisord.conf"];
        let Some(container) = Container::configured(&options, &arguments, &in_run(&programs)) else { return };
        container.start();
        container.wait_ready();
        for name in ["whole", "plain"] {
            container.wait("its daemon", || is_alive(&container, name).then_some(()));
        }
        assert!(container.exec(&["/sv", "stop", "whole", "plain"]).success(), "{}", container.logs());
        assert!(!is_alive(&container, "whole"), "{}", container.logs());
        assert!(is_alive(&container, "plain"), "it has no kill_tree: {}", container.logs());
        assert!(is_alive(&pause, "theirs") && pause.inspect("{{.State.Running}}") == "true");
    }
}

#[test]
fn a_thousand_orphans_that_live_do_not_hold_up_docker_stop() {
    let orphans = "[program:orphans]\nstartsecs=0\nautorestart=false\n\
        command=/bin/sh -c 'for i in $(seq 1000); do ( sleep 77777 & ); done; echo made >/run/made'\n";
    let options = [&RESTRICTED[..], &["--tmpfs", "/run:mode=1777"]].concat();
    let Some(container) = Container::configured(&options, &[], &in_run(&format!("{SLEEPER}{orphans}")))
    else {
        return;
    };
    container.start();
    container.wait("the orphans", || container.exec(&["cat", "/run/made"]).success().then_some(()));
    assert_stops_at_once(&container);
}

#[test]
fn health_follows_the_programs() {
    let flaky = "[program:job]\ncommand=/bin/true\nstartsecs=0\nautorestart=false\n\
        [program:late]\ncommand=/bin/sh -c 'exec sleep 100000'\nstartsecs=2\n";
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}{flaky}")) else { return };
    container.wait("it to be healthy", || container.exec(&["/sv", "health"]).success().then_some(()));
    container.wait_log("success: late entered RUNNING state");
    assert_eq!(reported(&container.exec(&["/sv", "health", "job", "late"])), ("healthy\n".to_owned(), 0));
    assert!(container.exec(&["/sv", "stop", "late"]).success());
    assert_eq!(container.exec(&["/sv", "health"]).code, Some(0), "what was stopped on purpose rests");
    let (text, code) = reported(&container.exec(&["/sv", "health", "late"]));
    assert!(text.starts_with("not healthy: late is STOPPED: ") && code == 1, "{text}");
    let unreachable = container.exec(&["/sv", "-s", "unix:///nowhere", "health"]);
    let text = "not healthy: cannot reach unix:///nowhere: no such file. Is sv running? \
        (The address comes from the command line.)\n";
    assert_eq!(reported(&unreachable), (text.to_owned(), 1));
    assert_eq!(container.exec(&["/sv", "-c", "/nowhere", "health"]).code, Some(1));
}

fn reported(answer: &Answer) -> (String, i32) {
    (format!("{}{}", answer.stdout, answer.stderr), answer.code.unwrap_or(-1))
}
