//! The client in use: logs that grow, a process in the foreground, the shell at a terminal.
//!
//! Each requirement is tested with both names of our client against each server, and with
//! Supervisor's own client where it behaves the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use support::terminal::Terminal;
use support::{Sandbox, binary, peers};

/// The server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Theirs,
    Ours,
}

const SERVERS: [Server; 2] = [Server::Ours, Server::Theirs];

/// The client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Theirs,
    /// As `supervisorctl`.
    Ours,
    /// As `sv`.
    Sv,
}

const CLIENTS: [Client; 3] = [Client::Theirs, Client::Ours, Client::Sv];

/// A server with programs; `None` when it is not there.
fn serve(server: Server, programs: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("words", "ready\n");
    sandbox.write("others", "");
    Some(match server {
        Server::Theirs => {
            let daemon = peers::reference()?.join("supervisord");
            sandbox.run_by(&daemon, "supervisord", &["-n"]).start()
        }
        Server::Ours => sandbox.start(),
    })
}

/// A command of a client that talks to the server of the sandbox.
fn command(sandbox: &Sandbox, client: Client, words: &[&str]) -> Command {
    let mut command = match client {
        Client::Theirs => {
            let program = peers::reference().unwrap().join("supervisorctl");
            sandbox.marked(Command::new(program))
        }
        Client::Ours => sandbox.program("supervisorctl"),
        Client::Sv => sandbox.marked(Command::new(binary())),
    };
    command.arg("-c").arg(sandbox.config()).args(words);
    command
}

/// Does the same with every client on every server.
fn everywhere(programs: &str, act: impl Fn(&mut Sandbox, Client)) {
    for server in SERVERS {
        for client in CLIENTS {
            let Some(mut sandbox) = serve(server, programs) else { return };
            act(&mut sandbox, client);
        }
    }
}

/// Starts a command whose output goes to files of the sandbox: `out` and `err`.
fn into_files(sandbox: &Sandbox, mut command: Command) -> Child {
    let file = |name| File::create(sandbox.path(name)).unwrap();
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Prints what is written to `words`.
const TALKER: &str = "[program:talker]\ncommand=/usr/bin/tail -n +1 -f %(here)s/words\nstartsecs=0\n\
    [program:mute]\ncommand=/bin/cat\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn say(sandbox: &Sandbox, bytes: &[u8]) {
    let mut words = OpenOptions::new().append(true).create(true).open(sandbox.path("words")).unwrap();
    words.write_all(bytes).unwrap();
}

/// Ends with status 0 by itself: no signal did it.
fn end(sandbox: &mut Sandbox, mut child: Child) -> Option<i32> {
    sandbox.wait("the client to end", |_| child.try_wait().unwrap()).code()
}

const PRESS: &str = "==> Press Ctrl-C to exit <==\n";

#[test]
fn a_growing_log_is_shown_until_ctrl_c() {
    everywhere(TALKER, |sandbox, client| {
        let child = into_files(sandbox, command(sandbox, client, &["tail", "-f", "talker"]));
        sandbox.wait_file("out", "ready\n");
        say(sandbox, b"steady\n");
        sandbox.wait_file("out", "steady\n");
        interrupt(&child);
        assert_eq!(end(sandbox, child), Some(0), "{client:?}");
        assert_eq!(sandbox.file("out"), format!("{PRESS}ready\nsteady\n\n"), "{client:?}");
        assert_eq!(sandbox.file("err"), "", "{client:?}");
    });
}

#[test]
fn followed_logs_are_passed_on_byte_for_byte() {
    for server in SERVERS {
        let Some(mut sandbox) = serve(server, TALKER) else { return };
        let child = into_files(&sandbox, command(&sandbox, Client::Ours, &["tail", "-f", "talker"]));
        sandbox.wait_file("out", "ready\n");
        say(&sandbox, b"\xff\x00\x1b[1m caf\xc3");
        say(&sandbox, b"\xa9 end\n");
        sandbox.wait_file("out", " end\n");
        interrupt(&child);
        assert_eq!(end(&mut sandbox, child), Some(0));
        let expected = [PRESS.as_bytes(), b"ready\n\xff\x00\x1b[1m caf\xc3\xa9 end\n\n"].concat();
        assert_eq!(fs::read(sandbox.path("out")).unwrap(), expected);
    }
}

