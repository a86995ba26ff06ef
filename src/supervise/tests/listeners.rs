//! Event listeners: which events each receives, and how they are handled.
//!
//! A sent event appears as `!event NAME` with its payload and its header, without
//! the constant part of the header.

use super::*;
use crate::events::OutputKind;

const READY: &[u8] = b"READY\n";
const DONE: &[u8] = b"RESULT 2\nOK";
const REFUSED: &[u8] = b"RESULT 4\nFAIL";

/// A pool whose listeners run at once.
pub(super) fn pool(name: &str, events: &[EventType], listeners: &[&str], buffer_size: usize) -> GroupSpec {
    let events = events.iter().copied().collect();
    let (length, handler) = (EventLength::Characters, ResultHandler::Default);
    let pool = PoolSpec { events, buffer_size, length, handler };
    let listener = |name: &&str| ProcessSpec { start_secs: 0, ..spec(name) };
    let group = group(name, listeners.iter().map(listener));
    GroupSpec { priority: -1, kind: GroupKind::EventListener(pool), ..group }
}

impl Scenario {
    fn write_stdout(&mut self, listener: &str, bytes: &[u8]) {
        let (process, bytes) = (self.id(listener), bytes.to_owned());
        self.input(Input::ListenerSaid { process, bytes });
    }

    fn send_remote(&mut self, data: &str) {
        let (kind, data) = ("t".to_owned(), data.to_owned());
        self.tickets += 1;
        let command = Command::SendRemoteEvent { kind, data };
        self.input(Input::Command { principal: client(), ticket: Ticket(self.tickets), command });
        self.log.retain(|line| !line.starts_with("!reply"));
    }

    /// The payloads of the events that were sent since the last call.
    fn take_payloads(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.log);
        let events = lines.iter().filter(|line| line.starts_with("!event "));
        events.map(|line| line.split_once('\n').unwrap().1.to_owned()).collect()
    }

    /// Lets a listener accept all queued events; returns their names and payloads.
    pub(super) fn take_all_events(&mut self, listener: &str) -> Vec<String> {
        self.log.clear();
        self.write_stdout(listener, READY);
        let mut all = Vec::new();
        while let Some(line) = self.log.iter().find(|line| line.starts_with("!event ")) {
            let (header, payload) = line.split_once('\n').unwrap();
            let name = header.split_once("eventname:").unwrap().1.split(' ').next().unwrap();
            all.push(format!("{name} {payload}"));
            self.log.clear();
            self.write_stdout(listener, &[DONE, READY].concat());
            assert!(all.len() < 1_000, "{all:?}");
        }
        all
    }
}

/// One listener that is ready, with an empty log.
fn listening(events: &[EventType], listeners: &[&str], buffer_size: usize) -> Scenario {
    let mut scenario = Scenario::of(vec![pool("pool", events, listeners, buffer_size)]).begin();
    for listener in listeners {
        scenario.take_all_events(listener);
    }
    scenario.log.clear();
    scenario
}

#[test]
fn events_of_a_process_arrive_in_order() {
    let mut web = spec("web");
    (web.start_retries, web.autorestart) = (StartRetries::Times(1), AutoRestart::Never);
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut scenario = Scenario::of(vec![pool, alone(999, web)]).begin();
    scenario.exit("web", 0);
    scenario.pass(1.0);
    scenario.exit("web", 1);
    scenario.start("web", Wait::No);
    scenario.pass(1.0);
    scenario.exit("web", 0);
    scenario.start("web", Wait::No);
    scenario.pass(1.0);
    scenario.exit("web", 3);
    scenario.start("web", Wait::No);
    scenario.stop("web", Wait::No);
    scenario.end("web", KILLED);
    let web = |line: &str| {
        let (state, rest) = line.split_once(' ').unwrap();
        format!("PROCESS_STATE_{state} processname:web groupname:web from_state:{rest}")
    };
    let lines: Vec<_> =
        scenario.take_all_events("l").into_iter().filter(|line| line.contains("processname:web ")).collect();
    let expected = [
        "STARTING STOPPED tries:0",
        "BACKOFF STARTING tries:1",
        "STARTING BACKOFF tries:1",
        "BACKOFF STARTING tries:2",
        "FATAL BACKOFF",
        "STARTING FATAL tries:0",
        "RUNNING STARTING pid:104",
        "EXITED RUNNING expected:1 pid:104",
        "STARTING EXITED tries:0",
        "RUNNING STARTING pid:105",
        "EXITED RUNNING expected:0 pid:105",
        "STARTING EXITED tries:0",
        "STOPPING STARTING pid:106",
        "STOPPED STOPPING pid:106",
    ];
    assert_eq!(lines, expected.map(web));
}

