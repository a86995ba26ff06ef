//! One command and its init: `sv -- COMMAND`, and the same as tini and dumb-init, beside those where they are
//! installed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

mod support;
use support::terminal::Terminal;
use support::{Sandbox, TIMEOUT, binary, descendants, have};

/// Names each signal that comes in `signals`, except those that cannot be caught (9, 19), that report the end of children (17) and
/// that the libc keeps for itself (32, 33).
const CATCH: &str = "
for n in $(seq 1 64); do
    case $n in 9|17|19|32|33) ;; *) trap \"echo $n >>signals\" $n ;; esac
done
echo armed >signals
while :; do sleep 0.01; done";

/// The faces with what stands before a command.
const FACES: [(&str, &[&str]); 4] = [("sv", &["--"]), ("tini", &["--"]), ("tini", &[]), ("dumb-init", &[])];

#[test]
fn every_exit_code_is_passed_on() {
    let sandbox = Sandbox::new("");
    for code in 0..=255 {
        let (face, words) = FACES[code % FACES.len()];
        let output = run(sandbox.program(face).args(words).args(["sh", "-c", &format!("exit {code}")]));
        assert_eq!(outcome(&output), format!("{code}|"), "{face}");
    }
}

#[test]
fn a_fatal_signal_of_the_command_becomes_a_shell_status() {
    let sandbox = Sandbox::new("");
    for (face, words) in FACES {
        // Those that end a process by default; whether there is a core depends on the machine.
        for number in (1..=16).chain(24..=27).chain(29..=31).chain(34..=64) {
            let script = format!("ulimit -c 0; kill -{number} $$; sleep 60");
            let output = run(sandbox.program(face).args(words).args(["sh", "-c", &script]));
            assert_eq!(output.status.code(), Some(128 + number), "{face} {number}");
        }
    }
}

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    for (face, words, own) in [
        ("sv", &["--"][..], &[][..]),
        ("tini", &[], &[4, 5, 6, 7, 8, 11, 31, 21, 22]),
        // It stops with its command instead; that is tested against the real one.
        ("dumb-init", &[], &[20, 21, 22]),
    ] {
        let mut sandbox = Sandbox::new("");
        let mut init = Started::new(&sandbox, face, words, CATCH);
        sandbox.wait_file("signals", "armed");
        for number in (1..=64).filter(|number| ![9, 17, 19, 32, 33].contains(number) && !own.contains(number))
        {
            init.signal(number);
            sandbox.wait_file("signals", &format!("\n{number}\n"));
        }
        init.signal(9);
        init.wait();
    }
}

/// With the default dispositions, and the command's own death reported: 32 and 33 too.
#[test]
fn the_command_has_default_dispositions() {
    for number in [1, 2, 3, 6, 11, 13, 15, 32, 33, 34, 64] {
        let mut sandbox = Sandbox::new("");
        let script = "trap '' PIPE HUP; exec \"$0\" -- sh -c 'echo up >signals; ulimit -c 0; exec sleep 60'";
        let mut command = sandbox.marked(Command::new("sh"));
        command.args(["-c", script]).arg(binary());
        let mut init = Started { child: command.spawn().unwrap() };
        sandbox.wait_file("signals", "up");
        // The shell may not yet have become the sleeper; ignored by it or not, it ends of it in the end.
        init.signal(number);
        assert_eq!(init.wait(), 128 + number, "{number}");
    }
}

/// Whether it comes before anything was done, between fork and exec, or later.
#[test]
fn no_signal_is_lost_on_the_way_up() {
    let sandbox = Sandbox::new("");
    for words in [&["--"][..], &["-g", "--"], &["-S", "--"]] {
        for round in 0..60_u64 {
            let mut command = sandbox.program("sv");
            let began = Instant::now();
            let mut init = Started { child: command.args(words).args(["sleep", "600"]).spawn().unwrap() };
            // Not a wait for a condition, but a different moment in each round.
            while began.elapsed() < Duration::from_micros(round * 50) {}
            init.signal(15);
            assert!([143, 15].contains(&init.wait()), "{words:?} {round}");
        }
    }
}