#[test]
fn the_supervisors_own_log_is_followed() {
    everywhere(TALKER, |sandbox, client| {
        let child = into_files(sandbox, command(sandbox, client, &["maintail", "-f"]));
        sandbox.wait_file("out", "spawned: 'talker'");
        sandbox.ctl(&["stop", "talker"]);
        sandbox.wait_file("out", "stopped: talker");
        interrupt(&child);
        assert_eq!(end(sandbox, child), Some(0), "{client:?}");
        assert!(sandbox.file("out").starts_with(PRESS) && sandbox.file("out").ends_with("\n\n"));
    });
}

#[test]
fn logs_that_can_not_be_followed_are_reported() {
    everywhere(TALKER, |sandbox, client| {
        let code = if client == Client::Sv { Some(1) } else { Some(0) };
        for (words, path) in [
            (&["tail", "-f", "nope"][..], "nope/stdout"),
            (&["tail", "-f", "mute"], "mute/stdout"),
            (&["tail", "-f", "talker:nope", "stderr"], "talker:nope/stderr"),
        ] {
            let child = into_files(sandbox, command(sandbox, client, words));
            assert_eq!(end(sandbox, child), code, "{client:?} {words:?}");
            let url = format!("unix://{}", sandbox.path("supervisor.sock").display());
            let expected = match client {
                Client::Sv => format!(
                    "error: cannot follow '/logtail/{path}': there is no such process, or it has no log\n"
                ),
                Client::Theirs | Client::Ours => {
                    format!("{url}/logtail/{path} Cannot read, status code 404\n")
                }
            };
            assert_eq!(
                (sandbox.file("out"), sandbox.file("err")),
                (PRESS.to_owned(), expected),
                "{client:?}"
            );
        }
    });
}

#[test]
fn following_ends_with_its_reader_and_with_the_server() {
    for server in SERVERS {
        let Some(mut sandbox) = serve(server, TALKER) else { return };
        let mut command_line = command(&sandbox, Client::Sv, &["tail", "-f", "talker"]);
        let mut child = command_line.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = vec![0; PRESS.len()];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // The reader is gone, and no more output follows.
        assert_eq!(end(&mut sandbox, child), Some(0));
        let child = into_files(&sandbox, command(&sandbox, Client::Sv, &["tail", "-f", "talker"]));
        sandbox.wait_file("out", "ready\n");
        sandbox.ctl(&["shutdown"]);
        assert_eq!(end(&mut sandbox, child), Some(0));
        assert_eq!(sandbox.file("out"), format!("{PRESS}ready\n"));
    }
}

const ECHO: &str = "[program:echo]\ncommand=/bin/cat\nstartsecs=0\nautorestart=false\n\
    [program:half]\ncommand=/bin/cat\nstartsecs=0\nstderr_logfile=NONE\n";

/// Ours alone at a terminal: the reference hangs after Ctrl-C until the process prints something.
fn in_front(programs: &str, words: &[&str], act: impl Fn(&mut Sandbox, &mut Terminal)) {
    for (server, client) in
        SERVERS.into_iter().flat_map(|server| [(server, Client::Ours), (server, Client::Sv)])
    {
        let Some(mut sandbox) = serve(server, programs) else { return };
        let mut terminal = Terminal::start(&command(&sandbox, client, words));
        act(&mut sandbox, &mut terminal);
    }
}

#[test]
fn a_process_in_the_foreground_gets_typed_input_and_survives() {
    for (key, shown) in [("\x03", "^C"), ("\x04", "")] {
        in_front(ECHO, &["fg", "echo"], |sandbox, terminal| {
            let before = sandbox.pid("echo");
            terminal.expect("==> Press Ctrl-C to exit <==\r\n");
            terminal.type_in("hello\r");
            terminal.expect("hello\r\n");
            assert_eq!(terminal.expect("hello\r\n"), "", "what it says is shown as it is");
            terminal.type_in(key);
            terminal.expect(&format!("{shown}Exiting foreground\r\n"));
            assert_eq!(terminal.wait_exit().code(), Some(0));
            assert!(before.is_some());
            assert_eq!(sandbox.pid("echo"), before);
        });
    }
}