#[test]
fn an_exit_at_the_end_of_startsecs_is_reported_from_running() {
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut scenario = Scenario::of(vec![pool, alone(999, spec("web"))]).begin();
    scenario.take_all_events("l");
    scenario.at(Mono(Duration::from_secs(1)));
    scenario.exit("web", 0);
    scenario.write_stdout("l", &[DONE, READY].concat());
    let web = |rest: &str| format!("processname:web groupname:web from_state:{rest}");
    assert_eq!(scenario.take_payloads(), [web("STARTING pid:102"), web("RUNNING expected:1 pid:102")]);
}

#[test]
fn a_stop_during_backoff_and_a_failed_signal_are_reported() {
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let groups = vec![pool, alone(999, spec("web")), alone(999, spec("db"))];
    let mut scenario = Scenario::of(groups).begin();
    scenario.exit("web", 0);
    scenario.stop("web", Wait::No);
    scenario.send_error = Some(SendError::Failed("EPERM".to_owned()));
    scenario.stop("db", Wait::No);
    let lines = scenario.take_all_events("l").join("\n");
    for expected in [
        "PROCESS_STATE_STOPPED processname:web groupname:web from_state:BACKOFF pid:0",
        "PROCESS_STATE_UNKNOWN processname:db groupname:db from_state:STOPPING",
    ] {
        assert!(lines.contains(expected), "{lines}");
    }
}

#[test]
fn a_pool_receives_events_of_later_groups_from_the_start() {
    let before = GroupSpec { priority: -2, ..alone(-2, spec("before")) };
    let events = [EventType::ProcessGroup, EventType::SupervisorStateChange];
    let mut scenario =
        Scenario::of(vec![before, pool("pool", &events, &["l"], 10), alone(1, spec("web"))]).begin();
    let groups = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("PROCESS_GROUP_ADDED groupname:{name}\n")).collect()
    };
    let mut expected = groups(&["pool", "web"]);
    expected.push("SUPERVISOR_STATE_CHANGE_RUNNING ".to_owned());
    assert_eq!(scenario.take_all_events("l"), expected);
}

#[test]
fn serials_count_subscribed_events_and_pool_serials_accepted_ones() {
    let remote = [EventType::RemoteCommunication];
    let all = [EventType::RemoteCommunication, EventType::ProcessGroup];
    let mut scenario =
        Scenario::of(vec![pool("a", &all, &["la"], 10), pool("b", &remote, &["lb"], 10)]).begin();
    scenario.log.clear();
    scenario.send_remote("x");
    scenario.write_stdout("la", READY);
    scenario.write_stdout("la", &[DONE, READY].concat());
    scenario.write_stdout("la", &[DONE, READY].concat());
    scenario.write_stdout("lb", READY);
    let lines: Vec<_> =
        scenario.log.iter().filter_map(|line| Some(line.split_once(" eventname:")?.0.to_owned())).collect();
    assert_eq!(
        lines,
        [
            "!event la serial:0 pool:a poolserial:0",
            "!event la serial:1 pool:a poolserial:1",
            "!event la serial:2 pool:a poolserial:2",
            "!event lb serial:2 pool:b poolserial:0",
        ]
    );
}

#[test]
fn nothing_is_sent_before_a_listener_runs_and_says_that_it_is_ready() {
    let mut pool = pool("pool", &[EventType::RemoteCommunication], &["l"], 10);
    Arc::make_mut(&mut pool.processes[0]).start_secs = 1;
    let mut scenario = Scenario::of(vec![pool]).begin();
    scenario.send_remote("x");
    scenario.write_stdout("l", READY);
    assert_eq!(scenario.take_payloads(), [""; 0], "it does not run yet");
    scenario.pass(1.0);
    assert_eq!(scenario.take_payloads(), ["type:t\nx"]);
}