#[test]
fn commands_that_can_not_be_run_have_the_shells_exit_code_and_one_line() {
    let sandbox = Sandbox::new("");
    sandbox.write("plain", "text");
    let reason = "No such file or directory";
    for (face, command, code, said) in [
        ("sv", "nosuch", 127, format!("sv: cannot find 'nosuch': {reason}\n")),
        ("sv", "./plain", 126, "sv: cannot execute './plain': Permission denied\n".to_owned()),
        ("sv", "./plain/x", 127, "sv: cannot find './plain/x': Not a directory\n".to_owned()),
        ("sv", "/tmp", 126, "sv: cannot execute '/tmp': Permission denied\n".to_owned()),
        ("sv", "", 127, format!("sv: cannot find '': {reason}\n")),
        ("tini", "nosuch", 127, format!("[FATAL tini (PID)] exec nosuch failed: {reason}\n")),
        ("tini", "./plain", 126, "[FATAL tini (PID)] exec ./plain failed: Permission denied\n".to_owned()),
        ("dumb-init", "nosuch", 2, format!("[dumb-init] nosuch: {reason}\n")),
    ] {
        let output = run(sandbox.program(face).args(["--", command]));
        let shown = String::from_utf8(output.stderr).unwrap();
        let shown = match shown.split(['(', ')']).nth(1) {
            Some(pid) => shown.replace(pid, "PID"),
            None => shown,
        };
        assert_eq!((output.status.code(), shown), (Some(code), said), "{face} {command}");
    }
}

/// The results of both, in the same format: `code|standard output`.
#[test]
fn behaves_as_tini_and_dumb_init_do() {
    let trap = "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.01; done";
    let family = "trap 'wait; exit 4' TERM; (trap 'echo child; exit' TERM; echo up; while :; do sleep 0.01; done) & wait";
    let left = "(trap 'echo child; exit' TERM; echo up; while :; do sleep 0.01; done) & \
                until grep -q up out; do sleep 0.01; done; exit 5";
    for (name, words, variables, script, signal) in [
        ("tini", &["--"][..], &[][..], "exit 7", 0),
        ("tini", &["-e", "7", "--"], &[], "exit 7", 0),
        ("tini", &["-e", "143", "-e", "9", "--"], &[], "kill $$", 0),
        ("tini", &["-e", "256", "--"], &[], "exit 7", 0),
        ("tini", &["-p", "FOO", "--"], &[], "exit 7", 0),
        ("tini", &["-Z"], &[], "exit 7", 0),
        ("tini", &["-s", "--"], &[], trap, 15),
        ("tini", &["-sg", "--"], &[], family, 15),
        ("tini", &["-s", "--"], &[("TINI_KILL_PROCESS_GROUP", "1")], family, 15),
        ("tini", &["-s", "--"], &[], "trap 'exit 6' WINCH; echo up; while :; do sleep 0.01; done", 28),
        ("tini", &["-s", "--"], &[], "trap 'exit 6' 40; echo up; while :; do sleep 0.01; done", 40),
        ("tini", &["-s", "--"], &[], "grep -E 'Sig(Blk|Cgt)' /proc/self/status", 0),
        ("tini", &["-s", "--"], &[], "pwd; umask; echo $0; ps -o pgid= -p $$ | grep -qw $$; echo $?", 0),
        ("dumb-init", &[], &[], "exit 7", 0),
        (
            "dumb-init",
            &["-r", "15:10", "--"],
            &[],
            "trap 'echo usr1; exit 3' USR1; echo up; while :; do sleep 0.01; done",
            15,
        ),
        ("dumb-init", &["-r", "15"], &[], "exit 7", 0),
        ("dumb-init", &["--nosuch"], &[], "exit 7", 0),
        ("dumb-init", &[], &[], family, 15),
        ("dumb-init", &[], &[], left, 0),
        ("dumb-init", &["-r15:0"], &[], "exit 8", 0),
        ("dumb-init", &["--single-child"], &[], trap, 15),
        ("dumb-init", &[], &[("DUMB_INIT_SETSID", "0")], trap, 15),
        ("dumb-init", &[], &[], trap, 15),
        ("dumb-init", &[], &[], "ps -o sid= -p $$ | grep -qw $$; echo $?", 0),
        ("dumb-init", &["-c"], &[], "ps -o sid= -p $$ | grep -qw $$; echo $?", 0),
        ("dumb-init", &[], &[], "trap 'exit 6' ABRT; echo up; while :; do sleep 0.01; done", 6),
    ] {
        let Some(real) = installed(name) else { continue };
        let reported = |command: Command| {
            let mut sandbox = Sandbox::new("");
            let mut command = sandbox.marked(command);
            command.envs(variables.iter().copied()).args(words).args(["sh", "-c", script]);
            command.stdout(std::fs::File::create(sandbox.path("out")).unwrap()).stderr(Stdio::null());
            let mut init = Started { child: command.stdin(Stdio::null()).spawn().unwrap() };
            if signal != 0 {
                sandbox.wait_file("out", "up");
                init.signal(signal);
            }
            let code = init.wait();
            if script == left {
                sandbox.wait_file("out", "child");
            }
            format!("{code}|{}", sandbox.file("out")).replace(&sandbox.dir().display().to_string(), "DIR")
        };
        let links = Sandbox::new("");
        let ours = reported(Command::new(links.program(name).get_program()));
        assert_eq!(ours, reported(Command::new(real)), "{name} {words:?} {script}");
    }
}

