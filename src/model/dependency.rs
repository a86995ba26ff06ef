//! Dependencies of a program: conditions that other processes satisfy.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A condition that a process can satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// It has a process id.
    Started,
    /// It is ready: RUNNING.
    Ready,
    /// Its health check succeeds.
    Healthy,
    /// It is a oneshot that exited as expected.
    Done,
    /// It has exited with any status, and is not restarted. `depends_on` can't express it:
    /// supervisord-dependent-startup waits for it.
    Exited,
}

impl Condition {
    /// All of them, as spelled in a configuration.
    pub const WORDS: [(&str, Self); 4] = [
        ("started", Self::Started),
        ("ready", Self::Ready),
        ("healthy", Self::Healthy),
        ("done", Self::Done),
    ];

    /// A condition by its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, condition)| *condition)
    }

    /// The meaning of `a:running` and `a:exited` if no process has that name. They are the notation of
    /// supervisord-dependent-startup.
    #[must_use]
    pub fn from_state_word(word: &str) -> Option<Self> {
        match word {
            "running" => Some(Self::Ready),
            "exited" => Some(Self::Done),
            _ => None,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, condition)| condition == self);
        f.write_str(word.map_or("exited", |(word, _)| word))
    }
}

/// One entry of `depends_on` or `restart_with`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// A program, `group:*` or `group:name`, as written.
    pub name: String,
    /// The condition; `None` is `done` for a oneshot, and otherwise `ready`.
    pub condition: Option<Condition>,
    /// Whether to stop waiting once it can't be satisfied any more.
    pub is_optional: bool,
    /// Its position in the configuration.
    pub place: WrittenAt,
}

/// As spelled in a configuration: `db`, `cache=started?`
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.condition.iter().try_for_each(|condition| write!(f, "={condition}"))?;
        f.write_str(if self.is_optional { "?" } else { "" })
    }
}

/// A position in the configuration: `/etc/x.conf:12`, or the name of a variable. All positions compare as
/// equal, so that a line that has moved is not a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WrittenAt {
    /// A file, or the name of a variable. All positions in it share one text.
    pub source: Arc<str>,
    /// From 1; 0 where a source has no lines.
    pub line: usize,
}

impl PartialEq for WrittenAt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for WrittenAt {}

impl fmt::Display for WrittenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.source),
            line => write!(f, "{}:{line}", self.source),
        }
    }
}