#[test]
fn two_listeners_share_a_queue_and_each_handles_one_event_at_a_time() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["one", "two"], 10);
    for data in ["a", "b", "c"] {
        scenario.send_remote(data);
    }
    let sent = |name: &str, serial: u8, data: &str| {
        format!(
            "!event {name} serial:{serial} pool:pool poolserial:{serial} eventname:REMOTE_COMMUNICATION \
             len:8\ntype:t\n{data}"
        )
    };
    scenario.expect_log(&[&sent("one", 0, "a"), &sent("two", 1, "b")]);
    scenario.write_stdout("two", DONE);
    scenario.expect_log(&[]);
    scenario.write_stdout("two", READY);
    scenario.expect_log(&[&sent("two", 2, "c")]);
}

#[test]
fn an_unanswered_event_goes_to_the_next_listener() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["one", "two"], 10);
    scenario.send_remote("a");
    scenario.log.clear();
    scenario.exit("one", 1);
    let again = "!event two serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na";
    assert_eq!(scenario.log.iter().filter(|line| line.starts_with("!event")).collect::<Vec<_>>(), [again]);
}

#[test]
fn nothing_is_lost_while_a_listener_is_started_again() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["l"], 10);
    scenario.pass(2.0);
    scenario.send_remote("a");
    scenario.send_remote("b");
    scenario.end("l", KILLED);
    scenario.send_remote("c");
    scenario.log.clear();
    let lines = scenario.take_all_events("l");
    assert_eq!(lines, ["a", "b", "c"].map(|data| format!("REMOTE_COMMUNICATION type:t\n{data}")));
}

#[test]
fn a_refused_event_is_sent_again_to_the_same_pool_only() {
    let remote = [EventType::RemoteCommunication];
    let mut scenario = listening(&remote, &["l"], 10);
    scenario.verbose = true;
    scenario.next_groups =
        vec![pool("pool", &remote, &["l"], 10), pool("tock", &[EventType::Tick], &["t"], 10)];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::AddProcessGroup("tock".to_owned()));
    scenario.write_stdout("t", READY);
    scenario.send_remote("a");
    scenario.log.clear();
    scenario.write_stdout("l", &[REFUSED, READY].concat());
    scenario.expect_log(&[
        "WARN l: event was rejected",
        "DEBG l: BUSY -> ACKNOWLEDGED",
        "DEBG rebuffering event 0 for pool pool (buf size=0, max=10)",
        "DEBG l: ACKNOWLEDGED -> READY",
        "!event l serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na",
        "DEBG event 0 sent to listener l",
    ]);
    scenario.write_stdout("l", DONE);
    scenario.expect_log(&["DEBG l: event was processed", "DEBG l: BUSY -> ACKNOWLEDGED"]);
}

#[test]
fn a_full_buffer_discards_the_oldest_event_and_logs_it() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["l"], 2);
    for data in ["a", "b", "c", "d"] {
        scenario.send_remote(data);
    }
    assert_eq!(scenario.log.pop().unwrap(), "ERRO pool pool event buffer overflowed, discarding event 1");
    scenario.pass(1.0);
    scenario.log.clear();
    scenario.write_stdout("l", REFUSED);
    scenario.expect_log(&[
        "WARN l: event was rejected",
        "ERRO pool pool event buffer overflowed, discarding event 2",
    ]);
    assert_eq!(
        scenario.take_all_events("l"),
        ["a", "d"].map(|data| format!("REMOTE_COMMUNICATION type:t\n{data}"))
    );
}

#[test]
fn discarded_events_have_one_line_a_second() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["l"], 1);
    scenario.send_remote("a");
    scenario.send_remote("b");
    scenario.log.clear();
    for _ in 0..1000 {
        scenario.send_remote("c");
    }
    scenario.expect_log(&["ERRO pool pool event buffer overflowed, discarding event 1"]);
    scenario.pass(0.9);
    scenario.expect_log(&[]);
    scenario.pass(0.1);
    scenario.expect_log(&["ERRO pool pool event buffer overflowed, discarding event 2 and 998 more"]);
    scenario.pass(3600.0);
    scenario.expect_log(&[]);
    assert_eq!(scenario.supervisor.deadline(), None);
}

