//! Stories of event listeners: what is told to whom, and what becomes of it.
//!
//! An event that is sent is told as `!event NAME` with its header, but for what is always the same, and
//! its payload.

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

impl Story {
    fn says(&mut self, listener: &str, bytes: &[u8]) {
        let (process, bytes) = (self.id(listener), bytes.to_owned());
        self.input(Input::ListenerSaid { process, bytes });
    }

    fn remote(&mut self, data: &str) {
        let (kind, data) = ("t".to_owned(), data.to_owned());
        self.tickets += 1;
        let command = Command::SendRemoteEvent { kind, data };
        self.input(Input::Command { principal: client(), ticket: Ticket(self.tickets), command });
        self.told.retain(|line| !line.starts_with("!reply"));
    }

    /// The payloads of the events that were sent since the last time.
    fn payloads(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let events = told.iter().filter(|line| line.starts_with("!event "));
        events.map(|line| line.split_once('\n').unwrap().1.to_owned()).collect()
    }

    /// Has a listener take all that waits for it; returns names and payloads.
    pub(super) fn takes_all(&mut self, listener: &str) -> Vec<String> {
        self.told.clear();
        self.says(listener, READY);
        let mut all = Vec::new();
        while let Some(line) = self.told.iter().find(|line| line.starts_with("!event ")) {
            let (header, payload) = line.split_once('\n').unwrap();
            let name = header.split_once("eventname:").unwrap().1.split(' ').next().unwrap();
            all.push(format!("{name} {payload}"));
            self.told.clear();
            self.says(listener, &[DONE, READY].concat());
            assert!(all.len() < 1_000, "{all:?}");
        }
        all
    }
}

/// One listener that waits, and nothing told.
fn listening(events: &[EventType], listeners: &[&str], buffer_size: usize) -> Story {
    let mut story = Story::of(vec![pool("pool", events, listeners, buffer_size)]).begun();
    for listener in listeners {
        story.takes_all(listener);
    }
    story.told.clear();
    story
}

#[test]
fn everything_that_happens_to_a_process_is_told_in_its_order() {
    let mut web = spec("web");
    (web.start_retries, web.autorestart) = (StartRetries::Times(1), AutoRestart::Never);
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut story = Story::of(vec![pool, alone(999, web)]).begun();
    story.exits("web", 0);
    story.pass(1.0);
    story.exits("web", 1);
    story.start("web", Wait::No);
    story.pass(1.0);
    story.exits("web", 0);
    story.start("web", Wait::No);
    story.pass(1.0);
    story.exits("web", 3);
    story.start("web", Wait::No);
    story.stop("web", Wait::No);
    story.ends("web", KILLED);
    let web = |line: &str| {
        let (state, rest) = line.split_once(' ').unwrap();
        format!("PROCESS_STATE_{state} processname:web groupname:web from_state:{rest}")
    };
    let told: Vec<_> =
        story.takes_all("l").into_iter().filter(|line| line.contains("processname:web ")).collect();
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
    assert_eq!(told, expected.map(web));
}

#[test]
fn an_exit_at_the_end_of_startsecs_is_told_as_one_from_running() {
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let mut story = Story::of(vec![pool, alone(999, spec("web"))]).begun();
    story.takes_all("l");
    story.at(Mono(Duration::from_secs(1)));
    story.exits("web", 0);
    story.says("l", &[DONE, READY].concat());
    let web = |rest: &str| format!("processname:web groupname:web from_state:{rest}");
    assert_eq!(story.payloads(), [web("STARTING pid:102"), web("RUNNING expected:1 pid:102")]);
}

#[test]
fn a_stop_while_it_waits_for_another_try_and_a_signal_that_can_not_be_sent_are_told() {
    let pool = pool("pool", &[EventType::ProcessState], &["l"], 100);
    let groups = vec![pool, alone(999, spec("web")), alone(999, spec("db"))];
    let mut story = Story::of(groups).begun();
    story.exits("web", 0);
    story.stop("web", Wait::No);
    story.send_error = Some(SendError::Failed("EPERM".to_owned()));
    story.stop("db", Wait::No);
    let told = story.takes_all("l").join("\n");
    for expected in [
        "PROCESS_STATE_STOPPED processname:web groupname:web from_state:BACKOFF pid:0",
        "PROCESS_STATE_UNKNOWN processname:db groupname:db from_state:STOPPING",
    ] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_pool_is_told_from_the_very_beginning_of_what_comes_after_it() {
    let before = GroupSpec { priority: -2, ..alone(-2, spec("before")) };
    let events = [EventType::ProcessGroup, EventType::SupervisorStateChange];
    let mut story = Story::of(vec![before, pool("pool", &events, &["l"], 10), alone(1, spec("web"))]).begun();
    let groups = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("PROCESS_GROUP_ADDED groupname:{name}\n")).collect()
    };
    let mut expected = groups(&["pool", "web"]);
    expected.push("SUPERVISOR_STATE_CHANGE_RUNNING ".to_owned());
    assert_eq!(story.takes_all("l"), expected);
}

