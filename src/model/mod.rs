//! The shared vocabulary: what every other module means by a process, a state, a command.
//!
//! This module does not parse, decide or do I/O. A type is here if two modules of one layer use it without
//! importing each other; a type that only one module needs belongs to that module.

mod child;
mod command;
mod dependency;
mod difference;
mod event;
pub mod graph;
mod history;
mod hooks;
mod launch;
mod lifecycle;
mod limits;
mod name;
mod notification;
pub mod options;
mod principal;
mod probe;
mod restart;
mod role;
mod rules;
mod schedule;
mod settings;
mod signal;
mod snapshot;
mod sorted_map;
mod spec;
mod state;
mod text;
mod time;

pub use child::{ChildId, TaskId};
pub use command::{
    BatchLimits, BulkRow, Channel, Command, ConfigInfo, Fault, FaultCode, LogOf, LogRange, Namespec,
    ProcessDetails, ProcessInfo, Reply, SUCCESS, SignalRequest, Ticket, UpdateRow, Updated, Wait,
};
pub use dependency::{Condition, Dependency, WrittenAt};
pub use difference::{ConfigChange, GroupDifference, OptionDifference, ProcessDifference, UpdateAction};
pub use event::{EventLength, EventType, EventTypes, PoolSpec, PrintHandler, ResultHandler, StandIn};
pub use history::{EventLogPart, LoggedEvent, LoggedEventKind, RunCounters, Transition, TransitionReason};
pub use hooks::Hooks;
pub use launch::LaunchContext;
pub use lifecycle::{Lifecycle, LifecycleSpec};
pub use limits::{
    CapabilityNames, CgroupMode, CgroupSpec, IoPriority, LimitOption, LimitsSpec, MemoryLimitSpec,
    ResourceBounds,
};
pub use name::Name;
pub use notification::Notification;
pub use principal::Principal;
pub use probe::{
    HealthCheck, HealthInfo, HealthSpec, HealthStatus, OnUnhealthy, Probe, ReadinessSpec, ReadyCheck,
    with_last_line,
};
pub use restart::{RestartDelays, RestartLimit};
pub use role::{Grant, Permission, Role, ServerAccess};
pub use rules::{OnEnd, OnIdle, Rules, SignalAction};
pub use schedule::{Overlap, Schedule, ScheduleSpec, Zone};
pub use settings::{
    Address, ControlSocket, Credentials, DaemonSettings, LogDefaults, LogLevel, Namespace, Notice, Password,
    RpcInterface, ServerSpec, Settings, SocketOwner,
};
pub use signal::Signal;
pub use snapshot::{HealthFacts, LogCounters, ProcessSnapshot, ProcessUsage, SupervisorSnapshot};
pub use sorted_map::SortedMap;
pub use spec::{
    AutoRestart, Environment, GroupKind, GroupSpec, HIDDEN, LogForm, LogFormat, LogTarget, ProcessSpec,
    ProgramType, SecretOptions, SocketSpec, StartRetries, StreamSpec, User, UserId,
};
pub use state::{ExitStatus, ListenerState, Pid, ProcessId, ProcessState, SupervisorState};
pub use text::{counted, is_direction_mark};
pub use time::{Mono, Now, Wall, parse_duration, seconds_text};

/// The version of Supervisor that is reported to clients and scripts, whose behaviour this is.
pub const SUPERVISOR_VERSION: &str = "4.3.0";
