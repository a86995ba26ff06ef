//! What only `sv` has for people who operate processes: tables, explanations, and exit codes for scripts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use support::Sandbox;
use support::client::{exit_code, interrupt, reported, run, silent, spawn, sv};
use support::terminal::Terminal;
use support::wire::Peer;
use unicode_width::UnicodeWidthStr;

/// Programs in several states, and one whose name is long.
const PROGRAMS: &str = "\
[program:web]
command=/bin/sh -c 'while :; do :; done'
startsecs=0
[program:killed]
command=/bin/sh -c 'kill -9 $$'
startsecs=0
autorestart=false
[program:fails]
command=/bin/sh -c 'echo begun; echo one >&2; echo two >&2; echo thr\u{202e}ee >&2; exit 127'
startretries=0
autostart=false
[program:off]
command=/bin/cat
autostart=false
[program:worker_that_has_a_name_of_more_than_sixty_columns_and_ends_in_17]
command=/bin/cat
startsecs=0
[program:<b>\u{6771}&\u{202e}x]
command=/bin/cat
startsecs=0
";

fn started() -> Sandbox {
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    sandbox.wait_state("killed", "EXITED");
    sandbox.wait_state("web", "RUNNING");
    sandbox
}

/// The cells of the row that begins with this name.
fn cells<'t>(table: &'t str, name: &str) -> Vec<&'t str> {
    let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
    row.unwrap_or_else(|| panic!("no {name} in {table}")).split_whitespace().collect()
}

