//! A configuration that changes under a supervisor that runs: what `reread` reports, what `update` makes
//! of it, and what stays as it was.
//!
//! Much of this is not what the reference does, so that these are not tests to run against it. That
//! Python's client is answered as ever is shown in `compat_server.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Pid;
use serde_json::Value as Json;
use support::wire::Peer;
use support::{HEAD, Sandbox, binary};

/// The lines of an update that went well.
#[track_caller]
fn assert_updated(sandbox: &Sandbox, reported: &[&str]) {
    let answer = sandbox.ctl(&["update"]);
    assert_eq!(answer.stdout.lines().collect::<Vec<_>>(), reported, "{answer:?}\n{}", sandbox.story());
    assert!(answer.success, "{answer:?}");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "No config updates to processes\n");
}

fn configure(sandbox: &Sandbox, programs: &str) {
    sandbox.write("supervisord.conf", &format!("{HEAD}{programs}"));
}

fn running(sandbox: &mut Sandbox, name: &str) -> Pid {
    sandbox.wait_state(name, "RUNNING");
    sandbox.pid(name).unwrap()
}

#[test]
fn changes_without_restart_apply_to_the_running_process() {
    const TALKER: &str = "trap 'echo INT > int; exit' INT; trap 'echo TERM > term; exit' TERM\n\
        while :; do echo a line of some length; sleep 0.01; done\n";
    let with = |options: &str| {
        format!("[program:talker]\ncommand=sh talker.sh\nstdout_logfile=%(here)s/t.log\n{options}")
    };
    let sandbox = Sandbox::with_programs(&with("stdout_logfile_maxbytes=0\n"));
    sandbox.write("talker.sh", TALKER);
    let mut sandbox = sandbox.start();
    let pid = running(&mut sandbox, "talker");
    let changed = "stdout_logfile_maxbytes=1KB\nstdout_logfile_backups=1\nstopsignal=INT\npriority=7\n";
    configure(&sandbox, &with(changed));
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "talker: changed\n");
    assert_updated(&sandbox, &["talker: applied without a restart", "talker: updated process group"]);
    sandbox.wait_log(
        "INFO updated: 'talker' in place (priority, stopsignal, stdout_logfile_maxbytes, stdout_logfile_backups)",
    );
    sandbox.wait_file("t.log.1", "a line of some length\n");
    assert!(sandbox.file("t.log").len() < 2048, "it is rotated by its new size");
    assert_eq!(sandbox.pid("talker"), Some(pid));
    assert_eq!(sandbox.ctl(&["stop", "talker"]).stdout, "talker: stopped\n");
    assert_eq!((sandbox.file("int").as_str(), sandbox.file("term").as_str()), ("INT\n", ""));
}

#[test]
fn an_update_in_place_keeps_the_history() {
    let with = |options: &str| format!("[program:web]\ncommand=/bin/cat\nstartsecs=0\n{options}");
    let mut sandbox = Sandbox::with_programs(&with("")).start();
    running(&mut sandbox, "web");
    sandbox.ctl(&["restart", "web"]);
    let shown = |sandbox: &Sandbox| -> Json {
        let request = "GET /api/v1/processes/web HTTP/1.1\r\nHost: localhost\r\n\r\n";
        serde_json::from_slice(&Peer::unix(sandbox).gets(request, "HTTP/1.1 200 OK").body).unwrap()
    };
    let history = |sandbox: &Sandbox| shown(sandbox)["history"].as_array().unwrap().clone();
    let (before, counters) = (history(&sandbox), shown(&sandbox)["process"]["counters"].clone());
    // Started, stopped, started again: each by way of a state.
    assert_eq!(before.len(), 6, "{before:?}");
    configure(&sandbox, &with("stopsignal=INT\n"));
    assert_updated(&sandbox, &["web: applied without a restart", "web: updated process group"]);
    assert_eq!(history(&sandbox), before);
    assert_eq!(shown(&sandbox)["process"]["counters"], counters);
    sandbox.ctl(&["stop", "web"]);
    let after = history(&sandbox);
    assert_eq!(after[..before.len()], before);
    let states: Vec<_> = after[before.len()..].iter().map(|it| it["to"].as_str().unwrap()).collect();
    assert_eq!(states, ["STOPPING", "STOPPED"]);
    assert_eq!(after.last().unwrap()["end"]["signal"], "SIGINT");
}

#[test]
fn those_that_stay_keep_their_pids_when_their_number_changes() {
    let with = |numprocs: u32| {
        format!(
            "[program:web]\ncommand=/bin/cat\nprocess_name=%(program_name)s_%(process_num)02d\nnumprocs={numprocs}\n"
        )
    };
    let mut sandbox = Sandbox::with_programs(&with(2)).start();
    let [first, second] = ["web:web_00", "web:web_01"].map(|name| running(&mut sandbox, name));
    configure(&sandbox, &with(3));
    assert_updated(&sandbox, &["web:web_02: added", "web: updated process group"]);
    let third = running(&mut sandbox, "web:web_02");
    assert_eq!([sandbox.pid("web:web_00"), sandbox.pid("web:web_01")], [Some(first), Some(second)]);
    configure(&sandbox, &with(1));
    assert_updated(&sandbox, &["web:web_01: removed", "web:web_02: removed", "web: updated process group"]);
    assert_eq!(sandbox.pid("web:web_00"), Some(first));
    assert_eq!(sandbox.ctl(&["status"]).stdout.lines().count(), 1);
    for gone in [second, third] {
        assert!(rustix::process::test_kill_process(gone).is_err(), "{gone:?} is still there");
    }
}

