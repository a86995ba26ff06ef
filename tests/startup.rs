//! What may happen before the first program runs: signals that come early, an inherited signal mask, standard
//! descriptors without readers. From outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

mod support;

use rustix::process::Signal;
use support::container::{Container, HEAD as CONTAINER_HEAD, SLEEPER};
use support::{HEAD, Sandbox, binary};

/// Executes its arguments with all signals blocked but KILL and STOP.
const BLOCK_ALL: &str = "use POSIX; my $all = POSIX::SigSet->new; $all->fillset; \
    POSIX::sigprocmask(SIG_BLOCK, $all) or die; exec @ARGV or die";

#[test]
fn a_supervisor_that_was_started_with_signals_blocked_reaps_and_obeys() {
    let mut sandbox = Sandbox::with_programs(
        "[program:job]\ncommand=sh -c 'grep SigBlk /proc/self/status; exit 3'\nautorestart=false\nstartsecs=0\n\
         stdout_logfile=%(here)s/job.out\n",
    );
    let mut command = sandbox.marked(Command::new("perl"));
    command.args(["-e", BLOCK_ALL]).arg(binary()).args(["run", "-c"]).arg(sandbox.config());
    sandbox.spawn_as(command);
    sandbox.wait_log("exited: job (exit status 3; not expected)");
    assert_eq!(sandbox.file("job.out"), "SigBlk:\t0000000000000000\n");
    sandbox.signal(Signal::HUP);
    sandbox.wait_log("received SIGHUP indicating restart request");
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

/// A client restores the mask that it was started with: Ctrl-C ends it as ever.
#[test]
fn a_client_keeps_the_signal_mask_that_it_was_given() {
    let sandbox = Sandbox::with_programs("");
    let out = sandbox.path("out");
    for (program, mask) in [("exec @ARGV", "0000000000000000"), (BLOCK_ALL, "fffffffe7ffbfeff")] {
        let mut command = sandbox.marked(Command::new("perl"));
        // It waits at its prompt, as standard input stays open.
        command.args(["-e", program]).arg(binary()).arg("-c").arg(sandbox.config());
        command.stdin(Stdio::piped()).stdout(File::create(&out).unwrap());
        command.stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + support::TIMEOUT;
        while fs::metadata(&out).unwrap().len() == 0 {
            assert!(Instant::now() < deadline, "the client prints no prompt");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(status.contains(&format!("SigBlk:\t{mask}\n")), "{program}\n{status}");
        fs::remove_file(&out).unwrap();
    }
}

/// Starts of a container that are followed by a stop at once.
const STARTS: usize = 20;

#[test]
fn a_container_that_is_stopped_while_it_starts_ends_at_once() {
    let programs: String =
        (0..1000).map(|number| format!("[program:p{number}]\ncommand=/bin/sleep 100000\n")).collect();
    let Some(container) = Container::create(&[], &[]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{CONTAINER_HEAD}{programs}"));
    for round in 1..=STARTS {
        container.start();
        container.signal("TERM");
        container.wait_exit();
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
        let taken = container.logs().matches("received SIGTERM indicating exit request").count();
        assert_eq!(taken, round, "{}", container.logs());
    }
}

fn end_of(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + support::TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The write end of a full pipe, and the read end, which is not read.
fn full_pipe() -> (File, File) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let (read, mut write) = (File::from(read), File::from(write));
    let flags = rustix::fs::fcntl_getfl(&write).unwrap();
    rustix::fs::fcntl_setfl(&write, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while write.write(&[b'x'; 4096]).is_ok() {}
    while write.write(b"x").is_ok() {}
    rustix::fs::fcntl_setfl(&write, flags).unwrap();
    (read, write)
}

#[test]
fn a_standard_error_that_takes_nothing_does_not_change_how_it_ends() {
    for name in ["full disk", "no reader", "full pipe"] {
        let (mut readers, sandbox) =
            (Vec::new(), Sandbox::with_programs("[program:a]\ncommand=sleep 1000\n"));
        let mut stderr = || match name {
            "full disk" => Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap()),
            "no reader" => Stdio::from(File::from(rustix::pipe::pipe().unwrap().1)),
            _ => {
                let (read, write) = full_pipe();
                readers.push(read);
                Stdio::from(write)
            }
        };
        let sv = |arguments: &[&str], stderr| {
            let mut command = sandbox.marked(Command::new(binary()));
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
        };
        assert_eq!(end_of(&mut sv(&["run", "-c", "/nonexistent"], stderr())).code(), Some(2), "{name}");
        assert_eq!(end_of(&mut sv(&["-v", "--", "true"], stderr())).code(), Some(0), "{name}");
        // A stale socket is reported, too.
        drop(std::os::unix::net::UnixListener::bind(sandbox.path("supervisor.sock")).unwrap());
        let mut supervisor = sv(&["run", "-c", sandbox.config().to_str().unwrap()], stderr());
        let deadline = Instant::now() + support::TIMEOUT;
        while sandbox.state("a").as_deref() != Some("RUNNING") {
            assert!(Instant::now() < deadline, "{name}: {}", sandbox.story());
            std::thread::sleep(Duration::from_millis(10));
        }
        rustix::process::kill_process(rustix::process::Pid::from_child(&supervisor), Signal::TERM).unwrap();
        assert_eq!(end_of(&mut supervisor).code(), Some(0), "{name}: {}", sandbox.story());
    }
}

fn make_fifo(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_fifo_in_the_place_of_a_file_does_not_block() {
    let config = format!("{HEAD}[include]\nfiles=conf.d/*.ini\n[program:a]\ncommand=sleep 1000\n");
    let mut sandbox = Sandbox::new(&config);
    fs::create_dir(sandbox.path("conf.d")).unwrap();
    sandbox.write("secret", "LEVEL=1");
    let secret = sandbox.path("secret");
    sandbox = sandbox.env("SV_PROGRAM_A_ENVIRONMENT_FILE", secret.to_str().unwrap()).start();
    make_fifo(&sandbox.path("conf.d/pipe.ini"));
    sandbox.write("conf.d/b.ini", "[program:b]\ncommand=sleep 1000\n");
    let answer = sandbox.ctl(&["reread"]);
    assert_eq!(answer.stdout, "b: available\n", "{answer:?}");
    sandbox.wait_log(&format!(
        "could not read included file \"{}\": it is a FIFO and not a regular file",
        sandbox.path("conf.d/pipe.ini").display()
    ));
    sandbox.write("conf.d/b.ini", "[program:b]\ncommand=sleep 1000\nenv_file=%(here)s/pipe.ini\n");
    let reported = sandbox.ctl(&["reread"]).stderr;
    assert!(reported.contains("pipe.ini': it is a FIFO and not a regular file"), "{reported}");
    sandbox.write("conf.d/b.ini", "");
    fs::remove_file(sandbox.path("secret")).unwrap();
    make_fifo(&sandbox.path("secret"));
    let reported = sandbox.ctl(&["reread"]).stderr;
    assert!(reported.contains("it is a FIFO and not a regular file"), "{reported}");
    sandbox.wait_state("a", "RUNNING");
}

#[test]
fn a_pid_file_that_is_a_fifo_or_a_device_does_not_block() {
    for device in [None, Some("/dev/zero")] {
        let mut sandbox = Sandbox::with_programs("[program:a]\ncommand=sleep 1000\n");
        let pid_file = sandbox.path("supervisord.pid");
        match device {
            None => make_fifo(&pid_file),
            Some(device) => std::os::unix::fs::symlink(device, &pid_file).unwrap(),
        }
        sandbox = sandbox.start();
        sandbox.signal(Signal::TERM);
        assert_eq!(sandbox.wait_exit().code(), Some(0), "{device:?}");
        assert!(pid_file.symlink_metadata().is_ok(), "{device:?}");
    }
}

#[test]
fn a_configuration_may_be_a_pipe_and_a_signal_ends_the_wait_for_it() {
    let sandbox = Sandbox::with_programs("[program:a]\ncommand=sleep 1000\n");
    let text = sandbox.file("supervisord.conf").replace("%(here)s", sandbox.dir().to_str().unwrap());
    let run = || {
        let mut command = sandbox.marked(Command::new(binary()));
        command.args(["run", "-c", "/dev/stdin"]).stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut supervisor = run();
    supervisor.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let deadline = Instant::now() + support::TIMEOUT;
    while sandbox.state("a").as_deref() != Some("RUNNING") {
        assert!(Instant::now() < deadline, "{}", sandbox.story());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Another read returns the end of the file, and everything continues as before.
    assert!(!sandbox.ctl(&["reread"]).success, "{}", sandbox.story());
    for mut supervisor in [supervisor, run()] {
        rustix::process::kill_process(rustix::process::Pid::from_child(&supervisor), Signal::TERM).unwrap();
        let status = end_of(&mut supervisor);
        let mut reported = String::new();
        supervisor.stderr.take().unwrap().read_to_string(&mut reported).unwrap();
        assert_eq!(status.code(), Some(0), "{reported}");
    }
}

#[test]
fn a_container_is_not_held_up_by_pipes_in_the_place_of_its_files() {
    let script = "for file in /etc/passwd /etc/group /dev/termination-log /run/supervisord.pid; do rm -f $file; \
        mkfifo $file; done; exec /sv run -c /etc/supervisord.conf";
    let Some(container) = Container::create(&["--entrypoint", "/bin/sh"], &["-c", script]) else { return };
    let config = format!("{CONTAINER_HEAD}{SLEEPER}").replace("user=root\n", "");
    container.copy_in("/etc/supervisord.conf", &config);
    container.start();
    // Docker would look into /etc/passwd to execute something in there.
    container.wait_log("spawned: 'sleeper'");
    container.signal("TERM");
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

/// What Debian's package has in /etc/supervisor/supervisord.conf, without its comments.
const DEBIAN: &str = "[unix_http_server]
file=/var/run/supervisor.sock
chmod=0700
[supervisord]
logfile=/var/log/supervisor/supervisord.log
pidfile=/var/run/supervisord.pid
childlogdir=/var/log/supervisor
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///var/run/supervisor.sock
[include]
files = /etc/supervisor/conf.d/*.conf
";

#[test]
fn a_container_makes_the_folders_that_its_image_lacks() {
    let web = "[program:web]\ncommand=/bin/sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\n\
        stdout_logfile=/var/log/web/out.log\n";
    let Some(container) = Container::create(&[], &[]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{DEBIAN}{web}"));
    container.start();
    container.wait("the program's log", || {
        (container.exec(&["cat", "/var/log/web/out.log"]).stdout == "hello\n").then_some(())
    });
    for folder in ["/var/log/supervisor", "/var/log/web", "/var/run"] {
        container.wait_log(&format!("INFO made the missing folder '{folder}'"));
        assert_eq!(container.exec(&["stat", "-c", "%a", folder]).stdout, "755\n");
    }
    assert_eq!(container.logs().matches("made the missing").count(), 3, "{}", container.logs());
    assert!(container.exec(&["test", "-s", "/var/log/supervisor/supervisord.log"]).success());
    // Neither is it worth a word that root is root, nor that a private socket has no password.
    assert!(!container.logs().contains("CRIT"), "{}", container.logs());

    let Some(container) = Container::create(&[], &[]) else { return };
    container
        .copy_in("/etc/supervisord.conf", &DEBIAN.replace("[supervisord]", "[supervisord]\nstrict=true"));
    container.start();
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "2", "{}", container.logs());
    assert!(
        container.logs().contains("/var/log/supervisor is not an existing directory"),
        "{}",
        container.logs()
    );
}

#[test]
fn folders_that_can_not_be_made_are_warnings_to_a_container() {
    let web = "[program:web]\ncommand=/bin/sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\n\
        stdout_logfile=/var/log/web/out.log\n\
        [program:auto]\ncommand=/bin/sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\n";
    let options = ["--read-only", "--user=12345"];
    let Some(container) = Container::configured(&options, &[], &format!("{DEBIAN}{web}")) else { return };
    container.start();
    for folder in ["/var/log/supervisor", "/var/log/web", "/var/run"] {
        container.wait_log(&format!("WARN cannot make the missing folder '{folder}': "));
    }
    container.wait_log("WARN cannot make AUTO logs of 'auto' in '/var/log/supervisor': ");
    container.wait_log("(set stdout_logfile and stderr_logfile, or childlogdir in [supervisord])");
    assert!(!container.logs().contains("CRIT"), "{}", container.logs());
    container.wait_ready();
    // What they print can be read all the same.
    for name in ["web", "auto"] {
        container.wait("its output", || {
            container.exec(&["/sv", "tail", name]).stdout.contains("hello").then_some(())
        });
    }
    // The check in the image reports what is missing, and that it is not an error there.
    let container = Container::configured(&["--entrypoint", "/sv"], &["check"], &format!("{DEBIAN}{web}"));
    let Some(container) = container else { return };
    container.start();
    container.wait_exit();
    let logs = container.logs();
    assert!(
        logs.contains("here: directory '/var/log/supervisor' does not exist; as PID 1 sv makes it"),
        "{logs}"
    );
    assert!(!logs.contains("error:"), "{logs}");
}

#[test]
fn without_a_log_file_on_a_read_only_root_nothing_goes_to_syslog() {
    // A daemon that would take what is sent to syslog.
    let config = format!(
        "[supervisord]\n{SLEEPER}[program:word]\ncommand=/bin/sh -c 'ls /run /; exec sleep 1000'\n\
        startsecs=0\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n"
    );
    let syslogd = "syslogd -n -O /run/messages & while ! [ -S /dev/log ]; do sleep 0.01; done; exec /sv";
    let options = ["--read-only", "--tmpfs", "/run", "--entrypoint", "/bin/sh"];
    let Some(container) = Container::configured(&options, &["-c", syslogd], &config) else { return };
    container.start();
    container.wait_log("spawned: 'sleeper'");
    container.wait_log("WARN cannot open the log file '/supervisord.log': ");
    assert!(!container.logs().contains("pidfile"), "{}", container.logs());
    assert!(!container.logs().contains("CRIT"), "{}", container.logs());
    assert!(container.exec(&["logger", "the end"]).success());
    container.wait("a message", || {
        container.exec(&["cat", "/run/messages"]).stdout.contains("the end").then_some(())
    });
    let messages = container.exec(&["cat", "/run/messages"]).stdout;
    assert!(!messages.contains("spawned"), "{messages}");
    assert_eq!(container.exec(&["ls", "/supervisord.pid"]).code, Some(1));
}

/// A container whose engine refuses these system calls. Its program lists what it was given.
fn refusing(calls: &str, script: &str) -> Option<Container> {
    let profile = std::env::temp_dir().join(format!("sv-seccomp-{}.json", std::process::id()));
    let rule = format!(r#"{{"names": [{calls}], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}}"#);
    fs::write(&profile, format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rule}]}}"#)).unwrap();
    let sandbox = format!("seccomp={}", profile.display());
    let options = ["--security-opt", &sandbox, "--cap-add", "SYS_ADMIN", "--entrypoint", "/bin/sh"];
    let container = Container::create(&options, &["-c", script]);
    fs::remove_file(&profile).unwrap();
    let program = "[program:job]\ncommand=/bin/sh -c '(: <&9) && echo given; echo told; exit 3'\n\
        startsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\nredirect_stderr=true\n";
    container.as_ref()?.copy_in("/etc/supervisord.conf", &format!("{CONTAINER_HEAD}{program}"));
    container
}

#[test]
fn a_sandbox_without_our_wait_calls_is_worked_around_or_a_clear_error() {
    // Of a shell there is no more needed than to execute.
    let script = "exec 9</etc/passwd; exec /sv run -c /etc/supervisord.conf";
    // Without close_range(2) and /proc there is no list of open descriptors.
    let without_proc = "umount -l /proc && exec 9</etc/passwd; exec /sv run -c /etc/supervisord.conf";
    for (refused, script) in [
        (r#""epoll_pwait", "epoll_pwait2""#, script),
        (r#""wait4""#, script),
        (r#""close_range""#, without_proc),
    ] {
        let Some(container) = refusing(refused, script) else { return };
        container.start();
        container.wait_log("exited: job (exit status 3; not expected)");
        container.wait_log("told\n");
        assert!(!container.logs().contains("given\n"), "{refused}: {}", container.logs());
        container.signal("TERM");
        container.wait_exit();
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{refused}: {}", container.logs());
    }
    for (refused, what) in [
        (r#""epoll_pwait", "epoll_pwait2", "epoll_wait""#, "wait for events"),
        (r#""wait4", "waitid""#, "wait for children"),
    ] {
        let Some(container) = refusing(refused, script) else { return };
        container.start();
        container.wait_exit();
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "2", "{refused}: {}", container.logs());
        let line = format!("Error: cannot begin to supervise: cannot {what}: Operation not permitted");
        assert!(container.logs().contains(&line), "{refused}: {}", container.logs());
    }
}

#[test]
fn without_standard_descriptors_and_dev_null_it_supervises() {
    let script = "rm /dev/null; exec /sv <&- >&- 2>&-";
    let Some(container) = Container::create(&["--entrypoint", "/bin/sh"], &["-c", script]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{CONTAINER_HEAD}{SLEEPER}"));
    container.copy_in("/var/log/supervisord.log", "");
    container.start();
    // Docker executes nothing where there is no /dev/null, and the supervisor can print nothing.
    container.wait("the program", || {
        container.copy_out("/var/log/supervisord.log").contains("spawned: 'sleeper'").then_some(())
    });
    container.signal("TERM");
    container.wait_exit();
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
}
