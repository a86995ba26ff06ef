//! The table of methods.

use std::time::Duration;

use super::method::{DONE, GROUP, Introspection, Meaning, Method, PROCESS, PROCESS_OR_GROUP, ROWS, SIGNAL};
use super::signature::{Kind, Param};
use crate::model::{BatchLimits, Channel, Command, LogOf, SUPERVISOR_VERSION};

/// The version of this API. It has been 3.0 since Supervisor 3.0, and supervisorctl requires it.
pub const API_VERSION: &str = "3.0";

const METHOD: Param = Param { doc: "A method, with its namespace", ..PROCESS };
const OFFSET: Param = Param {
    kind: Kind::Int,
    name: "offset",
    doc: "Where to begin, in bytes; from the end if it is negative",
    optional: false,
};
const LENGTH: Param = Param {
    kind: Kind::Int,
    name: "length",
    doc: "How much to read, in bytes; 0 is all there is",
    optional: false,
};
const MAX_UNAVAILABLE: Param = Param {
    kind: Kind::Int,
    name: "max_unavailable",
    doc: "How many processes are restarted at a time, at least one",
    optional: false,
};
const TIMEOUT: Param = Param {
    name: "timeout_ms",
    doc: "After how many milliseconds it ends; never unless given",
    optional: true,
    ..MAX_UNAVAILABLE
};
const CHARS: Param =
    Param { kind: Kind::String, name: "chars", doc: "What to write; no line end is added", optional: false };
const EVENT_TYPE: Param =
    Param { name: "type", doc: "What the header of the event says under type", ..CHARS };
const EVENT_DATA: Param = Param { name: "data", doc: "The body of the event", ..CHARS };
const UNTIL_STARTED: Param = Param {
    kind: Kind::Boolean,
    name: "wait",
    doc: "Answer when it has started or failed to, not at once; true unless given",
    optional: true,
};
const UNTIL_STOPPED: Param =
    Param { doc: "Answer when it has stopped, not at once; true unless given", ..UNTIL_STARTED };

const CALLS: Param = Param {
    kind: Kind::Array,
    name: "calls",
    doc: "A struct of methodName and params for each call",
    optional: false,
};