#[test]
fn the_end_of_a_process_in_the_foreground_is_reported_at_once() {
    in_front(ECHO, &["fg", "echo"], |sandbox, terminal| {
        terminal.expect("==> Press Ctrl-C to exit <==\r\n");
        kill_process(sandbox.pid("echo").unwrap(), Signal::KILL).unwrap();
        terminal.expect("Process got killed\r\nExiting foreground\r\n");
        assert_eq!(terminal.wait_exit().code(), Some(0));
    });
}

#[test]
fn a_channel_without_a_log_is_reported_in_the_foreground() {
    in_front(ECHO, &["fg", "half"], |_, terminal| {
        terminal.expect("/logtail/half/stderr");
        terminal.type_in("hello\r");
        terminal.expect("hello\r\n");
        terminal.expect("hello\r\n");
        terminal.type_in("\x03");
        terminal.expect("Exiting foreground\r\n");
    });
}

#[test]
fn a_process_in_the_foreground_can_be_fed_from_a_pipe() {
    for server in SERVERS {
        let Some(mut sandbox) = serve(server, ECHO) else { return };
        sandbox.write("input", "one\ntwo");
        for words in [&["fg", "echo"][..], &[]] {
            let mut command = command(&sandbox, Client::Ours, words);
            if words.is_empty() {
                sandbox.write("input", "fg echo\none\ntwo");
            }
            command.stdin(File::open(sandbox.path("input")).unwrap()).stderr(Stdio::null());
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains(PRESS) && text.contains("Exiting foreground\n"), "{text}");
            assert_eq!(output.status.code(), Some(0));
        }
        sandbox.wait("both to be heard", |sandbox| {
            (sandbox.ctl(&["tail", "echo"]).stdout == "one\ntwo\none\ntwo\n\n").then_some(())
        });
    }
}

const NAMES: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n[program:one]\ncommand=/bin/cat\nstartsecs=0\n\
    [program:two]\ncommand=/bin/cat\nstartsecs=0\n[group:pair]\nprograms=one,two\n";

/// A shell at a terminal, past the status that it starts with.
fn shell(programs: &str, words: &[&str], act: impl Fn(&mut Sandbox, &mut Terminal)) {
    in_front(programs, words, |sandbox, terminal| {
        terminal.expect("supervisor> ");
        act(sandbox, terminal);
    });
}

#[test]
fn the_shell_is_left_with_a_blank_line_and_status_0() {
    for keys in ["\x03", "\x04", "quit\r", "exit\r"] {
        shell(NAMES, &[], |_, terminal| {
            terminal.type_in(keys);
            terminal.expect("\r\n");
            assert_eq!(terminal.wait_exit().code(), Some(0), "{keys:?}");
        });
    }
}

#[test]
fn lines_can_be_edited_and_recalled() {
    shell(NAMES, &[], |sandbox, terminal| {
        let pid = sandbox.pid("cat").unwrap().as_raw_nonzero().to_string();
        for keys in [
            "pid cat\r",
            // The line before, truncated and rewritten.
            "\x1b[A\x17nope\x15\x19\x17cat\r",
            // Begun at the wrong end.
            "cat\x01pid \r",
            "pid caX\x7ft\r",
            "pid caXt\x1b[D\x1b[D\x1b[3~\r",
            "pidcat\x02\x02\x02 \r",
            // A repetition is kept once: there is nothing older, and down is what was typed.
            "pi\x1b[A\x1b[A\x1b[Bd cat\r",
        ] {
            terminal.type_in(keys);
            terminal.expect(&format!("\r\n{pid}\r\n"));
            terminal.expect("supervisor> ");
        }
    });
}

