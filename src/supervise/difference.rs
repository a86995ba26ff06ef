//! What differs between two specifications of one process, and what `update` does about it.
//!
//! A change of what a child was started with, or of its pipes, requires a restart. Everything else that the supervisor
//! consults when something happens to the child takes effect immediately. Which case applies is specified in the
//! row of each option.

use crate::model::ProcessSpec;
use crate::model::options::{OnUpdate, differences};

/// What a change requires to take effect. The greater includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Takes {
    /// The new specification replaces the old one; the process stays.
    InPlace,
    /// The process has to be restarted.
    Restart,
}

impl Takes {
    fn of(update: OnUpdate) -> Self {
        match update {
            OnUpdate::InPlace | OnUpdate::NextStart => Self::InPlace,
            OnUpdate::Restart => Self::Restart,
        }
    }
}

/// The options that differ, by their names in a configuration, and how a change of each takes effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference(Vec<(&'static str, OnUpdate)>);

impl Difference {
    /// What has to change for `old` to become `new`, another specification of the same process.
    pub(super) fn between(old: &ProcessSpec, new: &ProcessSpec) -> Self {
        Self(differences(old, new).collect())
    }

    /// `None` when nothing differs.
    pub(super) fn takes(&self) -> Option<Takes> {
        self.0.iter().map(|(_, update)| Takes::of(*update)).max()
    }

    /// The options that require this, for a log line.
    pub(super) fn options(&self, takes: Takes) -> String {
        let options = self.0.iter().filter(|row| Takes::of(row.1) == takes).map(|(option, _)| *option);
        options.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::*;

    #[test]
    fn one_change_that_requires_a_restart_is_enough() {
        let old = spec("web");
        assert_eq!(Difference::between(&old, &old).takes(), None);
        let mut new = ProcessSpec { priority: 1, start_secs: 5, ..old.clone() };
        let difference = Difference::between(&old, &new);
        assert_eq!(difference.takes(), Some(Takes::InPlace));
        assert_eq!(difference.options(Takes::InPlace), "priority, startsecs");
        new.command.push('x');
        let difference = Difference::between(&old, &new);
        assert_eq!(
            (difference.takes(), difference.options(Takes::Restart).as_str()),
            (Some(Takes::Restart), "command")
        );
    }
}
