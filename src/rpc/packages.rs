//! The methods of small packages that add an XML-RPC interface to Supervisor.

use super::cache::CacheCall;
use super::method::{DONE, GROUP, Meaning, Method, PROCESS_OR_GROUP, ROWS, SIGNAL};
use super::signature::{Kind, Param};
use crate::model::Command;

const KEY: Param = Param { kind: Kind::String, name: "key", doc: "The key, not empty", optional: false };
const DATA: Param = Param { name: "data", doc: "The value", ..KEY };
const MESSAGE: Param = Param { name: "message", doc: "The text of the line", ..KEY };
const LEVEL: Param = Param {
    name: "level",
    doc: "CRIT, ERRO, WARN, INFO, DEBG, TRAC or BLAT, or its number; INFO unless given",
    optional: true,
    ..KEY
};

const fn version(doc: &'static str, names: &'static [&'static str], text: &'static str) -> Method {
    let (params, returns) = (&[], (Kind::String, "The version"));
    Method { names, doc, params, returns, means: Meaning::Constant(text) }
}

/// The methods of `supervisor_cache` 1.1.0.
pub(super) const CACHE: &[Method] = &[
    version("Returns the version of the API of supervisor_cache.", &["getAPIVersion"], "0.2"),
    Method {
        names: &["getKeys"],
        doc: "Returns all keys in the cache.",
        params: &[],
        returns: (Kind::Array, "The keys in order"),
        means: Meaning::Cache(|_| Ok(CacheCall::Keys)),
    },
    Method {
        names: &["getCount"],
        doc: "Returns the number of values in the cache.",
        params: &[],
        returns: (Kind::Int, "The number"),
        means: Meaning::Cache(|_| Ok(CacheCall::Count)),
    },
    Method {
        names: &["store"],
        doc: "Stores a value in the cache until the supervisor ends or restarts.",
        params: &[KEY, DATA],
        returns: DONE,
        means: Meaning::Cache(CacheCall::store),
    },
    Method {
        names: &["fetch"],
        doc: "Returns a value from the cache.",
        params: &[KEY],
        returns: (Kind::String, "The value as it was stored"),
        means: Meaning::Cache(CacheCall::fetch),
    },
    Method {
        names: &["delete"],
        doc: "Deletes a value from the cache, if it is there.",
        params: &[KEY],
        returns: DONE,
        means: Meaning::Cache(CacheCall::delete),
    },
    Method {
        names: &["clear"],
        doc: "Deletes all values from the cache.",
        params: &[],
        returns: DONE,
        means: Meaning::Cache(|_| Ok(CacheCall::Clear)),
    },
];

/// The methods of `mr.laforge` 0.9. Supervisor has the same methods today as signalProcess and
/// signalProcessGroup.
pub(super) const LAFORGE: &[Method] = &[
    version("Returns the version of the API of mr.laforge.", &["getAPIVersion"], "0.1"),
    version("Returns the version of mr.laforge whose methods these are.", &["getMrLaForgeVersion"], "0.9"),
    Method {
        names: &["killProcess"],
        doc: "Sends a signal to a process, or to those of a group.",
        params: &[PROCESS_OR_GROUP, SIGNAL],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::SignalProcess(given.namespec(0)?, given.signal(1)?))),
    },
    Method {
        names: &["killProcessGroup"],
        doc: "Sends a signal to the processes of a group.",
        params: &[GROUP, SIGNAL],
        returns: ROWS,
        means: Meaning::Command(|given| Ok(Command::SignalProcessGroup(given.group(0)?, given.signal(1)?))),
    },
];

/// The methods of `supervisor_twiddler` 1.0.0, except those that change groups.
pub(super) const TWIDDLER: &[Method] = &[
    version("Returns the version of the API of supervisor_twiddler.", &["getAPIVersion"], "1.0"),
    Method {
        names: &["getGroupNames"],
        doc: "Returns the names of all active groups.",
        params: &[],
        returns: (Kind::Array, "The names"),
        means: Meaning::Command(|_| Ok(Command::GetGroupNames)),
    },
    Method {
        names: &["log"],
        doc: "Writes a line to the supervisor's own log.",
        params: &[MESSAGE, LEVEL],
        returns: DONE,
        means: Meaning::Command(|given| Ok(Command::WriteLog(given.log_level(1)?, given.printed(0)?))),
    },
];