#[test]
fn tab_completes_actions_topics_groups_processes_and_signals() {
    shell(NAMES, &[], |_, terminal| {
        for (keys, expected) in [
            ("vers\t\r", "4.3.0"),
            ("help vers\t\r", "\r\nversion\t"),
            ("pid ca\t\r", "\r\n"),
            ("status p\ton\t\r", "\r\npair:one "),
            ("signal CON\tc\t\r", "\r\ncat: signalled\r\n"),
            ("status pair:tw\t cat\r", "\r\npair:two "),
            ("add pa\t\r", "\r\nERROR: process group already active\r\n"),
        ] {
            terminal.type_in(keys);
            terminal.expect(expected);
            terminal.expect("supervisor> ");
        }
        // What is ambiguous is shown at the second time, and the line is there again.
        terminal.type_in("sta\t\t");
        terminal.expect("\r\nstart  status\r\n");
        terminal.expect("supervisor> sta");
        terminal.type_in("rt nope\r");
        terminal.expect("\r\nnope: ERROR (no such process)\r\n");
    });
}

#[test]
fn a_signal_finds_the_terminal_as_it_was() {
    shell(NAMES, &[], |_, terminal| {
        assert!(!terminal.echoes());
        terminal.type_in("half");
        terminal.expect("half");
        terminal.kill_program(Signal::TERM);
        assert_eq!(terminal.wait_exit().signal(), Some(15));
        assert!(terminal.echoes());
    });
}

#[test]
fn history_is_kept_only_where_configured() {
    for words in [&[][..], &["-r", "typed"]] {
        shell(NAMES, words, |sandbox, terminal| {
            terminal.type_in("pid nope\r");
            terminal.expect("No such process nope\r\n");
            terminal.expect("supervisor> ");
            terminal.type_in("quit\r");
            terminal.wait_exit();
            let kept = if words.is_empty() { "" } else { "pid nope\nquit\n" };
            assert_eq!(sandbox.file("typed"), kept);
            if words.is_empty() {
                return;
            }
            let mut next = Terminal::start(&command(sandbox, Client::Sv, words));
            next.expect("supervisor> ");
            next.type_in("\x1b[A\x1b[A\r");
            next.expect("No such process nope\r\n");
        });
    }
}

#[test]
fn a_process_is_put_in_front_of_a_shell_and_back() {
    shell(ECHO, &[], |_, terminal| {
        terminal.type_in("fg echo\r");
        terminal.expect("==> Press Ctrl-C to exit <==\r\n");
        for key in ["\x03", "\x04"] {
            terminal.type_in("hello\r");
            terminal.expect("hello\r\nhello\r\n");
            terminal.type_in(key);
            terminal.expect("Exiting foreground\r\n");
            terminal.expect("supervisor> ");
            terminal.type_in("fg echo\r");
            terminal.expect("==> Press Ctrl-C to exit <==\r\n");
        }
        terminal.type_in("\x03");
        terminal.expect("supervisor> ");
        terminal.type_in("tail -f echo\r");
        terminal.expect("hello\r\n");
        terminal.type_in("\x03");
        terminal.expect("\r\n");
        terminal.expect("supervisor> ");
        terminal.type_in("version\r");
        terminal.expect("4.3.0");
    });
}

#[test]
fn a_terminal_that_knows_no_escapes_gets_none() {
    let Some(sandbox) = serve(SERVERS[0], NAMES) else { return };
    let mut shell = command(&sandbox, Client::Sv, &[]);
    shell.env("TERM", "dumb").env_remove("NO_COLOR");
    let mut terminal = Terminal::start(&shell);
    terminal.expect("supervisor> ");
    terminal.type_in("version\r");
    terminal.expect("4.3.0)\r\nsupervisor> ");
    assert!(!terminal.shown().contains('\x1b'), "{:?}", terminal.shown());
}

