//! What may happen before the first program runs: signals that come early, an inherited signal mask, standard
//! descriptors that nobody reads. From outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::time::{Duration, Instant};

mod support;

use rustix::process::Signal;
use support::container::{Container, HEAD as CONTAINER_HEAD};
use support::{Sandbox, binary};

/// Executes its arguments with all signals blocked but KILL and STOP.
const BLOCK_ALL: &str = "use POSIX; my $all = POSIX::SigSet->new; $all->fillset; \
    POSIX::sigprocmask(SIG_BLOCK, $all) or die; exec @ARGV or die";

#[test]
fn a_supervisor_that_was_started_with_signals_blocked_reaps_and_obeys() {
    let mut sandbox = Sandbox::with_programs(
        "[program:job]\ncommand=sh -c 'grep SigBlk /proc/self/status; exit 3'\nautorestart=false\nstartsecs=0\n\
         stdout_logfile=%(here)s/job.out\n",
    );
    let mut command = sandbox.marked(std::process::Command::new("perl"));
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
        let mut command = sandbox.marked(std::process::Command::new("perl"));
        // It waits at its prompt, as standard input stays open.
        command.args(["-e", program]).arg(binary()).arg("-c").arg(sandbox.config());
        command.stdin(std::process::Stdio::piped()).stdout(std::fs::File::create(&out).unwrap());
        command.stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + support::PATIENCE;
        while std::fs::metadata(&out).unwrap().len() == 0 {
            assert!(Instant::now() < deadline, "the client prints no prompt");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(status.contains(&format!("SigBlk:\t{mask}\n")), "{program}\n{status}");
        std::fs::remove_file(&out).unwrap();
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
    // Docker may be slow, but not each time.
    let started = container.logs().matches("spawned: 'p0' ").count();
    assert!(started < STARTS, "{}", container.logs());
}
