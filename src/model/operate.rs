//! What an operator asks beyond Supervisor's commands: to wait for processes, what an update would do, and how
//! processes depend on each other.

use serde::{Deserialize, Serialize};

use super::{Condition, ProcessState};

/// What a client may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitCondition {
    /// RUNNING; a oneshot runs as long as it has a process id.
    Running,
    /// RUNNING, or a oneshot that is done.
    Ready,
    /// RUNNING, and healthy if that is checked.
    Healthy,
    /// Exited with one of its `exitcodes`, and not about to be restarted.
    Done,
    /// Nothing of it runs or is about to be restarted.
    Stopped,
}

impl WaitCondition {
    /// All of them, by the words of clients.
    pub const WORDS: [(&str, Self); 5] = [
        ("running", Self::Running),
        ("ready", Self::Ready),
        ("healthy", Self::Healthy),
        ("done", Self::Done),
        ("stopped", Self::Stopped),
    ];

    /// A condition by its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, condition)| *condition)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, condition)| *condition == self).map_or("", |(word, _)| word)
    }
}

/// How a wait has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waited {
    /// All hold the condition.
    Held(Vec<WaitRow>),
    /// These can't come to hold it any more.
    Impossible(Vec<WaitRow>),
    /// These do not hold it yet, and the time is up.
    TimedOut(Vec<WaitRow>),
}

/// A process that was waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitRow {
    /// Process name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its state at the end of the wait.
    pub state: ProcessState,
    /// One line for people.
    pub text: String,
}

/// How a group or a process differs from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "plain words")]
pub enum ConfigChange {
    Added,
    Removed,
    Changed,
}

impl ConfigChange {
    /// The word for clients.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// What an update does with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateAction {
    /// A new one is started.
    Start,
    /// It is stopped and removed.
    Stop,
    /// It is stopped and replaced by one with the new settings.
    Restart,
    /// The new settings are applied while it runs.
    InPlace,
    /// Nothing runs, so nothing is started or stopped.
    None,
}

impl UpdateAction {
    /// The word for clients.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::InPlace => "in_place",
            Self::None => "none",
        }
    }
}

/// What an update would change in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDifference {
    /// Its name.
    pub group: String,
    /// Whether it is a new one, or is not configured any more.
    pub change: ConfigChange,
    /// The processes that differ.
    pub processes: Vec<ProcessDifference>,
}

/// What an update would change in a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDifference {
    /// Process name.
    pub name: String,
    /// Whether it is a new one, or is not configured any more.
    pub change: ConfigChange,
    /// What the update would do.
    pub action: UpdateAction,
    /// The options that differ, by their names in a configuration.
    pub options: Vec<String>,
}

/// Who depends on whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphInfo {
    /// All processes, with their states.
    pub nodes: Vec<(String, ProcessState)>,
    /// Their dependencies.
    pub edges: Vec<GraphEdge>,
    /// Whether there are more edges than these.
    pub is_cut_off: bool,
}

/// A dependency of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    /// The dependent, as `group:name`.
    pub from: String,
    /// What it depends on; the name in the configuration if no active process has it.
    pub to: String,
    /// What it waits for.
    pub condition: Condition,
    /// Whether it stops waiting once that can't come true any more.
    pub is_optional: bool,
    /// Whether it is stopped and started with it.
    pub is_binding: bool,
    /// Whether the condition holds now.
    pub holds: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_words() {
        for (word, condition) in WaitCondition::WORDS {
            assert_eq!((WaitCondition::from_word(word), condition.word()), (Some(condition), word));
        }
        assert_eq!(WaitCondition::from_word("up"), None);
    }
}
