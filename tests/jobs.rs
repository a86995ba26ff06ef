//! What is run around a program and on a schedule, with real commands.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use support::{Sandbox, have};

#[test]
fn runtime_directories_are_made_before_each_start() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sh -c 'touch %(here)s/run/web/pid; echo up >> %(here)s/out; sleep 1000'\n\
         runtime_directory=%(here)s/run/web,%(here)s/run/other\n\
         [program:bad]\ncommand=sleep 1000\nstartretries=0\nruntime_directory=/proc/none\n",
    )
    .start();
    sandbox.wait_file("out", "up\n");
    let mode = |name: &str| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("run/web"), mode("run/other")], [0o755, 0o755]);
    sandbox.wait_state("bad", "FATAL");
    sandbox.wait_log("spawnerr: cannot make '/proc/none' (runtime_directory): No such file or directory");
    fs::remove_dir_all(sandbox.path("run")).unwrap();
    sandbox.ctl(&["restart", "web"]);
    sandbox.wait_file("out", "up\nup\n");
    assert!(sandbox.path("run/web/pid").exists());
}

/// A scheduled program that writes a line to the file `runs` when it starts. What follows is its command's.
fn scheduled(name: &str, then: &str, options: &str) -> String {
    format!("[program:{name}]\ncommand=sh -c 'echo $$ >> runs; {then}'\nstartsecs=0\n{options}\n")
}

