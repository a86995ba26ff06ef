//! The client under its own name, where it says more than Supervisor's, or says it otherwise.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::Value as Json;

use support::client::{reported, sv};
use support::terminal::Terminal;
use support::{Sandbox, binary};

fn row(sandbox: &Sandbox, name: &str) -> Json {
    let output = sv(sandbox, &["status", "--json", name]).output().unwrap();
    let (text, ..) = reported(&output);
    serde_json::from_str::<Json>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))[0].take()
}

#[test]
fn json_rows_report_how_each_process_ended_last() {
    let mut sandbox = Sandbox::with_programs(
        "[program:waits]\ncommand=/bin/sleep 1000\nstartsecs=0\n\
         [program:deaf]\ncommand=/bin/sh -c 'trap \"\" TERM; echo armed; while :; do sleep 1; done'\nstartsecs=0\n\
         stopwaitsecs=0\nstdout_logfile=%(here)s/deaf.log\n\
         [program:fails]\ncommand=/bin/sh -c 'exit 3'\nstartretries=0\n\
         [program:never]\ncommand=/bin/cat\nautostart=false\n",
    )
    .start();
    let last_end = |sandbox: &Sandbox, name: &str| {
        let row = row(sandbox, name);
        (row["state"].clone(), row["exit_status"].clone(), row["term_signal"].clone())
    };
    assert_eq!(last_end(&sandbox, "never"), ("STOPPED".into(), Json::Null, Json::Null));
    assert_eq!(last_end(&sandbox, "waits"), ("RUNNING".into(), Json::Null, Json::Null));
    sandbox.wait_state("fails", "FATAL");
    assert_eq!(last_end(&sandbox, "fails"), ("FATAL".into(), 3.into(), Json::Null));
    sandbox.wait_file("deaf.log", "armed");
    sandbox.ctl(&["restart", "waits"]);
    sandbox.ctl(&["stop", "deaf"]);
    assert_eq!(last_end(&sandbox, "waits"), ("RUNNING".into(), Json::Null, "SIGTERM".into()));
    assert_eq!(last_end(&sandbox, "deaf"), ("STOPPED".into(), Json::Null, "SIGKILL".into()));
}

/// Runs a line of a shell in which `$SV` is the binary, `$CTL` the same as supervisorctl, and `$DIR` the folder.
fn shell(sandbox: &Sandbox, line: &str) -> (String, String, Option<i32>) {
    let mut shell = sandbox.marked(Command::new("/bin/bash"));
    let ctl = sandbox.program("supervisorctl");
    shell.env("SV", binary()).env("CTL", ctl.get_program()).env("DIR", sandbox.dir());
    reported(&shell.args(["-o", "pipefail", "-c", line]).output().unwrap())
}

const CAT: &str = "[program:cat]\ncommand=/bin/sh -c 'echo hello; exec cat'\nstartsecs=0\nstdout_logfile=%(here)s/cat.log\n";

#[test]
fn output_that_can_not_be_written_is_an_error() {
    let mut sandbox = Sandbox::with_programs(CAT).start();
    sandbox.wait_file("cat.log", "hello");
    let connected = "-c $DIR/supervisord.conf";
    let lines = ["--version", "--help", "help status", "sample", "sample --toml", "completions bash"];
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    lines.extend(["config", "config --json"].map(|line| format!("{line} $DIR/supervisord.conf")));
    let actions = [
        "status",
        "status --json",
        "health",
        "pid all",
        "avail",
        "maintail",
        "logs cat",
        "tail -f cat",
        "restart cat",
        "reread",
        // The shell.
        "</dev/null",
    ];
    lines.extend(actions.map(|action| format!("{connected} {action}")));
    for words in lines {
        for (redirection, why) in [
            (">/dev/full", "No space left on device (os error 28)"),
            (">&-", "Bad file descriptor (os error 9)"),
            ("1</dev/null", "Bad file descriptor (os error 9)"),
        ] {
            let found = shell(&sandbox, &format!("exec $SV {words} {redirection}"));
            let expected = format!("error: cannot write to standard output: {why}\n");
            assert_eq!(found, (String::new(), expected, Some(1)), "{words} {redirection}");
        }
    }
    // What the status says already stays: here that there are errors.
    sandbox.write("broken.conf", "[program:x\n");
    assert_eq!(shell(&sandbox, "exec $SV check $DIR/broken.conf >/dev/full").2, Some(2));
    // Supervisor's client ends with 1 too.
    assert_eq!(shell(&sandbox, &format!("exec $CTL {connected} status >/dev/full")).2, Some(1));
}

