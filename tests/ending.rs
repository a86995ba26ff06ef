//! When the supervisor ends, why, with which exit status; and what signals make of it. From outside.

mod support;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::terminal::Terminal;
use support::{Sandbox, binary};

/// A program that runs until it is asked to stop, in addition to the tested ones.
const SLEEPER: &str = "[program:sleeper]\ncommand=sleep 100000\nstartsecs=0\npriority=1\n";

#[test]
fn an_end_has_the_status_of_the_program_that_is_to_blame() {
    for (program, status, reason) in [
        ("command=sh -c 'exit 7'\nstartsecs=0\non_exit=shutdown", 7, "web ended: exit status 7"),
        ("command=true\nstartsecs=0\nautorestart=true\non_exit=shutdown", 0, "web ended: exit status 0"),
        (
            "command=sh -c 'kill -9 $$'\nstartsecs=0\non_exit=shutdown",
            137,
            "web ended: terminated by SIGKILL",
        ),
        (
            "command=sh -c 'exit 9'\nstartretries=0\non_fatal=shutdown",
            9,
            "web failed: exit status 9, too quickly",
        ),
        ("command=true\nstartretries=0\non_fatal=shutdown", 1, "web failed: exit status 0, too quickly"),
        ("command=/nope\nstartretries=0\non_fatal=shutdown", 127, "web failed: can't find command '/nope'"),
        (
            "command=/etc/passwd\nstartretries=0\non_fatal=shutdown",
            126,
            "web failed: command at '/etc/passwd'",
        ),
    ] {
        let mut sandbox = Sandbox::with_programs(&format!("{SLEEPER}[program:web]\n{program}\n"));
        let Output { status: ended, stdout, .. } = sandbox.run_to_end();
        let reported = String::from_utf8_lossy(&stdout);
        let line = format!("sv ends with status {status}: {reason}");
        assert!(reported.lines().any(|it| it.starts_with(&line)), "no {line:?} in\n{reported}");
        assert_eq!(ended.code(), Some(status), "{program}\n{reported}");
        assert!(sandbox.log().contains("stopped: sleeper (terminated by SIGTERM)"), "{}", sandbox.log());
    }
}

#[test]
fn an_idle_supervisor_exits_with_the_status_of_a_failed_program() {
    for (code, status) in [(0, 0), (6, 6)] {
        let config = support::HEAD.replace("[supervisord]\n", "[supervisord]\non_idle=exit\n");
        let job = |name: &str, code| {
            format!("[program:{name}]\ncommand=sh -c 'exit {code}'\nstartsecs=0\nautorestart=false\n")
        };
        let mut sandbox = Sandbox::new(&format!("{config}{}{}", job("first", code), job("second", 0)));
        let ended = sandbox.run_to_end();
        assert_eq!(ended.status.code(), Some(status), "{}", sandbox.log());
    }
}

#[test]
fn a_requested_stop_exits_with_0_and_names_the_requester() {
    let mut sandbox = Sandbox::with_programs(&format!("{SLEEPER}on_exit=shutdown\n")).start();
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    sandbox.wait("the reason", |sandbox| {
        sandbox.terminal().contains("sv ends with status 0: SIGTERM asked for it\n").then_some(())
    });
    let mut sandbox = Sandbox::with_programs(SLEEPER).start();
    assert!(sandbox.ctl(&["shutdown"]).success);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    sandbox
        .wait("the reason", |sandbox| sandbox.terminal().contains("a client asked for it\n").then_some(()));
}

#[test]
fn a_stop_takes_no_longer_than_it_may() {
    let config = support::HEAD.replace("[supervisord]\n", "[supervisord]\nshutdown_timeout=1\n");
    let unresponsive = "command=sh -c 'trap \"\" TERM; echo deaf; while :; do sleep 0.1; done'\nstopwaitsecs=600\n\
        startsecs=0\nstdout_logfile=%(here)s/%(program_name)s.out\n";
    let mut sandbox = Sandbox::new(&format!(
        "{config}[program:one]\n{unresponsive}[program:two]\npriority=1\n{unresponsive}"
    ))
    .start();
    sandbox.wait_file("one.out", "deaf");
    sandbox.wait_file("two.out", "deaf");
    let began = Instant::now();
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{}", sandbox.log());
    assert!(sandbox.log().contains("shutdown_timeout is over: killing what is left"), "{}", sandbox.log());
}