#[test]
fn a_new_command_restarts_that_process_of_its_group_alone() {
    let with = |command: &str| {
        format!("[group:g]\nprograms=a,b\n[program:a]\ncommand=/bin/cat\n[program:b]\ncommand={command}\n")
    };
    let mut sandbox = Sandbox::with_programs(&with("/bin/cat")).start();
    let [a, b] = ["g:a", "g:b"].map(|name| running(&mut sandbox, name));
    configure(&sandbox, &with("/bin/cat -u"));
    assert_updated(&sandbox, &["g:b: replaced", "g: updated process group"]);
    assert_ne!(running(&mut sandbox, "g:b"), b);
    assert_eq!(sandbox.pid("g:a"), Some(a));
    sandbox.wait_log("INFO updating: 'b' is replaced (command)");
    // Supervisor's own client has no words for single processes.
    configure(&sandbox, &with("/bin/cat"));
    let client = sandbox.program("supervisorctl").arg("-c").arg(sandbox.config()).arg("update").output();
    assert_eq!(String::from_utf8_lossy(&client.unwrap().stdout), "g: updated process group\n");
    assert_eq!(sandbox.pid("g:a"), Some(a));
}

#[test]
fn a_broken_file_changes_nothing_and_is_reported_with_its_place() {
    const GOOD: &str = "[program:a]\ncommand=/bin/cat\n[program:b]\ncommand=/bin/cat\n";
    let mut sandbox = Sandbox::with_programs(GOOD).start();
    let pids = ["a", "b"].map(|name| running(&mut sandbox, name));
    let before = sandbox.ctl(&["avail"]).stdout;
    // A client that reads a file of its own: it would not get past this one either.
    sandbox.write("client.conf", "[supervisorctl]\nserverurl=unix://%(here)s/supervisor.sock\n");
    let ask = |sandbox: &Sandbox, action: &str| {
        let mut client = sandbox.marked(Command::new(binary()));
        let reported = client.arg("-c").arg(sandbox.path("client.conf")).arg(action).output().unwrap();
        (reported.status.code(), String::from_utf8([reported.stdout, reported.stderr].concat()).unwrap())
    };
    let last = HEAD.lines().count();
    for (programs, line, what) in [
        ("[program:a]\ncommand=/bin/cat\npriority=first\n[program:new]\ncommand=/bin/cat\n", 3, "'first'"),
        ("[program:a]\ncommand=/bin/cat\nthis is no option\n[program:a\n", 3, "this is no option"),
        ("[program:a]\ncommand=%(nope)s\n", 2, "nope"),
    ] {
        configure(&sandbox, programs);
        for action in ["reread", "update"] {
            let (code, said) = ask(&sandbox, action);
            assert_eq!(code, Some(1), "{said}");
            let start = "error: cannot read the configuration: ";
            assert!(said.starts_with(start) && said.contains(what), "{said}");
            let place = ["supervisord.conf".to_owned(), (last + line).to_string()];
            assert!(place.iter().all(|it| said.contains(it.as_str())), "{place:?}: {said}");
        }
        for pid in pids {
            assert!(rustix::process::test_kill_process(pid).is_ok(), "{pid:?} is gone");
        }
        assert_eq!(ask(&sandbox, "avail").1, before);
    }
    configure(&sandbox, GOOD);
    assert_eq!(["a", "b"].map(|name| sandbox.pid(name)), pids.map(Some));
    assert!(sandbox.ctl(&["add", "new"]).stdout.starts_with("ERROR: no such process/group: new"));
}

#[test]
fn while_an_update_waits_the_group_is_left_to_it() {
    const STUBBORN: &str = "trap : TERM; echo > trapped; until [ -e go ]; do sleep 0.01; done\n";
    let with = |umask: &str| {
        format!(
            "[group:g]\nprograms=slow,same\n[program:same]\ncommand=/bin/cat\n\
             [program:slow]\ncommand=sh slow.sh\nstopwaitsecs=3600\numask={umask}\n"
        )
    };
    let sandbox = Sandbox::with_programs(&with("022"));
    sandbox.write("slow.sh", STUBBORN);
    let mut sandbox = sandbox.start();
    let [slow, same] = ["g:slow", "g:same"].map(|name| running(&mut sandbox, name));
    sandbox.wait_file("trapped", "\n");
    configure(&sandbox, &with("077"));
    let mut client = sandbox.marked(Command::new(binary()));
    client.arg("-c").arg(sandbox.config()).arg("update").stdin(Stdio::null()).stdout(Stdio::piped());
    let client = client.spawn().unwrap();
    sandbox.wait_log("waiting for slow to stop");
    assert_eq!(sandbox.ctl(&["update"]).stdout, "ERROR: FAILED: an update of g is under way\n");
    assert_eq!(sandbox.ctl(&["start", "g:slow"]).stdout, "g:slow: ERROR (abnormal termination)\n");
    assert_eq!(sandbox.pid("g:slow"), Some(slow), "it has all the time that it is configured to have");
    fs::write(sandbox.path("go"), "").unwrap();
    let reported = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&reported.stdout), "g:slow: replaced\ng: updated process group\n");
    assert_eq!(sandbox.pid("g:same"), Some(same));
}