#[test]
fn a_listener_that_refuses_everything_is_sent_events_less_often() {
    let mut scenario = listening(&[EventType::RemoteCommunication], &["l"], 10);
    scenario.send_remote("a");
    scenario.log.clear();
    let again = "!event l serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na";
    let refused = [REFUSED, READY].concat();
    scenario.write_stdout("l", &refused);
    scenario.expect_log(&["WARN l: event was rejected", again]);
    for _ in 0..2 {
        scenario.write_stdout("l", &refused);
        scenario.expect_log(&[again]);
    }
    for pause in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] {
        scenario.write_stdout("l", &refused);
        scenario.pass(pause - 0.001);
        scenario.expect_log(&[]);
        scenario.pass(0.001);
        scenario.expect_log(&[again]);
    }
    scenario.write_stdout("l", &refused);
    scenario.expect_log(&["WARN pool pool: 10 events were rejected in a row, the next is sent in 5 seconds"]);
    scenario.send_remote("b");
    scenario.pass(5.0);
    scenario.expect_log(&[again]);
    scenario.write_stdout("l", &refused);
    scenario.expect_log(&[]);
    scenario.pass(5.0);
    scenario.log.clear();
    // The pause ends when it accepts an event.
    scenario.write_stdout("l", &[DONE, READY].concat());
    scenario.expect_log(&[
        "INFO pool pool: an event was processed after 11 were rejected in a row",
        "!event l serial:1 pool:pool poolserial:1 eventname:REMOTE_COMMUNICATION len:8\ntype:t\nb",
    ]);
    scenario.write_stdout("l", DONE);
    assert_eq!(scenario.supervisor.deadline(), None);
}

const UNKNOWN: &str = "WARN l: has entered the UNKNOWN state and will no longer receive events, this usually \
    indicates the process violated the eventlistener protocol";

#[test]
fn a_listener_that_violates_the_protocol_gets_nothing_until_it_restarts() {
    let remote = [EventType::RemoteCommunication];
    for (said, expected) in [
        (&b"RESULT x\n"[..], vec!["WARN l: bad result line: 'RESULT x'", "DEBG l: BUSY -> UNKNOWN", UNKNOWN]),
        (b"RESULT 2\nOK\nREADY\n", vec!["DEBG l: ACKNOWLEDGED -> UNKNOWN", UNKNOWN]),
        (b"RESULT 2\nOKREADY\nREADY\n", vec!["DEBG l: READY -> UNKNOWN", UNKNOWN]),
    ] {
        let mut scenario = listening(&remote, &["l"], 10);
        scenario.send_remote("a");
        (scenario.verbose, scenario.log) = (true, Vec::new());
        scenario.write_stdout("l", said);
        for line in expected {
            assert!(scenario.log.iter().any(|lines| lines == line), "{line} in {:?}", scenario.log);
        }
        scenario.send_remote("b");
        scenario.write_stdout("l", READY);
        assert_eq!(scenario.take_payloads(), [""; 0], "{}", said.escape_ascii());
        scenario.pass(2.0);
        scenario.end("l", KILLED);
        assert!(scenario.take_all_events("l").iter().any(|line| line.ends_with('b')));
    }
}

#[test]
fn an_undeliverable_event_goes_to_another_listener() {
    let remote = [EventType::RemoteCommunication];
    let mut scenario = listening(&remote, &["one", "two"], 10);
    (scenario.verbose, scenario.event_error) = (true, Some(StdinError::Closed));
    scenario.send_remote("a");
    let sent = |name: &str| {
        format!(
            "!event {name} serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na"
        )
    };
    let epipe = |name: &str| {
        format!("DEBG epipe occurred while sending event 0 to listener {name}, listener state unchanged")
    };
    let again = "DEBG rebuffering event 0 for pool pool (buf size=0, max=10)";
    scenario.expect_log(&[&sent("one"), &epipe("one"), again, &sent("two"), &epipe("two"), again]);
    scenario.event_error = None;
    scenario.send_remote("b");
    scenario.expect_log(&[]);
    let mut scenario = listening(&remote, &["l"], 10);
    scenario.event_error = Some(StdinError::Full);
    scenario.send_remote("a");
    assert_eq!(
        scenario.log.pop().unwrap(),
        "WARN l: does not read the events that it is sent and will no longer receive any"
    );
}

