//! `sv` as PID 1 in Docker: the static binary in an image FROM scratch, busybox applets as its programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::time::{Duration, Instant};

mod support;
use support::container::{Container, HEAD, SLEEPER, docker};

/// Processes whose parents leave as soon as they are made, then a word that they are all made. A parent that
/// stayed for more than one would reap the earlier ones itself: shells do so in passing.
const ORPHANS: &str = "[program:orphans]
command=/bin/sh -c 'for i in $(seq 3000); do ( : & ); done; echo made >/tmp/made; exec sleep 100000'
startsecs=0
";

#[test]
fn finds_its_configuration_and_answers_with_the_right_exit_status() {
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}")) else { return };
    container.wait_ready();
    assert_eq!(container.exec(&["cat", "/proc/1/cmdline"]).stdout, "/sv\0");
    container.wait_log("spawned: 'sleeper' with pid ");

    let status = container.exec(&["/sv", "status"]);
    assert!(
        status.stdout.starts_with("sleeper                          RUNNING   pid "),
        "{}",
        status.stdout
    );
    assert_eq!(status.code, Some(0));
    assert_eq!(container.exec(&["/sv", "pid"]).stdout, "1\n");
    // The codes are the LSB's: 3 for a program that does not run, 4 for one that is not known.
    assert_eq!(container.exec(&["/sv", "status", "nobody"]).code, Some(4));
    assert_eq!(container.exec(&["/sv", "stop", "sleeper"]).stdout, "sleeper: stopped\n");
    assert_eq!(container.exec(&["/sv", "status"]).code, Some(3));
    // The same binary under Supervisor's name for its client.
    let start = container.exec(&["supervisorctl", "start", "sleeper"]);
    assert_eq!((start.stdout.as_str(), start.code), ("sleeper: started\n", Some(0)));
}

#[test]
fn is_supervisord_under_that_name() {
    let Some(container) =
        Container::create(&["--entrypoint", "/bin/supervisord"], &["-n", "-c", "/etc/other.conf"])
    else {
        return;
    };
    container.copy_in("/etc/other.conf", &format!("{HEAD}{SLEEPER}"));
    container.start();
    container.wait_log("spawned: 'sleeper' with pid ");
    container.wait("the client to be answered", || {
        (container.exec(&["supervisorctl", "-c", "/etc/other.conf", "status"]).code == Some(0)).then_some(())
    });
}

#[test]
fn reaps_orphans_by_the_thousand() {
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}{ORPHANS}")) else { return };
    container.wait_ready();
    wait_orphans(&container);
    // Its own child, with the same parent as the orphans, was not taken for one of them.
    assert!(container.exec(&["/sv", "status", "sleeper"]).stdout.contains("RUNNING"));
}

#[test]
fn docker_stop_is_quick_and_ends_with_status_0() {
    let program = "[program:server]\ncommand=/bin/sh -c 'trap \"echo bye >/dev/null; exit 0\" TERM; while :; do sleep 0.1; done'\n";
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}{program}")) else { return };
    container.wait_ready();
    container.wait_log("success: server entered RUNNING state");
    let began = Instant::now();
    assert!(docker(&["stop", "-t", "60", &container.name]).success());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "docker stop took {took:?}\n{}", container.logs());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
    assert!(container.logs().contains("stopped: server (exit status 0)"), "{}", container.logs());
    assert!(container.logs().contains("stopped: sleeper (terminated by SIGTERM)"), "{}", container.logs());
}

