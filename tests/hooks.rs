//! Hooks with real processes: what they run as, what waits for them, and what becomes of those that fail or hang.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::process::{Signal, kill_process};
use support::{Answer, HEAD, Sandbox, have};

/// Writes its variables to the file of its first argument, in one line.
const NOTE: &str = r#"
echo "$SV_HOOK $SV_REASON $SV_NAME $SV_GROUP pid=${SV_PID:+set} code=$SV_EXIT_CODE signal=$SV_EXIT_SIGNAL restarts=$SV_RESTARTS" >> notes
"#;

/// Writes its name and hangs, with a child that would outlive it.
const HANG: &str = "echo \"$SV_HOOK $$\" >> hangs\nsleep 1000 &\necho $! >> hangers\nsleep 1000\n";

/// Stays until it is stopped, and says so.
const SERVICE: &str = r#"
trap 'echo "stopped" >> notes; exit 0' TERM
echo "up" >> notes
while :; do sleep 1000 & wait $!; done
"#;

fn sandbox(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    for (name, script) in [("note.sh", NOTE), ("hang.sh", HANG), ("service.sh", SERVICE)] {
        sandbox.write(name, script);
    }
    sandbox
}

/// A program that is up at once and stops when it is asked to.
fn service(name: &str, options: &str) -> String {
    format!("[program:{name}]\ncommand=sh service.sh\nstartsecs=0\nstopasgroup=true\n{options}\n")
}