fn status(sandbox: &Sandbox, name: &str) -> String {
    sandbox.ctl(&["status", name]).stdout.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

fn runs(sandbox: &Sandbox) -> usize {
    sandbox.file("runs").lines().count()
}

#[track_caller]
fn wait_runs(sandbox: &mut Sandbox, count: usize) {
    sandbox.wait(&format!("{count} runs"), |sandbox| (runs(sandbox) >= count).then_some(()));
}

#[test]
fn a_scheduled_program_runs_when_it_is_due_and_not_with_the_supervisor() {
    let mut sandbox = Sandbox::with_programs(&format!(
        "{}{}",
        scheduled("often", "true", "schedule=@every 1s"),
        scheduled("seldom", "true", "schedule=@daily")
    ))
    .start();
    assert!(status(&sandbox, "seldom").starts_with("STOPPED next run "), "{}", status(&sandbox, "seldom"));
    wait_runs(&mut sandbox, 3);
    sandbox.wait("an end and the next run in the status", |sandbox| {
        let status = status(sandbox, "often");
        (status.starts_with("EXITED ") && status.contains(", next run ")).then_some(())
    });
    sandbox.wait_log("often: scheduled run");
    assert!(!sandbox.log().contains("spawned: 'seldom'"), "{}", sandbox.log());
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
}

#[test]
fn a_start_runs_it_now_and_a_stop_pauses_the_schedule() {
    let mut sandbox = Sandbox::with_programs(&scheduled("job", "true", "schedule=@every 1h")).start();
    assert!(status(&sandbox, "job").starts_with("STOPPED next run "));
    let answer = sandbox.ctl(&["start", "job"]);
    assert!(answer.success, "{answer:?}");
    wait_runs(&mut sandbox, 1);
    sandbox.wait_state("job", "EXITED");
    assert_eq!(sandbox.ctl(&["stop", "job"]).stdout, "job: stopped\n");
    sandbox.wait_log("job: schedule paused");
    assert!(status(&sandbox, "job").ends_with(", schedule paused"), "{}", status(&sandbox, "job"));
    sandbox.ctl(&["start", "job"]);
    wait_runs(&mut sandbox, 2);
    sandbox.wait("the schedule to continue", |sandbox| {
        status(sandbox, "job").contains(", next run ").then_some(())
    });
}

#[test]
fn a_scheduled_oneshot_that_fails_is_tried_again_with_the_next_run() {
    let mut sandbox = Sandbox::with_programs(&scheduled(
        "job",
        "test -e go",
        "type=oneshot\nschedule=@every 1s\nstartretries=0",
    ))
    .start();
    wait_runs(&mut sandbox, 1);
    sandbox.wait("a failure and the next run in the status", |sandbox| {
        let status = status(sandbox, "job");
        (status.starts_with("FATAL exit status 1, next run ")).then_some(())
    });
    sandbox.write("go", "");
    sandbox.wait_state("job", "EXITED");
}

/// One run that does not end before there is a file `go`, with this policy.
fn overlapping(policy: &str) -> Sandbox {
    let then = "until [ -e go ]; do sleep 0.02; done";
    let options = format!("schedule=@every 1s\nschedule_overlap={policy}\nstopasgroup=true");
    let mut sandbox = Sandbox::with_programs(&scheduled("job", then, &options)).start();
    wait_runs(&mut sandbox, 1);
    sandbox
}

#[test]
fn a_run_that_is_due_before_the_last_is_over_is_skipped() {
    let mut sandbox = overlapping("skip");
    let skipped = "job: scheduled run skipped, the last is not over";
    sandbox.wait("two runs to be skipped", |sandbox| {
        (sandbox.log().matches(skipped).count() >= 2).then_some(())
    });
    assert_eq!(runs(&sandbox), 1);
    sandbox.write("go", "");
    wait_runs(&mut sandbox, 2);
}

#[test]
fn a_run_that_is_due_before_the_last_is_over_is_queued_once() {
    let mut sandbox = overlapping("queue");
    sandbox.wait("two runs to be queued", |sandbox| {
        (sandbox.log().matches("job: scheduled run queued").count() >= 2).then_some(())
    });
    assert_eq!(runs(&sandbox), 1);
    sandbox.write("go", "");
    wait_runs(&mut sandbox, 2);
}

#[test]
fn a_run_that_is_due_before_the_last_is_over_may_take_its_place() {
    let mut sandbox = overlapping("restart");
    wait_runs(&mut sandbox, 2);
    // The first is gone.
    sandbox.wait_log("job: scheduled run is due, stopping the last");
    sandbox.wait_log("stopped: job (terminated by SIGTERM)");
    let first = sandbox.file("runs").lines().next().unwrap().to_owned();
    assert!(!fs::exists(format!("/proc/{first}")).unwrap());
}

#[test]
fn a_schedule_has_a_time_zone_and_is_changed_in_place() {
    if !have("zone files", fs::exists("/usr/share/zoneinfo/Asia/Tokyo").unwrap()) {
        return;
    }
    let job = scheduled("job", "true", "schedule=0 3 * * *\nschedule_timezone=Asia/Tokyo");
    let mut sandbox = Sandbox::with_programs(&job).env("TZ", "UTC").start();
    assert!(status(&sandbox, "job").ends_with(" 06:00 PM"), "{}", status(&sandbox, "job"));
    sandbox.replace("supervisord.conf", "Asia/Tokyo", "UTC");
    let config = sandbox.config().display().to_string();
    let update = sandbox.program("sv").args(["update", "-c", &config]).output().unwrap();
    assert!(update.status.success(), "{update:?}");
    assert!(status(&sandbox, "job").ends_with(" 03:00 AM"), "{}", status(&sandbox, "job"));
    sandbox.replace("supervisord.conf", "schedule=0 3 * * *", "schedule=@every 1s\nschedule_jitter=1");
    assert!(sandbox.program("sv").args(["update", "-c", &config]).output().unwrap().status.success());
    wait_runs(&mut sandbox, 1);
}

/// The library that gives a program another wall clock, where the binary under test can load one.
fn faketime() -> Option<String> {
    // The name of the dynamic linker is near the start of a program that has one.
    let is_dynamic = fs::read(support::binary()).unwrap()[..4096].windows(4).any(|bytes| bytes == b"/ld-");
    if !is_dynamic {
        _ = writeln!(std::io::stderr(), "skipped: a static binary loads no library that sets its clock");
        return None;
    }
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    have("libfaketime", fs::exists(&library).unwrap()).then_some(library)
}

#[test]
fn a_run_that_was_missed_is_made_up_with_schedule_catch_up() {
    let Some(library) = faketime() else { return };
    let job = |name: &str, options: &str| scheduled(name, "true", &format!("schedule=@every 1s\n{options}"));
    let programs = job("plain", "priority=1") + &job("made_up", "priority=2\nschedule_catch_up=true");
    let sandbox = Sandbox::with_programs(&programs);
    sandbox.write("clock", "+0");
    let clock = sandbox.path("clock").display().to_string();
    let mut sandbox = sandbox
        .env("LD_PRELOAD", &library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    // Also those that are skipped because the last is not over.
    let due =
        |sandbox: &Sandbox, name: &str| sandbox.log().matches(&format!("{name}: scheduled run")).count();
    sandbox.wait("a run of each", |it| (due(it, "plain") >= 1 && due(it, "made_up") >= 1).then_some(()));
    // For thousands of missed runs there is one.
    sandbox.write("clock", "+2h");
    sandbox.wait_log("plain: a scheduled run was missed, and is not made up");
    // Both are due together and the plain one comes first, so it is never later otherwise.
    sandbox
        .wait("one more run of the other", |it| (due(it, "made_up") == due(it, "plain") + 1).then_some(()));
    assert!(!sandbox.log().contains("made_up: a scheduled run was missed"), "{}", sandbox.log());
    // The library leaves what its processes share.
    let pid = sandbox.supervisor_pid().as_raw_nonzero();
    drop(sandbox);
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        _ = fs::remove_file(format!("/dev/shm/{name}{pid}"));
    }
}

#[test]
fn the_hooks_of_a_scheduled_program_run_around_each_run() {
    let hooks = "pre_start=sh -c 'echo before >> runs'\npost_stop=sh -c 'echo after $SV_REASON $SV_EXIT_CODE >> runs'";
    let job = scheduled("job", "true", &format!("schedule=@every 1s\n{hooks}"));
    let mut sandbox = Sandbox::with_programs(&job).start();
    wait_runs(&mut sandbox, 6);
    let lines: Vec<_> = sandbox.file("runs").lines().map(str::to_owned).collect();
    for run in lines.chunks_exact(3) {
        assert_eq!((&*run[0], &*run[2]), ("before", "after exit 0"), "{lines:?}");
    }
}

#[test]
fn a_program_without_an_end_waits_for_a_oneshot_with_hooks() {
    let mut sandbox = Sandbox::with_programs(
        "[program:migrate]\ntype=oneshot\ncommand=sh -c 'echo migrated >> order'\n\
         pre_start=sh -c 'echo connected >> order'\n\
         [program:web]\ncommand=sh -c 'echo served >> order; sleep 1000'\ndepends_on=migrate\nstartsecs=0\n",
    )
    .start();
    sandbox.wait_file("order", "connected\nmigrated\nserved\n");
    sandbox.wait_state("web", "RUNNING");
    assert_eq!(sandbox.state("migrate").as_deref(), Some("EXITED"));
}

/// The blocks of the page on jobs.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/jobs.md")).unwrap();
    page.split("```ini\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_of_the_page_are_sound() {
    if !have("zone files", fs::exists("/usr/share/zoneinfo/Europe/Berlin").unwrap()) {
        return;
    }
    let all = blocks();
    assert_eq!(all.len(), 4);
    for block in all {
        // A program that is not here.
        let sandbox = Sandbox::with_programs(&block.replace("/usr/local/bin/backup", "true"));
        let config = sandbox.config().display().to_string();
        let check =
            sandbox.program("sv").args(["check", "--strict", "--image=no", &config]).output().unwrap();
        assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    }
}

#[test]
fn the_hooks_of_the_page_do_what_it_says() {
    let [_, _, hooks, _] = <[String; 4]>::try_from(blocks()).unwrap();
    let options = "stdout_logfile=%(here)s/out\n[program:job]\ncommand=false\nstartretries=0\n";
    let on_failure = hooks.lines().find(|line| line.starts_with("on_failure")).unwrap();
    let mut sandbox =
        Sandbox::with_programs(&format!("{hooks}{options}{on_failure}\nstdout_logfile=%(here)s/job\n"))
            .start();
    sandbox.wait_file("out", "app is up with pid ");
    sandbox.write("data/a.lock", "");
    sandbox.wait_state("job", "FATAL");
    sandbox.wait_file("job", "job has failed with 1\n");
    sandbox.ctl(&["stop", "app"]);
    sandbox.wait_file("out", "take app out of the balancer\n");
    assert!(sandbox.path("data").exists() && !sandbox.path("data/a.lock").exists());
}