#[test]
fn orphans_get_a_term_before_the_container_ends() {
    let program = "[program:parent]\nstartsecs=0\nautorestart=false\ncommand=/bin/sh -c 'sh /orphan.sh >/dev/null 2>&1 & exit 0'\n";
    let script = "#!/bin/sh\ntrap 'echo goodbye >/proc/1/fd/1; exit 0' TERM\necho armed >/proc/1/fd/1\n\
                  while :; do sleep 0.1; done\n";
    let Some(container) = Container::create(&[], &[]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{program}"));
    container.copy_in("/orphan.sh", script);
    container.start();
    container.wait_log("armed");
    assert!(docker(&["stop", &container.name]).success());
    assert!(container.logs().contains("goodbye"), "{}", container.logs());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
}

#[test]
fn decodes_a_child_killed_by_a_real_time_signal() {
    let program =
        "[program:realtime]\ncommand=/bin/sh -c 'sleep 0.2; kill -36 $$'\nstartsecs=0\nautorestart=false\n";
    let Some(container) = Container::pid1(&format!("{HEAD}{program}")) else { return };
    container.wait_log("exited: realtime (terminated by signal 36; not expected)");
    container
        .wait("its state", || container.exec(&["/sv", "status"]).stdout.contains("EXITED").then_some(()));
}

#[test]
fn reloads_on_hup_and_stays_pid_1() {
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}")) else { return };
    container.wait_ready();
    let before = container.inspect("{{.State.Pid}} {{.State.StartedAt}}");
    container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{}", SLEEPER.replace("sleeper", "another")));
    container.signal("HUP");
    container.wait("the new program", || {
        let status = container.exec(&["/sv", "status"]).stdout;
        (status.contains("another") && status.contains("RUNNING") && !status.contains("sleeper"))
            .then_some(())
    });
    assert_eq!(container.inspect("{{.State.Pid}} {{.State.StartedAt}}"), before);
    assert_eq!(container.exec(&["/sv", "pid"]).stdout, "1\n");
}

#[test]
fn is_not_ended_by_signals_that_ask_for_something_else() {
    let Some(container) = Container::pid1(&format!("{HEAD}{SLEEPER}")) else { return };
    container.wait_ready();
    for signal in ["USR1", "USR2", "PIPE", "ALRM", "WINCH", "CONT", "TTOU", "URG", "34", "40"] {
        container.signal(signal);
    }
    // From the inside too, where the kernel shields PID 1 only from what it has no handler for.
    for signal in ["-USR1", "-USR2", "-CHLD", "-PIPE"] {
        assert!(container.exec(&["kill", signal, "1"]).success());
    }
    assert_eq!(container.exec(&["/sv", "status"]).code, Some(0), "{}", container.logs());
    assert_eq!(container.inspect("{{.State.Running}}"), "true");
}

#[test]
fn reports_all_that_is_wrong_with_a_configuration_and_exits_2() {
    let broken = "[program:first]\nstartsecs=soon\ncommand=/bin/true\n[program:second]\nautostart=true\n";
    let Some(container) = Container::pid1(&format!("{HEAD}{broken}")) else { return };
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "2");
    let logs = container.logs();
    let errors: Vec<&str> = logs.lines().filter(|line| line.starts_with("Error: ")).collect();
    assert!(errors.iter().any(|line| line.contains("first") && line.contains("soon")), "{logs}");
    assert!(errors.iter().any(|line| line.contains("second") && line.contains("command")), "{logs}");
}

#[test]
fn runs_for_an_ordinary_user_on_a_read_only_root() {
    // A folder that the image does not have: Docker would give it the image's owner and mode.
    let config = HEAD
        .replace("/run/", "/data/")
        .replace("/var/log/supervisord.log", "/dev/null\nlogfile_maxbytes=0")
        .replace("user=root", "");
    let program = "[program:speaker]
command=/bin/sh -c 'echo I am $(id -u); exec sleep 100000'
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
";
    let variable = format!("CONFIG={config}{program}");
    let options = "--read-only --user 65534 --tmpfs /data:mode=1777 --entrypoint /bin/sh -e";
    let options: Vec<&str> = options.split(' ').chain([variable.as_str()]).collect();
    let script = "echo \"$CONFIG\" >/data/supervisord.conf; exec /sv run -c /data/supervisord.conf";
    let Some(container) = Container::create(&options, &["-c", script]) else { return };
    container.start();
    container.wait_log("I am 65534\n");
    container.wait_log("success: speaker entered RUNNING state");
    assert_eq!(container.exec(&["/sv", "-c", "/data/supervisord.conf", "pid"]).stdout, "1\n");
    assert!(docker(&["stop", &container.name]).success());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

#[test]
fn a_second_term_kills_a_program_that_ignores_the_first() {
    let unresponsive = "[program:deaf]
command=/bin/sh -c 'trap \"\" TERM; echo deaf >/tmp/deaf; while :; do sleep 1; done'
startsecs=0
stopwaitsecs=600
";
    let Some(container) = Container::pid1(&format!("{HEAD}{unresponsive}")) else { return };
    container.wait_ready();
    container
        .wait("the program to be deaf", || container.exec(&["cat", "/tmp/deaf"]).success().then_some(()));
    container.signal("TERM");
    container.wait_log("waiting for deaf to die");
    assert_eq!(container.inspect("{{.State.Running}}"), "true");
    // It counts once a second has passed since the first.
    container.wait("the end of what was asked to stop", || {
        container.signal("TERM");
        container.logs().contains("stopped: deaf (terminated by SIGKILL)").then_some(())
    });
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

#[test]
fn a_command_in_place_of_an_action_gets_a_hint() {
    let Some(container) = Container::create(&[], &["bash"]) else { return };
    container.start();
    container.wait_exit();
    let logs = container.logs();
    assert!(
        logs.contains("  tip: to run 'bash' instead of the programs: docker run -it IMAGE -- bash\n"),
        "{logs}"
    );
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "2");
    // And so it is.
    let Some(container) = Container::create(&[], &["--", "sh", "-c", "exit 7"]) else { return };
    container.start();
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "7");
}

