//! `kill_tree`: nothing of a program outlives it, and nothing else is hit, with random trees of real processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, getuid, kill_process, test_kill_process};
use support::{HEAD, Sandbox, binary, have};

/// Forks a tree that depends on a seed: with groups and sessions of their own, double forks, parents that exit early, programs that are
/// executed without an environment, and processes that ignore SIGTERM. All of them hold a pipe open. `+` is
/// written for each before it is forked, and `-` when it has forked its children.
const TREE: &str = r"
use POSIX; $^F = 99;
my ($name, $seed, $depth, $end) = @ARGV;
srand($seed);
open(my $log, '>>', $name . '.log') or die;
open(my $alive, '>', $name . '.alive') or die;
open(my $pids, '>>', $name . '.pids') or die;
sub note { syswrite($log, $_[0]) }
sub stay { note('-'); sleep(1000) while 1 }
note('+') if $depth == 5;
grow($depth);
exit(0) if $end eq 'exits' and $depth == 5;
stay();
sub grow {
    my $depth = shift;
    syswrite($pids, $$ . qq(\n));
    return if $depth == 0;
    for (1 .. 1 + int(rand(3))) {
        my ($how, $seed) = (int(rand(7)), int(rand(1e9)));
        note('+');
        my $pid = fork();
        die unless defined $pid;
        next if $pid;
        srand($seed);
        $SIG{TERM} = 'IGNORE' if rand() < 0.2;
        setsid() if $how == 1;
        setpgid(0, 0) if $how == 2;
        if ($how == 3) { setsid(); POSIX::_exit(0) if fork(); }
        if ($how == 4) { %ENV = (); exec($^X, 'tree.pl', $name, $seed, $depth - 1, 'stays') or die; }
        grow($depth - 1);
        if ($how == 5) { note('-'); POSIX::_exit(0); }
        stay();
    }
}
";

/// A program with a tree, and the pipe that its processes hold open.
struct Tree {
    name: &'static str,
    pipe: File,
}

impl Tree {
    fn new(sandbox: &Sandbox, name: &'static str) -> Self {
        let path = sandbox.path(&format!("{name}.alive"));
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        Self { name, pipe: File::options().read(true).custom_flags(flags).open(path).unwrap() }
    }

    /// Starts the program and waits for its tree.
    fn grow(&self, sandbox: &mut Sandbox, seed: u64) {
        let name = self.name;
        for file in ["log", "pids"] {
            sandbox.write(&format!("{name}.{file}"), "");
        }
        sandbox.write(&format!("{name}.seed"), &seed.to_string());
        assert!(sandbox.ctl(&["start", name]).success, "{}", sandbox.story());
        sandbox.wait(&format!("the tree of {name} with seed {seed}"), |sandbox| {
            let log = sandbox.file(&format!("{name}.log"));
            let count = |sign| log.matches(sign).count();
            (count('+') > 0 && count('+') == count('-')).then_some(())
        });
    }

    /// Those that live.
    fn pids(&self, sandbox: &Sandbox) -> BTreeSet<i32> {
        let text = sandbox.file(&format!("{}.pids", self.name));
        let is_alive = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.contains("tree.pl"))
        };
        text.lines().map(|line| line.parse().unwrap()).filter(is_alive).collect()
    }

    /// Whether no process holds the pipe open.
    fn is_gone(&mut self) -> bool {
        matches!(self.pipe.read(&mut [0]), Ok(0))
    }
}

fn program(name: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=sh -c 'exec perl tree.pl {name} $(cat {name}.seed) 5 stays'\ndirectory=%(here)s\n\
         autostart=false\nautorestart=false\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n"
    )
}