#[test]
fn dumb_init_stops_and_continues_with_its_command() {
    let Some(real) = installed("dumb-init") else { return };
    let links = Sandbox::new("");
    let ours = PathBuf::from(links.program("dumb-init").get_program());
    for program in [ours, real] {
        let mut sandbox = Sandbox::new("");
        let mut command = sandbox.marked(Command::new(&program));
        command.args(["sh", "-c", "echo $$ >pid; exec sleep 60"]).process_group(0);
        let mut init = Started { child: command.spawn().unwrap() };
        sandbox.wait_file("pid", "\n");
        let command = sandbox.file("pid").trim().parse().unwrap();
        for (number, state) in [(20, 'T'), (18, 'S')] {
            init.signal(number);
            for pid in [command, init.child.id()] {
                let what = format!("{} {pid} to be {state} after {number}", program.display());
                sandbox.wait(&what, |_| (state_of(pid) == Some(state)).then_some(()));
            }
        }
        init.signal(15);
        assert_eq!(init.wait(), 143);
    }
}

#[test]
fn signals_go_to_the_command_or_to_its_group() {
    let script = "(trap 'echo child >>signals' USR1; echo up >>signals; while :; do sleep 0.01; done) &
        trap 'echo command >>signals' USR1; echo up >>signals; while :; do sleep 0.01; done";
    for (words, everybody) in [(&["--"][..], false), (&["-g", "--"], true), (&["-S", "--"], true)] {
        let mut sandbox = Sandbox::new("");
        let init = Started::new(&sandbox, "sv", words, script);
        sandbox.wait_file("signals", "up\nup\n");
        init.signal(10);
        sandbox.wait_file("signals", "command\n");
        if everybody {
            sandbox.wait_file("signals", "child\n");
        } else {
            // Whatever is sent later comes later: a second one has come, and still none to the child.
            init.signal(10);
            sandbox.wait_file("signals", "command\ncommand\n");
            assert!(!sandbox.file("signals").contains("child"), "{words:?}");
        }
    }
}