#[test]
fn numbers_count_what_anybody_listened_for_and_what_the_pool_took() {
    let remote = [EventType::RemoteCommunication];
    let all = [EventType::RemoteCommunication, EventType::ProcessGroup];
    let mut story = Story::of(vec![pool("a", &all, &["la"], 10), pool("b", &remote, &["lb"], 10)]).begun();
    story.told.clear();
    story.remote("x");
    story.says("la", READY);
    story.says("la", &[DONE, READY].concat());
    story.says("la", &[DONE, READY].concat());
    story.says("lb", READY);
    let told: Vec<_> =
        story.told.iter().filter_map(|line| Some(line.split_once(" eventname:")?.0.to_owned())).collect();
    assert_eq!(
        told,
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
    let mut story = Story::of(vec![pool]).begun();
    story.remote("x");
    story.says("l", READY);
    assert_eq!(story.payloads(), [""; 0], "it does not run yet");
    story.pass(1.0);
    assert_eq!(story.payloads(), ["type:t\nx"]);
}

#[test]
fn two_listeners_share_what_there_is_and_one_has_one_at_a_time() {
    let mut story = listening(&[EventType::RemoteCommunication], &["one", "two"], 10);
    for data in ["a", "b", "c"] {
        story.remote(data);
    }
    let sent = |name: &str, serial: u8, data: &str| {
        format!(
            "!event {name} serial:{serial} pool:pool poolserial:{serial} eventname:REMOTE_COMMUNICATION \
             len:8\ntype:t\n{data}"
        )
    };
    story.tells(&[&sent("one", 0, "a"), &sent("two", 1, "b")]);
    story.says("two", DONE);
    story.tells(&[]);
    story.says("two", READY);
    story.tells(&[&sent("two", 2, "c")]);
}

#[test]
fn what_a_listener_did_not_answer_is_for_the_next() {
    let mut story = listening(&[EventType::RemoteCommunication], &["one", "two"], 10);
    story.remote("a");
    story.told.clear();
    story.exits("one", 1);
    let again = "!event two serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na";
    assert_eq!(story.told.iter().filter(|line| line.starts_with("!event")).collect::<Vec<_>>(), [again]);
}

#[test]
fn nothing_is_lost_while_a_listener_is_started_again() {
    let mut story = listening(&[EventType::RemoteCommunication], &["l"], 10);
    story.pass(2.0);
    story.remote("a");
    story.remote("b");
    story.ends("l", KILLED);
    story.remote("c");
    story.told.clear();
    let told = story.takes_all("l");
    assert_eq!(told, ["a", "b", "c"].map(|data| format!("REMOTE_COMMUNICATION type:t\n{data}")));
}

#[test]
fn a_refused_event_comes_again_and_to_no_other_pool() {
    let remote = [EventType::RemoteCommunication];
    let mut story = listening(&remote, &["l"], 10);
    story.verbose = true;
    story.next_groups = vec![pool("pool", &remote, &["l"], 10), pool("tock", &[EventType::Tick], &["t"], 10)];
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("tock".to_owned()));
    story.says("t", READY);
    story.remote("a");
    story.told.clear();
    story.says("l", &[REFUSED, READY].concat());
    story.tells(&[
        "WARN l: event was rejected",
        "DEBG l: BUSY -> ACKNOWLEDGED",
        "DEBG rebuffering event 0 for pool pool (buf size=0, max=10)",
        "DEBG l: ACKNOWLEDGED -> READY",
        "!event l serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na",
        "DEBG event 0 sent to listener l",
    ]);
    story.says("l", DONE);
    story.tells(&["DEBG l: event was processed", "DEBG l: BUSY -> ACKNOWLEDGED"]);
}

