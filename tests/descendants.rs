//! Output of what outlives the program that started it: daemons, `tee`, children that were not waited for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use support::container::{Container, HEAD, docker};
use support::wire::cpu_ticks;
use support::{Sandbox, have};

/// Writes its number and its count until a file exists, and is killed by SIGPIPE if its reader is gone.
const DAEMON: &str = "i=0
while [ ! -e stop ]; do i=$((i+1)); echo \"$1 line $i\"; sleep 0.02; done
echo \"$1 ends\"
";

/// A program that starts the daemon, writes the daemon's pid to a file and exits.
fn launcher(options: &str) -> String {
    format!(
        "[program:launcher]\ncommand=sh -c 'sh daemon.sh run$$ & echo $! >daemon.pid; echo launched'\n\
         directory=%(here)s\nstartsecs=0\nautorestart=false\nstdout_logfile=%(here)s/out.log\n{options}"
    )
}

fn start(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("daemon.sh", DAEMON);
    sandbox.start()
}

fn daemon(sandbox: &Sandbox) -> Pid {
    sandbox.file("daemon.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap()
}

/// What a log and its backups hold, the oldest first.
fn everything(sandbox: &Sandbox, name: &str) -> String {
    let backups = (1..).map(|n| format!("{name}.{n}")).take_while(|name| sandbox.path(name).exists());
    let mut names: Vec<_> = backups.collect();
    names.reverse();
    names.iter().map(|name| sandbox.file(name)).collect::<String>() + &sandbox.file(name)
}

/// The counts in the lines of one run.
fn counts(text: &str, run: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.strip_prefix(run)?.strip_prefix(" line ")?.parse().ok()).collect()
}

/// The runs whose lines there are, in order of appearance.
fn runs(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for run in text.lines().filter_map(|line| line.split_once(" line ").map(|(run, _)| run.to_owned())) {
        if !all.contains(&run) {
            all.push(run);
        }
    }
    all
}

fn wait_for_lines(sandbox: &mut Sandbox, more: usize) {
    let lines = |it: &Sandbox| everything(it, "out.log").lines().count();
    let before = lines(sandbox);
    sandbox.wait("more lines of the daemon", |it| (lines(it) >= before + more).then_some(()));
}

/// Waits until half a second goes by in which the supervisor uses hardly any CPU time.
fn wait_idle(sandbox: &mut Sandbox, what: &str) {
    let supervisor = sandbox.supervisor_pid();
    sandbox.wait(&format!("the supervisor to be idle with {what}"), |_| {
        let (before, since) = (cpu_ticks(supervisor), Instant::now());
        while since.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(50));
        }
        (cpu_ticks(supervisor) - before < 3).then_some(())
    });
}

#[test]
fn a_daemon_outlives_its_launcher_and_its_lines_stay_in_the_log() {
    let mut sandbox = start(&launcher(""));
    sandbox.wait_state("launcher", "EXITED");
    wait_for_lines(&mut sandbox, 10);
    assert!(test_kill_process(daemon(&sandbox)).is_ok(), "{}", sandbox.story());
    sandbox.wait_log("hold its output open; it is read until they close it");
    assert_eq!(sandbox.log().matches("hold its output open").count(), 1, "{}", sandbox.log());
    sandbox.write("stop", "");
    sandbox.wait("its last line", |it| it.file("out.log").contains(" ends\n").then_some(()));
    let text = sandbox.file("out.log");
    assert!(text.starts_with("launched\n") || text.contains("\nlaunched\n"), "{text}");
}

#[test]
fn a_daemon_in_a_session_of_its_own_keeps_its_output_too() {
    let script = "use POSIX; $| = 1; exit 0 if fork; setsid(); $SIG{PIPE} = 'DEFAULT'; my $i = 0; \
                  until (-e 'stop') { $i++; print qq(perl line $i\\n); print STDERR qq(oops\\n); select(undef, undef, undef, 0.02) } print qq(ends\\n);";
    let mut sandbox = Sandbox::with_programs(
        "[program:forker]\ncommand=perl fork.pl\ndirectory=%(here)s\nstartsecs=0\nautorestart=false\n\
         stdout_logfile=%(here)s/out.log\nstderr_logfile=%(here)s/err.log\n",
    );
    sandbox.write("fork.pl", script);
    sandbox = sandbox.start();
    sandbox.wait_state("forker", "EXITED");
    wait_for_lines(&mut sandbox, 20);
    sandbox.write("stop", "");
    sandbox.wait("its last line", |it| it.file("out.log").contains("ends\n").then_some(()));
    assert!(sandbox.file("err.log").lines().count() > 10);
}