#[test]
fn an_unreachable_address_is_reported_with_its_origin() {
    let sandbox = Sandbox::with_programs("");
    let config = sandbox.config().display().to_string();
    let line =
        sandbox.file("supervisord.conf").lines().position(|line| line.starts_with("serverurl")).unwrap();
    let socket = format!("unix://{}", sandbox.path("supervisor.sock").display());
    let cannot = |url: &str, why: &str, origin: &str| {
        format!("error: cannot reach {url}: {why}. Is sv running? (The address comes from {origin}.)\n")
    };
    let by_config = cannot(&socket, "no such file", &format!("{config}:{}", line + 1));
    let by_hand = cannot("http://127.0.0.1:1", "connection refused", "the command line");
    for (words, reported, code) in [
        (&["status"][..], &by_config, 4),
        (&["start", "x"], &by_config, 7),
        (&["reread"], &by_config, 1),
        (&["-s", "http://127.0.0.1:1", "pid"], &by_hand, 4),
    ] {
        let output = command(&sandbox, Client::Sv, words).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), *reported, "{words:?}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{words:?}");
    }
    let output =
        command(&sandbox, Client::Sv, &["status"]).env("SV_SUPERVISORCTL_SERVERURL", "unix:///nope").output();
    let reported = String::from_utf8_lossy(&output.unwrap().stderr).into_owned();
    assert_eq!(reported, cannot("unix:///nope", "no such file", "SV_SUPERVISORCTL_SERVERURL"));
}

#[test]
fn a_terminal_shows_that_a_command_waits() {
    const SLOW: &str = "[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=4\n";
    let Some(sandbox) = serve(SERVERS[0], SLOW) else { return };
    for client in [Client::Ours, Client::Sv] {
        let mut terminal = Terminal::start(&command(&sandbox, client, &["start", "slow"]));
        terminal.expect("\rwaiting for slow to start: 2 s\x1b[K");
        terminal.expect("\rwaiting for slow to start: 3 s\x1b[K");
        terminal.expect("\r\x1b[Kslow: started\r\n");
        assert_eq!(terminal.wait_exit().code(), Some(0));
        sandbox.ctl(&["stop", "slow"]);
    }
    let answer = sandbox.ctl(&["start", "slow"]);
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("slow: started\n", ""));
}

#[test]
fn ctrl_c_ends_a_wait_and_not_the_shell() {
    const SLOW: &str = "[program:slow]\ncommand=/bin/cat\nautostart=false\nstartsecs=3600\n\
        [program:cat]\ncommand=/bin/cat\nautostart=false\nstartsecs=0\n";
    const CONTINUES: &str = "interrupted: the supervisor completes the request\r\n";
    shell(SLOW, &[], |sandbox, terminal| {
        // At once, once the wait is shown, and with another process that was to follow.
        for (line, waits) in [("start slow", false), ("start slow", true), ("start slow cat", true)] {
            terminal.type_in(&format!("{line}\r"));
            if waits {
                terminal.expect("waiting for slow to start");
            } else {
                sandbox.wait_state("slow", "STARTING");
            }
            terminal.type_in("\x03");
            terminal.expect(CONTINUES);
            terminal.expect("supervisor> ");
            terminal.type_in("status\r");
            for (name, state) in [("cat", "STOPPED"), ("slow", "STARTING")] {
                terminal.expect(&format!("\r\n{name:33}"));
                terminal.expect(state);
            }
            terminal.expect("supervisor> ");
            terminal.type_in("stop slow\r");
            terminal.expect("slow: stopped\r\n");
            terminal.expect("supervisor> ");
        }
        terminal.type_in("\x03");
        assert_eq!(terminal.wait_exit().code(), Some(0));
    });
}