#[test]
fn the_oldest_is_discarded_when_the_buffer_is_full_and_that_is_told() {
    let mut story = listening(&[EventType::RemoteCommunication], &["l"], 2);
    for data in ["a", "b", "c", "d"] {
        story.remote(data);
    }
    assert_eq!(story.told.pop().unwrap(), "ERRO pool pool event buffer overflowed, discarding event 1");
    story.pass(1.0);
    story.told.clear();
    story.says("l", REFUSED);
    story
        .tells(&["WARN l: event was rejected", "ERRO pool pool event buffer overflowed, discarding event 2"]);
    assert_eq!(story.takes_all("l"), ["a", "d"].map(|data| format!("REMOTE_COMMUNICATION type:t\n{data}")));
}

#[test]
fn discarded_events_have_one_line_a_second() {
    let mut story = listening(&[EventType::RemoteCommunication], &["l"], 1);
    story.remote("a");
    story.remote("b");
    story.told.clear();
    for _ in 0..1000 {
        story.remote("c");
    }
    story.tells(&["ERRO pool pool event buffer overflowed, discarding event 1"]);
    story.pass(0.9);
    story.tells(&[]);
    story.pass(0.1);
    story.tells(&["ERRO pool pool event buffer overflowed, discarding event 2 and 998 more"]);
    story.pass(3600.0);
    story.tells(&[]);
    assert_eq!(story.supervisor.deadline(), None);
}

#[test]
fn a_listener_that_refuses_everything_is_sent_less_and_less() {
    let mut story = listening(&[EventType::RemoteCommunication], &["l"], 10);
    story.remote("a");
    story.told.clear();
    let again = "!event l serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na";
    let refused = [REFUSED, READY].concat();
    story.says("l", &refused);
    story.tells(&["WARN l: event was rejected", again]);
    for _ in 0..2 {
        story.says("l", &refused);
        story.tells(&[again]);
    }
    for pause in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] {
        story.says("l", &refused);
        story.pass(pause - 0.001);
        story.tells(&[]);
        story.pass(0.001);
        story.tells(&[again]);
    }
    story.says("l", &refused);
    story.tells(&["WARN pool pool: 10 events were rejected in a row, the next is sent in 5 seconds"]);
    story.remote("b");
    story.pass(5.0);
    story.tells(&[again]);
    story.says("l", &refused);
    story.tells(&[]);
    story.pass(5.0);
    story.told.clear();
    // What it takes at last ends the pause.
    story.says("l", &[DONE, READY].concat());
    story.tells(&[
        "INFO pool pool: an event was processed after 11 were rejected in a row",
        "!event l serial:1 pool:pool poolserial:1 eventname:REMOTE_COMMUNICATION len:8\ntype:t\nb",
    ]);
    story.says("l", DONE);
    assert_eq!(story.supervisor.deadline(), None);
}

const UNKNOWN: &str = "WARN l: has entered the UNKNOWN state and will no longer receive events, this usually \
    indicates the process violated the eventlistener protocol";

#[test]
fn a_listener_that_breaks_the_rules_is_sent_nothing_until_it_is_started_anew() {
    let remote = [EventType::RemoteCommunication];
    for (said, expected) in [
        (&b"RESULT x\n"[..], vec!["WARN l: bad result line: 'RESULT x'", "DEBG l: BUSY -> UNKNOWN", UNKNOWN]),
        (b"RESULT 2\nOK\nREADY\n", vec!["DEBG l: ACKNOWLEDGED -> UNKNOWN", UNKNOWN]),
        (b"RESULT 2\nOKREADY\nREADY\n", vec!["DEBG l: READY -> UNKNOWN", UNKNOWN]),
    ] {
        let mut story = listening(&remote, &["l"], 10);
        story.remote("a");
        (story.verbose, story.told) = (true, Vec::new());
        story.says("l", said);
        for line in expected {
            assert!(story.told.iter().any(|told| told == line), "{line} in {:?}", story.told);
        }
        story.remote("b");
        story.says("l", READY);
        assert_eq!(story.payloads(), [""; 0], "{}", said.escape_ascii());
        story.pass(2.0);
        story.ends("l", KILLED);
        assert!(story.takes_all("l").iter().any(|line| line.ends_with('b')));
    }
}