#[test]
fn a_reader_that_leaves_early_is_not_an_error() {
    let sandbox = Sandbox::with_programs(CAT).start();
    for (line, code) in [
        ("$SV sample | true", 0),
        ("$SV config $DIR/supervisord.conf | true", 0),
        ("$SV -c $DIR/supervisord.conf status | true", 0),
        ("$SV -c $DIR/supervisord.conf restart cat | true", 0),
        ("$SV -c $DIR/supervisord.conf status nope | true", 4),
    ] {
        assert_eq!(shell(&sandbox, line), (String::new(), String::new(), Some(code)), "{line}");
    }
}

#[test]
fn a_request_that_only_reads_is_given_up_when_the_server_is_silent() {
    let sandbox = Sandbox::new("");
    let path = sandbox.path("silent.sock");
    // Connections are accepted by the kernel, and never read.
    let _silent = UnixListener::bind(&path).unwrap();
    let url = format!("unix://{}", path.display());
    let silence = |asked_for: &str| {
        format!(
            "error: cannot reach {url}: asked for {asked_for}, it did not answer within 1 s. It may be \
             stopped or overloaded. (The address comes from the command line.)\n"
        )
    };
    for (words, asked_for, code) in [
        (&["status"][..], "the state of all processes", 4),
        (&["status", "--json"], "the state of all processes", 4),
        (&["pid"], "its version", 1),
        (&["avail"], "the configured processes", 1),
    ] {
        let mut command = sandbox.marked(Command::new(binary()));
        command.args(["--request-timeout", "1", "-s", &url]).args(words);
        let found = reported(&command.output().unwrap());
        assert_eq!(found, (String::new(), silence(asked_for), Some(code)), "{words:?}");
    }
}

/// A server that asks for a password.
const LOCKED: &str = "[supervisord]\nnodaemon=true\nlogfile=%(here)s/log\npidfile=%(here)s/pid\n\
    [unix_http_server]\nfile=%(here)s/supervisor.sock\nusername=u\npassword=p\n\
    [rpcinterface:supervisor]\n\
    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [supervisorctl]\nserverurl=unix://%(here)s/supervisor.sock\n\
    [program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

#[test]
fn refusals_are_reported_without_python() {
    let mut sandbox = Sandbox::new(LOCKED);
    sandbox.spawn();
    sandbox.wait("the socket", |sandbox| sandbox.path("supervisor.sock").exists().then_some(()));
    let asked = "error: the server asks for a user name and a password: give them by -u and -p, or as username= \
                 and password= in [supervisorctl]\n";
    for words in
        [&["status"][..], &["start", "cat"], &["update"], &["avail"], &["logs", "cat"], &["fg", "cat"]]
    {
        let found = reported(&sv(&sandbox, words).output().unwrap());
        assert_eq!(found, (String::new(), asked.to_owned(), Some(1)), "{words:?}");
    }
    let wrong = reported(&sv(&sandbox, &["-u", "u", "-p", "x", "status"]).output().unwrap());
    let expected = "error: the server does not accept this user name and password\n";
    assert_eq!(wrong, (String::new(), expected.to_owned(), Some(1)));
    let protocol = reported(&sv(&sandbox, &["-s", "https://x", "status"]).output().unwrap());
    let expected = "error: cannot use the address 'https://x': it has to begin with unix:// or http://\n";
    assert_eq!(protocol, (String::new(), expected.to_owned(), Some(1)));
    // A configuration that is broken by now, for a client with another.
    let original = sandbox.file("supervisord.conf");
    sandbox.write("client.conf", &original);
    sandbox.write("supervisord.conf", &format!("{original}autostart=perhaps\n"));
    for action in ["update", "reread"] {
        let mut client = sandbox.marked(Command::new(binary()));
        client.arg("-c").arg(sandbox.path("client.conf")).args(["-u", "u", "-p", "p", action]);
        let (out, err, code) = reported(&client.output().unwrap());
        assert_eq!((out.as_str(), code), ("", Some(1)));
        assert!(
            err.starts_with("error: cannot read the configuration: ") && err.contains("perhaps"),
            "{err}"
        );
        assert!(!err.contains("<class") && !err.contains("CANT_REREAD"), "{err}");
    }
}

