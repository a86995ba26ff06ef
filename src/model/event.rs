//! The types of events that a listener can subscribe to, with Supervisor's names, and our own.
//!
//! They are a tree: a subscription to `PROCESS_STATE` includes all of its kinds, and `EVENT` is everything.
//! Only leaves occur.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum EventType {
    Event,
    ProcessState,
    ProcessStateStopped,
    ProcessStateExited,
    ProcessStateStarting,
    ProcessStateStopping,
    ProcessStateBackoff,
    ProcessStateFatal,
    ProcessStateRunning,
    ProcessStateUnknown,
    ProcessCommunication,
    ProcessCommunicationStdout,
    ProcessCommunicationStderr,
    ProcessLog,
    ProcessLogStdout,
    ProcessLogStderr,
    RemoteCommunication,
    SupervisorStateChange,
    SupervisorStateChangeRunning,
    SupervisorStateChangeStopping,
    Tick,
    Tick5,
    Tick60,
    Tick3600,
    ProcessGroup,
    ProcessGroupAdded,
    ProcessGroupRemoved,
    ProcessReady,
    ProcessHealth,
    ProcessHealthHealthy,
    ProcessHealthUnhealthy,
}

/// Each type, its name, and its parent, in the order of the enum. The root is its own parent.
const TREE: [(EventType, &str, EventType); 31] = {
    use EventType::*;
    [
        (Event, "EVENT", Event),
        (ProcessState, "PROCESS_STATE", Event),
        (ProcessStateStopped, "PROCESS_STATE_STOPPED", ProcessState),
        (ProcessStateExited, "PROCESS_STATE_EXITED", ProcessState),
        (ProcessStateStarting, "PROCESS_STATE_STARTING", ProcessState),
        (ProcessStateStopping, "PROCESS_STATE_STOPPING", ProcessState),
        (ProcessStateBackoff, "PROCESS_STATE_BACKOFF", ProcessState),
        (ProcessStateFatal, "PROCESS_STATE_FATAL", ProcessState),
        (ProcessStateRunning, "PROCESS_STATE_RUNNING", ProcessState),
        (ProcessStateUnknown, "PROCESS_STATE_UNKNOWN", ProcessState),
        (ProcessCommunication, "PROCESS_COMMUNICATION", Event),
        (ProcessCommunicationStdout, "PROCESS_COMMUNICATION_STDOUT", ProcessCommunication),
        (ProcessCommunicationStderr, "PROCESS_COMMUNICATION_STDERR", ProcessCommunication),
        (ProcessLog, "PROCESS_LOG", Event),
        (ProcessLogStdout, "PROCESS_LOG_STDOUT", ProcessLog),
        (ProcessLogStderr, "PROCESS_LOG_STDERR", ProcessLog),
        (RemoteCommunication, "REMOTE_COMMUNICATION", Event),
        (SupervisorStateChange, "SUPERVISOR_STATE_CHANGE", Event),
        (SupervisorStateChangeRunning, "SUPERVISOR_STATE_CHANGE_RUNNING", SupervisorStateChange),
        (SupervisorStateChangeStopping, "SUPERVISOR_STATE_CHANGE_STOPPING", SupervisorStateChange),
        (Tick, "TICK", Event),
        (Tick5, "TICK_5", Tick),
        (Tick60, "TICK_60", Tick),
        (Tick3600, "TICK_3600", Tick),
        (ProcessGroup, "PROCESS_GROUP", Event),
        (ProcessGroupAdded, "PROCESS_GROUP_ADDED", ProcessGroup),
        (ProcessGroupRemoved, "PROCESS_GROUP_REMOVED", ProcessGroup),
        // Not Supervisor's.
        (ProcessReady, "PROCESS_READY", Event),
        (ProcessHealth, "PROCESS_HEALTH", Event),
        (ProcessHealthHealthy, "PROCESS_HEALTH_HEALTHY", ProcessHealth),
        (ProcessHealthUnhealthy, "PROCESS_HEALTH_UNHEALTHY", ProcessHealth),
    ]
};

impl EventType {
    /// The type of this name, case-insensitive.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TREE.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name)).map(|&(found, ..)| found)
    }

    /// The name in the header of an event.
    #[must_use]
    pub fn name(self) -> &'static str {
        TREE[self as usize].1
    }

    /// The parent; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        let (_, _, parent) = TREE[self as usize];
        (parent != self).then_some(parent)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of event types: the subscriptions of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<EventType>", from = "Vec<EventType>")]
pub struct EventTypes(u32);