fn status(sandbox: &Sandbox, name: &str) -> String {
    sandbox.ctl(&["status", name]).stdout.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn wait_status(sandbox: &mut Sandbox, name: &str, text: &str) {
    sandbox.wait(&format!("{name} to be {text:?}"), |sandbox| (status(sandbox, name) == text).then_some(()));
}

/// The lines of a file, once there are so many.
#[track_caller]
fn lines(sandbox: &mut Sandbox, file: &str, count: usize) -> Vec<String> {
    sandbox.wait(&format!("{count} lines in {file}"), |sandbox| {
        let lines: Vec<_> = sandbox.file(file).lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// Waits until these processes, a pid in each line of a file, are gone.
#[track_caller]
fn wait_gone(sandbox: &mut Sandbox, file: &str) {
    for pid in sandbox.file(file).lines().map(str::to_owned).collect::<Vec<_>>() {
        sandbox.wait(&format!("{pid} of {file} to be gone"), |_| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }
}

fn stop_all(sandbox: &mut Sandbox) {
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn each_hook_runs_at_its_point_and_learns_the_circumstances() {
    let hooks = ["pre_start", "post_start", "pre_stop", "post_stop", "on_failure"];
    let hooks: String = hooks.iter().map(|hook| format!("{hook}=sh note.sh\n")).collect();
    let mut sandbox = sandbox(&service("web", &hooks)).start();
    // What the program writes and post_start run side by side.
    let mut first = lines(&mut sandbox, "notes", 3);
    first.sort();
    assert_eq!(
        first,
        [
            "post_start start web web pid=set code= signal= restarts=0",
            "pre_start start web web pid= code= signal= restarts=0",
            "up",
        ]
    );
    fs::remove_file(sandbox.path("notes")).unwrap();
    let answer = sandbox.ctl(&["stop", "web"]);
    assert_eq!(answer.stdout, "web: stopped\n");
    // The stop is complete once post_stop has ended.
    assert_eq!(
        lines(&mut sandbox, "notes", 3),
        [
            "pre_stop stop web web pid=set code= signal= restarts=0",
            "stopped",
            "post_stop stop web web pid=set code=0 signal= restarts=0",
        ]
    );
    stop_all(&mut sandbox);
}

#[test]
fn hooks_run_as_the_program_does_and_write_to_its_log() {
    let is_root = rustix::process::getuid().is_root();
    if !have("root", is_root) {
        return;
    }
    let shown = r#"sh -c 'echo "$SV_HOOK $(id -un) $PWD $(umask) $COLOR $0 of $SUPERVISOR_PROCESS_NAME"; echo oh >&2' me"#;
    let mut sandbox = sandbox(&format!(
        "[program:web]\ncommand=sleep 1000\nuser=nobody\ndirectory=/tmp\numask=027\nenvironment=COLOR=red\n\
         stdout_logfile=%(here)s/web.out\nstderr_logfile=%(here)s/web.err\nruntime_directory=%(here)s/run\n\
         pre_start={shown}\n"
    ));
    let folder = sandbox.dir().to_owned();
    std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
    sandbox = sandbox.start();
    sandbox.wait_file("web.out", "pre_start nobody /tmp 0027 red me of web\n");
    sandbox.wait_file("web.err", "oh\n");
    assert!(fs::metadata(sandbox.path("run")).unwrap().uid() != 0, "the folder is there before pre_start");
}

#[test]
fn pre_start_that_fails_is_a_failed_start_until_it_succeeds() {
    let mut sandbox = sandbox(&service(
        "web",
        "startretries=1\npre_start=sh -c 'echo cannot mount; test -e go'\n\
         stdout_logfile=%(here)s/web.out\non_failure=sh note.sh",
    ))
    .start();
    sandbox.wait_state("web", "FATAL");
    assert_eq!(status(&sandbox, "web"), "FATAL pre_start failed: exit status 1");
    sandbox.wait_log("web: pre_start failed: exit status 1");
    // Once, for both attempts.
    sandbox.wait_file("notes", "on_failure crash web web pid= code=1 signal= restarts=1\n");
    assert_eq!(sandbox.file("web.out"), "cannot mount\ncannot mount\n");
    assert!(!sandbox.log().contains("spawned: 'web'"), "{}", sandbox.log());
    let Answer { stdout, .. } = sandbox.ctl(&["start", "web"]);
    assert!(stdout.contains("web: ERROR (spawn error)"), "{stdout}");
    sandbox.wait_state("web", "FATAL");
    sandbox.write("go", "");
    assert_eq!(sandbox.ctl(&["start", "web"]).stdout, "web: started\n");
    stop_all(&mut sandbox);
}

#[test]
fn pre_start_that_is_not_there_is_named() {
    let mut sandbox = sandbox(&service("web", "startretries=0\npre_start=/no/such/hook --now")).start();
    sandbox.wait_state("web", "FATAL");
    assert_eq!(status(&sandbox, "web"), "FATAL pre_start failed: can't find command '/no/such/hook'");
}

#[test]
fn pre_start_that_hangs_is_killed_with_its_group_after_hook_timeout() {
    let mut sandbox =
        sandbox(&service("web", "startretries=0\nhook_timeout=0.5\npre_start=sh hang.sh")).start();
    sandbox.wait_state("web", "FATAL");
    assert_eq!(status(&sandbox, "web"), "FATAL pre_start timed out after 0.5 seconds");
    wait_gone(&mut sandbox, "hangers");
}

#[test]
fn a_stop_during_pre_start_ends_it_at_once() {
    let mut sandbox = sandbox(&service("web", "hook_timeout=1000\npre_start=sh hang.sh")).start();
    wait_status(&mut sandbox, "web", "STARTING running pre_start");
    lines(&mut sandbox, "hangers", 1);
    assert_eq!(sandbox.ctl(&["stop", "web"]).stdout, "web: stopped\n");
    assert_eq!(status(&sandbox, "web"), "STOPPED Not started");
    wait_gone(&mut sandbox, "hangers");
    assert!(!sandbox.log().contains("spawned"), "{}", sandbox.log());
}

#[test]
fn post_start_runs_once_the_program_is_ready_and_may_fail() {
    let mut sandbox =
        sandbox(&service("web", "ready=file:%(here)s/ready\npost_start=sh -c 'cat ready > seen; exit 4'"))
            .start();
    sandbox.wait_file("notes", "up\n");
    sandbox.wait("a description of what it waits for", |sandbox| {
        status(sandbox, "web").starts_with("STARTING not ready yet: file:").then_some(())
    });
    assert!(!sandbox.path("seen").exists());
    sandbox.write("ready.new", "it is\n");
    fs::rename(sandbox.path("ready.new"), sandbox.path("ready")).unwrap();
    sandbox.wait_file("seen", "it is\n");
    sandbox.wait_log("web: post_start failed: exit status 4");
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn pre_stop_drains_before_the_stop_signal() {
    let mut sandbox = sandbox(&service(
        "web",
        "pre_stop=sh -c 'echo draining >> notes; until [ -e drained ]; do sleep 0.02; done; echo drained >> notes'\n\
         stopwaitsecs=1000\nhook_timeout=1000",
    ))
    .start();
    sandbox.wait_file("notes", "up\n");
    let config = sandbox.config().display().to_string();
    let mut stop = sandbox.program("supervisorctl").args(["-c", &config, "stop", "web"]).spawn().unwrap();
    sandbox.wait_file("notes", "draining\n");
    wait_status(&mut sandbox, "web", "STOPPING running pre_stop");
    assert!(stop.try_wait().unwrap().is_none());
    assert!(!sandbox.file("notes").contains("stopped"));
    sandbox.write("drained", "");
    assert!(stop.wait().unwrap().success());
    assert_eq!(sandbox.file("notes"), "up\ndraining\ndrained\nstopped\n");
}

#[test]
fn pre_stop_that_hangs_is_killed_and_the_program_still_gets_its_signal() {
    // Two seconds of stopwaitsecs are left to the program.
    let mut sandbox =
        sandbox(&service("web", "pre_stop=sh hang.sh\nstopwaitsecs=6\nhook_timeout=1000")).start();
    sandbox.wait_file("notes", "up\n");
    sandbox.ctl(&["stop", "web"]);
    assert_eq!(sandbox.file("notes"), "up\nstopped\n", "{}", sandbox.log());
    sandbox.wait_log("web: pre_stop timed out after 4 seconds");
    wait_gone(&mut sandbox, "hangers");
}

#[test]
fn post_stop_runs_after_a_kill_and_the_restart_waits_for_it() {
    let hook = "sh -c '. ./note.sh; until [ -e go ]; do sleep 0.02; done; echo cleaned >> notes'";
    let mut sandbox = sandbox(&service("web", &format!("autorestart=true\npost_stop={hook}"))).start();
    sandbox.wait_file("notes", "up\n");
    let pid = sandbox.pid("web").unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    wait_status(&mut sandbox, "web", "STARTING running post_stop");
    assert!(
        sandbox.file("notes").ends_with("post_stop crash web web pid=set code= signal=SIGKILL restarts=0\n")
    );
    sandbox.write("go", "");
    sandbox.wait_file("notes", "cleaned\nup\n");
    sandbox.wait_state("web", "RUNNING");
    stop_all(&mut sandbox);
    assert!(sandbox.file("notes").contains("post_stop shutdown web"), "{}", sandbox.file("notes"));
}

#[test]
fn on_failure_is_run_before_the_supervisor_ends_for_it() {
    let mut sandbox = sandbox(
        "[program:web]\ncommand=sh -c 'exit 7'\nstartretries=0\non_fatal=shutdown\n\
         on_failure=sh -c 'sleep 0.3; . ./note.sh'\n",
    );
    sandbox.spawn();
    assert_eq!(sandbox.wait_exit().code(), Some(7));
    assert_eq!(sandbox.file("notes"), "on_failure crash web web pid=set code=7 signal= restarts=0\n");
}

#[test]
fn a_request_to_end_ends_hooks_that_hang_within_their_time() {
    let programs = [
        service("starts", "pre_start=sh hang.sh\nhook_timeout=1000"),
        service("runs", "post_start=sh hang.sh\npost_stop=sh hang.sh\nhook_timeout=3"),
        service("stops", "pre_stop=sh hang.sh\nhook_timeout=3"),
    ];
    let mut sandbox = sandbox(&programs.concat()).start();
    lines(&mut sandbox, "hangers", 2);
    stop_all(&mut sandbox);
    let hangs = sandbox.file("hangs");
    for (hook, count) in [("pre_start", 1), ("post_start", 1), ("pre_stop", 1), ("post_stop", 1)] {
        assert_eq!(hangs.lines().filter(|line| line.starts_with(hook)).count(), count, "{hook}: {hangs}");
    }
    assert!(sandbox.file("notes").contains("stopped\n"), "{}", sandbox.story());
    wait_gone(&mut sandbox, "hangers");
}

#[test]
fn a_second_termination_request_kills_hanging_hooks() {
    let mut sandbox =
        sandbox(&service("web", "post_stop=sh hang.sh\npre_start=true\nhook_timeout=1000")).start();
    sandbox.wait_file("notes", "up\n");
    sandbox.signal(Signal::TERM);
    lines(&mut sandbox, "hangers", 1);
    // A second one within a second counts as the same.
    sandbox.wait("the end after a further request", |sandbox| {
        sandbox.signal(Signal::TERM);
        std::thread::sleep(std::time::Duration::from_millis(100));
        sandbox.log().contains("post_stop is cancelled").then_some(())
    });
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    wait_gone(&mut sandbox, "hangers");
}

#[test]
fn pid_1_ends_with_its_hooks() {
    let probe = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !have("unshare", probe.is_ok_and(|output| output.status.success())) {
        return;
    }
    let programs = [
        service("starts", "pre_start=sh hang.sh\nhook_timeout=1000"),
        service("runs", "post_start=sh hang.sh\npre_stop=sh note.sh\npost_stop=sh note.sh"),
    ];
    let mut sandbox = sandbox(&programs.concat());
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child"]).arg(support::binary()).arg("-c").arg(sandbox.config());
    command.env("SV_TEST_SANDBOX", sandbox.dir()).current_dir(sandbox.dir());
    sandbox.spawn_as(command);
    sandbox.wait_log("supervisord started with pid 1\n");
    lines(&mut sandbox, "hangers", 2);
    // The first child of unshare is PID 1 of the namespace.
    let unshare = u32::try_from(sandbox.supervisor_pid().as_raw_nonzero().get()).unwrap();
    let first = i32::try_from(*support::descendants(unshare).first().unwrap()).unwrap();
    kill_process(rustix::process::Pid::from_raw(first).unwrap(), Signal::TERM).unwrap();
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let notes = sandbox.file("notes");
    assert!(notes.contains("pre_stop shutdown runs") && notes.contains("post_stop shutdown runs"), "{notes}");
}

#[test]
fn a_reload_runs_hooks_before_and_after() {
    let hooks = "pre_start=sh note.sh\npost_stop=sh note.sh";
    let mut sandbox = sandbox(&service("web", hooks)).start();
    sandbox.wait_file("notes", "up\n");
    sandbox.write("notes", "");
    sandbox.signal(Signal::HUP);
    assert_eq!(
        lines(&mut sandbox, "notes", 4),
        [
            "stopped",
            "post_stop shutdown web web pid=set code=0 signal= restarts=0",
            "pre_start start web web pid= code= signal= restarts=0",
            "up",
        ]
    );
}

#[test]
fn updates_and_removals_wait_for_post_stop() {
    let hook = "sh -c '. ./note.sh; sleep 0.3; echo cleaned >> notes'";
    let web = service("web", &format!("pre_stop=sh note.sh\npost_stop={hook}"));
    let old = service("old", &format!("post_stop={hook}"));
    let mut sandbox = sandbox(&format!("{web}{old}")).start();
    sandbox.wait("both to be up", |sandbox| (sandbox.file("notes") == "up\nup\n").then_some(()));
    fs::remove_file(sandbox.path("notes")).unwrap();
    sandbox.write("supervisord.conf", &format!("{HEAD}{web}environment=A=b\n"));
    let answer = sandbox.ctl(&["update"]);
    assert!(answer.success, "{answer:?}\n{}", sandbox.story());
    sandbox.wait_file("notes", "up\n");
    let notes = sandbox.file("notes");
    assert_eq!(notes.matches("cleaned\n").count(), 2, "{notes}");
    assert!(notes.ends_with("up\n") && notes.contains("post_stop stop old"), "{notes}");
    assert_eq!(sandbox.state("old"), None);
    stop_all(&mut sandbox);
}

#[test]
fn a_change_of_hooks_is_applied_in_place() {
    let mut sandbox = sandbox(&service("web", "pre_start=sh note.sh")).start();
    sandbox.wait_file("notes", "up\n");
    let pid = sandbox.pid("web");
    sandbox.write("supervisord.conf", &format!("{HEAD}{}", service("web", "post_stop=sh note.sh")));
    let config = sandbox.config().display().to_string();
    assert!(sandbox.program("sv").args(["update", "-c", &config]).output().unwrap().status.success());
    assert_eq!(sandbox.pid("web"), pid);
    sandbox.ctl(&["stop", "web"]);
    assert!(sandbox.file("notes").contains("post_stop stop web"), "{}", sandbox.story());
}

#[test]
fn many_hooks_at_once_are_queued_and_all_run() {
    let mut sandbox = sandbox(
        "[program:web]\ncommand=sleep 1000\nprocess_name=%(process_num)03d\nnumprocs=300\nstartsecs=0\n\
         pre_start=sh -c 'echo $SV_NAME >> started'\npost_stop=sh -c 'echo $SV_NAME >> ended'\nhook_timeout=60\n",
    )
    .start();
    assert_eq!(lines(&mut sandbox, "started", 300).len(), 300);
    sandbox.wait("all to run", |sandbox| {
        let answer = sandbox.ctl(&["status"]);
        (answer.stdout.matches("RUNNING").count() == 300).then_some(())
    });
    stop_all(&mut sandbox);
    assert_eq!(lines(&mut sandbox, "ended", 300).len(), 300);
}
