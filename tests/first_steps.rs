//! The first five minutes: `sv` without a configuration, `sv init`, and what a new user may get wrong. From outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

mod support;

use rustix::process::{Pid, Signal};
use support::terminal::Terminal;
use support::{HEAD, Sandbox, binary, free_port, have};

/// A folder without a configuration, with a private place for control sockets.
fn empty_folder() -> Sandbox {
    let sandbox = Sandbox::new("");
    fs::remove_file(sandbox.config()).unwrap();
    let own = sandbox.path(&format!("sv-{}", rustix::process::geteuid().as_raw()));
    fs::create_dir(&own).unwrap();
    fs::set_permissions(own, fs::Permissions::from_mode(0o700)).unwrap();
    sandbox
}

fn sv(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.marked(Command::new(binary()));
    command.args(words).stdin(Stdio::null());
    command
}

/// Both outputs, and the exit status.
fn reported(output: &Output) -> (String, Option<i32>) {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (String::from_utf8(both).unwrap(), output.status.code())
}

fn run(sandbox: &Sandbox, words: &[&str]) -> (String, Option<i32>) {
    reported(&sv(sandbox, words).output().unwrap())
}

/// Neither errors nor warnings.
fn assert_clean(sandbox: &Sandbox, file: &str) {
    let (text, code) = run(sandbox, &["check", "--strict", "--image=no", file]);
    assert_eq!(code, Some(0), "{text}\n{}", sandbox.file(file));
}

#[test]
fn without_arguments_and_a_supervisor_the_next_steps_are_named() {
    let sandbox = empty_folder();
    let mut terminal = Terminal::start(&sv(&sandbox, &[]));
    terminal.expect("no supervisor runs here, and there is no configuration yet:");
    terminal.expect("sv init");
    terminal.expect("sv run FILE");
    assert_eq!(terminal.wait_exit().code(), Some(7));
    sandbox.write("supervisord.conf", "[supervisord]\n");
    let mut terminal = Terminal::start(&sv(&sandbox, &[]));
    terminal.expect("no supervisor runs here; the configuration is ");
    terminal.expect("sv run ");
    assert_eq!(terminal.wait_exit().code(), Some(7));
    // Who has named a configuration gets the shell, which can open another address, and so does a script.
    let mut terminal = Terminal::start(&sv(&sandbox, &["-c", "supervisord.conf"]));
    terminal.expect("error: cannot reach ");
    terminal.expect("supervisor> ");
    let (text, code) = run(&sandbox, &[]);
    assert!(text.contains("error: cannot reach ") && code == Some(0), "{text}");
}

