//! Programs that depend on each other: real processes, started and stopped in the order of their dependencies.
//!
//! The order is that of the supervisor's log, and in one test what the programs themselves have written.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{Answer, HEAD, REPORT, Sandbox, binary, have, reference_bin};

/// Writes its name when it starts, and again when it is sent TERM and stops.
const SERVICE: &str = r#"
trap 'echo "-$1" >> order; exit 0' TERM
echo "+$1" >> order
while :; do sleep 1000 & wait $!; done
"#;

/// Ends with status 0 once the file `NAME.go` is there, and with status 1 once `NAME.fail` is.
const JOB: &str = r#"
while :; do
    [ -e "$1.go" ] && exit 0
    [ -e "$1.fail" ] && exit 1
    sleep 0.02
done
"#;

/// A program that is ready as soon as it is spawned.
fn service(name: &str, options: &str) -> String {
    format!("[program:{name}]\ncommand=sh service.sh {name}\nstopasgroup=true\n{}\n", or_ready(options))
}

/// A program that is ready as soon as it is spawned, unless its options say otherwise.
fn or_ready(options: &str) -> String {
    if options.contains("startsecs") { options.to_owned() } else { format!("startsecs=0\n{options}") }
}

/// A program that does not become ready while the test runs.
fn starting(name: &str, options: &str) -> String {
    format!("[program:{name}]\ncommand=sh service.sh {name}\nstartsecs=1000\nstopasgroup=true\n{options}\n")
}

fn job(name: &str, options: &str) -> String {
    format!("[program:{name}]\ncommand=sh job.sh {name}\nstartsecs=0\nautorestart=false\n{options}\n")
}

fn sandbox(programs: &[String]) -> Sandbox {
    let sandbox = Sandbox::with_programs(&programs.concat());
    with_scripts(&sandbox);
    sandbox
}

fn with_scripts(sandbox: &Sandbox) {
    sandbox.write("service.sh", SERVICE);
    sandbox.write("job.sh", JOB);
}

fn configure(sandbox: &Sandbox, programs: &[String]) {
    sandbox.write("supervisord.conf", &format!("{HEAD}{}", programs.concat()));
}

/// The log's lines about processes since the last call of [`forget_order`]: `+db` for a spawn, `-db` for a stop,
/// `=job` for an exit with status 0, `!job` for any other end. A program with `startsecs=0` is ready before its first
/// instruction, so what programs write about their starts may be in another order.
fn order(sandbox: &Sandbox) -> Vec<String> {
    let forgotten = sandbox.file("forgotten").parse().unwrap_or(0);
    all_events(sandbox).split_off(forgotten)
}

fn all_events(sandbox: &Sandbox) -> Vec<String> {
    let event = |line: &str| {
        let name = |rest: &str| rest.split([' ', '\'']).next().unwrap_or_default().to_owned();
        let after = |start: &str| line.split_once(start).map(|(_, rest)| name(rest));
        let end = if line.contains("(exit status 0;") { '=' } else { '!' };
        let spawned = after(" spawned: '").map(|name| format!("+{name}"));
        let stopped = after(" stopped: ").map(|name| format!("-{name}"));
        spawned.or(stopped).or_else(|| after(" exited: ").map(|name| format!("{end}{name}")))
    };
    sandbox.log().lines().filter_map(event).collect()
}

/// Waits until exactly this has happened.
#[track_caller]
fn wait_order(sandbox: &mut Sandbox, expected: &[&str]) {
    sandbox.wait(&format!("the order {expected:?}"), |sandbox| {
        let order = order(sandbox);
        assert!(order.len() <= expected.len(), "{order:?} instead of {expected:?}\n{}", sandbox.story());
        (order == expected).then_some(())
    });
}

fn forget_order(sandbox: &Sandbox) {
    sandbox.write("forgotten", &all_events(sandbox).len().to_string());
}

#[track_caller]
fn assert_before(order: &[String], pairs: &[(&str, &str)]) {
    let at = |name: &str| order.iter().position(|line| line == name);
    for (first, second) in pairs {
        assert!(at(first).is_some() && at(first) < at(second), "{first} before {second}: {order:?}");
    }
}

fn description(sandbox: &Sandbox, name: &str) -> String {
    sandbox.ctl(&["status", name]).stdout.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
}