#[test]
fn runs_that_overlap_share_one_log_and_one_rotation() {
    let mut sandbox = start(&launcher("stdout_logfile_maxbytes=300\nstdout_logfile_backups=500\n"));
    for _ in 0..3 {
        sandbox.wait_state("launcher", "EXITED");
        wait_for_lines(&mut sandbox, 20);
        assert!(sandbox.ctl(&["start", "launcher"]).success);
    }
    sandbox.signal(Signal::USR2);
    wait_for_lines(&mut sandbox, 60);
    sandbox.write("stop", "");
    sandbox.wait("four last lines", |it| {
        (everything(it, "out.log").matches(" ends\n").count() == 4).then_some(())
    });
    let text = everything(&sandbox, "out.log");
    let runs = runs(&text);
    assert_eq!(runs.len(), 4, "{text}");
    for run in &runs {
        let counts = counts(&text, run);
        assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1) && counts[0] == 1, "{run}: {counts:?}");
    }
    let backups = (1..).take_while(|n| sandbox.path(&format!("out.log.{n}")).exists());
    // The file that is written to is the newest: none but it is short.
    for n in backups {
        let size = fs::metadata(sandbox.path(&format!("out.log.{n}"))).unwrap().len();
        assert!((300..400).contains(&size), "out.log.{n} has {size} bytes");
    }
    assert_eq!(sandbox.log().matches("hold its output open").count(), 1, "{}", sandbox.log());
}

#[test]
fn the_log_of_a_program_that_is_replaced_or_removed_stays_open_for_its_descendants() {
    let mut sandbox = start(&launcher(""));
    sandbox.wait_state("launcher", "EXITED");
    sandbox.replace("supervisord.conf", "directory=%(here)s\n", "directory=%(here)s\nenvironment=A=\"1\"\n");
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_log("spawned: 'launcher' with pid ");
    wait_for_lines(&mut sandbox, 20);
    // A restart in place, then without the program.
    sandbox.signal(Signal::HUP);
    sandbox.wait("two starts", |it| {
        (it.log().matches("supervisord started with pid").count() == 2).then_some(())
    });
    sandbox.wait_ready();
    wait_for_lines(&mut sandbox, 20);
    let config = sandbox.file("supervisord.conf");
    let (kept, _) = config.split_once("[program:launcher]").unwrap();
    sandbox.write("supervisord.conf", kept);
    assert!(sandbox.ctl(&["update"]).success);
    assert!(sandbox.state("launcher").is_none());
    wait_for_lines(&mut sandbox, 20);
    // Emptied and moved away by others, it is opened again by signal.
    fs::rename(sandbox.path("out.log"), sandbox.path("moved.log")).unwrap();
    sandbox.signal(Signal::USR2);
    wait_for_lines(&mut sandbox, 5);
    sandbox.write("stop", "");
    sandbox.wait("the last lines of all three", |it| {
        let text = it.file("moved.log") + &it.file("out.log");
        (text.matches(" ends\n").count() == 3).then_some(())
    });
}

#[test]
fn clearing_the_log_and_format_changes_apply_to_descendants() {
    let mut sandbox = start(&launcher("log_format=json\nlog_timestamp=false\n"));
    sandbox.wait_state("launcher", "EXITED");
    wait_for_lines(&mut sandbox, 5);
    assert!(sandbox.ctl(&["clear", "launcher"]).success);
    let text = sandbox.file("out.log");
    assert!(!text.contains("line 1\""), "{text}");
    sandbox.replace("supervisord.conf", "log_format=json", "log_format=prefix");
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait("lines in the new form", |it| it.file("out.log").contains("\nlauncher | run").then_some(()));
    assert_eq!(sandbox.log().matches("spawned: 'launcher'").count(), 1, "it was applied in place");
    sandbox.write("stop", "");
    sandbox.wait("its last line", |it| it.file("out.log").contains(" ends\n").then_some(()));
}

#[test]
fn the_last_line_of_a_program_does_not_wait_for_its_descendants() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sh -c 'sleep 1000 & printf \"out of memory\"; exit 3'\nstartsecs=0\nautorestart=false\n\
         log_format=prefix\nstdout_logfile=%(here)s/out.log\n",
    )
    .start();
    sandbox.wait_log("exited: web (exit status 3; not expected)");
    assert_eq!(sandbox.file("out.log"), "web | out of memory\n");
}