#[test]
fn signals_and_exit_codes_are_rewritten() {
    let script = "trap 'exit 3' QUIT; trap 'exit 4' TERM; trap 'exit 5' USR2; echo up >signals; while :; do sleep 0.01; done";
    for (words, sent, code) in [
        (&["-r", "TERM:QUIT", "--"][..], 15, 3),
        (&["-r", "15:3", "-e", "3", "--"], 15, 0),
        (&["--rewrite=RTMIN+3:SIGTERM", "--exit-code=4:44", "--"], 37, 44),
        (&["-r", "HUP:0", "-r", "USR1:USR2", "--"], 10, 5),
    ] {
        let mut sandbox = Sandbox::new("");
        let mut init = Started::new(&sandbox, "sv", words, script);
        sandbox.wait_file("signals", "up");
        // To be ignored where it is rewritten to nothing, and to end the shell where a test is wrong.
        if words.contains(&"HUP:0") {
            init.signal(1);
        }
        init.signal(sent);
        assert_eq!(init.wait(), code, "{words:?}");
    }
}

#[test]
fn the_parent_death_signal_is_forwarded() {
    for (face, words) in [("sv", &["-p", "USR1", "--"][..]), ("tini", &["-p", "SIGUSR1", "--"])] {
        let mut sandbox = Sandbox::new("");
        let script =
            "trap 'echo orphaned >>signals; exit' USR1; echo up >signals; while :; do sleep 0.01; done";
        let mut command = sandbox.marked(Command::new("sh"));
        let init = sandbox.program(face);
        command
            .args(["-c", "\"$@\" & wait", "sh"])
            .arg(init.get_program())
            .args(words)
            .args(["sh", "-c", script]);
        let mut parent = Started { child: command.spawn().unwrap() };
        sandbox.wait_file("signals", "up");
        parent.signal(9);
        parent.wait();
        sandbox.wait_file("signals", "orphaned");
    }
}

#[test]
fn adopts_and_reaps_orphans_below_another_init() {
    let mut sandbox = Sandbox::new("");
    let script = "for i in $(seq 2000); do ( : & ); done; (sleep 600 & echo $! >orphan); echo made >made; exec sleep 600";
    let init = Started::new(&sandbox, "sv", &["--"], script);
    sandbox.wait_file("made", "made");
    let pid = init.child.id();
    let is_child = |child: u32| children(pid).contains(&child);
    let orphan = sandbox.file("orphan").trim().parse().unwrap();
    sandbox.wait("the orphan to be adopted", |_| is_child(orphan).then_some(()));
    // Of the two thousand none is left: there are the command and the one that lives.
    sandbox.wait("all orphans to be reaped", |_| (children(pid).len() == 2).then_some(()));
}