#[test]
fn configured_signals_apply_also_after_a_reload() {
    let config = support::HEAD.replace(
        "[supervisord]\n",
        "[supervisord]\nsignal_TERM=ignore\nsignal_USR1=forward:web\nsignal_USR2=reload\n",
    );
    let web = "[program:web]\nstartsecs=0\nstdout_logfile=%(here)s/web.out\n\
        command=sh -c 'trap \"echo usr1\" USR1; echo armed; while :; do sleep 0.1; done'\n";
    let mut sandbox = Sandbox::new(&format!("{config}{web}")).start();
    sandbox.wait_file("web.out", "armed");
    sandbox.signal(Signal::TERM);
    sandbox.signal(Signal::USR1);
    sandbox.wait_file("web.out", "usr1");
    sandbox.replace("supervisord.conf", "signal_USR1=forward:web", "signal_WINCH=shutdown");
    sandbox.signal(Signal::USR2);
    sandbox.wait_log("received SIGUSR2 indicating restart request");
    sandbox.wait("the new program", |sandbox| {
        (sandbox.log().matches("spawned: 'web'").count() == 2).then_some(())
    });
    sandbox.signal(Signal::WINCH);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
}

#[test]
fn the_rest_of_a_group_is_killed_when_its_leader_is_dead() {
    let sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sh %(here)s/web.sh\nstartsecs=0\nstopasgroup=true\nstopwaitsecs=1\n\
         stdout_logfile=%(here)s/web.out\n",
    );
    let unresponsive = "sh -c 'trap \"\" TERM; echo deaf $$; while :; do sleep 0.1; done' &\n";
    sandbox.write("web.sh", &format!("{unresponsive}trap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n"));
    let mut sandbox = sandbox.start();
    sandbox.wait_file("web.out", "deaf ");
    let rest = sandbox.file("web.out").trim().replace("deaf ", "/proc/");
    assert!(std::path::Path::new(&rest).exists(), "{rest}");
    assert!(sandbox.ctl(&["stop", "web"]).success, "{}", sandbox.log());
    // Dead, though perhaps not reaped yet.
    let stat = std::fs::read_to_string(format!("{rest}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}\n{}", sandbox.log());
    sandbox.wait_log("stopped: web (exit status 0)");
    sandbox.wait_log("killing what is left of the group of 'web'");
}

/// Forks a child that leaves the group by setsid and never waits for its own child, a zombie in the group.
const ZOMBIE: &str = "use POSIX; $| = 1;\n\
    if (fork == 0) {\n\
    \x20   $SIG{TERM} = 'IGNORE';\n\
    \x20   my $zombie = fork; exit if $zombie == 0;\n\
    \x20   1 until `cat /proc/$zombie/stat` =~ /\\) Z/;\n\
    \x20   POSIX::setsid(); print \"ready\\n\"; sleep 100000;\n\
    }\n\
    sleep 100000;\n";

#[test]
fn a_zombie_in_the_group_of_a_dead_leader_holds_up_neither_a_stop_nor_the_end() {
    let sandbox = Sandbox::with_programs(
        "[program:p]\ncommand=perl %(here)s/zombie.pl\nstartsecs=0\nstopasgroup=true\nstopwaitsecs=600\n\
         stdout_logfile=%(here)s/p.out\n[program:q]\ncommand=perl %(here)s/zombie.pl\nstartsecs=0\n\
         stopasgroup=true\nstopwaitsecs=600\nstdout_logfile=%(here)s/q.out\n",
    );
    sandbox.write("zombie.pl", ZOMBIE);
    let mut sandbox = sandbox.start();
    sandbox.wait_file("p.out", "ready\n");
    sandbox.wait_file("q.out", "ready\n");
    assert_eq!(sandbox.ctl(&["stop", "p"]).stdout, "p: stopped\n", "{}", sandbox.log());
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    assert!(!sandbox.log().contains("SIGKILL"), "{}", sandbox.log());
}

