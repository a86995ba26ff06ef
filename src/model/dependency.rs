//! What a program waits for: conditions that other processes hold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a process can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Condition {
    /// It has a process id.
    Started,
    /// It is ready: RUNNING.
    Ready,
    /// Its health check succeeds.
    Healthy,
    /// It is a job that ended as expected.
    Done,
    /// It has exited with whatever status, and is not restarted. There is no word for it in `depends_on`:
    /// supervisord-dependent-startup waits for it.
    Exited,
}

impl Condition {
    /// All of them, as a configuration spells them.
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

    /// What `a:running` and `a:exited` mean where no process has that name. These are the words of
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
    /// A program, `group:*` or `group:name`, as it is written.
    pub name: String,
    /// What it has to hold; `None` is `done` for a oneshot, and otherwise `ready`.
    pub condition: Option<Condition>,
    /// Whether to stop waiting once it can't hold any more.
    pub is_optional: bool,
    /// Where it is written.
    pub place: WrittenAt,
}

/// A place in the configuration: `/etc/x.conf:12`, or the name of a variable. It says nothing of the value, so that
/// a line that has moved is no difference.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WrittenAt(pub String);

impl PartialEq for WrittenAt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for WrittenAt {}

impl fmt::Display for WrittenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
