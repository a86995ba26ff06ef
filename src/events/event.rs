//! An event, and its form for listeners.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Period;
use crate::model::{Channel, EventLength, EventType, Name, ProcessState};
use crate::python::quote_bytes;

/// The names of a process in events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessNames {
    /// The process name.
    pub process: Name,
    /// The group name.
    pub group: Name,
}

/// Something that happened. It contains the values of that moment: a process may have changed by the time a
/// listener gets the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A process has changed its state.
    ProcessState {
        /// Which process.
        names: ProcessNames,
        /// The previous state.
        from: ProcessState,
        /// The new state.
        change: StateChange,
    },
    /// A process with readiness checks has become ready.
    Ready {
        /// Which process.
        names: ProcessNames,
        /// Its pid.
        pid: i32,
    },
    /// A process has become healthy or unhealthy.
    Health {
        /// Which process.
        names: ProcessNames,
        /// Its pid.
        pid: i32,
        /// Why it is unhealthy; `None` if it is healthy.
        failure: Option<String>,
    },
    /// A process has written output.
    Output {
        /// Which process.
        names: ProcessNames,
        /// Its pid.
        pid: i32,
        /// The stream.
        channel: Channel,
        /// The kind of output.
        kind: OutputKind,
        /// The output.
        data: Vec<u8>,
    },
    /// A message from a client to listeners.
    RemoteCommunication {
        /// Its type, chosen by the client.
        kind: String,
        /// Its content.
        data: String,
    },
    /// The supervisor has started.
    SupervisorRunning,
    /// The supervisor begins to stop everything.
    SupervisorStopping,
    /// A period of time has begun.
    Tick {
        /// The length of the period.
        period: Period,
        /// Unix time of its beginning.
        when: i64,
    },
    /// A group has become active.
    GroupAdded(String),
    /// A group is no longer active.
    GroupRemoved(String),
}

/// The new state of a process, with its details. A pid of 0 means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Supervisor's and say it all")]
pub enum StateChange {
    Stopped { pid: i32 },
    Exited { expected: bool, pid: i32 },
    Starting { tries: i64 },
    Stopping { pid: i32 },
    Backoff { tries: i64 },
    Fatal,
    Running { pid: i32 },
    Unknown,
}

/// The kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputKind {
    /// For its log.
    Log,
    /// For listeners: output between the tags of capture mode.
    Communication,
}

impl OutputKind {
    /// The event type of such output.
    #[must_use]
    pub fn event_type(self, channel: Channel) -> EventType {
        match (self, channel) {
            (Self::Log, Channel::Stdout) => EventType::ProcessLogStdout,
            (Self::Log, Channel::Stderr) => EventType::ProcessLogStderr,
            (Self::Communication, Channel::Stdout) => EventType::ProcessCommunicationStdout,
            (Self::Communication, Channel::Stderr) => EventType::ProcessCommunicationStderr,
        }
    }
}

impl StateChange {
    /// The event type of this change.
    #[must_use]
    pub fn event_type(self) -> EventType {
        match self {
            Self::Stopped { .. } => EventType::ProcessStateStopped,
            Self::Exited { .. } => EventType::ProcessStateExited,
            Self::Starting { .. } => EventType::ProcessStateStarting,
            Self::Stopping { .. } => EventType::ProcessStateStopping,
            Self::Backoff { .. } => EventType::ProcessStateBackoff,
            Self::Fatal => EventType::ProcessStateFatal,
            Self::Running { .. } => EventType::ProcessStateRunning,
            Self::Unknown => EventType::ProcessStateUnknown,
        }
    }

    /// The fields after `from_state:S`.
    fn extra(self) -> String {
        match self {
            Self::Starting { tries } | Self::Backoff { tries } => format!(" tries:{tries}"),
            Self::Exited { expected, pid } => format!(" expected:{} pid:{pid}", u8::from(expected)),
            Self::Stopped { pid } | Self::Stopping { pid } | Self::Running { pid } => format!(" pid:{pid}"),
            Self::Fatal | Self::Unknown => String::new(),
        }
    }
}