#[test]
fn a_leader_that_has_left_its_group_is_stopped_and_killed() {
    let leaver = |name: &str, unresponsive: &str| {
        format!(
            "[program:{name}]\nstartsecs=0\nstopasgroup=true\nkillasgroup=true\nstopwaitsecs=1\n\
             stdout_logfile=%(here)s/{name}.out\n\
             command=perl -e '{unresponsive} setpgrp(0, getpgrp(getppid)) or die; $| = 1; print \"left\\n\"; sleep 100000'\n"
        )
    };
    let (stops, unresponsive) = (leaver("stops", ""), leaver("deaf", "$SIG{TERM} = sub {};"));
    let mut sandbox = Sandbox::with_programs(&format!("{stops}{unresponsive}")).start();
    sandbox.wait_file("stops.out", "left\n");
    sandbox.wait_file("deaf.out", "left\n");
    assert_eq!(sandbox.ctl(&["stop", "stops"]).stdout, "stops: stopped\n", "{}", sandbox.log());
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    let log = sandbox.log();
    assert!(log.contains("stopped: stops (terminated by SIGTERM)"), "{log}");
}

#[test]
fn a_request_that_is_sent_twice_at_once_is_one_request() {
    let sandbox = Sandbox::with_programs(
        "[program:web]\nstartsecs=0\nstdout_logfile=%(here)s/web.out\ncommand=sh %(here)s/web.sh\n",
    );
    sandbox.write(
        "web.sh",
        "trap 'echo stopping; sleep 0.5; exit 7' TERM\necho ready\nwhile :; do sleep 0.1; done\n",
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_file("web.out", "ready\n");
    sandbox.signal(Signal::TERM);
    sandbox.wait_file("web.out", "stopping\n");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    assert!(sandbox.log().contains("stopped: web (exit status 7)"), "{}", sandbox.log());
}

#[test]
fn a_term_in_the_moment_of_a_restart_ends_the_supervisor() {
    for _ in 0..5 {
        let mut sandbox = Sandbox::with_programs("").start();
        // Both are there when it looks at its signals.
        for signal in [Signal::STOP, Signal::HUP, Signal::TERM, Signal::CONT] {
            sandbox.signal(signal);
        }
        assert_eq!(sandbox.wait_exit().code(), Some(0));
    }
}

/// `sv run -c FILE -- WORDS`
fn beside(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.marked(Command::new(binary()));
    command.args(["run", "-s", "-c"]).arg(sandbox.config()).arg("--").args(words);
    command
}

#[test]
fn programs_run_with_a_main_command_that_has_our_descriptors() {
    let sandbox = Sandbox::with_programs(SLEEPER);
    let script = "read line; echo out $line; echo err >&2; exit 5";
    let mut command = beside(&sandbox, &["sh", "-c", script]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"100% %(x)s\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    let reported = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert_eq!(reported.0, "out 100% %(x)s\n");
    assert!(reported.1.starts_with("err\n"), "{reported:?}");
    assert!(reported.1.ends_with("sv ends with status 5: main ended: exit status 5\n"), "{reported:?}");
    assert_eq!(ended.status.code(), Some(5));
    let log = sandbox.log();
    assert!(log.contains("stopped: sleeper (terminated by SIGTERM)"), "{log}");
}

#[test]
fn a_main_command_that_is_not_there_ends_with_127() {
    let sandbox = Sandbox::with_programs(SLEEPER);
    let ended = beside(&sandbox, &["/nope"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(127), "{}", sandbox.log());
}

#[test]
fn a_main_command_has_the_terminal_to_itself() {
    let sandbox = Sandbox::with_programs(SLEEPER);
    let command = beside(&sandbox, &["sh", "-c", "echo ready; read line; echo \"got $line\"; exit 3"]);
    let mut terminal = Terminal::start(&command);
    terminal.expect("ready");
    terminal.type_in("hello\r");
    terminal.expect("got hello");
    assert_eq!(terminal.wait_exit().code(), Some(3));
}

#[test]
fn a_program_has_the_variables_of_its_user() {
    if !support::have("root", rustix::process::getuid().is_root()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:who]\ncommand=sh -c 'echo $HOME $USER $LOGNAME %(ENV_USER)s; echo done'\nautorestart=false\nstartsecs=0\n\
         user=www-data\nset_user_environment=true\nenvironment=LOGNAME=\"own\"\n\
         stdout_logfile=%(here)s/who.out\n",
    )
    .start();
    sandbox.wait_file("who.out", "done\n");
    assert_eq!(sandbox.file("who.out"), "/var/www www-data own www-data\ndone\n");
}
