//! The desired state of a process, apart from its actual state.
//!
//! The configuration, clients and dependent processes set the target; the state machine works towards it. A
//! program that has exited and is not restarted keeps its target: nothing remains to be done for it. So a program that is
//! to run once needs no target of its own: its target is up, and its restart policy starts it no second time.

use serde::{Deserialize, Serialize};

/// The desired state of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RunTarget {
    /// Not running.
    #[default]
    Down,
    /// Running, and restarted according to its restart policy.
    Up,
}

/// What set a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetOrigin {
    /// `autostart`, or nothing at all yet.
    #[default]
    Configuration,
    /// A client, or the supervisor's own shutdown.
    Request,
    /// A process that needs it.
    Dependent,
}

/// A target and its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Desired {
    pub(super) target: RunTarget,
    pub(super) origin: TargetOrigin,
}

impl Desired {
    /// A request overrides whatever was set before.
    pub(super) fn request(&mut self, target: RunTarget) {
        *self = Self { target, origin: TargetOrigin::Request };
    }

    /// `autostart` applies once, and only while nothing else has set a target. Returns whether it applies now.
    pub(super) fn autostart(&mut self) -> bool {
        let applies = *self == Self::default();
        if applies {
            self.target = RunTarget::Up;
        }
        applies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autostart_applies_once_and_never_after_a_request() {
        let mut desired = Desired::default();
        assert!(desired.autostart() && desired.target == RunTarget::Up);
        assert!(!desired.autostart(), "it is up already");
        for target in [RunTarget::Up, RunTarget::Down] {
            let mut desired = Desired::default();
            desired.request(target);
            assert!(!desired.autostart());
            assert_eq!(desired.target, target);
        }
    }
}