#[test]
fn a_procfile_becomes_a_configuration_that_runs() {
    if !have("python3", Path::new("/usr/bin/python3").exists()) {
        return;
    }
    let mut sandbox = empty_folder();
    sandbox.write(
        "Procfile",
        "# foreman's\nweb: python3 -m http.server --bind 127.0.0.1 $PORT\nrelease: echo \"50% ; done\" > migrated\n\
         worker: sleep 1000\n",
    );
    let port = free_port().to_string();
    sandbox.write(".env", &format!("PORT={port}\n"));
    let (text, code) = run(&sandbox, &["init"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("wrote supervisord.conf with 3 programs\n"), "{text}");
    assert!(text.contains("  sv check supervisord.conf\n  sv run supervisord.conf\n"), "{text}");
    assert_clean(&sandbox, "supervisord.conf");
    assert!(sandbox.file("supervisord.conf").contains("; From Procfile:3.\n[program:release]\n"));

    sandbox.spawn_as(sv(&sandbox, &["run", "supervisord.conf"]));
    for name in ["web", "worker"] {
        sandbox.wait_state(name, "RUNNING");
    }
    assert_eq!(sandbox.file("migrated"), "50% ; done\n", "the release is over before the others start");
    sandbox.wait("a page", |_| {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        page.contains("200 OK").then_some(())
    });
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn a_dockerfile_becomes_a_configuration_and_says_what_replaces_its_command() {
    let sandbox = empty_folder();
    sandbox.write(
        "Dockerfile",
        "FROM debian AS build\nCMD [\"false\"]\nFROM debian\nENTRYPOINT [\"/usr/bin/tini\", \"--\", \"sleep\"]\n\
         STOPSIGNAL SIGUSR1\nCMD [\"1000\"]\n",
    );
    for (words, file) in [(vec!["init"], "supervisord.conf"), (vec!["init", "--toml"], "supervisord.toml")] {
        let (text, code) = run(&sandbox, &words);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("in Dockerfile, instead of lines 4 and 6:\n"), "{text}");
        assert!(text.contains("  ENTRYPOINT [\"/sv\"]\n"), "{text}");
        assert_clean(&sandbox, file);
        let (effective, _) = run(&sandbox, &["config", "--changed", file]);
        assert!(effective.contains("command=sleep 1000"), "{effective}");
        assert!(effective.contains("signal_usr1=shutdown"), "{effective}");
    }
}

#[test]
fn questions_are_asked_on_a_terminal_only() {
    let sandbox = empty_folder();
    let (text, code) = run(&sandbox, &["init"]);
    assert!(text.contains("there is no Procfile and no Dockerfile here") && code == Some(2), "{text}");
    let mut terminal = Terminal::start(&sv(&sandbox, &["init", "-o", "app.toml"]));
    for (question, answer) in [
        ("command: ", "sleep 1000\n"),
        ("its name [sleep]: ", "web\n"),
        ("command: ", "sleep $HOURS\n"),
        ("its name [sleep]: ", "\n"),
        ("command: ", "\n"),
    ] {
        terminal.expect(question);
        terminal.type_in(answer);
    }
    terminal.expect("wrote app.toml with 2 programs");
    assert_eq!(terminal.wait_exit().code(), Some(0));
    assert_clean(&sandbox, "app.toml");
    let text = sandbox.file("app.toml");
    assert!(text.contains("[program.web]\ncommand = \"sleep 1000\"\n"), "{text}");
    assert!(text.contains("[program.sleep]\ncommand = \"/bin/sh -c 'exec sleep $HOURS'\"\n"), "{text}");
}

#[test]
fn no_file_is_overwritten() {
    let sandbox = empty_folder();
    sandbox.write("Procfile", "web: sleep 1000\n");
    sandbox.write("kept.conf", "mine");
    std::os::unix::fs::symlink("nowhere", sandbox.path("supervisord.conf")).unwrap();
    for (words, file) in [(&["init"][..], "supervisord.conf"), (&["init", "-o", "kept.conf"], "kept.conf")] {
        let (text, code) = run(&sandbox, words);
        let expected =
            format!("error: '{file}' exists and is left as it is: choose another file with -o FILE");
        assert!(text.starts_with(&expected) && code == Some(2), "{text}");
    }
    assert_eq!(sandbox.file("kept.conf"), "mine");
    assert!(!sandbox.path("nowhere").exists());
    let (text, code) = run(&sandbox, &["init", "-o", "-"]);
    assert!(text.contains("[program:web]\ncommand=sleep 1000\n") && code == Some(0), "{text}");

    for (source, content, why) in [
        ("Procfile.dev", "web\nb c: d\n", "Procfile.dev:1: 'web' has no colon\nerror: Procfile.dev:2: "),
        ("other", "FROM alpine\n", "'other' has no CMD and no ENTRYPOINT"),
        ("Nofile", "", "(os error 2): name a Procfile or a Dockerfile"),
    ] {
        if source != "Nofile" {
            sandbox.write(source, content);
        }
        let (text, code) = run(&sandbox, &["init", source, "-o", "new.conf"]);
        assert!(text.starts_with("error: ") && text.contains(why) && code == Some(2), "{source}: {text}");
        assert!(!sandbox.path("new.conf").exists());
    }
}

/// What is wrong, and what to do; under Supervisor's name only the former, in its words.
#[test]
fn a_configuration_that_can_not_be_read_is_reported_with_the_next_step() {
    let sandbox = empty_folder();
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("empty.conf", "");
    sandbox.write("typo.conf", "[supervisord]\n[program:a]\ncomand=sleep 1\n");
    sandbox.write("unreadable.conf", "[supervisord]\n");
    fs::set_permissions(sandbox.path("unreadable.conf"), fs::Permissions::from_mode(0o0)).unwrap();
    for (file, expected) in [
        ("nope.conf", "nope.conf: check the path, or let `sv init` write a first configuration\n"),
        ("folder", "folder: it is a directory and not a regular file: name a file in it"),
        ("unreadable.conf", "Permission denied (os error 13): run as root or as its owner"),
        ("empty.conf", "empty.conf'): add [supervisord], which may be empty\n"),
        ("typo.conf", "\nFor details, use `sv check "),
    ] {
        let as_user = |mut command: Command| {
            if rustix::process::geteuid().is_root() {
                command.uid(65534);
            }
            reported(&command.output().unwrap())
        };
        let (text, code) = as_user(sv(&sandbox, &["run", file]));
        assert!(text.starts_with("Error: ") && text.contains(expected) && code == Some(2), "{file}: {text}");
        let mut supervisord = sandbox.program("supervisord");
        supervisord.args(["-n", "-c", file]);
        let (text, code) = as_user(supervisord);
        assert!(text.starts_with("Error: ") && code == Some(2), "{file}: {text}");
        assert!(
            !text.contains("sv ") && !text.contains("name a file") && !text.contains("run as root"),
            "{text}"
        );
    }
    let (text, _) = run(&sandbox, &["check", "typo.conf"]);
    assert!(text.contains("did you mean 'command'?"), "{text}");
    let (text, _) = run(&sandbox, &["check", "empty.conf"]);
    assert!(text.contains("add [supervisord], which may be empty"), "{text}");
    let (text, _) = run(&sandbox, &["run", "--", "true"]);
    assert!(text.contains("or run the command alone with `sv -- COMMAND`"), "{text}");
    let (text, code) = run(&sandbox, &["run"]);
    assert!(text.contains("Error: no supervisord.conf or supervisord.toml in "), "{text}");
    let (folders, _) = text.rsplit_once(": name one").unwrap();
    assert_eq!(folders.matches(", /etc,").count(), 1, "each folder once: {text}");
    assert!(text.contains(": name one with `sv run FILE`, or let `sv init` write a first one\n"), "{text}");
    assert_eq!(code, Some(2));
    let (text, _) = run(&sandbox, &["check"]);
    assert!(text.contains("`sv init` writes a first one"), "{text}");
    let (text, code) = run(&sandbox, &["-c", "nope.conf", "status"]);
    assert!(text.contains("let `sv init` write a first configuration") && code == Some(2), "{text}");
}

/// As in a container without IPv6, where `localhost` has the address ::1 nevertheless.
#[test]
fn an_address_that_the_machine_does_not_have_is_one_where_no_supervisor_runs() {
    let probe = Command::new("unshare").args(["--net", "true"]).output();
    if !have("unshare --net", probe.is_ok_and(|output| output.status.success())) {
        return;
    }
    let sandbox = empty_folder();
    let mut command = sandbox.marked(Command::new("unshare"));
    command.arg("--net").arg(binary()).args(["-s", "http://[::1]:9001", "status"]);
    let (text, code) = reported(&command.output().unwrap());
    assert!(text.contains("no such address here. Is sv running?") && code == Some(4), "{text}");
}

#[test]
fn a_configuration_without_programs_is_a_warning_with_the_next_step() {
    let mut sandbox = Sandbox::new("[supervisord]\nlogfile=/dev/null\npidfile=%(here)s/pid\n").start();
    sandbox.wait_terminal("has no programs: add [program:NAME] with a command, or [include] with files");
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    // Not where there is a main command.
    let output = sv(&sandbox, &["run", "-c", "supervisord.conf", "--", "true"]).output().unwrap();
    let (text, code) = reported(&output);
    assert!(!text.contains("has no programs") && code == Some(0), "{text}");
}

#[test]
fn a_command_with_a_line_break_needs_toml() {
    let sandbox = empty_folder();
    sandbox.write("Dockerfile", "FROM debian\nCMD [\"sh\", \"-c\", \"set -e\\nexec sleep 1000\"]\n");
    let (text, code) = run(&sandbox, &["init"]);
    assert!(
        text.contains("has a line break, which the INI format cannot express") && code == Some(2),
        "{text}"
    );
    assert!(!sandbox.config().exists());
    let (text, code) = run(&sandbox, &["init", "--toml"]);
    assert_eq!(code, Some(0), "{text}");
    assert_clean(&sandbox, "supervisord.toml");
}

/// The same path, and another configuration each time; and a server of its own makes an instance another one.
#[test]
fn other_instances_of_a_path_run_beside_the_first() {
    let sandbox = empty_folder();
    let program = "[program:a]\ncommand=sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let config = format!("[supervisord]\nlogfile=/dev/null\npidfile=NONE\n{program}");
    let by_pipe = |text: &str| {
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(text.as_bytes()).unwrap();
        drop(write);
        sv(&sandbox, &["run", "-c", "/dev/stdin"]).stdin(read).stdout(Stdio::piped()).spawn().unwrap()
    };
    sandbox.write("shared.conf", &format!("{config}[inet_http_server]\nport=127.0.0.1:%(ENV_OWN_PORT)s\n"));
    let with_port = || {
        let mut command = sv(&sandbox, &["run", "-c", "shared.conf"]);
        command.env("OWN_PORT", free_port().to_string()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut instances = vec![by_pipe(&config), by_pipe(&config), with_port(), with_port()];
    for instance in &mut instances {
        let mut reader = BufReader::new(instance.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("spawned: 'a'") {
            assert_ne!(reader.read_line(&mut text).unwrap(), 0, "{text}");
        }
        rustix::process::kill_process(Pid::from_child(instance), Signal::TERM).unwrap();
        instance.wait().unwrap();
    }
}

#[test]
fn a_second_instance_of_a_configuration_names_the_first() {
    let program = "[program:a]\ncommand=sleep 1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let config = format!("[supervisord]\nlogfile=/dev/null\npidfile=%(here)s/pid\n{program}");
    let sandbox = Sandbox::new(&config).start();
    let pid = sandbox.supervisor_pid().as_raw_nonzero();
    let (text, code) = run(&sandbox, &["run", "supervisord.conf"]);
    let expected = format!(
        "Error: a supervisor with pid {pid} runs this configuration already: `sv -c supervisord.conf status` asks it, \
         and `sv -c supervisord.conf shutdown` ends it."
    );
    assert!(text.starts_with(&expected) && code == Some(2), "{text}");
    let (status, _) = run(&sandbox, &["-c", "supervisord.conf", "status"]);
    assert!(status.starts_with("a  "), "{status}");

    let sandbox = Sandbox::new(&format!("{HEAD}{program}")).start();
    let socket = sandbox.path("supervisor.sock");
    let (text, code) = run(&sandbox, &["run", "supervisord.conf"]);
    let expected = format!(
        "another program listens there. If it is a supervisor, `sv -s unix://{} status` asks it",
        socket.display()
    );
    assert!(text.contains(&expected) && code == Some(2), "{text}");
}