#[test]
fn no_line_is_lost_with_a_tee() {
    if !have("bash", std::process::Command::new("bash").arg("-c").arg(":").status().is_ok()) {
        return;
    }
    let app = "for i in $(seq 120); do echo line $i; done; exit 3";
    let mut sandbox = Sandbox::with_programs(
        "[program:app]\ncommand=bash run.sh\ndirectory=%(here)s\nstartsecs=0\nautorestart=false\nautostart=false\n\
         stdout_logfile=%(here)s/out.log\n",
    );
    sandbox.write("run.sh", "exec > >(tee -a own.log) 2>&1\nexec bash app.sh\n");
    sandbox.write("app.sh", app);
    sandbox = sandbox.start();
    for run in 1..=5 {
        assert!(sandbox.ctl(&["start", "app"]).success);
        sandbox.wait("all lines", |it| {
            let lines = |name: &str| it.file(name).lines().filter(|line| line.starts_with("line ")).count();
            (lines("own.log") == 120 * run && lines("out.log") == 120 * run).then_some(())
        });
        sandbox.wait_state("app", "EXITED");
    }
}

#[test]
fn the_last_lines_of_a_tee_are_written_before_the_supervisor_exits() {
    if !have("bash", std::process::Command::new("bash").arg("-c").arg(":").status().is_ok()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:app]\ncommand=bash run.sh\ndirectory=%(here)s\nstartsecs=0\nautorestart=false\non_exit=shutdown\n\
         stdout_logfile=%(here)s/out.log\n",
    );
    sandbox.write(
        "run.sh",
        "exec > >(tee -a own.log) 2>&1\nexec bash -c 'for i in $(seq 120); do echo line $i; done'\n",
    );
    sandbox.run_to_end();
    assert_eq!(sandbox.file("out.log").lines().count(), 120);
    assert_eq!(sandbox.file("own.log").lines().count(), 120);
}

#[test]
fn an_orphan_of_pid_1_prints_and_saves_on_sigterm() {
    let program =
        "[program:server]\ncommand=/bin/sh -c 'sh /app.sh & wait'\nstdout_logfile=/var/log/out.log\n";
    let app = "trap 'echo saving; for i in 1 2 3; do echo step $i; sleep 0.05; done; echo saved; echo done >/saved; exit 0' TERM\n\
               echo ready\nwhile :; do sleep 0.05; done\n";
    let Some(container) = Container::create(&[], &[]) else { return };
    container.copy_in("/etc/supervisord.conf", &format!("{HEAD}{program}"));
    container.copy_in("/app.sh", app);
    container.start();
    container.wait_ready();
    container.wait("the app", || {
        container.exec(&["cat", "/var/log/out.log"]).stdout.contains("ready").then_some(())
    });
    assert!(docker(&["stop", &container.name]).success());
    assert_eq!(container.copy_out("/var/log/out.log"), "ready\nsaving\nstep 1\nstep 2\nstep 3\nsaved\n");
    assert_eq!(container.copy_out("/saved"), "done\n");
}