#[test]
fn ticks_are_scheduled_and_sent_only_if_subscribed() {
    let mut scenario = Scenario::one(|_| ()).running();
    assert_eq!(scenario.supervisor.deadline(), None);
    scenario.next_groups = vec![pool("pool", &[EventType::Tick5, EventType::Tick], &["l"], 10)];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::AddProcessGroup("pool".to_owned()));
    scenario.write_stdout("l", READY);
    scenario.pass(3.1);
    assert_eq!(scenario.take_payloads(), ["when:1795190405"]);
    scenario.write_stdout("l", &[DONE, READY].concat());
    assert_eq!(scenario.take_payloads(), [""; 0], "once, whatever it asked for");
    scenario.pass(60.0);
    scenario.stop("l", Wait::No);
    scenario.exit("l", 0);
    scenario.ask(Command::RemoveProcessGroup("pool".to_owned()));
    assert_eq!(scenario.supervisor.deadline(), None, "nobody listens any more");
}

#[test]
fn output_events_go_only_to_subscribers() {
    let mut scenario = listening(&[EventType::ProcessCommunication], &["l"], 10);
    let process = scenario.id("l");
    for kind in [OutputKind::Log, OutputKind::Communication] {
        let data = format!("{kind:?}").into_bytes();
        let (pid, channel) = (Pid(101), Channel::Stderr);
        scenario.input(Input::Wrote { process, pid, channel, kind, data });
    }
    assert_eq!(scenario.take_payloads(), ["processname:l groupname:pool pid:101\nCommunication"]);
    assert!(scenario.supervisor.asks_for(EventType::ProcessCommunicationStderr));
    assert!(!scenario.supervisor.asks_for(EventType::ProcessLogStderr));
}

#[test]
fn group_changes_are_announced_and_a_removed_pool_gets_nothing() {
    let groups = || vec![pool("pool", &[EventType::ProcessGroup], &["l"], 10), alone(1, spec("web"))];
    let mut scenario = Scenario::of(groups()).running();
    scenario.take_all_events("l");
    scenario.next_groups = groups();
    scenario.ask(Command::ReloadConfig);
    scenario.stop("web", Wait::No);
    scenario.exit("web", 0);
    scenario.ask(Command::RemoveProcessGroup("web".to_owned()));
    scenario.ask(Command::AddProcessGroup("web".to_owned()));
    scenario.write_stdout("l", &[DONE, READY].concat());
    let events: Vec<_> =
        scenario.log.iter().filter_map(|line| line.split_once("eventname:")).map(|it| it.1).collect();
    let expected =
        ["PROCESS_GROUP_REMOVED len:14\ngroupname:web\n", "PROCESS_GROUP_ADDED len:14\ngroupname:web\n"];
    assert_eq!(events, expected);
    scenario.stop("l", Wait::No);
    scenario.exit("l", 0);
    scenario.ask(Command::RemoveProcessGroup("pool".to_owned()));
    assert!(!scenario.supervisor.asks_for(EventType::ProcessGroupAdded));
}

#[test]
fn an_update_keeps_queued_events_and_serials() {
    let all = [EventType::RemoteCommunication];
    let mut scenario = listening(&all, &["l"], 10);
    scenario.send_remote("a");
    scenario.send_remote("b");
    scenario.log.clear();
    scenario.next_groups = vec![pool("pool", &[EventType::Event], &["l"], 20)];
    scenario.ask(Command::ReloadConfig);
    scenario.ask(Command::UpdateProcessGroup("pool".to_owned()));
    scenario.exit("l", 0);
    let lines = scenario.take_all_events("l");
    assert!(lines[0].ends_with("\na") && lines[1].ends_with("\nb"), "{lines:?}");
    assert!(lines[2].starts_with("PROCESS_STATE_STOPPING processname:l"), "{lines:?}");
}