#[test]
fn credentials_are_asked_for_until_they_are_right() {
    let Some(reference) = peers::reference() else { return };
    let config = support::HEAD
        .replace("supervisor.sock\n\n[rpc", "supervisor.sock\nusername=me\npassword=se:cret\n\n[rpc");
    let mut sandbox = Sandbox::new(&config).run_by(&reference.join("supervisord"), "supervisord", &["-n"]);
    sandbox.spawn();
    sandbox.wait_log("supervisord started");
    for (client, words) in
        [(Client::Ours, &["-i", "pid"][..]), (Client::Sv, &["-i", "pid"]), (Client::Sv, &[])]
    {
        let mut terminal = Terminal::start(&command(&sandbox, client, words));
        for (name, password) in [("me", "wrong"), ("you", "se:cret"), ("me", "se:cret")] {
            terminal.expect("Server requires authentication\r\nUsername:");
            terminal.type_in(&format!("{name}\r"));
            terminal.expect(&format!("{name}\r\nPassword:"));
            terminal.wait_until_silent();
            terminal.type_in(&format!("{password}\r"));
            assert_eq!(terminal.expect("\r\n\r\n"), "", "a password is not shown");
        }
        if words.is_empty() {
            terminal.expect("supervisor> ");
            terminal.type_in("pid\r");
        }
        terminal.expect(&format!("{}\r\n", sandbox.supervisor_pid()));
    }
}

/// Two that print what is written to `words` and `others`, and one without a log.
const SPEAKERS: &str = "[program:web]\ncommand=/usr/bin/tail -n +1 -f %(here)s/words\nstartsecs=0\n\
    [program:worker]\ncommand=/bin/sh -c 'exec tail -n +1 -f others >&2'\ndirectory=%(here)s\nstartsecs=0\n\
    [program:mute]\ncommand=/bin/cat\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

#[test]
fn logs_are_shown_side_by_side() {
    for server in SERVERS {
        let Some(mut sandbox) = serve(server, SPEAKERS) else { return };
        let lines: String =
            (1..=3000).map(|number| format!("line {number} of many, and long enough\n")).collect();
        say(&sandbox, lines.as_bytes());
        OpenOptions::new()
            .append(true)
            .open(sandbox.path("others"))
            .unwrap()
            .write_all(b"one\ntwo\nhalf")
            .unwrap();
        sandbox.wait("all to be logged", |sandbox| {
            let end =
                sandbox.ctl(&["tail", "web"]).stdout + &sandbox.ctl(&["tail", "worker", "stderr"]).stdout;
            (end.contains("line 3000 of") && end.contains("half")).then_some(())
        });
        let long = ", and long enough";
        for (words, reported, error, code) in [
            (&["-n", "1", "web"][..], format!("web | line 3000 of many{long}\n"), "", 0),
            (
                &["-n2", "all"],
                format!(
                    "web    | line 2999 of many{long}\nweb    | line 3000 of many{long}\nworker | two\nworker | half\n"
                ),
                "",
                0,
            ),
            (&["--stderr", "-n", "1", "w*"], "worker | half\n".to_owned(), "", 0),
            (&["--stdout", "worker"], String::new(), "", 0),
            (&["mute"], String::new(), "mute: ERROR (no log file)\n", 1),
            (
                &["-n", "1", "nope", "no:*", "worker"],
                "worker | half\n".to_owned(),
                "nope: ERROR (no such process)\nno: ERROR (no such group)\n",
                1,
            ),
        ] {
            let answer = sandbox.ctl(&[&["logs"], words].concat());
            assert_eq!(
                (answer.stdout, answer.stderr.as_str(), answer.code),
                (reported, error, Some(code)),
                "{words:?}"
            );
        }
        let all = sandbox.ctl(&["logs", "-n", "3001", "web"]).stdout;
        assert_eq!(all.lines().count(), 3001);
        assert!(all.starts_with("web | ready\nweb | line 1 of"), "{}", &all[..100]);
        let misuse = sandbox.ctl(&["logs", "-n", "x", "web"]);
        assert!(
            misuse.stdout.starts_with("Error: bad number of lines 'x'") && misuse.code == Some(2),
            "{misuse:?}"
        );
    }
}

