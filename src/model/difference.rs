//! What an update would change, for clients.

use serde::{Deserialize, Serialize};

use super::options::OnUpdate;

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
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// What an update would do with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateAction {
    /// It is started, or its successor if it does not run.
    Start,
    /// It is stopped, and nothing is started in its place.
    Stop,
    /// It is stopped, and its successor is started.
    Restart,
    /// The new settings are applied without a restart.
    InPlace,
    /// Nothing is started or stopped.
    None,
}

impl UpdateAction {
    /// The word for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
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
    /// Whether it is new, or no longer configured.
    pub change: ConfigChange,
    /// The processes that differ; empty if only settings of the group do, such as its priority.
    pub processes: Vec<ProcessDifference>,
}

/// What an update would change in a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDifference {
    /// Process name.
    pub name: String,
    /// Whether it is new, or no longer configured.
    pub change: ConfigChange,
    /// What the update would do with it.
    pub action: UpdateAction,
    /// The options that differ. Only a changed process has any.
    pub options: Vec<OptionDifference>,
}

/// An option with another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionDifference {
    /// Its name in a configuration.
    pub name: String,
    /// How the change takes effect.
    pub update: OnUpdate,
    /// The value that is in use, as spelled in a configuration, without secrets; `None` if it is not set or has no text.
    pub old: Option<String>,
    /// The configured value.
    pub new: Option<String>,
}