impl EventTypes {
    /// Whether it contains exactly this type.
    #[must_use]
    pub fn contains(self, event: EventType) -> bool {
        self.0 & (1 << event as u32) != 0
    }

    /// Whether an event of this type is delivered: it contains the type or one of its ancestors.
    #[must_use]
    pub fn cover(self, event: EventType) -> bool {
        std::iter::successors(Some(event), |event| event.parent()).any(|event| self.contains(event))
    }

    /// The union of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        Self(types.into_iter().fold(0, |set, event| set | 1 << event as u32))
    }
}

/// Serialized by name, as the numbers may change.
impl From<EventTypes> for Vec<EventType> {
    fn from(types: EventTypes) -> Self {
        TREE.iter().map(|(event, ..)| *event).filter(|event| types.contains(*event)).collect()
    }
}

impl From<Vec<EventType>> for EventTypes {
    fn from(types: Vec<EventType>) -> Self {
        types.into_iter().collect()
    }
}

/// The unit of `len` in an event's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventLength {
    /// Characters, as in Supervisor, despite its documentation: listeners that read text depend on it.
    #[default]
    Characters,
    /// Bytes, for listeners that read bytes.
    Bytes,
}

/// The configuration of an `[eventlistener:x]` besides its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// `events`
    pub events: EventTypes,
    /// `buffer_size`: the maximum number of pending events, at least one.
    pub buffer_size: usize,
    /// `event_length`
    pub length: EventLength,
    /// `result_handler`
    pub handler: ResultHandler,
}

/// Decides whether an answer of a listener accepts its event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResultHandler {
    /// Only `OK` accepts the event.
    #[default]
    Default,
    /// The output of programs is printed, each line with its origin. Any answer accepts the event.
    Print(PrintHandler),
    /// Python code that we can't run. Any answer accepts the event: the result of the handler is unknown, and
    /// a rejected event would be sent again at once.
    Foreign,
}

/// A Python package that prints the output of programs: a listener that answers each event with the event,
/// and a handler that prints the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrintHandler {
    /// `supervisor_stdout:event_handler` of supervisor-stdout
    Stdout,
    /// `supervisor_stdlog:log_handler` of supervisor-stdlog
    Stdlog,
    /// `supervisor_console.events:event_handler` of supervisor-console
    Console,
}

/// A built-in listener that may run instead of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The package whose listener it replaces.
    pub package: PrintHandler,
    /// The unit of event lengths.
    pub length: EventLength,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_stands_in_the_order_of_its_types() {
        for (index, (event, name, parent)) in TREE.into_iter().enumerate() {
            assert_eq!(event as usize, index, "{name}");
            assert_eq!((event.name(), EventType::named(name)), (name, Some(event)));
            assert!(parent < event || event == EventType::Event, "{name}: what it is a kind of comes first");
            assert!(name.starts_with(parent.name()) || parent == EventType::Event, "{name}");
        }
    }

    #[test]
    fn names_are_known_in_any_case() {
        for (name, expected) in [
            ("tick_5", Some(EventType::Tick5)),
            ("Process_State", Some(EventType::ProcessState)),
            ("TICK_7", None),
            ("", None),
            ("PROCESS_STATE_", None),
        ] {
            assert_eq!(EventType::named(name), expected, "{name}");
        }
    }

    #[test]
    fn a_subscription_to_a_type_includes_its_subtypes() {
        use EventType::*;
        let set = |types: &[EventType]| types.iter().copied().collect::<EventTypes>();
        for (asked, event, expected) in [
            (&[Tick][..], Tick60, true),
            (&[Tick], Tick, true),
            (&[Tick5], Tick60, false),
            (&[Tick5], Tick, false),
            (&[Event], ProcessGroupRemoved, true),
            (&[Event], RemoteCommunication, true),
            (&[ProcessLogStdout, Tick, Tick], ProcessLogStdout, true),
            (&[ProcessCommunication], ProcessLogStderr, false),
            (&[ProcessHealth], ProcessHealthUnhealthy, true),
            (&[ProcessState], ProcessReady, false),
            (&[], Event, false),
        ] {
            assert_eq!(set(asked).cover(event), expected, "{asked:?} {event}");
        }
        assert_eq!(set(&[Tick, Tick5]), set(&[Tick5, Tick, Tick5]));
        assert_eq!(set(&[Tick]).or(set(&[Event, Tick])), set(&[Tick, Event]));
        assert!(set(&[Tick]).contains(Tick) && !set(&[Tick]).contains(Tick5));
    }
}