#[test]
fn a_reread_logs_its_warnings_most_severe_first() {
    let mut sandbox = Sandbox::with_programs("").start();
    sandbox.write("extra.ini", "[program:a]\ncommand=/bin/cat\nautostrat=false\n");
    configure(&sandbox, "[include]\nfiles=extra.ini nothing-*.ini\n");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "a: available\n");
    sandbox.wait_log("INFO Included extra file \"");
    let log = sandbox.log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
    assert!(at("WARN No file matches via include \"") < at("INFO Included extra file \""), "{log}");
    assert!(at("autostrat") < at("INFO Included extra file \""), "{log}");
}

#[test]
fn a_reread_applies_the_log_level_and_leaves_the_supervisor_else_as_it_is() {
    let painter = "[program:painter]\ncommand=printf '\\033[31mred\\033[0m\\n'\nautostart=false\n\
        autorestart=false\nstartsecs=0\nstdout_logfile=%(here)s/p.log\n";
    let mut sandbox = Sandbox::with_programs(painter).start();
    let others = "[supervisord]\nloglevel=debug\nidentifier=other\nstrip_ansi=true\nnocleanup=true\n";
    sandbox.replace("supervisord.conf", "[supervisord]\n", others);
    sandbox.replace("supervisord.conf", "%(here)s/supervisord.log", "%(here)s/other.log");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "No config updates to processes\n");
    assert_eq!(sandbox.ctl(&["start", "painter"]).stdout, "painter: started\n");
    sandbox.wait_log("DEBG 'painter' stdout output:\n");
    sandbox.wait_file("p.log", "\u{1b}[31mred\u{1b}[0m\n");
    assert!(!sandbox.path("other.log").exists());
    sandbox.replace("supervisord.conf", "loglevel=debug", "loglevel=perhaps");
    assert!(!sandbox.ctl(&["reread"]).success);
    assert_eq!(sandbox.ctl(&["start", "painter"]).stdout, "painter: started\n");
    sandbox.wait("what a broken file does not change", |sandbox| {
        (sandbox.log().matches("DEBG 'painter' stdout output:\n").count() == 2).then_some(())
    });
}

#[test]
fn the_environment_of_the_supervisor_is_part_of_every_program() {
    const PROGRAMS: &str = "[program:a]\ncommand=sh -c 'echo $WORD; exec cat'\nstdout_logfile=%(here)s/a.log\n\
        [program:b]\ncommand=/bin/cat\nenvironment=WORD=own\n[program:c]\ncommand=/bin/cat\n";
    let mut sandbox = Sandbox::with_programs(PROGRAMS).start();
    let [a, b] = ["a", "b"].map(|name| running(&mut sandbox, name));
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nenvironment=WORD=hello\n");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "a: changed\nc: changed\n", "b has a word of its own");
    let reported = ["a: stopped", "a: updated process group"];
    let answer = sandbox.ctl(&["update", "a"]);
    assert_eq!(answer.stdout.lines().collect::<Vec<_>>(), reported);
    sandbox.wait_file("a.log", "hello\n");
    assert_ne!(running(&mut sandbox, "a"), a);
    assert_eq!(sandbox.pid("b"), Some(b));
}

#[test]
fn a_replaced_process_gets_auto_logs_of_its_own_and_the_old_ones_stay() {
    let with = |command: &str| format!("[program:talker]\ncommand=sh -c 'echo {command}; exec cat'\n");
    let mut sandbox = Sandbox::with_programs(&with("one")).start();
    running(&mut sandbox, "talker");
    let texts = |sandbox: &Sandbox| -> Vec<String> {
        let names = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        let mut texts: Vec<_> = names
            .filter(|name| name.starts_with("talker-stdout---"))
            .map(|name| sandbox.file(&name))
            .collect();
        texts.sort();
        texts
    };
    sandbox.wait("the first words", |sandbox| (texts(sandbox) == ["one\n"]).then_some(()));
    configure(&sandbox, &with("two"));
    assert_updated(&sandbox, &["talker: stopped", "talker: updated process group"]);
    sandbox.wait("the words of both", |sandbox| (texts(sandbox) == ["one\n", "two\n"]).then_some(()));
}