impl Event {
    /// The type of the event: always a leaf of the tree.
    #[must_use]
    pub fn event_type(&self) -> EventType {
        match self {
            Self::ProcessState { change, .. } => change.event_type(),
            Self::Ready { .. } => EventType::ProcessReady,
            Self::Health { failure: None, .. } => EventType::ProcessHealthHealthy,
            Self::Health { failure: Some(_), .. } => EventType::ProcessHealthUnhealthy,
            Self::Output { kind, channel, .. } => kind.event_type(*channel),
            Self::RemoteCommunication { .. } => EventType::RemoteCommunication,
            Self::SupervisorRunning => EventType::SupervisorStateChangeRunning,
            Self::SupervisorStopping => EventType::SupervisorStateChangeStopping,
            Self::Tick { period, .. } => period.event_type(),
            Self::GroupAdded(_) => EventType::ProcessGroupAdded,
            Self::GroupRemoved(_) => EventType::ProcessGroupRemoved,
        }
    }

    /// The part after the header. For a listener that counts characters it is always valid text.
    #[must_use]
    pub fn payload(&self, length: EventLength) -> Vec<u8> {
        let mut payload = self.head().into_bytes();
        if let Self::Output { data, .. } = self {
            payload.extend_from_slice(&reported(data, length));
        }
        payload
    }

    fn head(&self) -> String {
        match self {
            Self::ProcessState { names, from, change } => {
                let ProcessNames { process, group } = names;
                format!("processname:{process} groupname:{group} from_state:{from}{}", change.extra())
            }
            Self::Ready { names: ProcessNames { process, group }, pid } => {
                format!("processname:{process} groupname:{group} pid:{pid}")
            }
            Self::Health { names: ProcessNames { process, group }, pid, failure } => {
                let failure = failure.as_ref().map_or_else(String::new, |text| format!("\n{text}"));
                format!("processname:{process} groupname:{group} pid:{pid}{failure}")
            }
            Self::Output { names: ProcessNames { process, group }, pid, channel, kind, .. } => {
                let channel = match kind {
                    OutputKind::Log => format!(" channel:{}", channel.name()),
                    OutputKind::Communication => String::new(),
                };
                format!("processname:{process} groupname:{group} pid:{pid}{channel}\n")
            }
            Self::RemoteCommunication { kind, data } => format!("type:{kind}\n{data}"),
            Self::SupervisorRunning | Self::SupervisorStopping => String::new(),
            Self::Tick { when, .. } => format!("when:{when}"),
            Self::GroupAdded(group) | Self::GroupRemoved(group) => format!("groupname:{group}\n"),
        }
    }
}