#[test]
fn an_event_that_can_not_be_brought_to_a_listener_goes_to_another() {
    let remote = [EventType::RemoteCommunication];
    let mut story = listening(&remote, &["one", "two"], 10);
    (story.verbose, story.event_error) = (true, Some(StdinError::Closed));
    story.remote("a");
    let sent = |name: &str| {
        format!(
            "!event {name} serial:0 pool:pool poolserial:0 eventname:REMOTE_COMMUNICATION len:8\ntype:t\na"
        )
    };
    let epipe = |name: &str| {
        format!("DEBG epipe occurred while sending event 0 to listener {name}, listener state unchanged")
    };
    let again = "DEBG rebuffering event 0 for pool pool (buf size=0, max=10)";
    story.tells(&[&sent("one"), &epipe("one"), again, &sent("two"), &epipe("two"), again]);
    story.event_error = None;
    story.remote("b");
    story.tells(&[]);
    let mut story = listening(&remote, &["l"], 10);
    story.event_error = Some(StdinError::Full);
    story.remote("a");
    assert_eq!(
        story.told.pop().unwrap(),
        "WARN l: does not read the events that it is sent and will no longer receive any"
    );
}

#[test]
fn ticks_are_told_and_waited_for_only_if_somebody_asks() {
    let mut story = Story::one(|_| ()).running();
    assert_eq!(story.supervisor.deadline(), None);
    story.next_groups = vec![pool("pool", &[EventType::Tick5, EventType::Tick], &["l"], 10)];
    story.ask(Command::ReloadConfig);
    story.ask(Command::AddProcessGroup("pool".to_owned()));
    story.says("l", READY);
    story.pass(3.1);
    assert_eq!(story.payloads(), ["when:1795190405"]);
    story.says("l", &[DONE, READY].concat());
    assert_eq!(story.payloads(), [""; 0], "once, whatever it asked for");
    story.pass(60.0);
    story.stop("l", Wait::No);
    story.exits("l", 0);
    story.ask(Command::RemoveProcessGroup("pool".to_owned()));
    assert_eq!(story.supervisor.deadline(), None, "nobody listens any more");
}

#[test]
fn output_is_told_only_to_those_who_ask_for_it() {
    let mut story = listening(&[EventType::ProcessCommunication], &["l"], 10);
    let process = story.id("l");
    for kind in [OutputKind::Log, OutputKind::Communication] {
        let data = format!("{kind:?}").into_bytes();
        let (pid, channel) = (Pid(101), Channel::Stderr);
        story.input(Input::Wrote { process, pid, channel, kind, data });
    }
    assert_eq!(story.payloads(), ["processname:l groupname:pool pid:101\nCommunication"]);
    assert!(story.supervisor.asks_for(EventType::ProcessCommunicationStderr));
    assert!(!story.supervisor.asks_for(EventType::ProcessLogStderr));
}

#[test]
fn groups_that_come_and_go_are_told_of_and_a_pool_that_goes_is_told_no_more() {
    let groups = || vec![pool("pool", &[EventType::ProcessGroup], &["l"], 10), alone(1, spec("web"))];
    let mut story = Story::of(groups()).running();
    story.takes_all("l");
    story.next_groups = groups();
    story.ask(Command::ReloadConfig);
    story.stop("web", Wait::No);
    story.exits("web", 0);
    story.ask(Command::RemoveProcessGroup("web".to_owned()));
    story.ask(Command::AddProcessGroup("web".to_owned()));
    story.says("l", &[DONE, READY].concat());
    let events: Vec<_> =
        story.told.iter().filter_map(|line| line.split_once("eventname:")).map(|it| it.1).collect();
    let expected =
        ["PROCESS_GROUP_REMOVED len:14\ngroupname:web\n", "PROCESS_GROUP_ADDED len:14\ngroupname:web\n"];
    assert_eq!(events, expected);
    story.stop("l", Wait::No);
    story.exits("l", 0);
    story.ask(Command::RemoveProcessGroup("pool".to_owned()));
    assert!(!story.supervisor.asks_for(EventType::ProcessGroupAdded));
}

#[test]
fn an_update_keeps_what_waits_and_what_was_counted() {
    let all = [EventType::RemoteCommunication];
    let mut story = listening(&all, &["l"], 10);
    story.remote("a");
    story.remote("b");
    story.told.clear();
    story.next_groups = vec![pool("pool", &[EventType::Event], &["l"], 20)];
    story.ask(Command::ReloadConfig);
    story.ask(Command::UpdateProcessGroup("pool".to_owned()));
    story.exits("l", 0);
    let told = story.takes_all("l");
    assert!(told[0].ends_with("\na") && told[1].ends_with("\nb"), "{told:?}");
    assert!(told[2].starts_with("PROCESS_STATE_STOPPING processname:l"), "{told:?}");
}