#[test]
fn a_missing_configuration_is_reported_with_exit_status_2() {
    let Some(container) = Container::create(&[], &[]) else { return };
    container.start();
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "2");
    let remedy = "copy one to /etc/supervisord.conf in the image, name one with -c FILE, or run a single command with -- COMMAND";
    assert!(container.logs().contains(remedy), "{}", container.logs());
}

#[test]
fn adopts_orphans_as_a_subreaper_below_another_init() {
    let long_lived = "[program:forker]\ncommand=/bin/sh -c '(sleep 77777 & echo $! >/tmp/orphan); exec sleep 100000'\nstartsecs=0\n";
    let arguments = ["run", "-c", "/etc/supervisord.conf"];
    let Some(container) = Container::create(&["--init"], &arguments) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{ORPHANS}{long_lived}"));
    container.start();
    container.wait_ready();
    let ours = container.exec(&["/sv", "pid"]).stdout.trim().to_owned();
    assert_ne!(ours, "1");
    container.wait("the orphan to have the supervisor as its parent", || {
        let script = "grep ^PPid: /proc/$(cat /tmp/orphan)/status";
        container.exec(&["sh", "-c", script]).stdout.contains(&format!("PPid:\t{ours}\n")).then_some(())
    });
    wait_orphans(&container);
}

/// Waits until [`ORPHANS`] are made, and reaped by the supervisor, each with a line in its log.
fn wait_orphans(container: &Container) {
    container
        .wait("the orphans to be made", || container.exec(&["cat", "/tmp/made"]).success().then_some(()));
    container.wait("all orphans to be reaped", || (container.zombies() == 0).then_some(()));
    let count = container.exec(&["grep", "-c", "reaped unknown pid", "/var/log/supervisord.log"]).stdout;
    assert!(count.trim().parse::<usize>().unwrap() >= 3000, "only {count} orphans came to the supervisor");
}

/// The same init, by its three names, as PID 1 of a namespace.
const INITS: [(&str, &[&str]); 3] = [("/sv", &["--"]), ("/bin/tini", &["--"]), ("/bin/dumb-init", &[])];

#[test]
fn one_command_is_ended_by_docker_stop_and_its_exit_code_is_the_containers() {
    for (entrypoint, words) in INITS {
        for (script, code) in [
            ("trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done", "7"),
            // Not PID 1, so that the default is to end.
            ("echo up; exec sleep 100000", "143"),
        ] {
            let arguments = [words, &["sh", "-c", script]].concat();
            let Some(container) = Container::create(&["--entrypoint", entrypoint], &arguments) else {
                return;
            };
            container.start();
            container.wait_log("up");
            let began = Instant::now();
            assert!(docker(&["stop", "-t", "60", &container.name]).success());
            assert!(began.elapsed() < Duration::from_secs(30), "{entrypoint}: {:?}", began.elapsed());
            assert_eq!(container.inspect("{{.State.ExitCode}}"), code, "{entrypoint} {script}");
        }
        let arguments = [words, &["nosuch"]].concat();
        let Some(container) = Container::create(&["--entrypoint", entrypoint], &arguments) else { return };
        container.start();
        container.wait_exit();
        let code = if entrypoint == "/bin/dumb-init" { "2" } else { "127" };
        assert_eq!(container.inspect("{{.State.ExitCode}}"), code, "{}", container.logs());
    }
}