#[test]
fn logs_are_followed_side_by_side_without_loss_or_repetition() {
    for server in SERVERS {
        let Some(mut sandbox) = serve(server, SPEAKERS) else { return };
        say(&sandbox, b"1\n2\n");
        sandbox.wait("it to be logged", |sandbox| {
            sandbox.ctl(&["tail", "web"]).stdout.contains("2\n").then_some(())
        });
        let child = into_files(&sandbox, command(&sandbox, Client::Sv, &["logs", "-f", "all"]));
        sandbox.wait_file("out", "web    | ready\nweb    | 1\nweb    | 2\n");
        let mut others = OpenOptions::new().append(true).open(sandbox.path("others")).unwrap();
        others.write_all(b"not yet a line").unwrap();
        sandbox.wait("it to be logged", |sandbox| {
            sandbox.ctl(&["tail", "worker", "stderr"]).stdout.contains("not yet").then_some(())
        });
        say(&sandbox, b"3\n");
        sandbox.wait_file("out", "web    | 3\n");
        others.write_all(b", but now\n").unwrap();
        sandbox.wait_file("out", "but now\n");
        say(&sandbox, b"half");
        sandbox.wait("it to be logged", |sandbox| {
            sandbox.ctl(&["tail", "web"]).stdout.contains("half").then_some(())
        });
        interrupt(&child);
        assert_eq!(end(&mut sandbox, child), Some(0));
        let reported = sandbox.file("out").replace("web    | half\n", "");
        let expected =
            "web    | ready\nweb    | 1\nweb    | 2\nweb    | 3\nworker | not yet a line, but now\n";
        assert_eq!((reported.as_str(), sandbox.file("err").as_str()), (expected, ""));
    }
}

#[test]
fn existing_lines_are_shown_as_they_are_and_long_logs_whole() {
    let Some(mut sandbox) = serve(SERVERS[0], SPEAKERS) else { return };
    say(&sandbox, b"\x1b[31mred\x1b[0m\n");
    sandbox.wait("it to be logged", |sandbox| {
        sandbox.ctl(&["logs", "web"]).stdout.ends_with("\nweb | \u{1b}[31mred\u{1b}[0m\n").then_some(())
    });
    let lines = 120_000;
    let text: String = (0..lines).map(|line| format!("a line with the number {line}\n")).collect();
    OpenOptions::new().append(true).open(sandbox.path("others")).unwrap().write_all(text.as_bytes()).unwrap();
    let expected: String = text.lines().map(|line| format!("worker | {line}\n")).collect();
    sandbox.wait("all to be logged", |sandbox| {
        let shown = sandbox.ctl(&["logs", "--stderr", "-n", &(lines + 1).to_string(), "worker"]).stdout;
        (shown == expected).then_some(())
    });
}

#[test]
fn names_in_logs_are_coloured_at_a_terminal_unless_that_is_not_wanted() {
    let Some(sandbox) = serve(SERVERS[0], SPEAKERS) else { return };
    for (variable, coloured) in [("", true), ("1", false)] {
        let mut logs = command(&sandbox, Client::Sv, &["logs", "web"]);
        let mut terminal = Terminal::start(logs.env("NO_COLOR", variable));
        terminal.expect("ready\r\n");
        assert_eq!(
            terminal.shown().contains("\x1b[36mweb |\x1b[0m ready"),
            coloured,
            "{:?}",
            terminal.shown()
        );
    }
}