/// The methods of each configured namespace.
pub(super) const SUPERVISOR: &[Method] = &[
    Method {
        names: &["getAPIVersion", "getVersion"],
        doc: "Returns the version of this API.",
        params: &[],
        returns: (Kind::String, "The version"),
        means: Meaning::Constant(API_VERSION),
    },
    Method {
        names: &["getSupervisorVersion"],
        doc: "Returns the version of Supervisor whose behaviour this server has.",
        params: &[],
        returns: (Kind::String, "The version"),
        means: Meaning::Constant(SUPERVISOR_VERSION),
    },
    Method {
        names: &["getIdentification"],
        doc: "Returns the configured identifier of this supervisor.",
        params: &[],
        returns: (Kind::String, "The identifier"),
        means: Meaning::Command(|_| Ok(Command::GetIdentification)),
    },
    Method {
        names: &["getState"],
        doc: "Returns the supervisor's own state.",
        params: &[],
        returns: (Kind::Struct, "Its statecode and statename"),
        means: Meaning::Command(|_| Ok(Command::GetState)),
    },
    Method {
        names: &["getPID"],
        doc: "Returns the supervisor's process id.",
        params: &[],
        returns: (Kind::Int, "The process id"),
        means: Meaning::Command(|_| Ok(Command::GetPid)),
    },
    Method {
        names: &["getProcessInfo"],
        doc: "Returns information about a process.",
        params: &[PROCESS],
        returns: (Kind::Struct, "State, process id, times, log files and more"),
        means: Meaning::Command(|given| Ok(Command::GetProcessInfo(given.namespec(0)?))),
    },
    Method {
        names: &["getAllProcessInfo"],
        doc: "Returns information about all processes.",
        params: &[],
        returns: (Kind::Array, "For each process what getProcessInfo returns"),
        means: Meaning::Command(|_| Ok(Command::GetAllProcessInfo)),
    },
    Method {
        names: &["startProcess"],
        doc: "Starts a process, or those of a group.",
        params: &[PROCESS_OR_GROUP, UNTIL_STARTED],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::StartProcess(given.namespec(0)?, given.wait(1)))),
    },
    Method {
        names: &["startProcessGroup"],
        doc: "Starts the processes of a group that don't run.",
        params: &[GROUP, UNTIL_STARTED],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::StartProcessGroup(given.group(0)?, given.wait(1)))),
    },
    Method {
        names: &["startAllProcesses"],
        doc: "Starts all processes that don't run.",
        params: &[UNTIL_STARTED],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::StartAllProcesses(given.wait(0)))),
    },
    Method {
        names: &["stopProcess"],
        doc: "Stops a process, or those of a group.",
        params: &[PROCESS_OR_GROUP, UNTIL_STOPPED],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::StopProcess(given.namespec(0)?, given.wait(1)))),
    },
    Method {
        names: &["stopProcessGroup"],
        doc: "Stops the processes of a group that run.",
        params: &[GROUP, UNTIL_STOPPED],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::StopProcessGroup(given.group(0)?, given.wait(1)))),
    },
    Method {
        names: &["stopAllProcesses"],
        doc: "Stops all processes that run.",
        params: &[UNTIL_STOPPED],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::StopAllProcesses(given.wait(0)))),
    },
    Method {
        names: &["signalProcess"],
        doc: "Sends a signal to a process, or to those of a group.",
        params: &[PROCESS_OR_GROUP, SIGNAL],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::SignalProcess(given.namespec(0)?, given.signal(1)?))),
    },
    Method {
        names: &["signalProcessGroup"],
        doc: "Sends a signal to the processes of a group.",
        params: &[GROUP, SIGNAL],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::SignalProcessGroup(given.group(0)?, given.signal(1)?))),
    },
    Method {
        names: &["signalAllProcesses"],
        doc: "Sends a signal to all processes.",
        params: &[SIGNAL],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::SignalAllProcesses(given.signal(0)?))),
    },
    Method {
        names: &["reloadConfig"],
        doc: "Reads the configuration again and returns which groups it adds, changes and removes. \
              Nothing is started or stopped.",
        params: &[],
        returns: (Kind::Array, "One array of three arrays of names: added, changed, removed"),
        means: Meaning::Command(|_| Ok(Command::ReloadConfig)),
    },
    Method {
        names: &["addProcessGroup"],
        doc: "Makes a configured group active and starts those of its processes that start by themselves.",
        params: &[GROUP],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::AddProcessGroup(given.group(0)?))),
    },
    Method {
        names: &["removeProcessGroup"],
        doc: "Takes a group out of action of which nothing runs.",
        params: &[GROUP],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::RemoveProcessGroup(given.group(0)?))),
    },
    Method {
        names: &["getAllConfigInfo"],
        doc: "Returns how every process is configured, whether its group is active or not.",
        params: &[],
        returns: (Kind::Array, "A struct for each process"),
        means: Meaning::Command(|_| Ok(Command::GetAllConfigInfo)),
    },
    Method {
        names: &["readLog", "readMainLog"],
        doc: "Reads from the supervisor's own log.",
        params: &[OFFSET, LENGTH],
        returns: (Kind::String, "What was read"),
        means: Meaning::Command(|given| Ok(Command::ReadLog(LogOf::Supervisor, given.range(0)?))),
    },
    Method {
        names: &["clearLog"],
        doc: "Empties the supervisor's own log.",
        params: &[],
        returns: DONE,
        means: Meaning::Command(|_| Ok(Command::ClearLog)),
    },
    Method {
        names: &["readProcessStdoutLog", "readProcessLog"],
        doc: "Reads from the stdout log of a process.",
        params: &[PROCESS, OFFSET, LENGTH],
        returns: (Kind::String, "What was read"),
        means: Meaning::Command(|given| {
            Ok(Command::ReadLog(LogOf::Process(given.namespec(0)?, Channel::Stdout), given.range(1)?))
        }),
    },
    Method {
        names: &["tailProcessStdoutLog", "tailProcessLog"],
        doc: "Reads the end of the stdout log of a process, for a client that follows it.",
        params: &[PROCESS, OFFSET, LENGTH],
        returns: (
            Kind::Array,
            "What was read, where to continue, and whether more was written than was asked for",
        ),
        means: Meaning::Command(|given| {
            Ok(Command::ReadLog(LogOf::Process(given.namespec(0)?, Channel::Stdout), given.tail(1)?))
        }),
    },
    Method {
        names: &["readProcessStderrLog"],
        doc: "Reads from the stderr log of a process.",
        params: &[PROCESS, OFFSET, LENGTH],
        returns: (Kind::String, "What was read"),
        means: Meaning::Command(|given| {
            Ok(Command::ReadLog(LogOf::Process(given.namespec(0)?, Channel::Stderr), given.range(1)?))
        }),
    },
    Method {
        names: &["tailProcessStderrLog"],
        doc: "Reads the end of the stderr log of a process, for a client that follows it.",
        params: &[PROCESS, OFFSET, LENGTH],
        returns: (
            Kind::Array,
            "What was read, where to continue, and whether more was written than was asked for",
        ),
        means: Meaning::Command(|given| {
            Ok(Command::ReadLog(LogOf::Process(given.namespec(0)?, Channel::Stderr), given.tail(1)?))
        }),
    },
    Method {
        names: &["clearProcessLogs", "clearProcessLog"],
        doc: "Empties both logs of a process.",
        params: &[PROCESS],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::ClearProcessLogs(given.namespec(0)?))),
    },
    Method {
        names: &["clearAllProcessLogs"],
        doc: "Empties the logs of all processes.",
        params: &[],
        returns: ROWS,
        means: Meaning::Command(|_| Ok(Command::ClearAllProcessLogs)),
    },
    Method {
        names: &["sendProcessStdin"],
        doc: "Writes a text to the standard input of a process, as UTF-8.",
        params: &[PROCESS, CHARS],
        returns: DONE,
        means: Meaning::Command(|given| {
            Ok(Command::SendStdin(given.namespec(0)?, given.text(1)?.to_owned()))
        }),
    },
    Method {
        names: &["sendRemoteCommEvent"],
        doc: "Sends an event to those event listeners that listen for remote communication.",
        params: &[EVENT_TYPE, EVENT_DATA],
        returns: DONE,
        means: Meaning::Command(|given| {
            Ok(Command::SendRemoteEvent { kind: given.printed(0)?, data: given.printed(1)? })
        }),
    },
    Method {
        names: &["shutdown"],
        doc: "Stops all processes and ends the supervisor.",
        params: &[],
        returns: DONE,
        means: Meaning::Command(|_| Ok(Command::Shutdown)),
    },
    Method {
        names: &["restart"],
        doc: "Stops all processes, reads the configuration again and starts again.",
        params: &[],
        returns: DONE,
        means: Meaning::Command(|_| Ok(Command::Restart)),
    },
];