#[test]
fn unknown_names_are_reported_with_suggestions() {
    let sandbox = Sandbox::with_programs(
        "[program:nginx]\ncommand=/bin/cat\nstartsecs=0\n\
         [program:worker]\ncommand=/bin/cat\nstartsecs=0\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)02d\n",
    )
    .start();
    for (words, line) in [
        (&["restart", "worker"][..], "worker: ERROR (no such process, did you mean 'worker:*'?)"),
        (&["stop", "nginxx"], "nginxx: ERROR (no such process, did you mean 'nginx'?)"),
        (&["status", "worker_00"], "worker_00: ERROR (no such process, did you mean 'worker:worker_00'?)"),
        (&["pid", "ngnix"], "No such process ngnix, did you mean 'nginx'?"),
        (&["tail", "ngnix"], "ngnix: ERROR (no such process name, did you mean 'nginx'?)"),
        (&["fg", "ngnix"], "ERROR: bad process name supplied, did you mean 'nginx'?"),
        (&["remove", "workers"], "ERROR: no such process/group: workers, did you mean 'worker'?"),
        (&["add", "ngnix"], "ERROR: no such process/group: ngnix, did you mean 'nginx'?"),
        (&["stop", "postgres"], "postgres: ERROR (no such process)"),
    ] {
        let (out, err, code) = reported(&sv(&sandbox, words).output().unwrap());
        assert_eq!((out, err.as_str()), (format!("{line}\n"), ""), "{words:?}");
        assert_eq!(code, Some(if words[0] == "status" { 4 } else { 1 }));
    }
    // Supervisor's client says what Supervisor's says.
    let found = shell(&sandbox, "$CTL -c $DIR/supervisord.conf stop nginxx");
    assert_eq!(found, ("nginxx: ERROR (no such process)\n".to_owned(), String::new(), Some(1)));
}

#[test]
fn versions_are_printed_in_one_form() {
    let sandbox = Sandbox::with_programs(CAT).start();
    let version = concat!("sv ", env!("CARGO_PKG_VERSION"), " (speaks Supervisor 4.3.0)\n");
    for line in ["$SV --version", "$SV -V", "$SV -c $DIR/supervisord.conf version"] {
        assert_eq!(shell(&sandbox, line), (version.to_owned(), String::new(), Some(0)), "{line}");
    }
    let found = shell(&sandbox, "$CTL -c $DIR/supervisord.conf version");
    assert_eq!(found, ("4.3.0\n".to_owned(), String::new(), Some(0)));
}

#[test]
fn a_configuration_can_be_named_without_its_letter() {
    let mut sandbox = Sandbox::with_programs(CAT);
    let mut run = sandbox.marked(Command::new(binary()));
    run.arg("run").arg(sandbox.config());
    sandbox.spawn_as(run);
    sandbox.wait_ready();
    sandbox.wait_state("cat", "RUNNING");
}

#[test]
fn ctrl_c_clears_the_line_and_ends_an_empty_prompt() {
    let sandbox = Sandbox::with_programs(CAT).start();
    let mut terminal = Terminal::start(&sv(&sandbox, &[]));
    terminal.expect("supervisor> ");
    terminal.type_in("stop cat\x03");
    terminal.expect("^C\r\n");
    terminal.expect("supervisor> ");
    // Nothing of the line is left, and the shell continues.
    terminal.type_in("pid\r");
    terminal.expect(&format!("\r\n{}\r\n", sandbox.supervisor_pid()));
    terminal.expect("supervisor> ");
    terminal.type_in("\x03");
    assert_eq!(terminal.wait_exit().code(), Some(0));
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    // Supervisor's client ends.
    let mut ctl = sandbox.program("supervisorctl");
    let mut terminal = Terminal::start(ctl.arg("-c").arg(sandbox.config()));
    terminal.expect("supervisor> ");
    terminal.type_in("half a line\x03");
    assert_eq!(terminal.wait_exit().code(), Some(0));
}

/// Jobs that are done, one that failed, and names that are wide and long.
const JOBS: &str = "[program:done]\ncommand=/bin/sh -c 'exit 2'\nexitcodes=2\nstartsecs=0\nautorestart=false\n\
    [program:failed]\ncommand=/bin/sh -c 'exit 3'\nexitcodes=2\nstartsecs=0\nautorestart=false\n\
    [program:\u{6771}\u{4eac}]\ncommand=/bin/cat\nstartsecs=0\n";