#[test]
fn one_commands_signals_reach_it_through_pid_1() {
    let script = "for n in 1 2 3 10 12 15 28 34 40 64; do trap \"echo got $n.\" $n; done; echo up; while :; do sleep 0.1; done";
    let Some(container) = Container::create(&[], &["--", "sh", "-c", script]) else { return };
    container.start();
    container.wait_log("up");
    for number in ["1", "2", "3", "10", "12", "15", "28", "34", "40", "64"] {
        // Through the engine, and from the inside, where the kernel shields PID 1 from what it does not wait for.
        container.signal(number);
        container.wait_log(&format!("got {number}.\n"));
    }
    assert!(container.exec(&["kill", "-TERM", "1"]).success());
    container.wait("the second TERM", || (container.logs().matches("got 15.").count() == 2).then_some(()));
}

#[test]
fn one_commands_orphans_are_reaped_by_the_thousand() {
    let script = "for i in $(seq 3000); do ( : & ); done; echo made; exec sleep 100000";
    for (entrypoint, words) in INITS {
        let arguments = [words, &["sh", "-c", script]].concat();
        let Some(container) = Container::create(&["--entrypoint", entrypoint], &arguments) else { return };
        container.start();
        container.wait_log("made");
        container.wait("all orphans to be reaped", || (container.zombies() == 0).then_some(()));
        assert_eq!(container.inspect("{{.State.Running}}"), "true");
    }
}

#[test]
fn one_command_runs_for_an_ordinary_user_on_a_read_only_root_with_a_terminal() {
    let options = ["--read-only", "--user", "65534", "-t"];
    let Some(container) = Container::create(&options, &["--", "sh", "-c", "tty; id -u; exit 9"]) else {
        return;
    };
    container.start();
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "9", "{}", container.logs());
    assert_eq!(container.logs().replace('\r', ""), "/dev/pts/0\n65534\n");
}

#[test]
fn the_exit_status_is_that_of_the_table() {
    let web = |lines: &str| format!("[program:web]\nstartsecs=0\nstartretries=0\n{lines}\n");
    for (program, words, status, reason) in [
        (web("command=/bin/sh -c 'exit 7'\non_exit=shutdown"), &[][..], "7", "web ended: exit status 7"),
        (
            web("command=/bin/sh -c 'kill -9 $$'\non_exit=shutdown"),
            &[],
            "137",
            "web ended: terminated by SIGKILL",
        ),
        (
            web("startsecs=9\ncommand=/bin/sh -c 'exit 8'\non_fatal=shutdown"),
            &[],
            "8",
            "web failed: exit status 8",
        ),
        (web("startsecs=9\ncommand=/bin/true\non_fatal=shutdown"), &[], "1", "web failed: exit status 0"),
        (web("command=/nope\non_fatal=shutdown"), &[], "127", "web failed: can't find command '/nope'"),
        (web("command=/etc/passwd\non_fatal=shutdown"), &[], "126", "web failed: command at '/etc/passwd'"),
        (
            web("command=/bin/sleep 100000"),
            &["run", "--", "/bin/sh", "-c", "exit 5"],
            "5",
            "main ended: exit status 5",
        ),
        (
            web("command=/bin/sleep 100000"),
            &["run", "--", "/nope"],
            "127",
            "main failed: can't find command '/nope'",
        ),
    ] {
        let Some(container) = Container::create(&[], words) else { return };
        container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{program}"));
        container.start();
        container.wait_exit();
        let reported = format!("sv ends with status {status}: {reason}");
        assert_eq!(container.inspect("{{.State.ExitCode}}"), status, "{program}{}", container.logs());
        assert!(container.logs().contains(&reported), "{reported}\n{}", container.logs());
    }
}

#[test]
fn an_idle_container_exits_with_the_status_of_a_failed_program() {
    let head = HEAD.replace("[supervisord]\n", "[supervisord]\non_idle=exit\n");
    for (code, reported) in [("0", "all ended as expected"), ("6", "and web failed: exit status 6")] {
        let program =
            format!("[program:web]\ncommand=/bin/sh -c 'exit {code}'\nstartsecs=0\nautorestart=false\n");
        let Some(container) = Container::pid1(&format!("{head}{program}")) else { return };
        container.wait_exit();
        assert_eq!(container.inspect("{{.State.ExitCode}}"), code, "{}", container.logs());
        let line = format!("sv ends with status {code}: no program is left, {reported}");
        assert!(container.logs().contains(&line), "{}", container.logs());
    }
}