#[test]
fn output_of_an_orphan_terminated_later_is_still_read() {
    let program = "[program:server]\ncommand=sh -c 'sh app.sh & echo $! >app.pid; wait'\ndirectory=%(here)s\n\
                   stdout_logfile=%(here)s/out.log\nstartsecs=0\n";
    let app = "trap 'echo saving; echo saved; echo done >saved; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n";
    let mut sandbox = Sandbox::with_programs(program);
    sandbox.write("app.sh", app);
    sandbox = sandbox.start();
    sandbox.wait("the app", |it| it.file("out.log").contains("ready").then_some(()));
    assert!(sandbox.ctl(&["stop", "server"]).success);
    let pid = sandbox.file("app.pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    sandbox.wait("the app to end", |it| it.path("saved").exists().then_some(()));
    sandbox.wait("its last line", |it| it.file("out.log").contains("saving\nsaved\n").then_some(()));
}

#[test]
fn leftover_output_of_a_dead_listener_is_not_an_answer_of_the_next() {
    // The first run leaves a process that continues the protocol; the second must not be taken for ready.
    let script = "if [ -e second ]; then echo started >>runs; exec sleep 1000; fi\n>second\n\
                  (while [ ! -e stop ]; do echo READY; sleep 0.02; done) &\nexit 0\n";
    let mut sandbox = Sandbox::with_programs(
        "[eventlistener:silent]\ncommand=sh listener.sh\nevents=TICK_5\ndirectory=%(here)s\nstartsecs=0\n\
         autorestart=true\nstdout_logfile=%(here)s/out.log\n",
    );
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=debug\n");
    sandbox.write("listener.sh", script);
    sandbox = sandbox.start();
    sandbox.wait("the second run", |it| it.path("runs").exists().then_some(()));
    sandbox.wait_state("silent", "RUNNING");
    wait_for_lines(&mut sandbox, 20);
    let log = sandbox.log();
    let second = log.rfind("spawned: 'silent'").unwrap();
    assert!(!log[second..].contains("silent: ACKNOWLEDGED -> READY"), "{log}");
    sandbox.write("stop", "");
}

#[test]
fn the_oldest_stream_is_closed_when_there_are_too_many() {
    let mut sandbox = Sandbox::with_programs(
        "[program:many]\ncommand=sh -c 'sleep 1000 & exit 0'\nprocess_name=%(process_num)d\nnumprocs=130\n\
         startsecs=0\nautorestart=false\nstdout_logfile=%(here)s/out.log\nstderr_logfile=%(here)s/err.log\n",
    )
    .start();
    sandbox.wait_log("is closed, although other processes hold it open");
    sandbox.wait("all to end", |it| (it.log().matches("exited: ").count() == 130).then_some(()));
    // Two streams each, 256 are kept.
    sandbox.wait("four to be closed", |it| {
        (it.log().matches("is closed, although other processes hold it open").count() == 4).then_some(())
    });
    assert!(sandbox.log().contains("stdout of '0' (pid "), "{}", sandbox.log());
}

#[test]
fn a_full_log_and_a_dead_writer_cost_no_cpu_time() {
    let mut sandbox = Sandbox::with_programs(
        "[program:launcher]\ncommand=sh -c 'yes >&1 & echo $! >daemon.pid'\ndirectory=%(here)s\nstartsecs=0\n\
         autorestart=false\nautostart=false\nstdout_logfile=%(here)s/fifo\n",
    );
    let fifo = sandbox.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader =
        rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).unwrap();
    sandbox = sandbox.start();
    assert!(sandbox.ctl(&["start", "launcher"]).success);
    sandbox.wait_log("hold its output open");
    wait_idle(&mut sandbox, "a full log");
    kill_process(daemon(&sandbox), Signal::KILL).unwrap();
    wait_idle(&mut sandbox, "a dead writer");
    // What was written is still there, down to the last byte.
    let (mut reader, mut buffer, mut lines) = (File::from(reader), vec![0; 65536], 0);
    sandbox.wait("all of it", |it| {
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            lines += count / 2;
        }
        let open = fs::read_dir(format!("/proc/{}/fd", it.supervisor_pid().as_raw_nonzero())).unwrap();
        let links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        (links.filter(|link| *link == fifo).count() == 0).then_some(())
    });
    assert!(lines > 100_000, "{lines} lines");
}

#[test]
fn the_log_of_a_program_that_is_gone_is_closed() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstdout_logfile=%(here)s/0\n\
         stderr_logfile=%(here)s/regular.log\nstartsecs=0\n",
    );
    let mkfifo = |it: &Sandbox, name: &str| {
        nix::unistd::mkfifo(&it.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        rustix::fs::open(it.path(name), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .unwrap()
    };
    let mut readers = vec![mkfifo(&sandbox, "0")];
    sandbox = sandbox.start();
    for n in 1..=8 {
        let (old, new) = (format!("%(here)s/{}\n", n - 1), format!("%(here)s/{n}\n"));
        readers.push(mkfifo(&sandbox, &n.to_string()));
        sandbox.replace("supervisord.conf", &old, &new);
        assert!(sandbox.ctl(&["update"]).success);
        sandbox.wait_state("talker", "RUNNING");
    }
    let open = |it: &Sandbox| {
        let fds = fs::read_dir(format!("/proc/{}/fd", it.supervisor_pid().as_raw_nonzero())).unwrap();
        let links = fds.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links
            .filter(|link| link.starts_with(it.dir()) && !link.ends_with("supervisord.log"))
            .collect::<Vec<_>>()
    };
    let expected = [sandbox.path("8"), sandbox.path("regular.log")];
    sandbox.wait("the others to be closed", |it| {
        let mut open = open(it);
        open.sort();
        (open == expected).then_some(())
    });
    assert!(sandbox.ctl(&["stop", "talker"]).success);
    sandbox.wait("all to be closed", |it| open(it).is_empty().then_some(()));
}