#[test]
fn ps_shows_states_ends_cpu_and_memory() {
    let mut sandbox = started();
    let (table, err, code) = run(&sandbox, &["ps"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert_eq!(
        cells(&table, "NAME"),
        ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "LAST-END", "CPU", "MEM", "HEALTH"]
    );
    assert_eq!(cells(&table, "killed"), ["killed", "EXITED", "-", "-", "0", "SIGKILL", "-", "-", "-"]);
    assert_eq!(cells(&table, "off"), ["off", "STOPPED", "-", "-", "0", "-", "-", "-", "-"]);
    let pid = sandbox.pid("web").unwrap().to_string();
    let web = cells(&table, "web");
    assert_eq!(web[..3], ["web", "RUNNING", &pid]);
    assert!(web[7].ends_with(['K', 'M']), "{table}");
    assert!(table.ends_with("6 processes: 1 EXITED, 3 RUNNING, 2 STOPPED\n"), "{table}");
    assert!(!table.contains(['\x1b', '\u{202e}']), "{table:?}");
    let long_name = "\nworker_that_has_a_name_of_more_than_sixty_columns_and_ends_in_17 ";
    assert!(table.contains(long_name), "{table}");
    // A terminal whose size is unknown.
    let mut terminal = Terminal::start(sv(&sandbox, &["ps"]).env("NO_COLOR", "1"));
    terminal.wait_exit();
    for line in terminal.shown().lines() {
        assert!(line.width() <= 80, "{line:?}");
    }
    assert!(table.contains("<b>\u{6771}&\\u{202e}x"), "{table}");
    // A process that is never idle uses CPU time.
    sandbox.wait("CPU time", |sandbox| {
        let (table, ..) = run(sandbox, &["ps", "web"]);
        assert_eq!(table.lines().count(), 3, "{table}");
        (!matches!(cells(&table, "web")[6], "-" | "0.0%")).then_some(())
    });
    let (table, ..) = run(&sandbox, &["ps", "--sort", "state"]);
    assert!(table.lines().nth(1).unwrap().starts_with("killed "), "{table}");
    let (table, err, code) = run(&sandbox, &["ps", "off", "of"]);
    assert!(table.ends_with("\n1 process: 1 STOPPED\n"), "{table}");
    assert_eq!((err.as_str(), code), ("of: ERROR (no such process, did you mean 'off'?)\n", Some(1)));
    let (usage, _, code) = run(&sandbox, &["ps", "--sort", "beauty"]);
    let why = "Error: --sort is one of name, state, cpu, mem, restarts, uptime\n";
    assert!(usage.starts_with(why) && usage.contains("ps --sort KEY"), "{usage}");
    assert_eq!(code, Some(2));
}

#[test]
fn ps_prints_objects_of_the_api_with_cpu_and_memory() {
    let sandbox = started();
    let (text, err, code) = run(&sandbox, &["ps", "--json", "web", "off"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let rows: Vec<Json> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let [web, off] = &rows[..] else { panic!("{text}") };
    assert_eq!((&web["full_name"], &web["state"]), (&"web".into(), &"RUNNING".into()));
    assert!(web["resident_bytes"].as_u64().unwrap() > 4096, "{web}");
    assert_eq!((&off["cpu_percent"], &off["resident_bytes"]), (&Json::Null, &Json::Null));
    // Each object has a line of its own.
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn ps_makes_one_request() {
    let sandbox = Sandbox::with_programs(PROGRAMS);
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=trace\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_state("web", "RUNNING");
    // A request is logged only after its reply, so calls before and after show which lines are those of `ps`.
    const ANSWERED: &str = "supervisor.getPID() returned successfully";
    let before = sandbox.log().matches(ANSWERED).count();
    run(&sandbox, &["pid"]);
    let (table, ..) = run(&sandbox, &["ps"]);
    assert_ne!(cells(&table, "web")[7], "-", "{table}");
    run(&sandbox, &["pid"]);
    let log = sandbox.wait("all requests in the log", |sandbox| {
        let log = sandbox.log();
        (log.matches(ANSWERED).count() == before + 2).then_some(log)
    });
    let between = log.split(ANSWERED).nth(before + 1).unwrap();
    assert_eq!(between.matches("\"GET ").count(), 1, "{log}");
    // Those of the second `pid`.
    assert_eq!(between.matches("method called").count(), 2, "{log}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let sandbox = started();
    let mut terminal = Terminal::start(sv(&sandbox, &["ps"]).env("TERM", "xterm").env_remove("NO_COLOR"));
    terminal.wait_exit();
    let shown = terminal.shown();
    for (name, color, state) in [("killed", 31, "EXITED "), ("web", 32, "RUNNING")] {
        let row = shown.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row.contains(&format!("\x1b[{color}m{state}\x1b[0m")), "{row:?}");
    }
    for (variable, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let mut terminal = Terminal::start(sv(&sandbox, &["ps"]).env("TERM", "xterm").env(variable, value));
        terminal.wait_exit();
        assert!(!terminal.shown().contains('\x1b'), "{variable}={value}: {:?}", terminal.shown());
    }
}

#[test]
fn why_shows_all_that_is_known_of_a_process() {
    let mut sandbox = started();
    sandbox.ctl(&["start", "fails"]);
    sandbox.wait_state("fails", "FATAL");
    let (text, err, code) = run(&sandbox, &["why", "fails"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let config = sandbox.config().display().to_string();
    for part in [
        "fails is FATAL for ",
        "\ndescription:  Exited too quickly (process log may have details)\n",
        "\nlast end:     exit status 127 (command not found), ",
        "\nstarts:       1 (0 restarts, 1 failed; startretries=0)\n",
        "\nends:         0 expected, 1 unexpected, 0 by a signal\n",
        "\ncommand:      /bin/sh -c ",
        &format!("\ndefined at:   {config}:"),
        "\nhistory:\n  ",
        "  STOPPED -> STARTING: started by a client",
        "\nlast lines of stderr:\n  one\n  two\n  thr\\u{202e}ee\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (text, ..) = run(&sandbox, &["why", "--json", "fails"]);
    let object: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(object["process"]["state"], "FATAL");
    assert_eq!(object["output"]["channel"], "stderr");
    assert_eq!(object["output"]["lines"][1], "two");
    let (out, err, code) = run(&sandbox, &["why", "fail"]);
    let expected = "fail: ERROR (no such process, did you mean 'fails'?)\n";
    assert_eq!((out.as_str(), err.as_str(), code), ("", expected, Some(1)));
}

/// Names and a command that are wider than a terminal, in wide characters too.
const WIDE: &str = "\
[program:a_name_that_is_longer_than_a_terminal_is_wide_and_that_would_not_fit_into_any_table_column]
command=/bin/sh -c 'echo \u{6771}\u{4eac}\u{6771}\u{4eac} and words that go on and on, and a word \
without-any-blank-in-it-that-is-wider-than-the-whole-terminal-and-has-to-be-broken-somewhere >&2; exit 3'
startretries=0
[program:\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}]
command=/bin/cat
depends_on=a_name_that_is_longer_than_a_terminal_is_wide_and_that_would_not_fit_into_any_table_column?
";

#[test]
fn lines_are_as_wide_as_the_terminal_at_most_and_whole_in_a_pipe() {
    let mut sandbox = Sandbox::with_programs(WIDE).start();
    let name = WIDE.split(['[', ':', ']']).nth(2).unwrap();
    sandbox.wait_state(name, "FATAL");
    let program = "/bin/cat\n";
    sandbox.replace("supervisord.conf", program, "/bin/cat -\nstopwaitsecs=3\n");
    for words in
        [&["why", "all"][..], &["events"], &["events", "-f", "--since", "0"], &["graph"], &["diff"], &["ps"]]
    {
        for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm")] {
            let mut terminal =
                Terminal::start(sv(&sandbox, words).env_remove("NO_COLOR").env(variable, value));
            if words.contains(&"-f") {
                terminal.expect("FATAL");
                terminal.type_in("\x03");
            }
            terminal.wait_exit();
            let shown = without_colors(&terminal.shown());
            assert!(shown.lines().count() > 2, "{words:?}: {shown:?}");
            for line in shown.lines() {
                assert!(line.width() <= 80, "{words:?} {variable}={value}: {line:?} in {shown}");
            }
        }
    }
    for words in [["ps", "all"], ["why", "all"], ["diff", "all"]] {
        let mut terminal = Terminal::start_with_width(sv(&sandbox, &words).env("NO_COLOR", "1"), 30);
        terminal.wait_exit();
        for line in terminal.shown().lines() {
            assert!(line.width() <= 30, "{words:?}: {line:?}");
        }
    }
    // A record is a line, with all of it.
    let (events, ..) = run(&sandbox, &["events"]);
    assert!(events.lines().any(|line| line.contains(&format!("  {name} BACKOFF -> FATAL: "))), "{events}");
    let (why, ..) = run(&sandbox, &["why", name]);
    assert!(why.lines().any(|line| line.starts_with("command: ") && line.ends_with(" exit 3'")), "{why}");
    assert!(why.contains("-has-to-be-broken-somewhere\n"), "{why}");
    // What does not fit continues below the column that it is in.
    let mut terminal = Terminal::start(sv(&sandbox, &["why", name]).env("NO_COLOR", "1"));
    terminal.wait_exit();
    let shown = terminal.shown().replace('\r', "");
    let (_, after) = shown.split_once("\ncommand:      /bin/sh ").unwrap();
    assert!(after.lines().nth(1).unwrap().starts_with("              "), "{shown}");
    let transition = shown.lines().position(|line| line.contains(" -> BACKOFF")).unwrap();
    let next = shown.lines().nth(transition + 1).unwrap();
    assert!(next.starts_with(&" ".repeat(28)), "{shown}");
}

fn without_colors(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn hostile_names_and_output_do_no_harm_in_a_terminal() {
    let name = "e\u{202e}vil<b>";
    let script = "printf \"%%b\" \"\\033]0;title\\007\\342\\200\\256\" >&2; head -c 1048576 /dev/zero | tr \"\\0\" \"\\001\" >&2; exit 3";
    let sandbox = Sandbox::with_programs(&format!(
        "[program:{name}]\ncommand=/bin/sh -c '{script}'\nstartretries=0\n\
         [program:needs]\ncommand=/bin/cat\ndepends_on={name}\n\
         [program:says\u{2066}]\ncommand=/bin/sh -c 'echo hello; exec cat'\nstartsecs=0\n\
         [program:reports]\ncommand=/usr/bin/perl %(here)s/reports.pl\nready=notify\n"
    ));
    // The text of STATUS, by systemd's notify protocol.
    sandbox.write(
        "reports.pl",
        "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET});\n\
         $s->send(\"READY=1\\nSTATUS=half \\e[2J\\e]0;title\\a\\x01\\xe2\\x80\\xae\\xe2\\x81\\xa6 done\");\n\
         sleep 1000\n",
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_state("reports", "RUNNING");
    sandbox.wait_state("needs", "FATAL");
    for words in [
        &["why", "all"][..],
        &["why", "reports"],
        &["status", "reports"],
        &["ps"],
        &["events"],
        &["graph"],
        &["wait", name],
        &["wait", "needs"],
        &["health"],
        &["start", name],
        &["logs", "--stdout"],
        &["logs", name],
        &["exec", name, "printf", "x\\ny\\n"],
    ] {
        let mut terminal = Terminal::start(sv(&sandbox, words).env("NO_COLOR", "1"));
        terminal.wait_exit();
        let shown = terminal.shown();
        let lines = shown.lines().count();
        assert!((1..200).contains(&lines), "{words:?}: {shown}");
        // Supervisor's client says the name as it is.
        let shown = if words[0] == "start" { shown.split_once('\n').unwrap().1.to_owned() } else { shown };
        assert!(!shown.contains(['\x1b', '\u{202e}', '\u{2066}', '\u{1}', '\u{7}']), "{words:?}: {shown:?}");
    }
    let (why, ..) = run(&sandbox, &["why", name]);
    assert!(
        why.starts_with("e\\u{202e}vil<b> is FATAL") && why.contains("last lines of stderr:\n"),
        "{why:.300}"
    );
    for words in [["why", "reports"], ["status", "reports"]] {
        let (text, ..) = run(&sandbox, &words);
        assert!(text.contains("half ") && text.contains(" done"), "{words:?}: {text}");
    }
}

#[test]
fn why_explains_every_process_of_a_group_trouble_first() {
    let programs = format!("{PROGRAMS}[group:both]\nprograms=web,fails\n");
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_state("both:web", "RUNNING");
    sandbox.ctl(&["start", "both:fails"]);
    sandbox.wait_state("both:fails", "FATAL");
    let subjects = |text: &str| -> Vec<String> {
        let blocks = text.split("\n\n").filter_map(|block| block.lines().next());
        blocks.map(|line| line.split(" for ").next().unwrap().to_owned()).collect()
    };
    let (text, err, code) = run(&sandbox, &["why", "both:*"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert_eq!(subjects(&text), ["both:fails is FATAL", "both:web is RUNNING"], "{text}");
    assert!(text.contains("\n\nboth:web is RUNNING"), "{text}");
    let (text, ..) = run(&sandbox, &["why", "off", "both:w*", "off"]);
    assert_eq!(subjects(&text), ["both:web is RUNNING", "off is STOPPED"], "{text}");
    let (text, ..) = run(&sandbox, &["why", "--json", "both:*"]);
    let objects: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(objects[0]["process"]["full_name"], "both:fails");
    assert_eq!(objects[0]["output"]["channel"], "stderr");
    let (text, err, code) = run(&sandbox, &["why", "bth:*"]);
    let expected = "bth: ERROR (no such group, did you mean 'both:*'?)\n";
    assert_eq!((text.as_str(), err.as_str(), code), ("", expected, Some(1)));
    let (text, err, code) = run(&sandbox, &["why", "web"]);
    let expected = "web: ERROR (no such process, did you mean 'both:web'?)\n";
    assert_eq!((text.as_str(), err.as_str(), code), ("", expected, Some(1)));
}

#[test]
fn a_failed_start_says_why_in_three_lines() {
    let mut sandbox = started();
    let (out, err, code) = run(&sandbox, &["start", "fails"]);
    assert_eq!((out.as_str(), code), ("fails: ERROR (spawn error)\n", Some(7)));
    let lines: Vec<_> = err.lines().collect();
    let [reason, output @ ..] = &lines[..] else { panic!("{err}") };
    assert!(reason.starts_with("  fails is "), "{err}");
    assert!(reason.ends_with("; its last end: exit status 127 (command not found)"), "{err}");
    assert_eq!(output, ["  stderr: two", "  stderr: thr\\u{202e}ee"]);
    sandbox.wait_state("fails", "FATAL");
    // Supervisor's client says what Supervisor's says.
    let mut ctl = sandbox.program("supervisorctl");
    let output = ctl.arg("-c").arg(sandbox.config()).args(["start", "fails"]).output().unwrap();
    assert_eq!(reported(&output), (out, String::new(), Some(7)));
}

#[test]
fn is_running_answers_by_its_exit_code() {
    let mut sandbox = started();
    sandbox.replace(
        "supervisord.conf",
        "[program:web]",
        "[program:one]\ncommand=cat\n[group:team]\nprograms=one\n[program:web]",
    );
    assert!(sandbox.ctl(&["update", "team"]).success);
    assert_eq!(run(&sandbox, &["is-running", "web"]), silent(0));
    assert_eq!(run(&sandbox, &["is-running", "off"]), silent(1));
    let (out, err, code) = run(&sandbox, &["is-running", "nope"]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
    assert_eq!(err, "error: there is no process or group 'nope'\n");
    assert_eq!(run(&sandbox, &["is-running"]).2, Some(2));
    // Of a group they need one process.
    let err_of_group = "error: 'team' is a group: name a process of it, such as 'team:one'\n";
    for (words, expected) in [(&["is-running", "team"][..], 2), (&["exec", "team", "true"], 125)] {
        let (_, err, code) = run(&sandbox, words);
        assert_eq!((err.as_str(), code), (err_of_group, Some(expected)), "{words:?}");
    }
    let err = run(&sandbox, &["is-running", "a\x1b[2Jb"]).1;
    assert_eq!(err, "error: there is no process or group 'a\\u{1b}[2Jb'\n");
    sandbox.ctl(&["shutdown"]);
    sandbox.wait_exit();
    let (out, err, code) = run(&sandbox, &["is-running", "web"]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
    assert!(err.starts_with("error: cannot reach unix://"), "{err}");
}

#[test]
fn supervisors_client_does_not_have_these_actions() {
    let sandbox = started();
    for action in [
        "ps",
        "why web",
        "is-running web",
        "wait web",
        "events",
        "graph",
        "top",
        "diff",
        "scale a=1",
        "exec a b",
    ] {
        let mut ctl = sandbox.program("supervisorctl");
        let words = action.split(' ');
        let output = ctl.arg("-c").arg(sandbox.config()).args(words).output().unwrap();
        let expected = (format!("*** Unknown syntax: {action}\n"), String::new(), Some(1));
        assert_eq!(reported(&output), expected);
    }
}

#[test]
fn ps_is_redrawn_when_an_event_arrives() {
    let sandbox = started();
    let mut terminal = Terminal::start(sv(&sandbox, &["ps", "-w"]).env("TERM", "xterm").env("NO_COLOR", "1"));
    terminal.expect("6 processes: 1 EXITED, 3 RUNNING, 2 STOPPED");
    sandbox.ctl(&["start", "off"]);
    // Without an event the states would never be requested again.
    terminal.expect("\x1b[H6 processes: 1 EXITED, 4 RUNNING, 1 STOPPED\x1b[K\r\nNAME");
    terminal.type_in("\x03");
    assert_eq!(terminal.wait_exit().code(), Some(0));
    let mut terminal = Terminal::start(sv(&sandbox, &["top"]).env("TERM", "dumb"));
    terminal.expect("\r\nweb ");
    terminal.type_in("\x03");
    assert_eq!(terminal.wait_exit().code(), Some(0));
    assert!(!terminal.shown().contains('\x1b'), "{:?}", terminal.shown());
    assert_eq!(run(&sandbox, &["ps", "-w", "--json"]).2, Some(2));
    let (usage, _, code) = run(&sandbox, &["top", "--sort", "beauty"]);
    assert!(
        usage.starts_with("Error: --sort is one of name, ") && usage.contains("top --sort KEY"),
        "{usage}"
    );
    assert_eq!(code, Some(2));
    for words in [["top", "of"].as_slice(), &["ps", "-w", "off", "of"]] {
        let unknown = "of: ERROR (no such process, did you mean 'off'?)\n";
        assert_eq!(run(&sandbox, words), (String::new(), unknown.to_owned(), Some(1)));
    }
}

#[test]
fn events_are_shown_as_kept_and_as_they_happen() {
    let mut sandbox = started();
    let (text, err, code) = run(&sandbox, &["events"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert!(text.contains("  killed RUNNING -> EXITED, pid "), "{text}");
    assert!(text.contains(": terminated by SIGKILL (not expected)"), "{text}");
    let (text, ..) = run(&sandbox, &["events", "--json"]);
    let events: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap()["serial"].as_u64().unwrap();
    let since = |serial: u64| run(&sandbox, &["events", "--since", &serial.to_string()]).0.lines().count();
    assert_eq!((since(last - 1), since(last)), (1, 0));
    let mut child = spawn(&sandbox, &["events", "-f", "--since", &(last - 1).to_string()], "events");
    sandbox.wait_file("events", &format!("{last}  "));
    sandbox.ctl(&["start", "off"]);
    sandbox.wait_file("events", "  off STARTING -> RUNNING, pid ");
    interrupt(&child);
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(0));
    let serials = |text: &str| -> Vec<u64> {
        text.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let followed = serials(&sandbox.file("events"));
    assert_eq!(followed, (last..last + followed.len() as u64).collect::<Vec<_>>());
    assert_eq!(run(&sandbox, &["events", "--since", "x"]).2, Some(2));
    let (text, err, code) = run(&sandbox, &["events", "killed", "of"]);
    assert!(text.lines().count() > 1 && text.lines().all(|line| line.contains("  killed ")), "{text}");
    assert_eq!((err.as_str(), code), ("of: ERROR (no such process, did you mean 'off'?)\n", Some(1)));
    assert_eq!(run(&sandbox, &["events", "-f", "nope"]).2, Some(1));
}

#[test]
fn wait_ends_when_the_condition_holds_or_can_not_hold_any_more() {
    let mut sandbox = started();
    assert_eq!(run(&sandbox, &["wait", "web"]), silent(0));
    assert_eq!(run(&sandbox, &["wait", "killed", "off", "--for", "stopped"]), silent(0));
    let (out, err, code) = run(&sandbox, &["wait", "web", "killed", "--for", "ready"]);
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert!(err.starts_with("killed is EXITED: "), "{err}");
    let (out, err, code) = run(&sandbox, &["wait", "off", "web", "--timeout", "0.1"]);
    assert_eq!((out.as_str(), err.as_str(), code), ("", "timed out: off is STOPPED\n", Some(124)));
    for (words, code) in [
        (&["wait", "nope"][..], 2),
        (&["wait"], 2),
        (&["wait", "web", "--for", "luck"], 2),
        (&["wait", "web", "--timeout", "-1"], 2),
    ] {
        assert_eq!(run(&sandbox, words).2, Some(code), "{words:?}");
    }
    // Whichever is first, the wait or what it waits for.
    for (condition, action, name, code) in
        [("running", "start", "off", 0), ("stopped", "stop", "off", 0), ("healthy", "start", "fails", 1)]
    {
        let mut child = spawn(&sandbox, &["wait", name, "--for", condition, "--timeout", "60"], "wait");
        sandbox.ctl(&[action, name]);
        assert_eq!(exit_code(&mut sandbox, &mut child), Some(code), "{}", sandbox.file("wait.err"));
    }
    let mut child = spawn(&sandbox, &["wait", "off", "--timeout", "60"], "wait");
    sandbox.ctl(&["shutdown"]);
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(2));
}

#[test]
fn wait_gives_up_a_silent_server_when_its_time_is_over() {
    let sandbox = started();
    let before = Instant::now();
    sandbox.signal(Signal::STOP);
    let (out, err, code) = run(&sandbox, &["wait", "web", "--timeout", "0.5"]);
    sandbox.signal(Signal::CONT);
    assert_eq!((out.as_str(), code), ("", Some(124)), "{err}");
    assert!(err.starts_with("timed out: cannot reach unix://"), "{err}");
    // A request alone would be given up after 30 seconds.
    assert!(before.elapsed() < Duration::from_secs(20));
    // So is a connection, if others fill the queue of the server.
    sandbox.signal(Signal::STOP);
    let address = SocketAddrUnix::new(sandbox.path("supervisor.sock")).unwrap();
    let flags = SocketFlags::NONBLOCK;
    let connect = || {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        rustix::net::connect(&socket, &address).map(|()| socket)
    };
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).collect();
    let (_, err, code) = run(&sandbox, &["wait", "web", "--timeout", "0.5"]);
    sandbox.signal(Signal::CONT);
    assert_eq!(code, Some(124), "{} waiting: {err}", waiting.len());
}

#[test]
fn ctrl_c_ends_a_wait_and_not_the_shell() {
    let sandbox = Sandbox::with_programs(PROGRAMS);
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=trace\n");
    let mut sandbox = sandbox.start();
    let mut terminal = Terminal::start(sv(&sandbox, &[]).env("TERM", "xterm"));
    terminal.expect("supervisor> ");
    terminal.type_in("wait off\r");
    // The stream of events is the sign that it waits.
    sandbox.wait_log("/api/v1/events");
    terminal.type_in("\x03");
    terminal.expect("supervisor> ");
    terminal.type_in("pid off\r");
    terminal.expect("0\r\n");
    terminal.type_in("exit\r");
    assert_eq!(terminal.wait_exit().code(), Some(0));
}

#[test]
fn wait_sees_a_restart_and_a_job_that_is_done() {
    let mut sandbox = Sandbox::with_programs(
        "[program:job]\ncommand=/bin/sh -c 'while ! test -e %(here)s/go; do sleep 0.01; done'\ntype=oneshot\n\
         [program:again]\ncommand=/bin/sh -c 'test -e %(here)s/once && exec cat; >%(here)s/once; sleep 2'\n\
         autorestart=true\n",
    )
    .start();
    let mut child = spawn(&sandbox, &["wait", "job", "--for", "done", "--timeout", "60"], "wait");
    sandbox.write("go", "");
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(0), "{}", sandbox.file("wait.err"));
    // Its end does not end a wait, since it is started again.
    sandbox.wait_log("exited: again");
    assert_eq!(run(&sandbox, &["wait", "again", "job", "--timeout", "60"]).2, Some(1));
    assert_eq!(run(&sandbox, &["wait", "again", "--timeout", "60"]).2, Some(0));
}

const DEPENDENT: &str = "\
[program:db]
command=/bin/cat
startsecs=0
[program:web]
command=/bin/cat
startsecs=0
depends_on=db
restart_with=db=started
[program:\"<b>]
command=/bin/cat
startsecs=0
depends_on=web=started?
";

#[test]
fn the_graph_is_shown_in_three_languages() {
    let mut sandbox = Sandbox::with_programs(DEPENDENT).start();
    sandbox.wait_state("\"<b>", "RUNNING");
    let (text, err, code) = run(&sandbox, &["graph"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert!(text.contains("web  RUNNING\n  depends on db (ready)\n  restarts with db (started)\n"), "{text}");
    let (text, ..) = run(&sandbox, &["graph", "--dot"]);
    assert!(
        text.starts_with("digraph supervisor {\n") && text.contains("[label=\"\\\"<b>\\nRUNNING\"]"),
        "{text}"
    );
    let (text, ..) = run(&sandbox, &["graph", "--mermaid"]);
    assert!(text.starts_with("flowchart LR\n") && text.contains("[\"#34;#60;b#62;<br/>RUNNING\"]"), "{text}");
    let (text, err, code) = run(&sandbox, &["graph", "--json"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let object: Json = serde_json::from_str(&text).unwrap();
    let request = "GET /api/v1/graph HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = Peer::unix(&sandbox).gets(request, "HTTP/1.1 200 OK");
    assert_eq!(object, serde_json::from_slice::<Json>(&answer.body).unwrap());
    assert!(!object["edges"].as_array().unwrap().is_empty() && text.lines().count() == 1, "{text}");
    for (words, why) in [
        (["graph", "--dot", "--mermaid"], "Error: --dot can't be combined with --mermaid\n"),
        (["graph", "--json", "--mermaid"], "Error: --mermaid can't be combined with --json\n"),
    ] {
        let (usage, _, code) = run(&sandbox, &words);
        assert!(usage.starts_with(why), "{usage}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn a_rolling_restart_ends_at_the_first_failure() {
    let command = "/bin/sh -c 'echo sorry >&2; test ! -e %(here)s/fail || exit 3; exec cat'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:web]\ncommand={command}\nnumprocs=3\nprocess_name=%(program_name)s_%(process_num)d\n\
         startretries=0\n"
    ))
    .start();
    for at in 0..3 {
        sandbox.wait_state(&format!("web:web_{at}"), "RUNNING");
    }
    let pids = |sandbox: &Sandbox| [0, 1, 2].map(|at| sandbox.pid(&format!("web:web_{at}")));
    let before = pids(&sandbox);
    let done = "web:web_0: restarted\nweb:web_1: restarted\nweb:web_2: restarted\n";
    let words = ["restart", "--rolling", "--max-unavailable", "2", "web:*"];
    assert_eq!(run(&sandbox, &words), (done.to_owned(), String::new(), Some(0)));
    let after = pids(&sandbox);
    for (before, after) in before.iter().zip(&after) {
        assert!(before != after && after.is_some(), "{before:?} {after:?}");
    }
    sandbox.write("fail", "");
    let (out, err, code) = run(&sandbox, &["restart", "--rolling", "all"]);
    assert!(out.starts_with("web:web_0: ERROR (spawn error)\nweb:web_1: ERROR ("), "{out}");
    assert!(err.contains("its last end: exit status 3\n  stderr: sorry\n"), "{err}");
    assert_ne!(code, Some(0));
    assert_eq!(pids(&sandbox)[1..], after[1..]);
    let (out, _, code) = run(&sandbox, &["restart", "--rolling", "wbe:*"]);
    assert_eq!((out.as_str(), code), ("wbe: ERROR (no such group, did you mean 'web:*'?)\n", Some(1)));
    for words in [
        &["restart", "--rolling"][..],
        &["restart", "--max-unavailable", "2", "web:*"],
        &["restart", "--json", "web:*"],
    ] {
        assert_eq!(run(&sandbox, words).2, Some(2), "{words:?}");
    }
}

#[test]
fn a_log_is_followed_before_the_first_run() {
    let mut sandbox = Sandbox::with_programs(
        "[program:file]\ncommand=/bin/sh -c 'echo one; exec cat'\nautostart=false\nredirect_stderr=true\n\
         stdout_logfile=%(here)s/file.log\n\
         [program:pipe]\ncommand=/bin/sh -c 'echo two; exec cat'\nautostart=false\nredirect_stderr=true\n\
         stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n\
         [program:none]\ncommand=/bin/cat\nautostart=false\nredirect_stderr=true\nstdout_logfile=NONE\n",
    )
    .start();
    let shows = |sandbox: &mut Sandbox, name: &str, text: &str| {
        sandbox.wait(&format!("'{text}' in {name}"), |sandbox| {
            fs::read_to_string(sandbox.path(name)).unwrap().contains(text).then_some(())
        });
    };
    for (name, text) in [("file", "one"), ("pipe", "two")] {
        let mut client = spawn(&sandbox, &["logs", "-f", name, "none"], name);
        // It follows both: the other one is refused by then.
        shows(&mut sandbox, &format!("{name}.err"), "none: ERROR (no log file)\n");
        assert_eq!(sandbox.ctl(&["start", name]).code, Some(0));
        shows(&mut sandbox, name, &format!("{name} | {text}\n"));
        interrupt(&client);
        assert_eq!(exit_code(&mut sandbox, &mut client), Some(1));
        let errors = fs::read_to_string(sandbox.path(&format!("{name}.err"))).unwrap();
        assert_eq!(errors, "none: ERROR (no log file)\n");
    }
    // Supervisor's own words refuse it.
    assert_eq!(sandbox.ctl(&["tail", "none"]).stdout, "none: ERROR (no log file)\n");
}

#[test]
fn a_rolling_restart_ends_with_its_client() {
    // Ends when it is asked to, and the file is there.
    let command = "/bin/sh -c 'trap \"until test -e %(here)s/go; do sleep 0.02; done; exit\" TERM; \
                   echo up; while :; do sleep 0.02; done'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:web]\ncommand={command}\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
         startsecs=0\nready=log:up\nstopwaitsecs=3600\n"
    ))
    .start();
    for name in ["web:web_0", "web:web_1"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let pids = |sandbox: &Sandbox| ["web:web_0", "web:web_1"].map(|name| sandbox.pid(name));
    let before = pids(&sandbox);
    let mut client = spawn(&sandbox, &["restart", "--rolling", "web:*"], "rolling");
    sandbox.wait_state("web:web_0", "STOPPING");
    interrupt(&client);
    assert!(!client.wait().unwrap().success());
    sandbox.write("go", "");
    sandbox.wait_state("web:web_0", "RUNNING");
    // The next one would be stopped in the turn in which this one is ready.
    let after = pids(&sandbox);
    assert_eq!(sandbox.state("web:web_1").as_deref(), Some("RUNNING"));
    assert!(after[0] != before[0] && after[1] == before[1], "{before:?} {after:?}");
}

#[test]
fn a_rolling_restart_ends_when_its_time_is_up() {
    // Ends when it is asked to, and the file is there. Never ready with another file.
    let command = "/bin/sh -c 'trap \"until test -e %(here)s/go; do sleep 0.02; done; exit\" TERM; \
                   test -e %(here)s/never || echo up; while :; do sleep 0.02; done'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:web]\ncommand={command}\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
         startsecs=0\nready=log:up\nstopwaitsecs=3600\n[program:cat]\ncommand=/bin/cat\n"
    ))
    .start();
    for name in ["web:web_0", "web:web_1", "cat"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let pids = |sandbox: &Sandbox| ["web:web_0", "web:web_1", "cat"].map(|name| sandbox.pid(name));
    let row = |name: &str| format!("{name}: ERROR (the restart of {name} is not complete: its time is up)\n");
    let both = [row("web:web_0"), row("web:web_1")].concat();
    let words = ["restart", "--rolling", "--timeout", "1", "web:*", "cat"];

    let before = pids(&sandbox);
    assert_eq!(run(&sandbox, &words), (both.clone(), String::new(), Some(124)));
    assert_eq!(sandbox.state("web:web_0").as_deref(), Some("STOPPING"));
    sandbox.write("go", "");
    sandbox.wait_state("web:web_0", "RUNNING");
    let after = pids(&sandbox);
    assert!(after[0] != before[0] && after[1..] == before[1..], "{before:?} {after:?}");

    sandbox.write("never", "");
    let (out, _, code) = run(&sandbox, &words);
    assert_eq!((out, code), (both, Some(124)));
    let last = pids(&sandbox);
    assert!(last[0].is_some() && last[0] != after[0] && last[1..] == after[1..], "{after:?} {last:?}");
    assert_eq!(sandbox.state("web:web_0").as_deref(), Some("STARTING"));

    fs::remove_file(sandbox.path("never")).unwrap();
    let done = "web:web_0: restarted\nweb:web_1: restarted\n";
    let words = ["restart", "--rolling", "--timeout=3600", "web:*"];
    assert_eq!(run(&sandbox, &words), (done.to_owned(), String::new(), Some(0)));
    for words in [["--rolling", "--timeout", "soon", "cat"], ["--timeout", "5", "--json", "cat"]] {
        assert_eq!(run(&sandbox, &[&["restart"], &words[..]].concat()).2, Some(2), "{words:?}");
    }
}

#[test]
fn a_rolling_restart_is_reported_in_json() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/sh -c 'test ! -e %(here)s/fail || exit 3; exec cat'\nstartretries=0\n\
         [program:db]\ncommand=/bin/cat\n",
    )
    .start();
    ["web", "db"].into_iter().for_each(|name| sandbox.wait_state(name, "RUNNING"));
    let restart = |sandbox: &Sandbox, name: &str| -> (Json, Option<i32>) {
        let (text, _, code) = run(sandbox, &["restart", "--rolling", "--json", "db", name]);
        (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), code)
    };
    let row =
        |name: &str, error: Json| json!({"full_name": name, "group": name, "name": name, "error": error});
    let db = row("db", Json::Null);
    let pid = sandbox.pid("web");
    assert_eq!(restart(&sandbox, "web"), (json!([db, row("web", Json::Null)]), Some(0)));
    assert_ne!(sandbox.pid("web"), pid);
    sandbox.write("fail", "");
    assert_eq!(restart(&sandbox, "web"), (json!([db, row("web", "spawn error".into())]), Some(7)));
    let unknown = json!({"full_name": "wbe", "group": null, "name": null,
        "error": "no such process, did you mean 'web'?"});
    assert_eq!(restart(&sandbox, "wbe"), (json!([db, unknown]), Some(1)));
}

#[test]
fn logs_are_shown_of_all_and_searched() {
    let program = |name: &str| {
        format!(
            "[program:{name}]\nstartsecs=0\nstdout_logfile=%(here)s/{name}.log\n\
             command=/bin/sh -c 'echo E1 {name}; echo fine; echo E2 {name}; \
             while ! test -e %(here)s/go; do sleep 0.01; done; echo no; echo twice; exec cat'\n"
        )
    };
    let mut sandbox = Sandbox::with_programs(&[program("a"), program("b")].concat()).start();
    sandbox.wait_file("a.log", "E2");
    sandbox.wait_file("b.log", "E2");
    let all = "a | E1 a\na | fine\na | E2 a\nb | E1 b\nb | fine\nb | E2 b\n";
    assert_eq!(run(&sandbox, &["logs"]).0, all);
    assert_eq!(run(&sandbox, &["logs", "--grep", "^E[0-9] b"]).0, "b | E1 b\nb | E2 b\n");
    assert_eq!(run(&sandbox, &["logs", "-n1", "--grep", "^E"]).0, "a | E2 a\nb | E2 b\n");
    let mut child = spawn(&sandbox, &["logs", "-f", "--grep", "twice|E2", "a"], "logs");
    sandbox.wait_file("logs", "E2");
    sandbox.write("go", "");
    sandbox.wait_file("logs", "twice");
    interrupt(&child);
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(0));
    assert_eq!(sandbox.file("logs"), "a | E2 a\na | twice\n");
    assert_eq!(run(&sandbox, &["logs", "--grep", "["]).2, Some(2));
}

#[test]
fn lines_are_shown_as_far_back_as_asked_wherever_a_request_divides_a_character() {
    const LINES: usize = 300_000;
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:a]\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         command=/bin/sh -c 'yes \u{e4}\u{e4} | head -n {LINES}; echo last; exec cat'\n"
    ))
    .start();
    sandbox.wait_file("a.log", "last");
    // The first request of 16 KiB begins within a character, and the log takes several requests of 1 MiB.
    for wanted in [5_000, LINES + 1] {
        let (text, err, code) = run(&sandbox, &["logs", &format!("-n{wanted}"), "a"]);
        assert_eq!((err.as_str(), code), ("", Some(0)));
        let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!((lines.lines().count() + 1, last), (wanted, "a | last"));
        assert!(lines.lines().all(|line| line == "a | \u{e4}\u{e4}"));
    }
}

#[test]
fn a_line_that_is_not_complete_is_searched_when_it_is() {
    let mut sandbox = Sandbox::with_programs(
        "[program:a]\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         command=/bin/sh -c 'echo first; printf tw; while ! test -e %(here)s/go; do sleep 0.01; done; \
         echo ice; exec cat'\n",
    )
    .start();
    sandbox.wait_file("a.log", "first\ntw");
    let mut child = spawn(&sandbox, &["logs", "-f", "--grep", "^twice|first"], "logs");
    sandbox.wait_file("logs", "first");
    sandbox.write("go", "");
    sandbox.wait_file("logs", "twice");
    interrupt(&child);
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(0));
    assert_eq!(sandbox.file("logs"), "a | first\na | twice\n");
}

/// `web` with this many processes, whose command says `version`.
fn web(numprocs: u32, version: u32) -> String {
    format!(
        "[program:web]\ncommand=/bin/sh -c ': v{version}; exec cat'\nnumprocs={numprocs}\nstartsecs=0\n\
         process_name=%(program_name)s_%(process_num)d\n[program:one]\ncommand=/bin/cat\nstartsecs=0\n"
    )
}

/// Writes other programs into the configuration.
fn reconfigure(sandbox: &Sandbox, programs: &str) {
    sandbox.write("supervisord.conf", &format!("{}{programs}", support::HEAD));
}

fn scaled(sandbox: &Sandbox, words: &[&str]) -> (String, String, Option<i32>) {
    run(sandbox, &[&["scale"], words].concat())
}

#[test]
fn diff_shows_what_an_update_would_do_and_does_none_of_it() {
    let mut sandbox = Sandbox::with_programs(&web(2, 1)).start();
    sandbox.wait_state("web:web_1", "RUNNING");
    assert_eq!(run(&sandbox, &["diff"]), silent(0));
    assert_eq!(run(&sandbox, &["diff", "--json"]).0, "{\"groups\":[]}\n");
    let pid = sandbox.pid("web:web_0");
    let changed =
        web(3, 2).replace("numprocs=3\n", "numprocs=3\npriority=5\n").replace("program:one", "program:two");
    reconfigure(&sandbox, &changed);
    let expected = "\
~ web:web_0  restart
    command   restart   /bin/sh -c ': v1; exec cat' -> /bin/sh -c ': v2; exec cat'
    priority  in place  999 -> 5
~ web:web_1  restart
    command   restart   /bin/sh -c ': v1; exec cat' -> /bin/sh -c ': v2; exec cat'
    priority  in place  999 -> 5
+ web:web_2  start
+ two        start
- one        stop
";
    assert_eq!(run(&sandbox, &["diff"]), (expected.to_owned(), String::new(), Some(1)));
    let two = "+ two  start\n".to_owned();
    assert_eq!(run(&sandbox, &["diff", "two"]), (two.clone(), String::new(), Some(1)));
    let unknown = "error: there is no group 'tow'\n";
    assert_eq!(run(&sandbox, &["diff", "two", "tow"]), (two, unknown.to_owned(), Some(2)));
    let (text, ..) = run(&sandbox, &["diff", "--json"]);
    let document: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(document["groups"][0]["processes"][0]["options"][0]["effect"], "restart");
    // Nothing of it was kept.
    let (_, err, code) = run(&sandbox, &["add", "two"]);
    assert_eq!((err.as_str(), code), ("", Some(1)));
    assert_eq!(sandbox.pid("web:web_0"), pid);
    reconfigure(&sandbox, "[program:x]\n");
    let (out, err, code) = run(&sandbox, &["diff"]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
    assert!(err.starts_with("error: cannot read the configuration: ") && err.contains("program:x"), "{err}");
    reconfigure(&sandbox, &changed);
    run(&sandbox, &["update"]);
    assert_eq!(run(&sandbox, &["diff"]), silent(0));
}

#[test]
fn scale_changes_the_number_of_processes_until_the_configuration_is_applied() {
    let mut sandbox = Sandbox::with_programs(&web(2, 1)).start();
    sandbox.wait_state("web:web_1", "RUNNING");
    let kept = sandbox.pid("web:web_0");
    let done = |text: &str| (text.to_owned(), String::new(), Some(0));
    assert_eq!(scaled(&sandbox, &["web=4"]), done("web:web_2: added\nweb:web_3: added\nweb: 4 processes\n"));
    assert_eq!(scaled(&sandbox, &["web=4"]), done("web: 4 processes\n"));
    assert_eq!(
        scaled(&sandbox, &["web=1", "one=0"]).0,
        "web:web_1: removed\nweb:web_2: removed\nweb:web_3: removed\n\
        web: 1 process\none: removed\none: 0 processes\n"
    );
    assert_eq!(scaled(&sandbox, &["one=1"]), done("one: added\none: 1 process\n"));
    assert_eq!(sandbox.pid("web:web_0"), kept);
    // The configuration is unchanged, and says otherwise.
    assert_eq!(run(&sandbox, &["diff"]), ("+ web:web_1  start\n".to_owned(), String::new(), Some(1)));
    for (words, out, code) in [
        (&["one=2"][..], "one: ERROR (cannot read the configuration: %(process_num) must be present", 1),
        (&["web=10001"], "web: ERROR (cannot read the configuration: 10001 is above upper bound (10000)", 1),
        (&["wbe=2", "web=1"], "wbe: ERROR (no such program, did you mean 'web'?)\nweb: 1 process\n", 1),
        (&["web"], "Error: bad argument web: it has to be PROGRAM=NUMBER\n", 2),
        (&[], "Error: scale requires PROGRAM=NUMBER\n", 2),
    ] {
        let (text, err, found) = scaled(&sandbox, words);
        assert!(text.starts_with(out) && err.is_empty(), "{words:?}: {text}{err}");
        assert_eq!(found, Some(code), "{words:?}");
    }
    let (text, ..) = scaled(&sandbox, &["--json", "web=2", "nope=1"]);
    let rows: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((&rows[0]["processes"], &rows[0]["error"]), (&2.into(), &Json::Null));
    assert_eq!(rows[0]["results"][1]["outcome"], "added");
    assert_eq!((&rows[1]["results"], &rows[1]["error"]), (&Json::Null, &"no such program".into()));
    assert_eq!(scaled(&sandbox, &["web=3"]).2, Some(0));
    // An update applies what is configured.
    assert_eq!(run(&sandbox, &["reread"]).0, "web: changed\n");
    assert!(run(&sandbox, &["update"]).0.contains("web:web_2: removed\n"));
    assert_eq!(sandbox.pid("web:web_0"), kept);
    // So does a restart of everything.
    assert_eq!(scaled(&sandbox, &["web=1"]).2, Some(0));
    assert_eq!(run(&sandbox, &["reload"]).2, Some(0));
    sandbox.wait_state("web:web_1", "RUNNING");
    assert_eq!(run(&sandbox, &["diff"]), silent(0));
    reconfigure(&sandbox, &web(2, 2));
    let (text, _, code) = scaled(&sandbox, &["web=3"]);
    let expected =
        "web: ERROR (the configuration of web has changed: apply it first, with 'sv update web')\n";
    assert_eq!((text.as_str(), code), (expected, Some(1)));
}

#[test]
fn exec_runs_a_command_as_the_program_is_run() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/cat\nstartsecs=0\ndirectory=%(here)s\numask=027\nrlimit_nofile=99:100\nnice=3\n\
         environment=SECRET=\"a b\",PATH=\"/usr/bin:/bin\"\n\
         [program:off]\ncommand=/bin/cat\nautostart=false\n",
    )
    .start();
    sandbox.wait_state("web", "RUNNING");
    let here = sandbox.dir().canonicalize().unwrap().display().to_string();
    let script = "echo $SUPERVISOR_PROCESS_NAME $SECRET; pwd; umask; ulimit -n; nice; exit 7";
    let expected = format!("web a b\n{here}\n0027\n99\n3\n");
    assert_eq!(run(&sandbox, &["exec", "web", "--", "sh", "-c", script]), (expected, String::new(), Some(7)));
    // Words are kept as they are, with and without `--`, also those that look like options of ours.
    let (out, ..) = run(&sandbox, &["exec", "off", "printf", "<%s>", "a  b", "-c", "", "it's \"x\"\n"]);
    assert_eq!(out, "<a  b><-c><><it's \"x\"\n>");
    // Signals that the client ignores, as below nohup(1), have their default actions, as for the program.
    let ignoring = format!("trap '' HUP PIPE USR1; exec '{}' \"$@\"", support::binary().display());
    let mut client = Command::new("sh");
    client.args(["-c", &ignoring, "sh", "-c"]).arg(sandbox.config()).args([
        "exec",
        "web",
        "grep",
        "SigIgn",
        "/proc/self/status",
    ]);
    let output = client.output().unwrap();
    assert_eq!(reported(&output), ("SigIgn:\t0000000000000000\n".to_owned(), String::new(), Some(0)));
    // It is the same process: signals reach the command, and its end by a signal is ours.
    let output = sv(&sandbox, &["exec", "web", "sh", "-c", "kill -9 $$"]).output().unwrap();
    assert_eq!(output.status.signal(), Some(9));
    for (words, code, err) in [
        (&["exec", "nope", "ls"][..], 125, "error: there is no process or group 'nope'\n"),
        (&["exec", "web", "nope\x1b"], 127, "error: cannot find command 'nope\\u{1b}'\n"),
        (
            &["exec", "web", "/etc/passwd"],
            126,
            "error: cannot run '/etc/passwd': Permission denied (os error 13)\n",
        ),
    ] {
        assert_eq!(run(&sandbox, words), (String::new(), err.to_owned(), Some(code)), "{words:?}");
    }
    assert_eq!(run(&sandbox, &["exec"]).2, Some(125));
    sandbox.ctl(&["shutdown"]);
    sandbox.wait_exit();
    assert_eq!(run(&sandbox, &["exec", "web", "true"]).2, Some(125));
}

#[test]
fn exec_runs_in_a_directory_that_is_not_utf8() {
    const CHANGE: &str = "cd \"$(printf 'd\\377')\" && exec \"$0\" \"$@\"";
    let sandbox = Sandbox::with_programs("[program:web]\ncommand=/bin/cat\nstartsecs=0\n");
    std::fs::create_dir(sandbox.dir().join(std::ffi::OsStr::from_bytes(b"d\xff"))).unwrap();
    let binary = support::binary();
    let words = ["-c", CHANGE, binary.to_str().unwrap(), "run"];
    let mut sandbox = sandbox.run_by(std::path::Path::new("sh"), "sh", &words).start();
    sandbox.wait_state("web", "RUNNING");
    let output = sv(&sandbox, &["exec", "web", "pwd"]).output().unwrap();
    assert!(output.stdout.ends_with(b"/d\xff\n"), "{output:?}");
}

#[test]
fn exec_has_the_terminal_and_runs_a_shell_without_a_command() {
    let sandbox = started();
    let mut terminal = Terminal::start(sv(&sandbox, &["exec", "web"]).env("TERM", "dumb").env("PS1", "$ "));
    terminal.type_in("test -t 0 && echo on a $((1+1)) terminal; exit 3\r");
    terminal.expect("on a 2 terminal");
    assert_eq!(terminal.wait_exit().code(), Some(3));
    // The shell of the client continues.
    let mut terminal = Terminal::start(sv(&sandbox, &[]).env("TERM", "dumb"));
    terminal.expect("supervisor> ");
    terminal.type_in("exec web true\r");
    terminal.expect("run 'sv exec web' outside of this shell");
    terminal.type_in("exit\r");
    assert_eq!(terminal.wait_exit().code(), Some(0));
}

#[test]
fn exec_becomes_the_user_of_the_program_and_is_refused_elsewhere() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let config = "[program:web]\ncommand=/bin/cat\nstartsecs=0\nuser=daemon\n\
        [unix_http_server:less]\nfile=%(here)s/less.sock\nrole=operate\n";
    let mut sandbox = Sandbox::with_programs(config).start();
    sandbox.wait_state("web", "RUNNING");
    let (out, err, code) = run(&sandbox, &["exec", "web", "id", "-un"]);
    assert_eq!((out.as_str(), err.as_str(), code), ("daemon\n", "", Some(0)));
    let less = format!("unix://{}", sandbox.path("less.sock").display());
    let (_, err, code) = run(&sandbox, &["-s", &less, "exec", "web", "id"]);
    let forbidden = "error: the role operate may not see the environment of programs: that needs admin\n";
    assert_eq!((err.as_str(), code), (forbidden, Some(125)));
    // Another mount namespace has other files.
    let client = sv(&sandbox, &["exec", "web", "id"]);
    let mut apart = sandbox.marked(Command::new("unshare"));
    apart.arg("--mount").arg(client.get_program()).args(client.get_args());
    let output = apart.output();
    let is_there = output.as_ref().is_ok_and(|it| !String::from_utf8_lossy(&it.stderr).contains("unshare"));
    if support::have("unshare(1) and the right to use it", is_there) {
        let (out, err, code) = reported(&output.unwrap());
        assert_eq!((out.as_str(), code), ("", Some(125)));
        assert!(err.contains("the supervisor runs elsewhere (other mnt)."), "{err}");
    }
}

#[test]
fn logs_are_shown_with_their_times_and_since_a_time() {
    let program = |name: &str, options: &str, script: &str| {
        format!(
            "[program:{name}]\nstartsecs=0\nstdout_logfile=%(here)s/{name}.log\n{options}\
             command=/bin/sh -c '{script}; while ! test -e %(here)s/go; do sleep 0.01; done; echo late; exec cat'\n"
        )
    };
    let own = "echo 2020-01-01T01:00:00+01:00 old; echo of old; echo $(date -u +%%FT%%TZ) new; echo of new";
    let programs = [
        program("json", "log_format=json\n", "echo one"),
        program("own", "", own),
        program("raw", "", "echo without"),
        program("prefix", "log_format=prefix\nlog_timestamp=true\n", "echo two"),
    ];
    let mut sandbox = Sandbox::with_programs(&programs.concat()).start();
    for (log, text) in
        [("json.log", "one"), ("own.log", "of new"), ("raw.log", "without"), ("prefix.log", "two")]
    {
        sandbox.wait_file(log, text);
    }
    let shown = |words: &[&str]| run(&sandbox, &[&["logs", "--stdout"], words].concat());
    let (out, err, code) = shown(&["--since", "1h", "own", "json"]);
    assert_eq!(code, Some(0));
    // One of them has no older lines than those that are shown.
    assert!(err.starts_with("json: the log begins at 20") && err.ends_with("Z, later than asked\n"), "{err}");
    assert_eq!(err.lines().count(), 1);
    let (_, err, code) = shown(&["--since", "1h", "own"]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let lines: Vec<_> = out.lines().collect();
    let [new, of_new, one] = &lines[..] else { panic!("{out}") };
    assert!(new.starts_with("own  | 20") && new.ends_with("Z new"), "{out}");
    assert_eq!(*of_new, "own  | of new");
    assert!(one.starts_with("json | {\"time\":\"") && one.contains("\"message\":\"one\""), "{out}");
    assert_eq!(shown(&["--since", "2019-12-31T00:00:00Z", "-n", "3", "own"]).0.lines().count(), 3);
    let (out, ..) = shown(&["-t", "own", "-n", "4"]);
    let old = "own | 2020-01-01T00:00:00.000Z old\nown | 2020-01-01T00:00:00.000Z of old\nown | 20";
    assert!(out.starts_with(old), "{out}");
    let (out, ..) = shown(&["-t", "prefix"]);
    assert!(out.starts_with("prefix | 20") && out.ends_with("Z prefix | two\n"), "{out}");
    // What is not known is said, with the options that help.
    let hint = "raw: its stdout log has no times: a log file has them with log_format=json, or with \
        log_format=prefix and log_timestamp=true\n";
    assert_eq!(shown(&["--since", "1h", "raw"]), (String::new(), hint.to_owned(), Some(1)));
    let dash = format!("raw | -{} without\n", " ".repeat(23));
    assert_eq!(shown(&["-t", "raw"]), (dash, hint.to_owned(), Some(0)));
    let (out, ..) = shown(&["--json", "raw"]);
    let object: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&object["full_name"], &object["at"], &object["text"]),
        (&"raw".into(), &Json::Null, &"without".into())
    );
    assert_eq!(shown(&["--since", "soon"]).2, Some(2));
    // What is followed has the time of its arrival.
    let mut child = spawn(&sandbox, &["logs", "-f", "-t", "-n0", "raw"], "logs");
    sandbox.wait_file("logs.err", "no times");
    sandbox.write("go", "");
    sandbox.wait_file("logs", "Z late\n");
    interrupt(&child);
    assert_eq!(exit_code(&mut sandbox, &mut child), Some(0));
}

#[test]
fn a_log_of_which_only_the_end_is_searched_says_so() {
    let line = |time: &str| format!("{time} {}", "x".repeat(979));
    let begun =
        (0..5000).map(|at| line(&format!("2026-01-01T{:02}:{:02}:00Z", at / 60 % 24, at % 60)) + "\n");
    let sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/bin/cat\nstartsecs=0\nstdout_logfile=%(here)s/web.log\n",
    );
    sandbox.write("web.log", &begun.collect::<String>());
    let mut sandbox = sandbox.start();
    sandbox.wait_state("web", "RUNNING");
    let since = |time: &str| run(&sandbox, &["logs", "--stdout", "--since", time, "web"]);
    let (out, err, code) = since("2025-01-01T00:00:00Z");
    assert_eq!((out.lines().count() > 4000, code), (true, Some(0)));
    let start = "web: only the last 4 MiB of its stdout log were searched, which begin at 2026-01-01T";
    assert!(err.starts_with(start) && err.lines().count() == 1, "{err}");
    let (_, err, _) = run(&sandbox, &["logs", "--stdout", "--grep", "y", "web"]);
    assert_eq!(err, "web: only the last 4 MiB of its stdout log were searched\n");
    // Older lines are there, so nothing is missing.
    let (_, err, code) = since("2026-01-01T23:59:00Z");
    assert_eq!((err.as_str(), code), ("", Some(0)));
}