#[test]
fn reports_reaped_orphans_and_more_if_asked() {
    let sandbox = Sandbox::new("");
    // It lives until its parent is gone, who might reap it in passing.
    let script = "rm -f go; (sh -c 'until [ -e go ]; do sleep 0.01; done' & echo $! >pid); : >go; \
                  while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done";
    for (face, words, variables, reported) in [
        ("sv", &["-w", "--"][..], &[][..], "sv: reaped process "),
        ("tini", &["-w", "--"], &[], " reaped process "),
        ("tini", &["-w", "--"], &[("TINI_VERBOSITY", "0")], ""),
        ("dumb-init", &[], &[("DUMB_INIT_DEBUG", "1")], "[dumb-init] reaped process "),
        ("sv", &["--"], &[], ""),
    ] {
        let mut command = sandbox.program(face);
        let output = run(command.envs(variables.iter().copied()).args(words).args(["sh", "-c", script]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains(reported) && said.is_empty() == reported.is_empty(),
            "{face} {words:?}: {said}"
        );
    }
}

#[test]
fn descriptors_and_environment_reach_the_command() {
    let sandbox = Sandbox::new("");
    let script = "exec 5>five; A=b \"$0\" -- sh -c 'echo $A >&5; cat; echo err >&2'";
    let mut command = sandbox.marked(Command::new("sh"));
    command
        .args(["-c", script])
        .arg(binary())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"in\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"in\n".to_vec(), b"err\n".to_vec()));
    assert_eq!(sandbox.file("five"), "b\n");
}

#[test]
fn the_command_gets_the_terminal() {
    for (face, words) in FACES {
        let sandbox = Sandbox::new("");
        let script = "trap 'echo interrupted; exit 3' INT; ps -o tpgid= -p $$ | grep -qw $$ && echo in front; \
                      read line; echo got $line; while :; do sleep 0.01; done";
        let mut command = sandbox.program(face);
        command.args(words).args(["sh", "-c", script]);
        let mut terminal = Terminal::start(&command);
        terminal.expect("in front");
        terminal.type_in("word\r");
        terminal.expect("got word");
        terminal.type_in("\x03");
        terminal.expect("interrupted");
        assert_eq!(terminal.wait_exit().code(), Some(3), "{face}");
    }
}

#[test]
fn a_shell_suspends_and_continues_the_command_as_any_other() {
    let sandbox = Sandbox::new("");
    sandbox.write("job", "trap 'echo back' CONT; echo up; while :; do read line && echo \"<$line>\"; done");
    let mut shell = sandbox.marked(Command::new("bash"));
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "ready> ").env("SV", binary());
    let mut terminal = Terminal::start(&shell);
    terminal.expect("ready> ");
    terminal.type_in("$SV -- sh job\r");
    terminal.expect("up");
    terminal.type_in("one\r");
    terminal.expect("<one>");
    terminal.type_in("\x1a");
    terminal.expect("Stopped");
    terminal.expect("ready> ");
    terminal.type_in("fg\r");
    terminal.expect("back");
    terminal.type_in("two\r");
    terminal.expect("<two>");
    terminal.type_in("\x03");
    terminal.expect("ready> ");
    // In the background it is stopped when it reads, and the shell is notified.
    terminal.type_in("$SV -- sh job &\r");
    terminal.expect("up");
    terminal.type_in("until jobs -s | grep -q .; do sleep 0.01; done; echo se''en\r");
    terminal.expect("seen");
    terminal.type_in("fg\r");
    terminal.expect("back");
    terminal.type_in("three\r");
    terminal.expect("<three>");
    terminal.type_in("\x03");
    terminal.expect("ready> ");
    terminal.type_in("echo code $?\r");
    terminal.expect("code 130");
}

#[test]
fn the_terminal_is_given_back() {
    let sandbox = Sandbox::new("");
    let mut command = sandbox.marked(Command::new("sh"));
    // A shell without job control does not take it back itself.
    command.args(["-c", "\"$0\" -- true; echo again; read line && echo got $line"]).arg(binary());
    let mut terminal = Terminal::start(&command);
    terminal.expect("again");
    terminal.type_in("word\r");
    terminal.expect("got word");
    assert_eq!(terminal.wait_exit().code(), Some(0));
}

/// As a container's PID 1: a session leader that is not continued.
#[test]
fn a_suspended_command_is_continued_without_a_shell() {
    let sandbox = Sandbox::new("");
    let mut command = sandbox.program("sv");
    command.args(["--", "sh", "-c", "trap 'echo continued' CONT; echo up; while :; do sleep 0.01; done"]);
    let mut terminal = Terminal::start(&command);
    terminal.expect("up");
    terminal.type_in("\x1a");
    terminal.expect("continued");
    terminal.type_in("\x03");
    assert_eq!(terminal.wait_exit().code(), Some(130));
}

/// An init that was started; it is killed with all of its sandbox.
struct Started {
    child: Child,
}

impl Started {
    fn new(sandbox: &Sandbox, face: &str, words: &[&str], script: &str) -> Self {
        let mut command = sandbox.program(face);
        Self { child: command.args(words).args(["sh", "-c", script]).spawn().unwrap() }
    }

    /// By a shell, which knows real-time signals.
    fn signal(&self, number: i32) {
        let line = format!("kill -{number} {}", self.child.id());
        assert!(Command::new("bash").args(["-c", &line]).status().unwrap().success(), "{line}");
    }

    /// Its exit code, or the signal that ended it.
    fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().or(status.signal()).unwrap();
            }
            assert!(Instant::now() < deadline, "it did not end: {:?}", descendants(self.child.id()));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn outcome(output: &Output) -> String {
    format!("{}|{}", output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout))
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/bin").join(name);
    have(name, path.exists()).then_some(path)
}

/// R, S, D, T or Z: proc_pid_stat(5).
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