#[test]
fn listeners_receive_all_events_of_a_shutdown_and_serials_continue_after_a_restart() {
    let groups = vec![pool("pool", &[EventType::Event], &["l"], 100), alone(1, spec("web"))];
    let mut scenario = Scenario::of(groups.clone()).running();
    scenario.take_all_events("l");
    scenario.next_groups = groups.clone();
    scenario.ask(Command::Restart);
    assert_eq!(scenario.take_payloads(), [""], "the supervisor stops");
    scenario.write_stdout("l", &[DONE, READY].concat());
    assert_eq!(scenario.take_payloads(), ["processname:web groupname:web from_state:RUNNING pid:102"]);
    scenario.send_remote("still");
    scenario.write_stdout("l", &[DONE, READY].concat());
    assert_eq!(scenario.take_payloads(), ["type:t\nstill"], "it is taken in any state");
    scenario.write_stdout("l", &[DONE, READY].concat());
    scenario.end("web", KILLED);
    assert_eq!(scenario.take_payloads(), ["processname:web groupname:web from_state:STOPPING pid:102"]);
    assert_eq!(scenario.state("l"), ProcessState::Running, "it is not through yet");
    scenario.write_stdout("l", DONE);
    scenario.expect_log(&["!kill l SIGTERM"]);
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = scenario.supervisor.succeed(identity, groups);
    assert!(next.next_event > 0 && next.next_event == scenario.supervisor.next_event);
}

#[test]
fn a_shutdown_waits_a_second_for_busy_listeners_only() {
    let stopped = |scenario: &Scenario| scenario.log.iter().any(|line| line == "!kill l SIGTERM");
    for (said, is_awaited) in [(&b""[..], true), (b"READY\n", true), (b"READY\nREADY\n", false)] {
        let groups =
            vec![pool("pool", &[EventType::SupervisorStateChange], &["l"], 10), alone(1, spec("web"))];
        let mut scenario = Scenario::of(groups).running();
        scenario.write_stdout("l", said);
        scenario.signal(Signal::TERM);
        scenario.end("web", KILLED);
        assert_eq!(stopped(&scenario), !is_awaited, "{}", said.escape_ascii());
        scenario.pass(0.9);
        assert_eq!(stopped(&scenario), !is_awaited, "{}", said.escape_ascii());
        scenario.pass(0.1);
        assert!(stopped(&scenario));
        scenario.exit("l", 0);
        assert_eq!(scenario.log.last().unwrap(), "!stopped End");
    }
    let mut scenario = listening(&[EventType::ProcessState], &["l"], 10);
    scenario.signal(Signal::TERM);
    scenario.log.clear();
    scenario.signal(Signal::TERM);
    assert!(
        stopped(&scenario) || scenario.state("l") == ProcessState::Stopping,
        "a second request waits for nobody"
    );
}

#[test]
fn a_shutdown_waits_a_second_for_listeners_of_all_priorities_together() {
    let silent = |name: &str, priority| GroupSpec {
        priority,
        ..pool(name, &[EventType::Event], &[&format!("{name}-listener")], 10)
    };
    let groups = (1..=5).map(|priority| silent(&format!("p{priority}"), priority));
    let mut scenario = Scenario::of(groups.chain([alone(9, spec("web"))]).collect()).running();
    scenario.signal(Signal::TERM);
    scenario.exit("web", 0);
    let began = scenario.now.mono;
    for name in ["p5", "p4", "p3", "p2", "p1"] {
        while scenario.state(&format!("{name}-listener")) == ProcessState::Running {
            scenario.pass(0.1);
        }
        scenario.exit(&format!("{name}-listener"), 0);
    }
    assert_eq!(scenario.log.last().unwrap(), "!stopped End");
    let took = scenario.now.mono.since(began);
    assert!((1_000..=1_100).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn a_printing_pool_writes_lines_to_our_output_and_accepts_any_answer() {
    let GroupKind::EventListener(pool_spec) = pool("p", &[EventType::ProcessLog], &[], 10).kind else {
        panic!()
    };
    let mut group = pool("pool", &[EventType::ProcessLog], &["l"], 10);
    group.kind = GroupKind::EventListener(PoolSpec {
        handler: ResultHandler::Print(PrintHandler::Stdlog),
        ..pool_spec
    });
    let mut scenario = Scenario::of(vec![group, alone(1, spec("web"))]).begin();
    scenario.write_stdout("l", READY);
    let (process, pid) = (scenario.id("web"), Pid(102));
    let (channel, kind) = (Channel::Stderr, OutputKind::Log);
    scenario.input(Input::Wrote { process, pid, channel, kind, data: b"one\n".to_vec() });
    scenario.log.clear();
    scenario.write_stdout("l", REFUSED);
    scenario.expect_log(&["!print to stderr: \u{1b}[36mweb | \u{1b}[31mone\u{1b}[m\n"]);
}