#[test]
fn an_expected_exit_is_well_and_an_unexpected_one_is_not() {
    let mut sandbox = Sandbox::with_programs(JOBS).start();
    sandbox.wait_state("failed", "EXITED");
    sandbox.wait_state("done", "EXITED");
    let mut terminal = Terminal::start(sv(&sandbox, &["status"]).env("TERM", "xterm").env_remove("NO_COLOR"));
    terminal.wait_exit();
    let shown = terminal.shown();
    for (name, color) in [("done", 32), ("failed", 31)] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(&format!("\x1b[{color}mEXITED    \x1b[0m")), "{line:?}");
    }
    for (variable, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let mut terminal =
            Terminal::start(sv(&sandbox, &["status"]).env("TERM", "xterm").env(variable, value));
        terminal.wait_exit();
        assert!(!terminal.shown().contains('\x1b'), "{variable}={value}: {:?}", terminal.shown());
    }
    assert_eq!(reported(&sv(&sandbox, &["health", "done"]).output().unwrap()).2, Some(0));
    assert_eq!(reported(&sv(&sandbox, &["health", "failed"]).output().unwrap()).2, Some(1));
}

#[test]
fn columns_fit_the_names_and_one_long_name_does_not_widen_them() {
    let long = "n".repeat(111);
    let programs = format!("{JOBS}[program:{long}]\ncommand=/bin/cat\nstartsecs=0\n");
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_state("failed", "EXITED");
    sandbox.wait_state("done", "EXITED");
    let (table, ..) = reported(&sv(&sandbox, &["status"]).output().unwrap());
    let starts = |name: &str, state: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(state).unwrap().0.to_owned()
    };
    assert_eq!(starts("done", "EXITED"), format!("done{}", " ".repeat(29)));
    // Two characters that take four columns.
    let wide = "\u{6771}\u{4eac}";
    assert_eq!(starts(wide, "RUNNING"), format!("{wide}{}", " ".repeat(29)));
    assert_eq!(starts(&long, "RUNNING"), format!("{long}   "));
    // Supervisor's client makes room by counting characters.
    let (table, ..) = shell(&sandbox, "$CTL -c $DIR/supervisord.conf status");
    let line = table.lines().find(|line| line.starts_with("done")).unwrap();
    assert!(line.starts_with(&format!("done{}EXITED", " ".repeat(110))), "{line}");
}

#[test]
fn actions_of_the_plugin_wildcards_take_patterns_and_other_plugins_are_named() {
    let programs = "[program:work]\ncommand=/bin/cat\nstartsecs=0\nnumprocs=2\n\
        process_name=w_%(process_num)d\n[program:other]\ncommand=/bin/cat\nstartsecs=0\n";
    let plugins = "[ctlplugin:wildcards]\n\
        supervisor.ctl_factory=supervisorwildcards.controllerplugin:make_wildcards_controllerplugin\n\
        [ctlplugin:mine]\nsupervisor.ctl_factory=my.plugin:make\n";
    let mut sandbox = Sandbox::with_programs(&format!("{programs}{plugins}")).start();
    sandbox.wait_state("other", "RUNNING");
    for (client, config) in
        [("$SV", "supervisord.conf"), ("$CTL", "supervisord.conf"), ("$SV", "without.conf")]
    {
        let without = sandbox.file("supervisord.conf").replace(plugins, "");
        sandbox.write("without.conf", &without);
        let run = |line: &str| shell(&sandbox, &format!("{client} -c $DIR/{config} {line}"));
        let done = |word: &str| (format!("work:w_0: {word}\nwork:w_1: {word}\n"), String::new(), Some(0));
        assert_eq!(run("mstop 'work:w*'"), done("stopped"));
        assert_eq!(run("mstart 'w_*'"), done("started"));
        let (table, _, code) = run("mstatus 'work:*'");
        assert_eq!((table.lines().count(), code), (2, Some(0)), "{table}");
        let (lines, _, code) = run("mrestart 'work:*'");
        assert!(lines.ends_with("work:w_0: started\nwork:w_1: started\n"), "{lines}");
        assert_eq!(code, Some(0));
    }
    let left_out = "[ctlplugin:mine] is left out: my.plugin:make is Python code, which can't be run here\n";
    let found = shell(&sandbox, "$CTL -c $DIR/supervisord.conf mdance now");
    assert_eq!(found, (format!("*** Unknown syntax: mdance now\n{left_out}"), String::new(), Some(1)));
    let (reported, ..) = shell(&sandbox, "echo mdance | $SV -c $DIR/supervisord.conf");
    assert!(reported.contains(&format!("*** Unknown syntax: mdance\n{left_out}")), "{reported}");
    // Without the plug-in Supervisor's client does not know its actions.
    let found = shell(&sandbox, "$CTL -c $DIR/without.conf mstop 'work:*'");
    assert_eq!(found, ("*** Unknown syntax: mstop 'work:*'\n".replace('\'', ""), String::new(), Some(1)));
    let log = sandbox.log();
    assert!(log.contains("[ctlplugin:mine]") && !log.contains("[ctlplugin:wildcards]"), "{log}");
}
