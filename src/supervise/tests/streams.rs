//! Logs, standard input, and what comes from outside without a process.

use super::*;

#[test]
fn logs_are_read_and_cleared_by_name() {
    let mut story = Story::of(vec![alone(1, spec("web")), group("g", [spec("a")])]).running();
    let read = |name: &str, channel| {
        let reading = Reading::Range { offset: 0, length: 0 };
        Command::ReadLog(LogOf::Process(Namespec::split(name), channel), reading)
    };
    story.ask(read("web", Channel::Stdout));
    story.ask(read("web", Channel::Stderr));
    story.ask(read("g:*", Channel::Stdout));
    story.tells(&[
        "!reply 1 Text(\"Some((ProcessId(1), Stdout))\")",
        "!reply 2 Text(\"Some((ProcessId(1), Stderr))\")",
        "!reply 3 BAD_NAME: g:*",
    ]);
    story.ask(Command::ClearProcessLogs(Namespec::split("web")));
    story.ask(Command::ClearProcessLogs(Namespec::split("nope")));
    story.ask(Command::ClearProcessLogs(Namespec::split("g:*")));
    story.ask(Command::ClearAllProcessLogs);
    story.send_error = Some(SendError::Failed("EROFS".to_owned()));
    story.ask(Command::ClearProcessLogs(Namespec::split("g:a")));
    story.tells(&[
        "!reply 4 done",
        "!reply 5 BAD_NAME: nope",
        "!reply 6 BAD_NAME: g:*",
        "!reply 7 web:ok,a:ok",
        "!reply 8 FAILED: g:a",
    ]);
}

#[test]
fn auto_logs_are_made_before_the_start_and_told() {
    let auto = |stream: StreamSpec| StreamSpec { target: LogTarget::Auto, ..stream };
    let mut story = Story::one(|web| (web.stdout, web.autostart) = (auto(web.stdout.clone()), false)).begun();
    story.tells(&[]);
    let turn = Turn { now: story.now, restarts_allowed: true, random: 0 };
    let info = story.supervisor.process(story.id("web")).unwrap().info(&turn);
    assert_eq!((info.stdout_log_file.as_str(), info.stderr_log_file.as_str()), ("/auto/1-out", ""));
}

#[test]
fn what_is_sent_goes_to_those_who_can_read_it() {
    let later = ProcessSpec { autostart: false, ..spec("later") };
    let mut story = Story::of(vec![alone(1, spec("web")), alone(2, later)]).begun();
    story.told.clear();
    let send = |name: &str| Command::SendStdin(Namespec::split(name), "hi".to_owned());
    for name in ["web", "later", "nope", "web:*"] {
        story.ask(send(name));
    }
    story.tells(&[
        "!write web hi",
        "!reply 1 done",
        "!reply 2 NOT_RUNNING: later",
        "!reply 3 BAD_NAME: nope",
        "!reply 4 BAD_NAME: web:*",
    ]);
    story.send_error = Some(SendError::Gone(String::new()));
    story.ask(send("web"));
    story.send_error = Some(SendError::Failed(String::new()));
    story.ask(send("web:web"));
    story.tells(&[
        "!write web hi",
        "!reply 5 NO_FILE: web",
        "!write web hi",
        "!reply 6 FAILED: web:web has not read what was sent to it before; try again later",
    ]);
    story.send_error = None;
    story.stop("web", Wait::No);
    story.told.clear();
    story.ask(send("web"));
    story.tells(&["!reply 8 NOT_RUNNING: web"]);
}

#[test]
fn remote_events_are_taken_in_any_state() {
    let mut story = Story::one(|_| ()).running();
    let event = || Command::SendRemoteEvent { kind: "x".to_owned(), data: "y".to_owned() };
    story.ask(event());
    story.signal(Signal::TERM);
    story.told.retain(|line| line.starts_with("!reply"));
    story.ask(event());
    story.tells(&["!reply 1 done", "!reply 2 done"]);
}

#[test]
fn usr2_reopens_the_logs() {
    let mut story = Story::one(|_| ()).running();
    story.signal(Signal::USR2);
    story.tells(&["INFO received SIGUSR2 indicating log reopen request", "!reopen"]);
}

#[test]
fn orphans_are_told_of() {
    let mut story = Story::one(|_| ()).running();
    story.input(Input::OrphanEnded { pid: Pid(77), status: KILLED });
    story.tells(&["INFO reaped unknown pid 77 (terminated by SIGKILL)"]);
}
