//! The options of a program that Supervisor does not have, which few programs set.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Dependency, HealthSpec, Hooks, MemoryLimitSpec, ReadinessSpec, RestartDelays, ScheduleSpec, SecretOptions,
};

/// Dependencies, readiness, health, restarts, hooks and schedules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleSpec {
    /// `depends_on`
    pub depends_on: Vec<Dependency>,
    /// `restart_with`
    pub restart_with: Vec<Dependency>,
    /// `ready`; `None` is `startsecs`.
    pub readiness: Option<Box<ReadinessSpec>>,
    /// `ready_timeout` as configured; see [`super::ProcessSpec::start_timeout`].
    pub ready_timeout: Option<Duration>,
    /// `health`
    pub health: Option<Box<HealthSpec>>,
    /// `restart_*`; `None` leaves restarts to Supervisor's rules.
    pub restart_policy: Option<Box<RestartDelays>>,
    /// `pre_start` and the other hooks.
    pub hooks: Option<Box<Hooks>>,
    /// `runtime_directory`: folders that are created before each start, absolute.
    pub runtime_directories: Vec<PathBuf>,
    /// `schedule`
    pub schedule: Option<Box<ScheduleSpec>>,
    /// `memory_limit`
    pub memory_limit: Option<Box<MemoryLimitSpec>>,
    /// The options whose values come from files of secrets, and are not shown.
    pub secret_options: SecretOptions,
}

/// Nothing is set.
static UNSET: LifecycleSpec = LifecycleSpec {
    depends_on: Vec::new(),
    restart_with: Vec::new(),
    readiness: None,
    ready_timeout: None,
    health: None,
    restart_policy: None,
    hooks: None,
    runtime_directories: Vec::new(),
    schedule: None,
    memory_limit: None,
    secret_options: SecretOptions::NONE,
};

/// A [`LifecycleSpec`] that takes memory once it is changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lifecycle(Option<Box<LifecycleSpec>>);

impl Deref for Lifecycle {
    type Target = LifecycleSpec;

    fn deref(&self) -> &LifecycleSpec {
        self.0.as_deref().unwrap_or(&UNSET)
    }
}

impl DerefMut for Lifecycle {
    fn deref_mut(&mut self) -> &mut LifecycleSpec {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Lifecycle {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Lifecycle {}

impl From<LifecycleSpec> for Lifecycle {
    fn from(spec: LifecycleSpec) -> Self {
        Self(Some(Box::new(spec)))
    }
}

#[cfg(test)]
impl super::ProcessSpec {
    /// The same with other options of these.
    pub fn with_lifecycle(mut self, change: impl FnOnce(&mut LifecycleSpec)) -> Self {
        change(&mut self.lifecycle);
        self
    }
}