/// A script by which a shell prints its completions of `$LINE`, one a line; `sv` is in its path.
const SHELLS: [(&str, &str); 3] = [
    (
        "bash",
        r#"source <(sv completions bash); COMP_LINE="$LINE"; COMP_POINT=${#LINE}; _sv sv
            printf '%s\n' "${COMPREPLY[@]}""#,
    ),
    // Outside of its line editor zsh has none of these.
    (
        "zsh",
        r#"compdef() {}; compadd() { shift; print -l -- "$@" }; _files() {}
            source <(sv completions zsh); words=("${(@s: :)LINE}"); CURRENT=${#words}; _sv"#,
    ),
    (
        "fish",
        r#"mkdir -p ~/.config/fish/completions; sv completions fish >~/.config/fish/completions/sv.fish
            complete -C "$LINE""#,
    ),
];

fn offered(sandbox: &Sandbox, shell: &str, ask: &str, line: &str) -> Vec<String> {
    let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut asked = sandbox.marked(Command::new(shell));
    asked.args(["-c", ask]).env("PATH", path).env("LINE", line).env("HOME", sandbox.dir());
    let output = asked.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell} {line}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn is_installed(shell: &str) -> bool {
    support::have(shell, Command::new(shell).args(["-c", "true"]).status().is_ok())
}

#[test]
fn shells_complete_actions_options_and_live_names() {
    let Some(mut sandbox) = serve(SERVERS[0], NAMES) else { return };
    // Without -c it is found where the shell is, as the configuration of any sv is.
    let config = sandbox.config().display().to_string();
    let shells = SHELLS.into_iter().filter(|(shell, _)| is_installed(shell)).collect::<Vec<_>>();
    for (line, expected) in [
        ("sv stat", &["status"][..]),
        ("sv start c", &["cat"]),
        ("sv -c CONFIG restart p", &["pair:*", "pair:one", "pair:two"]),
        ("sv restart pair:o", &["pair:one"]),
        ("sv update p", &["pair"]),
        ("sv signal HU", &["HUP"]),
        ("sv logs -f c", &["cat"]),
        ("sv --history", &["--history-file"]),
        ("sv logs --fol", &["--follow"]),
        ("sv completions f", &["fish"]),
        ("sv start nope", &[]),
    ] {
        for (shell, ask) in &shells {
            let mut offered = offered(&sandbox, shell, ask, &line.replace("CONFIG", &config));
            offered.sort();
            // bash inserts it after the colon.
            let is_cut = *shell == "bash" && line.ends_with("pair:o");
            let expected = if is_cut { &["one"][..] } else { expected };
            assert_eq!(offered, expected, "{shell}: {line}");
        }
    }
    sandbox.ctl(&["shutdown"]);
    sandbox.wait_exit();
    for (shell, ask) in &shells {
        assert_eq!(
            offered(&sandbox, shell, ask, "sv start c"),
            [""; 0],
            "{shell}: nobody answers or complains"
        );
    }
}

#[test]
fn lines_about_many_processes_are_in_the_order_of_status() {
    let late = "sh -c 'trap \"sleep 0.5; exit\" TERM; echo > %(here)s/armed; while :; do sleep 0.05; done'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:late]\ncommand={late}\n[program:soon]\ncommand=/bin/cat\n[program:none]\ncommand=/nope\n\
         [program-default]\nstartsecs=0\nstartretries=0\nautostart=false\n\
         [group:g]\nprograms=late,soon,none\n"
    ))
    .start();
    let all = "g:late: started\ng:none: ERROR (can't find command '/nope': check its command, and PATH)\n\
        g:soon: started\n";
    assert_eq!(sandbox.ctl(&["start", "g:*"]).stdout, all);
    sandbox.wait_file("armed", "\n");
    assert_eq!(sandbox.ctl(&["stop", "all"]).stdout, "g:late: stopped\ng:soon: stopped\n");
    // Supervisor's own client prints what was done first.
    fs::remove_file(sandbox.path("armed")).unwrap();
    assert_eq!(sandbox.ctl(&["start", "g:*"]).stdout, all);
    sandbox.wait_file("armed", "\n");
    let mut supervisorctl = sandbox.program("supervisorctl");
    let output = supervisorctl.arg("-c").arg(sandbox.config()).args(["stop", "all"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "g:soon: stopped\ng:late: stopped\n");
}

/// Supervisor's client prints only that there is no file.
#[test]
fn as_sv_a_failed_start_names_the_file() {
    if support::reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::with_programs(
        "[program:x]\ncommand=/no/such -a\nautostart=false\n[program:y]\ncommand=/etc/passwd\nautostart=false\n",
    )
    .start();
    let started = |program: &str| {
        let mut command = sandbox.program(program);
        let output = command.args(["-c", "supervisord.conf", "start", "x", "y"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        started("sv"),
        "x: ERROR (can't find command '/no/such': check its command, and PATH)\n\
         y: ERROR (command at '/etc/passwd' is not executable: check its command, and PATH)\n"
    );
    assert_eq!(started("supervisorctl"), "x: ERROR (no such file)\ny: ERROR (file is not executable)\n");
}