#[test]
fn any_stopsignal_stops_it_and_the_reason_is_in_the_termination_log() {
    let head =
        HEAD.replace("[supervisord]\n", "[supervisord]\nsignal_RTMIN+3=shutdown\nsignal_TERM=ignore\n");
    // The folder /dev goes with the container, a file that the link leads to does not.
    let script =
        "echo longer than the reason will be, by far >/reason; ln -s /reason /dev/termination-log; exec /sv";
    let options = ["--entrypoint", "/bin/sh", "--stop-signal", "SIGRTMIN+3"];
    let Some(container) = Container::create(&options, &["-c", script]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{head}{SLEEPER}"));
    container.start();
    container.wait_ready();
    container.signal("TERM");
    assert!(container.exec(&["/sv", "pid"]).success(), "{}", container.logs());
    assert!(docker(&["stop", &container.name]).success());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
    let reason = "sv ends with status 0: signal 37 asked for it\n";
    assert!(container.logs().contains(reason), "{}", container.logs());
    assert_eq!(container.copy_out("/reason"), reason);
}

/// SIGRTMIN is 34, and its like are counted from there, as Docker and glibc do: musl keeps it for itself.
#[test]
fn signals_reserved_by_a_libc_are_handled_like_others() {
    let head =
        HEAD.replace("[supervisord]\n", "[supervisord]\nsignal_RTMIN=shutdown\nsignal_RTMIN+1=ignore\n");
    let (run, here) = (["run", "-c", "/etc/supervisord.conf"], ["--stop-signal", "SIGRTMIN"]);
    // Below another init it is not protected from unhandled signals.
    for options in [&here[..], &[&here[..], &["--init"]].concat()] {
        let Some(container) = Container::create(options, &run) else { return };
        container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{SLEEPER}"));
        container.start();
        container.wait_ready();
        let pid = container.exec(&["/sv", "pid"]).stdout.trim().to_owned();
        for number in ["-32", "-33", "-34", "-35", "-64"] {
            assert!(container.exec(&["kill", number, &pid]).success());
        }
        assert_eq!(container.exec(&["/sv", "pid"]).stdout.trim(), pid, "{}", container.logs());
        // Also after a restart in place, when it means something of a sudden.
        container.copy_in("/etc/supervisord.conf", &format!("{head}{SLEEPER}"));
        assert!(container.exec(&["/sv", "reload"]).success());
        container.wait("another start", || {
            (container.logs().matches("supervisord started with pid").count() == 2).then_some(())
        });
        assert!(docker(&["stop", "-t", "60", &container.name]).success());
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
        let reason = "sv ends with status 0: SIGRTMIN asked for it\n";
        assert!(container.logs().contains(reason), "{}", container.logs());
    }
}

/// As with Supervisor, a group that a user was given since counts at the next start.
#[test]
fn groups_of_a_user_are_those_of_the_moment_of_the_start() {
    let who = "[program:who]\ncommand=/bin/sh -c 'echo \"groups $(id -G)\"; exec sleep 100000'\nuser=nobody\n\
               stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n";
    let Some(container) = Container::pid1(&format!("{HEAD}{who}")) else { return };
    container.wait_log("groups 65534\n");
    container.wait_ready();
    for (line, groups) in [
        ("echo 'extra:x:50:nobody' >>/etc/group", "groups 65534 50\n"),
        // Tools write a new file and rename it, here one of the same length.
        ("sed s/50/51/ /etc/group >/etc/group.new; mv /etc/group.new /etc/group", "groups 65534 51\n"),
        // One that has been removed stays who it was, with the groups of when the configuration was read.
        ("sed -i /nobody/d /etc/passwd", "groups 65534\n"),
    ] {
        assert!(container.exec(&["sh", "-c", line]).success());
        let before = container.logs().matches(groups).count();
        assert!(container.exec(&["/sv", "restart", "who"]).success(), "{}", container.logs());
        container.wait(groups, || (container.logs().matches(groups).count() > before).then_some(()));
    }
}