/// `SV_TEST_SEED` repeats one seed.
fn seeds() -> Vec<u64> {
    let one = std::env::var("SV_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    one.map_or_else(|| (1..=8).collect(), |seed| vec![seed])
}

fn sandbox(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("tree.pl", TREE);
    sandbox.start()
}

/// Grows a tree beside others, ends it and sees that it is gone and the others are complete.
fn check(options: &str, mut end: impl FnMut(&mut Sandbox, u64)) {
    let mut sandbox = sandbox(
        &[
            program("tree", &format!("kill_tree=true\n{options}")),
            program("like", &format!("kill_tree=true\n{options}")),
            program("plain", ""),
        ]
        .concat(),
    );
    let mut tree = Tree::new(&sandbox, "tree");
    let others = ["like", "plain"].map(|name| Tree::new(&sandbox, name));
    for other in &others {
        other.grow(&mut sandbox, 77);
    }
    let before: Vec<_> = others.iter().map(|other| other.pids(&sandbox)).collect();
    assert!(before.iter().all(|pids| pids.len() > 10), "{before:?}");
    for seed in seeds() {
        tree.grow(&mut sandbox, seed);
        assert!(!tree.is_gone());
        end(&mut sandbox, seed);
        // A stop is answered when nothing is left, except zombies that are to be reaped.
        sandbox.wait(&format!("nothing to be left of the tree of seed {seed}"), |_| {
            tree.is_gone().then_some(())
        });
        let after: Vec<_> = others.iter().map(|other| other.pids(&sandbox)).collect();
        assert_eq!(after, before, "bystanders of seed {seed}");
    }
    let plain = &others[1];
    for pid in plain.pids(&sandbox) {
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
    assert!(sandbox.ctl(&["shutdown"]).success);
    sandbox.wait_exit();
}

fn stop(sandbox: &mut Sandbox, seed: u64) {
    let answer = sandbox.ctl(&["stop", "tree"]);
    assert!(answer.success, "seed {seed}: {}", sandbox.story());
    assert_eq!(sandbox.state("tree").as_deref(), Some("STOPPED"));
}

fn kill_leader(sandbox: &mut Sandbox, _: u64) {
    kill_process(sandbox.pid("tree").unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_stop_ends_the_tree_by_its_cgroup_where_there_is_one() {
    check("", stop);
}

#[test]
fn a_stop_ends_the_tree_without_a_cgroup() {
    check("cgroup=off", stop);
}

#[test]
fn a_crash_ends_the_tree_without_a_cgroup() {
    check("cgroup=off", kill_leader);
}

#[test]
fn a_crash_ends_the_tree_by_its_cgroup_where_there_is_one() {
    check("", kill_leader);
}

/// There `kill_tree` is as `killasgroup`.
#[test]
fn without_proc_the_group_is_stopped_and_killed() {
    const HIDE: &str = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let can_mount = || Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/proc"]).status();
    if !getuid().is_root() || !have("unshare -m", can_mount().is_ok_and(|it| it.success())) {
        return;
    }
    // What ignores the stop signal needs SIGKILL, the other one does not.
    let program = |name: &str, first: &str| {
        let script = format!("{first}sleep 1000 & echo $! > {name}.pid; trap - TERM; exec sleep 1000");
        format!(
            "[program:{name}]\ncommand=sh -c '{script}'\ndirectory=%(here)s\nkill_tree=true\nautorestart=false\n\
             startsecs=0\nstopwaitsecs={}\n",
            if first.is_empty() { 60 } else { 1 }
        )
    };
    let programs = program("stopped", "") + &program("killed", "trap \"\" TERM; ");
    let sandbox = Sandbox::with_programs(&programs);
    let binary = binary();
    let words = ["-m", "sh", "-c", HIDE, binary.to_str().unwrap(), "run"];
    let mut sandbox = sandbox.run_by(Path::new("unshare"), "unshare", &words).start();
    for name in ["stopped", "killed"] {
        let pid =
            sandbox.wait("a member", |sandbox| sandbox.file(&format!("{name}.pid")).trim().parse().ok());
        sandbox.wait_state(name, "RUNNING");
        let before = Instant::now();
        assert!(sandbox.ctl(&["stop", name]).success, "{}", sandbox.story());
        assert!(before.elapsed() < Duration::from_secs(8), "{}", sandbox.story());
        let is_gone = || test_kill_process(Pid::from_raw(pid).unwrap()).is_err();
        sandbox.wait("the member to be gone", |_| is_gone().then_some(()));
    }
}

/// What a nested supervisor leaves behind has its own marks and those of the outer one.
#[test]
fn what_a_nested_supervisor_leaves_when_it_is_killed_is_ended_with_it() {
    const INNER: &str = "[supervisord]\nlogfile=%(here)s/inner.log\n[program:web]\n\
        command=sh -c '(setsid sleep 1000 & echo $! > daemon.pid) && exec sleep 1000'\n\
        directory=%(here)s\nkill_tree=true\ncgroup=off\nstartsecs=0\n";
    let binary = binary();
    let sandbox = Sandbox::with_programs(&format!(
        "[program:inner]\ncommand={} run -s -c %(here)s/inner.conf\nkill_tree=true\ncgroup=off\n\
         autorestart=false\nstartsecs=0\nstopwaitsecs=5\n",
        binary.display()
    ));
    sandbox.write("inner.conf", INNER);
    let mut sandbox = sandbox.start();
    let daemon = sandbox.wait("the daemon", |sandbox| sandbox.file("daemon.pid").trim().parse().ok());
    let daemon = Pid::from_raw(daemon).unwrap();
    // Without its parent it has been adopted by the inner one.
    sandbox.wait("the daemon to be an orphan", |sandbox| {
        let [inner, daemon] =
            [sandbox.pid("inner")?, daemon].map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
        (support::parent(daemon)? == inner).then_some(())
    });
    kill_process(sandbox.pid("inner").unwrap(), Signal::KILL).unwrap();
    sandbox.wait("the daemon to be gone", |_| test_kill_process(daemon).is_err().then_some(()));
}

/// An `update` that sets it holds for the program that runs: for its descendants, as it has no mark.
#[test]
fn an_update_that_sets_it_reaches_descendants_of_the_running_program() {
    let config = |options: &str| {
        format!(
            "{HEAD}[program:web]\ncommand=sh -c 'setsid sleep 1000 & echo $! > member.pid; trap \"\" TERM; while :; do sleep 1; done'\n\
             directory=%(here)s\nstartsecs=0\ncgroup=off\n{options}"
        )
    };
    let mut sandbox = Sandbox::new(&config("")).start();
    let member = sandbox.wait("the member", |sandbox| sandbox.file("member.pid").trim().parse().ok());
    let member = Pid::from_raw(member).unwrap();
    let first = sandbox.pid("web");
    sandbox.write("supervisord.conf", &config("kill_tree=true\nstopwaitsecs=1\n"));
    assert!(sandbox.ctl(&["update"]).success);
    assert_eq!(sandbox.pid("web"), first, "{}", sandbox.log());
    // With its leader alive: the member is found as its descendant.
    assert!(sandbox.ctl(&["stop", "web"]).success);
    sandbox.wait("the member to be gone", |_| test_kill_process(member).is_err().then_some(()));
}

/// Reads of /proc, of which a search takes one for each process of the machine.
fn reads_of(supervisor: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{supervisor}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().parse().unwrap()
}

#[test]
fn programs_that_are_killed_together_are_searched_for_together() {
    const PROGRAMS: usize = 40;
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:stubborn]\nprocess_name=%(process_num)d\nnumprocs={PROGRAMS}\n\
         command=sh -c 'trap \"\" TERM; setsid sleep 1000 & exec sleep 1000'\n\
         kill_tree=true\ncgroup=off\nstartsecs=0\nstopwaitsecs=1\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n"
    ))
    .start();
    let supervisor = sandbox.supervisor_pid().as_raw_nonzero().get();
    let members = || support::descendants(supervisor.cast_unsigned()).len();
    sandbox.wait("all processes", |_| (members() == 2 * PROGRAMS).then_some(()));
    let before = reads_of(supervisor);
    assert!(sandbox.ctl(&["stop", "stubborn:*"]).success, "{}", sandbox.story());
    sandbox.wait("nothing to be left", |_| (members() == 0).then_some(()));
    let reads = reads_of(supervisor) - before;
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let processes = processes.filter(|it| it.file_name().to_string_lossy().parse::<u32>().is_ok()).count();
    // A search for each of them would be more than so many.
    let searches = reads as usize / (processes + 2 * PROGRAMS);
    assert!(searches < PROGRAMS, "{reads} reads, {processes} other processes");
}