#[test]
fn listeners_are_told_of_a_shutdown_to_its_end_and_numbers_go_on_after_a_restart() {
    let groups = vec![pool("pool", &[EventType::Event], &["l"], 100), alone(1, spec("web"))];
    let mut story = Story::of(groups.clone()).running();
    story.takes_all("l");
    story.next_groups = groups.clone();
    story.ask(Command::Restart);
    assert_eq!(story.payloads(), [""], "the supervisor stops");
    story.says("l", &[DONE, READY].concat());
    assert_eq!(story.payloads(), ["processname:web groupname:web from_state:RUNNING pid:102"]);
    story.remote("still");
    story.says("l", &[DONE, READY].concat());
    assert_eq!(story.payloads(), ["type:t\nstill"], "it is taken in any state");
    story.says("l", &[DONE, READY].concat());
    story.ends("web", KILLED);
    assert_eq!(story.payloads(), ["processname:web groupname:web from_state:STOPPING pid:102"]);
    assert_eq!(story.state("l"), ProcessState::Running, "it is not through yet");
    story.says("l", DONE);
    story.tells(&["!kill l SIGTERM"]);
    let identity = Identity { identifier: "supervisor".to_owned(), pid: 1 };
    let next = story.supervisor.succeed(identity, groups);
    assert!(next.next_event > 0 && next.next_event == story.supervisor.next_event);
}

#[test]
fn a_shutdown_waits_a_second_for_listeners_that_are_not_through_and_not_at_all_for_others() {
    let stopped = |story: &Story| story.told.iter().any(|line| line == "!kill l SIGTERM");
    for (said, is_awaited) in [(&b""[..], true), (b"READY\n", true), (b"READY\nREADY\n", false)] {
        let groups =
            vec![pool("pool", &[EventType::SupervisorStateChange], &["l"], 10), alone(1, spec("web"))];
        let mut story = Story::of(groups).running();
        story.says("l", said);
        story.signal(Signal::TERM);
        story.ends("web", KILLED);
        assert_eq!(stopped(&story), !is_awaited, "{}", said.escape_ascii());
        story.pass(0.9);
        assert_eq!(stopped(&story), !is_awaited, "{}", said.escape_ascii());
        story.pass(0.1);
        assert!(stopped(&story));
        story.exits("l", 0);
        assert_eq!(story.told.last().unwrap(), "!stopped End");
    }
    let mut story = listening(&[EventType::ProcessState], &["l"], 10);
    story.signal(Signal::TERM);
    story.told.clear();
    story.signal(Signal::TERM);
    assert!(
        stopped(&story) || story.state("l") == ProcessState::Stopping,
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
    let mut story = Story::of(groups.chain([alone(9, spec("web"))]).collect()).running();
    story.signal(Signal::TERM);
    story.exits("web", 0);
    let began = story.now.mono;
    for name in ["p5", "p4", "p3", "p2", "p1"] {
        while story.state(&format!("{name}-listener")) == ProcessState::Running {
            story.pass(0.1);
        }
        story.exits(&format!("{name}-listener"), 0);
    }
    assert_eq!(story.told.last().unwrap(), "!stopped End");
    let took = story.now.mono.since(began);
    assert!((1_000..=1_100).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn lines_of_output_go_to_our_own_when_a_pool_asks_for_that_and_any_answer_will_do() {
    let GroupKind::EventListener(pool_spec) = pool("p", &[EventType::ProcessLog], &[], 10).kind else {
        panic!()
    };
    let mut group = pool("pool", &[EventType::ProcessLog], &["l"], 10);
    group.kind = GroupKind::EventListener(PoolSpec {
        handler: ResultHandler::Print(PrintHandler::Stdlog),
        ..pool_spec
    });
    let mut story = Story::of(vec![group, alone(1, spec("web"))]).begun();
    story.says("l", READY);
    let (process, pid) = (story.id("web"), Pid(102));
    let (channel, kind) = (Channel::Stderr, OutputKind::Log);
    story.input(Input::Wrote { process, pid, channel, kind, data: b"one\n".to_vec() });
    story.told.clear();
    story.says("l", REFUSED);
    story.tells(&["!print to stderr: \u{1b}[36mweb | \u{1b}[31mone\u{1b}[m\n"]);
}