/// For readers of text, data that is not text is shown like Python's bytes.
fn reported(data: &[u8], length: EventLength) -> Cow<'_, [u8]> {
    if length == EventLength::Bytes || std::str::from_utf8(data).is_ok() {
        return data.into();
    }
    format!("Undecodable: {}", quote_bytes(data)).into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ProcessNames {
        ProcessNames { process: "web".into(), group: "site".into() }
    }

    fn output(kind: OutputKind, channel: Channel, data: &[u8]) -> Event {
        Event::Output { names: names(), pid: 7, channel, kind, data: data.to_owned() }
    }

    #[track_caller]
    fn reports(event: &Event, name: &str, payload: &str) {
        let reported = String::from_utf8(event.payload(EventLength::Characters)).unwrap();
        assert_eq!((event.event_type().name(), reported.as_str()), (name, payload));
    }

    #[test]
    fn each_state_event_has_supervisors_payload() {
        for (change, name, extra) in [
            (StateChange::Stopped { pid: 7 }, "STOPPED", " pid:7"),
            (StateChange::Exited { expected: false, pid: 7 }, "EXITED", " expected:0 pid:7"),
            (StateChange::Exited { expected: true, pid: 7 }, "EXITED", " expected:1 pid:7"),
            (StateChange::Starting { tries: 0 }, "STARTING", " tries:0"),
            (StateChange::Stopping { pid: 7 }, "STOPPING", " pid:7"),
            (StateChange::Backoff { tries: 2 }, "BACKOFF", " tries:2"),
            (StateChange::Fatal, "FATAL", ""),
            (StateChange::Running { pid: 7 }, "RUNNING", " pid:7"),
            (StateChange::Unknown, "UNKNOWN", ""),
        ] {
            let event = Event::ProcessState { names: names(), from: ProcessState::Running, change };
            let payload = format!("processname:web groupname:site from_state:RUNNING{extra}");
            reports(&event, &format!("PROCESS_STATE_{name}"), &payload);
        }
    }

    #[test]
    fn output_is_echoed_with_its_channel_and_listener_protocol_without() {
        use Channel::{Stderr, Stdout};
        use OutputKind::{Communication, Log};
        for (kind, channel, name, head) in [
            (Log, Stdout, "PROCESS_LOG_STDOUT", " channel:stdout"),
            (Log, Stderr, "PROCESS_LOG_STDERR", " channel:stderr"),
            (Communication, Stdout, "PROCESS_COMMUNICATION_STDOUT", ""),
            (Communication, Stderr, "PROCESS_COMMUNICATION_STDERR", ""),
        ] {
            let payload = format!("processname:web groupname:site pid:7{head}\nh\u{e4}\n");
            reports(&output(kind, channel, "h\u{e4}\n".as_bytes()), name, &payload);
        }
    }

    #[test]
    fn invalid_text_is_shown_as_bytes_unless_bytes_are_counted() {
        let event = output(OutputKind::Log, Channel::Stdout, b"\x88\n");
        let head = "processname:web groupname:site pid:7 channel:stdout\n";
        reports(&event, "PROCESS_LOG_STDOUT", &format!("{head}Undecodable: b'\\x88\\n'"));
        assert_eq!(event.payload(EventLength::Bytes), [head.as_bytes(), b"\x88\n"].concat());
    }

    #[test]
    fn other_events_have_their_payloads() {
        let remote = Event::RemoteCommunication { kind: "deploy".to_owned(), data: "a\nb".to_owned() };
        let tick = |period| Event::Tick { period, when: 1_795_190_400 };
        let ready = Event::Ready { names: names(), pid: 7 };
        let health = |failure: Option<&str>| Event::Health {
            names: names(),
            pid: 7,
            failure: failure.map(str::to_owned),
        };
        let who = "processname:web groupname:site pid:7";
        let failed = "3 of 3 checks failed: connection refused";
        for (event, name, payload) in [
            (ready, "PROCESS_READY", who),
            (health(None), "PROCESS_HEALTH_HEALTHY", who),
            (health(Some(failed)), "PROCESS_HEALTH_UNHEALTHY", &format!("{who}\n{failed}")),
            (remote, "REMOTE_COMMUNICATION", "type:deploy\na\nb"),
            (Event::SupervisorRunning, "SUPERVISOR_STATE_CHANGE_RUNNING", ""),
            (Event::SupervisorStopping, "SUPERVISOR_STATE_CHANGE_STOPPING", ""),
            (tick(Period::FiveSeconds), "TICK_5", "when:1795190400"),
            (tick(Period::Minute), "TICK_60", "when:1795190400"),
            (tick(Period::Hour), "TICK_3600", "when:1795190400"),
            (Event::GroupAdded("g".to_owned()), "PROCESS_GROUP_ADDED", "groupname:g\n"),
            (Event::GroupRemoved("g".to_owned()), "PROCESS_GROUP_REMOVED", "groupname:g\n"),
        ] {
            reports(&event, name, payload);
        }
    }
}