fn stop_all(sandbox: &mut Sandbox) {
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn programs_start_after_their_dependencies_and_stop_before_them() {
    // Neither the order of the file nor the priorities agree with the dependencies. A second is time to write a line.
    let mut sandbox = sandbox(&[
        service("web", "depends_on=app, cache\npriority=1\nstartsecs=1"),
        service("cache", "priority=900\nstartsecs=1"),
        service("app", "depends_on=db\npriority=2\nstartsecs=1"),
        service("db", "priority=950\nstartsecs=1"),
    ])
    .start();
    sandbox.wait_state("web", "RUNNING");
    let written = |sandbox: &Sandbox| sandbox.file("order").lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(written(&sandbox).len(), 4, "{}", sandbox.file("order"));
    assert_before(&written(&sandbox), &[("+db", "+app"), ("+app", "+web"), ("+cache", "+web")]);
    stop_all(&mut sandbox);
    assert_eq!(written(&sandbox).len(), 8, "{}", sandbox.file("order"));
    assert_before(&written(&sandbox), &[("-web", "-app"), ("-app", "-db"), ("-web", "-cache")]);
}

#[test]
fn programs_wait_for_a_job_that_is_done() {
    let mut sandbox = sandbox(&[
        service("web", "depends_on=migrate=done"),
        job("migrate", "depends_on=db"),
        service("db", ""),
    ])
    .start();
    wait_order(&mut sandbox, &["+db", "+migrate"]);
    assert_eq!(sandbox.state("web").as_deref(), Some("STARTING"));
    assert_eq!(description(&sandbox, "web"), "waiting for migrate (done)");
    let row = sandbox.ctl(&["status", "--json", "web"]).stdout;
    assert!(row.contains("\"waiting_for\":[\"migrate (done)\"]"), "{row}");
    assert!(sandbox.ctl(&["status", "--json", "db"]).stdout.contains("\"waiting_for\":null"));
    sandbox.wait_log("web: waiting for migrate (done)");
    sandbox.write("migrate.go", "");
    wait_order(&mut sandbox, &["+db", "+migrate", "=migrate", "+web"]);
    sandbox.wait_state("web", "RUNNING");
    stop_all(&mut sandbox);
}

#[test]
fn a_failed_job_fails_its_dependents_until_it_is_done_after_all() {
    let mut sandbox = sandbox(&[
        service("web", "depends_on=migrate=done"),
        job("migrate", ""),
        service("app", "depends_on=web"),
    ])
    .start();
    sandbox.write("migrate.fail", "");
    sandbox.wait_state("app", "FATAL");
    assert_eq!(description(&sandbox, "web"), "migrate is EXITED: exit status 1");
    assert_eq!(description(&sandbox, "app"), "web is FATAL: migrate is EXITED: exit status 1");
    sandbox.wait_log("gave up: web entered FATAL state, migrate is EXITED: exit status 1");
    fs::remove_file(sandbox.path("migrate.fail")).unwrap();
    sandbox.write("migrate.go", "");
    forget_order(&sandbox);
    assert_eq!(sandbox.ctl(&["start", "migrate"]).stdout, "migrate: started\n");
    wait_order(&mut sandbox, &["+migrate", "=migrate", "+web", "+app"]);
    sandbox.wait_state("app", "RUNNING");
    stop_all(&mut sandbox);
}

#[test]
fn a_missing_command_fails_the_dependents_with_its_reason() {
    let mut sandbox = sandbox(&[
        service("web", "depends_on=db"),
        "[program:db]\ncommand=/no/such/file\nstartretries=0\n".to_owned(),
    ])
    .start();
    sandbox.wait_state("web", "FATAL");
    assert_eq!(description(&sandbox, "web"), "db is FATAL: can't find command '/no/such/file'");
    assert_eq!(order(&sandbox), [] as [&str; 0]);
    stop_all(&mut sandbox);
}

#[test]
fn a_stop_of_a_dependency_alone_leaves_its_dependents_alone() {
    let mut sandbox = sandbox(&[service("web", "depends_on=db"), service("db", "")]).start();
    wait_order(&mut sandbox, &["+db", "+web"]);
    assert_eq!(sandbox.ctl(&["stop", "db"]).stdout.lines().next(), Some("db: stopped"));
    wait_order(&mut sandbox, &["+db", "+web", "-db"]);
    assert_eq!(sandbox.state("web").as_deref(), Some("RUNNING"));
    forget_order(&sandbox);
    stop_all(&mut sandbox);
    assert_eq!(order(&sandbox), ["-web"]);
}

#[test]
fn bound_programs_stop_and_start_with_their_dependency() {
    let mut sandbox = sandbox(&[service("web", "restart_with=db"), service("db", "")]).start();
    wait_order(&mut sandbox, &["+db", "+web"]);
    forget_order(&sandbox);
    assert_eq!(sandbox.ctl(&["restart", "db"]).stdout, "db: stopped\ndb: started\n");
    wait_order(&mut sandbox, &["-web", "-db", "+db", "+web"]);
    // An unexpected exit: web is stopped, and starts again once db has been restarted.
    forget_order(&sandbox);
    let [web, db] = ["web", "db"].map(|name| sandbox.pid(name).unwrap());
    kill_process(db, Signal::KILL).unwrap();
    sandbox.wait("web to start again", |sandbox| order(sandbox).contains(&"+web".to_owned()).then_some(()));
    assert_before(&order(&sandbox), &[("!db", "-web"), ("!db", "+db"), ("-web", "+web"), ("+db", "+web")]);
    sandbox.wait("web to have another pid", |sandbox| sandbox.pid("web").filter(|pid| *pid != web));
    stop_all(&mut sandbox);
}

#[test]
fn an_optional_dependency_is_awaited_while_it_is_possible() {
    let disabled = service("disabled", "enabled=false");
    let mut sandbox = sandbox(&[
        service("web", "depends_on=slow=done?, disabled?, stopped?"),
        disabled,
        service("stopped", "autostart=false"),
        job("slow", ""),
    ])
    .start();
    wait_order(&mut sandbox, &["+slow"]);
    assert_eq!(description(&sandbox, "web"), "waiting for slow (done)");
    sandbox.write("slow.fail", "");
    wait_order(&mut sandbox, &["+slow", "!slow", "+web"]);
    stop_all(&mut sandbox);
}

#[test]
fn an_entry_is_a_program_with_all_its_processes_a_group_or_one_process() {
    let workers = "[program:worker]\ncommand=sh job.sh %(process_num)d\nprocess_name=w%(process_num)d\nnumprocs=2\n\
        startsecs=0\nautorestart=false\n[group:g]\nprograms=worker\n";
    for (entry, waits_for) in
        [("worker=done", vec!["0", "1"]), ("g:*=done", vec!["0", "1"]), ("g:w1=done", vec!["1"])]
    {
        let mut sandbox =
            sandbox(&[workers.to_owned(), service("web", &format!("depends_on={entry}"))]).start();
        sandbox.wait("both workers to run", |sandbox| (order(sandbox).len() == 2).then_some(()));
        for (nth, number) in waits_for.iter().enumerate() {
            assert_eq!(sandbox.state("web").as_deref(), Some("STARTING"), "{entry}");
            sandbox.write(&format!("{number}.go"), "");
            if nth + 1 < waits_for.len() {
                sandbox.wait_state(&format!("g:w{number}"), "EXITED");
            }
        }
        sandbox.wait_state("web", "RUNNING");
        stop_all(&mut sandbox);
    }
}

#[test]
fn groups_and_stops_of_all_respect_dependencies() {
    let mut sandbox = sandbox(&[
        service("web", "depends_on=db"),
        service("db", ""),
        service("front", "depends_on=site:web"),
        "[group:site]\nprograms=web,db\n".to_owned(),
    ])
    .start();
    wait_order(&mut sandbox, &["+db", "+web", "+front"]);
    forget_order(&sandbox);
    // front is not of the group: it stays, and nothing waits for it.
    assert!(sandbox.ctl(&["stop", "site:*"]).success);
    wait_order(&mut sandbox, &["-web", "-db"]);
    forget_order(&sandbox);
    assert!(sandbox.ctl(&["start", "site:*"]).success);
    wait_order(&mut sandbox, &["+db", "+web"]);
    forget_order(&sandbox);
    assert!(sandbox.ctl(&["stop", "all"]).success);
    wait_order(&mut sandbox, &["-front", "-web", "-db"]);
    stop_all(&mut sandbox);
}

#[test]
fn a_start_by_a_client_starts_dependencies_first() {
    let mut sandbox =
        sandbox(&[service("web", "depends_on=db\nautostart=false"), service("db", "autostart=false")])
            .start();
    assert_eq!(sandbox.ctl(&["start", "web"]).stdout, "web: started\n");
    wait_order(&mut sandbox, &["+db", "+web"]);
    stop_all(&mut sandbox);
}

#[test]
fn an_interrupted_start_leaves_the_program_waiting() {
    let mut sandbox =
        sandbox(&[service("web", "depends_on=db\nautostart=false"), starting("db", "")]).start();
    sandbox.wait_state("db", "STARTING");
    let mut command = sandbox.marked(Command::new(binary()));
    command.arg("-c").arg(sandbox.config()).args(["start", "web"]);
    let client = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    sandbox.wait("web to wait", |sandbox| {
        (description(sandbox, "web") == "waiting for db (ready)").then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(client.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert_eq!(description(&sandbox, "web"), "waiting for db (ready)");
    // A stop is done at once, as there is no process.
    assert_eq!(sandbox.ctl(&["stop", "web"]).stdout, "web: stopped\n");
    assert_eq!(sandbox.state("web").as_deref(), Some("STOPPED"));
    stop_all(&mut sandbox);
    assert_eq!(order(&sandbox), ["+db", "-db"]);
}

/// Asks with the reference's own client.
fn supervisorctl(sandbox: &Sandbox, words: &[&str]) -> Option<Answer> {
    let folder = reference_bin();
    if !have("the reference", folder.is_some()) {
        return None;
    }
    let mut command = sandbox.marked(Command::new(folder?.join("supervisorctl")));
    let output = command.arg("-c").arg(sandbox.config()).args(words).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (success, code) = (output.status.success(), output.status.code());
    Some(Answer { success, code, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

#[test]
fn supervisorctl_of_the_reference_sees_a_program_that_waits_as_starting() {
    let mut sandbox = sandbox(&[service("web", "depends_on=db"), starting("db", "")]).start();
    sandbox.wait_state("web", "STARTING");
    let Some(status) = supervisorctl(&sandbox, &["status", "web"]) else { return };
    let words: Vec<_> = status.stdout.split_whitespace().collect();
    assert_eq!(words, ["web", "STARTING", "waiting", "for", "db", "(ready)"]);
    assert_eq!(supervisorctl(&sandbox, &["pid", "web"]).unwrap().stdout, "0\n");
    assert_eq!(supervisorctl(&sandbox, &["start", "web"]).unwrap().stdout, "web: ERROR (already started)\n");
    assert_eq!(
        supervisorctl(&sandbox, &["signal", "HUP", "web"]).unwrap().stdout,
        "web: ERROR (not running)\n"
    );
    assert_eq!(supervisorctl(&sandbox, &["stop", "web"]).unwrap().stdout, "web: stopped\n");
    assert_eq!(supervisorctl(&sandbox, &["stop", "db"]).unwrap().stdout, "db: stopped\n");
    stop_all(&mut sandbox);
}

#[test]
fn listeners_are_sent_no_event_of_a_program_that_waits() {
    let listener = "[eventlistener:l]\ncommand=perl report.pl events\nevents=PROCESS_STATE\npriority=-1\n";
    let sandbox =
        sandbox(&[listener.to_owned(), service("web", "depends_on=migrate=done"), job("migrate", "")]);
    sandbox.write("report.pl", REPORT);
    let mut sandbox = sandbox.start();
    wait_order(&mut sandbox, &["+l", "+migrate"]);
    sandbox.wait_file("events", "processname:migrate groupname:migrate from_state:STARTING");
    // The stop of what waits is no change of state that a listener sees either.
    assert!(sandbox.ctl(&["stop", "web"]).success);
    assert!(!sandbox.file("events").contains("processname:web"), "{}", sandbox.file("events"));
    sandbox.write("migrate.go", "");
    sandbox.wait_state("migrate", "EXITED");
    assert!(sandbox.ctl(&["start", "web"]).success);
    sandbox.wait_file("events", "processname:web groupname:web from_state:STARTING");
    let events = sandbox.file("events");
    let of_web: Vec<_> = events.lines().filter(|line| line.contains("processname:web")).collect();
    assert_eq!(of_web.len(), 2, "{of_web:?}");
    assert!(of_web[0].ends_with("from_state:STOPPED tries:0"), "{of_web:?}");
    stop_all(&mut sandbox);
}

#[test]
fn dependencies_change_with_a_reload_and_an_update() {
    let web = |options: &str| service("web", options);
    let mut sandbox = sandbox(&[web(""), service("db", "")]).start();
    sandbox.wait_state("web", "RUNNING");
    let pid = sandbox.pid("web").unwrap();
    configure(&sandbox, &[web("depends_on=db"), service("db", "")]);
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_state("web", "RUNNING");
    // A dependency says when to start: what runs already is not touched.
    assert_eq!(sandbox.pid("web"), Some(pid), "{}", sandbox.story());
    forget_order(&sandbox);
    assert!(sandbox.ctl(&["restart", "all"]).success);
    wait_order(&mut sandbox, &["-web", "-db", "+db", "+web"]);

    // Program and dependency are new and come with one update, the dependent first.
    forget_order(&sandbox);
    configure(
        &sandbox,
        &[service("api", "depends_on=queue"), web("depends_on=db"), service("db", ""), service("queue", "")],
    );
    assert!(sandbox.ctl(&["update"]).success);
    wait_order(&mut sandbox, &["+queue", "+api"]);
    // Both go with one update.
    forget_order(&sandbox);
    configure(&sandbox, &[web("depends_on=db"), service("db", "")]);
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait("both to have stopped", |sandbox| (order(sandbox).len() == 2).then_some(()));

    // A reload reads them again; a cycle is refused and changes nothing.
    forget_order(&sandbox);
    configure(&sandbox, &[web("depends_on=db"), service("db", "depends_on=web")]);
    let answer = sandbox.ctl(&["update"]);
    assert!(!answer.success);
    let reported = format!("{}{}", answer.stdout, answer.stderr);
    assert!(reported.contains("programs wait for each other"), "{reported}");
    configure(&sandbox, &[web(""), service("db", "depends_on=web")]);
    sandbox.signal(Signal::HUP);
    wait_order(&mut sandbox, &["-web", "-db", "+web", "+db"]);
    stop_all(&mut sandbox);
}

#[test]
fn a_dependency_that_is_removed_and_added_is_waited_for() {
    let mut sandbox = sandbox(&[service("web", "depends_on=db"), service("db", "")]).start();
    wait_order(&mut sandbox, &["+db", "+web"]);
    assert!(sandbox.ctl(&["stop", "all"]).success);
    assert!(sandbox.ctl(&["remove", "db"]).success);
    forget_order(&sandbox);
    let mut command = sandbox.marked(Command::new(binary()));
    command.arg("-c").arg(sandbox.config()).args(["start", "web"]);
    let client = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    sandbox.wait("web to wait", |sandbox| {
        (description(sandbox, "web") == "waiting for db (not active)").then_some(())
    });
    assert!(sandbox.ctl(&["add", "db"]).success);
    wait_order(&mut sandbox, &["+db", "+web"]);
    assert_eq!(client.wait_with_output().unwrap().stdout, b"web: started\n");
    stop_all(&mut sandbox);
}

#[test]
fn dependencies_are_read_from_toml_and_from_variables() {
    let program = |name: &str, options: &str| {
        format!(
            "[program.{name}]\ncommand = \"sh service.sh {name}\"\nstartsecs = 0\nstopasgroup = true\n{options}\n"
        )
    };
    // The client reads the sections of the INI file.
    let mut sandbox = sandbox(&[]).env("SV_PROGRAM_APP_DEPENDS_ON", "db");
    let toml = [
        "[supervisord]\nlogfile = \"%(here)s/supervisord.log\"\n[unix_http_server]\nfile = \"%(here)s/supervisor.sock\"\n"
            .to_owned(),
        program("web", "depends_on = [\"app\", \"cache?\"]"),
        program("app", ""),
        program("cache", ""),
        program("db", ""),
    ];
    sandbox.write("supervisord.toml", &toml.concat());
    let mut command = sandbox.program("sv");
    command.args(["run", "-c", "supervisord.toml"]);
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox.wait_state("web", "RUNNING");
    assert_before(&order(&sandbox), &[("+db", "+app"), ("+app", "+web"), ("+cache", "+web")]);
    stop_all(&mut sandbox);
}

/// The structure of a container of SONiC, a switch's operating system: a listener of events in Python that starts
/// what has `autostart=false` in its order, a one-shot that everything waits for, daemons that wait for each other.
/// `python3` is no command here.
#[test]
fn programs_of_supervisord_dependent_startup_start_in_their_order_without_python() {
    let program = |name: &str, script: &str, options: &str| {
        format!(
            "[program:{name}]\ncommand=sh {script}.sh {name}\nstartsecs=0\nautostart=false\nautorestart=false\n\
             stopasgroup=true\ndependent_startup=true\n{options}\n"
        )
    };
    let mut sandbox = sandbox(&[
        "[eventlistener:dependent-startup]\ncommand=/no/such/python3 -m supervisord_dependent_startup\nautostart=true\n\
         autorestart=unexpected\nstartretries=0\nexitcodes=0,3\nevents=PROCESS_STATE\nbuffer_size=50\n"
            .to_owned(),
        program("agent", "service", "priority=3\ndependent_startup_wait_for=orch:running"),
        program("orch", "service", "priority=4\ndependent_startup_wait_for=setup:exited ports:running"),
        program("ports", "service", "priority=5\ndependent_startup_wait_for=setup:exited"),
        program("setup", "job", "priority=6\ndependent_startup_wait_for=logd:running"),
        program("logd", "service", "priority=7"),
        service("unmanaged", "autostart=false"),
        // The listener passes over what starts by itself.
        service("itself", "dependent_startup=true\ndependent_startup_wait_for=agent:running\npriority=1"),
    ])
    .start();
    wait_order(&mut sandbox, &["+itself", "+logd", "+setup"]);
    assert_eq!(description(&sandbox, "orch"), "waiting for setup (exited), ports (ready)");
    // The listener does not look at the status.
    sandbox.write("setup.fail", "");
    wait_order(&mut sandbox, &["+itself", "+logd", "+setup", "!setup", "+ports", "+orch", "+agent"]);
    sandbox.wait_state("agent", "RUNNING");
    assert_eq!(sandbox.state("unmanaged").as_deref(), Some("STOPPED"));
    assert!(!sandbox.ctl(&["status"]).stdout.contains("dependent-startup"));
    let log = sandbox.log();
    assert_eq!(
        log.matches("dependent-startup] is built in: programs wait for each other without it").count(),
        1
    );
    assert!(log.contains("dependent_startup of [program:itself] needs autostart=false"), "{log}");
    forget_order(&sandbox);
    stop_all(&mut sandbox);
    assert_before(&order(&sandbox), &[("-agent", "-orch"), ("-orch", "-ports"), ("-ports", "-logd")]);
}

#[test]
fn the_client_reports_dependents_of_stopped_programs_and_why_a_start_failed() {
    let mut sandbox = sandbox(&[
        service("web", "depends_on=db"),
        service("db", ""),
        service("app", "depends_on=gone\nautostart=false"),
        "[program:gone]\ncommand=/no/such/file\nstartretries=0\nautostart=false\n".to_owned(),
    ])
    .start();
    sandbox.wait_state("web", "RUNNING");
    let stopped = sandbox.ctl(&["stop", "db"]);
    assert_eq!((stopped.stdout.as_str(), stopped.code), ("db: stopped\n", Some(0)));
    assert_eq!(stopped.stderr, "  web still runs and depends on db\n");
    let failed = sandbox.ctl(&["start", "app"]);
    assert_eq!((failed.stdout.as_str(), failed.code), ("app: ERROR (spawn error)\n", Some(7)));
    assert_eq!(failed.stderr, "  app is FATAL: gone is FATAL: can't find command '/no/such/file'\n");
    // Under Supervisor's name it says no more than Supervisor's client.
    assert!(sandbox.ctl(&["start", "db"]).success);
    let mut supervisorctl = sandbox.program("supervisorctl");
    let output = supervisorctl.arg("-c").arg(sandbox.config()).args(["stop", "db"]).output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"db: stopped\n".to_vec(), Vec::new()));
    stop_all(&mut sandbox);
}
