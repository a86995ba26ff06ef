//! The shared words: what every other module means by a process, a state, a command.
//!
//! Nothing here parses, decides or touches the system. A type is here when two modules of one
//! layer have to speak of the same thing without importing each other; whatever only one module
//! needs lives in that module.

mod child;
mod command;
mod dependency;
mod event;
pub mod graph;
mod hooks;
mod notification;
pub mod options;
mod principal;
mod probe;
mod restart;
mod rules;
mod schedule;
mod settings;
mod signal;
mod spec;
mod state;
mod time;

pub use child::{ChildId, TaskId};
pub use command::{
    BatchLimits, BulkRow, Channel, Command, ConfigInfo, Fault, FaultCode, LogOf, Namespec, ProcessInfo,
    Reading, Reply, SUCCESS, SignalRequest, Ticket, UpdateRow, Updated, Wait,
};
pub use dependency::{Condition, Dependency, WrittenAt};
pub use event::{EventLength, EventType, EventTypes, PoolSpec, PrintHandler, ResultHandler, StandIn};
pub use hooks::Hooks;
pub use notification::Notification;
pub use principal::Principal;
pub use probe::{
    HealthCheck, HealthInfo, HealthSpec, HealthStatus, OnUnhealthy, Probe, ReadinessSpec, ReadyCheck,
};
pub use restart::{RestartDelays, RestartLimit};
pub use rules::{OnEnd, OnIdle, Rules, SignalAction};
pub use schedule::{Overlap, Schedule, ScheduleSpec, Zone};
pub use settings::{
    Address, ControlSocket, Credentials, DaemonSettings, LogDefaults, LogLevel, Namespace, Notice, Password,
    RpcInterface, ServerSpec, Settings, SocketOwner,
};
pub use signal::Signal;
pub use spec::{
    AutoRestart, Environment, GroupKind, GroupSpec, LogForm, LogFormat, LogTarget, ProcessSpec, ProgramType,
    SocketSpec, StartRetries, StreamSpec, User, UserId,
};
pub use state::{ExitStatus, ListenerState, Pid, ProcessId, ProcessState, SupervisorState};
pub use time::{Mono, Now, Wall};

/// The version of Supervisor whose behaviour this is, as clients and scripts are told.
pub const SUPERVISOR_VERSION: &str = "4.3.0";
