//! Logs, standard input, and external input that concerns no process.

use super::*;

#[test]
fn logs_are_read_and_cleared_by_name() {
    let mut scenario = Scenario::of(vec![alone(1, spec("web")), group("g", [spec("a")])]).running();
    let read = |name: &str, channel| {
        let range = LogRange::Range { offset: 0, length: 0 };
        Command::ReadLog(LogOf::Process(Namespec::split(name), channel), range)
    };
    scenario.ask(read("web", Channel::Stdout));
    scenario.ask(read("web", Channel::Stderr));
    scenario.ask(read("g:*", Channel::Stdout));
    scenario.expect_log(&[
        "!reply 1 Text(\"Some((ProcessId(1), Stdout))\")",
        "!reply 2 Text(\"Some((ProcessId(1), Stderr))\")",
        "!reply 3 BAD_NAME: g:*",
    ]);
    scenario.ask(Command::ClearProcessLogs(Namespec::split("web")));
    scenario.ask(Command::ClearProcessLogs(Namespec::split("nope")));
    scenario.ask(Command::ClearProcessLogs(Namespec::split("g:*")));
    scenario.ask(Command::ClearAllProcessLogs);
    scenario.send_error = Some(SendError::Failed("EROFS".to_owned()));
    scenario.ask(Command::ClearProcessLogs(Namespec::split("g:a")));
    scenario.expect_log(&[
        "!reply 4 done",
        "!reply 5 BAD_NAME: nope",
        "!reply 6 BAD_NAME: g:*",
        "!reply 7 web:ok,a:ok",
        "!reply 8 FAILED: g:a",
    ]);
}

#[test]
fn auto_logs_are_created_before_the_start_and_reported() {
    let auto = |stream: StreamSpec| StreamSpec { target: LogTarget::Auto, ..stream };
    let mut scenario =
        Scenario::one(|web| (web.stdout, web.autostart) = (auto(web.stdout.clone()), false)).begin();
    scenario.expect_log(&[]);
    let turn = Turn { now: scenario.now, restarts_allowed: true, random: 0 };
    let info = scenario.supervisor.process(scenario.id("web")).unwrap().info(&turn);
    assert_eq!((info.stdout_log_file.as_str(), info.stderr_log_file.as_str()), ("/auto/1-out", ""));
}

#[test]
fn text_for_standard_input_goes_only_to_processes_that_can_read_it() {
    let later = ProcessSpec { autostart: false, ..spec("later") };
    let mut scenario = Scenario::of(vec![alone(1, spec("web")), alone(2, later)]).begin();
    scenario.log.clear();
    let send = |name: &str| Command::SendStdin(Namespec::split(name), "hi".to_owned());
    for name in ["web", "later", "nope", "web:*"] {
        scenario.ask(send(name));
    }
    scenario.expect_log(&[
        "!write web hi",
        "!reply 1 done",
        "!reply 2 NOT_RUNNING: later",
        "!reply 3 BAD_NAME: nope",
        "!reply 4 BAD_NAME: web:*",
    ]);
    scenario.send_error = Some(SendError::Gone(String::new()));
    scenario.ask(send("web"));
    scenario.send_error = Some(SendError::Failed(String::new()));
    scenario.ask(send("web:web"));
    scenario.expect_log(&[
        "!write web hi",
        "!reply 5 NO_FILE: web",
        "!write web hi",
        "!reply 6 FAILED: web:web has not read what was sent to it before; try again later",
    ]);
    scenario.send_error = None;
    scenario.stop("web", Wait::No);
    scenario.log.clear();
    scenario.ask(send("web"));
    scenario.expect_log(&["!reply 8 NOT_RUNNING: web"]);
}

#[test]
fn remote_events_are_accepted_in_any_state() {
    let mut scenario = Scenario::one(|_| ()).running();
    let event = || Command::SendRemoteEvent { kind: "x".to_owned(), data: "y".to_owned() };
    scenario.ask(event());
    scenario.signal(Signal::TERM);
    scenario.log.retain(|line| line.starts_with("!reply"));
    scenario.ask(event());
    scenario.expect_log(&["!reply 1 done", "!reply 2 done"]);
}

#[test]
fn usr2_reopens_the_logs() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.signal(Signal::USR2);
    scenario.expect_log(&["INFO received SIGUSR2 indicating log reopen request", "!reopen"]);
}

#[test]
fn reaped_orphans_are_logged() {
    let mut scenario = Scenario::one(|_| ()).running();
    scenario.input(Input::OrphanEnded { pid: Pid(77), status: KILLED });
    scenario.expect_log(&["INFO reaped unknown pid 77 (terminated by SIGKILL)"]);
}

#[test]
fn lines_below_the_log_level_are_not_made() {
    let mut scenario = Scenario::one(|_| ()).running();
    let signal = || Input::Signal { principal: client(), signal: Signal::CHLD };
    let line = |level, text: &str| Effect::Log { level, text: text.to_owned() };
    let quit = line(LogLevel::Debug, "received SIGCHLD indicating a child quit");
    for (level, expected) in [(LogLevel::Info, vec![]), (LogLevel::Debug, vec![quit])] {
        scenario.input(Input::LogLevel { level });
        assert_eq!(scenario.handle(signal()), expected);
    }
    let usr2 = Input::Signal { principal: client(), signal: Signal::USR2 };
    let reopen = line(LogLevel::Info, "received SIGUSR2 indicating log reopen request");
    assert_eq!(scenario.handle(usr2)[0], reopen);
}