/// The methods of the namespace `sv`, which Supervisor does not have.
pub(super) const SV: &[Method] = &[
    Method {
        names: &["getAllProcessInfo"],
        doc: "Returns what supervisor.getAllProcessInfo returns, and how each process ended last: \
              last_exit_status, or last_term_signal (SIGTERM) where a signal ended it, both left out if it \
              never ended; ended_as_expected, whether the last end was an exit with one of its exitcodes; hint, \
              what else is known about a start that failed; status, what the program reports by the STATUS of systemd's \
              notify protocol; health, which is starting, healthy or unhealthy, and health_failure, why the last check \
              failed, both left out if it is not checked; check_output, what the command of the last failed check has printed, \
              left out if nothing; waiting_for, the conditions that are missing before it \
              is spawned, and needed_by, processes that run and depend on it, both left out if there are none; of \
              a listener that runs listenerstate, which is UNKNOWN \
              once it has broken the protocol and is sent no more events.",
        params: &[],
        returns: (Kind::Array, "A struct for each process"),
        means: Meaning::Command(|_| Ok(Command::GetAllProcessDetails)),
    },
    Method {
        names: &["getVersion"],
        doc: "Returns the version of sv itself.",
        params: &[],
        returns: (Kind::String, "The version"),
        means: Meaning::Constant(env!("CARGO_PKG_VERSION")),
    },
    Method {
        names: &["restartRolling"],
        doc: "Stops and starts a process or all of a group, some processes at a time: the next ones when those before \
          them run, and are ready. Ends at the first failure, or when the time is up; a process that was stopped is \
          started again then. Answers when all of it is done.",
        params: &[PROCESS_OR_GROUP, MAX_UNAVAILABLE, TIMEOUT],
        returns: ROWS,
        means: Meaning::Command(|given| {
            let size = usize::try_from(given.number(1)?).unwrap_or(1);
            let timeout_ms = given.optional_number(2)?.map(|ms| u64::try_from(ms).unwrap_or(0));
            let limits = BatchLimits { size, timeout: timeout_ms.map(Duration::from_millis) };
            Ok(Command::RestartRolling(given.namespec(0)?, limits))
        }),
    },
    Method {
        names: &["updateProcessGroup"],
        doc: "Makes an active group as it is configured, as the configuration was read last. Settings that a \
          running process need not be restarted for are applied to it; only processes with other changes \
          are stopped and started again, and those that are new or gone are added and removed. Answers \
          when all of it is done.",
        params: &[GROUP],
        returns: (
            Kind::Array,
            "For each process a struct of name, group, status and description: unchanged, applied, replaced, \
         added or removed, or why it could not be stopped",
        ),
        means: Meaning::Command(|given| Ok(Command::UpdateProcessGroup(given.group(0)?))),
    },
];

/// The methods of the namespace `system`.
pub(super) const SYSTEM: &[Method] = &[
    Method {
        names: &["listMethods"],
        doc: "Returns the names of all methods.",
        params: &[],
        returns: (Kind::Array, "The names in order"),
        means: Meaning::Introspection(Introspection::Names),
    },
    Method {
        names: &["methodHelp"],
        doc: "Returns what a method does, takes and returns.",
        params: &[METHOD],
        returns: (Kind::String, "The text"),
        means: Meaning::Introspection(Introspection::Help),
    },
    Method {
        names: &["methodSignature"],
        doc: "Returns the types of a method's result and parameters.",
        params: &[METHOD],
        returns: (Kind::Array, "The type of the result, then those of the parameters"),
        means: Meaning::Introspection(Introspection::Signature),
    },
    Method {
        names: &["multicall"],
        doc: "Makes several calls, one after the other, and returns the result of each.",
        params: &[CALLS],
        returns: (Kind::Array, "For each call its result, or a struct of faultCode and faultString"),
        means: Meaning::Calls,
    },
];
