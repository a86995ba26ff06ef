//! A method of a table, and the parameters and results that several methods have.

use super::arguments::Arguments;
use super::cache::CacheCall;
use super::signature::{Kind, Param};
use crate::model::{Command, Fault};

/// What a method does.
pub(super) enum Meaning {
    /// A command to the core.
    Command(fn(&Arguments<'_>) -> Result<Command, Fault>),
    /// A call to the cache.
    Cache(fn(&Arguments<'_>) -> Result<CacheCall, Fault>),
    /// A constant text.
    Constant(&'static str),
    /// Information about the methods.
    Introspection(Introspection),
    /// Several calls.
    Calls,
}

/// One method.
pub(super) struct Method {
    /// Its name, then older aliases.
    pub(super) names: &'static [&'static str],
    pub(super) doc: &'static str,
    pub(super) params: &'static [Param],
    pub(super) returns: (Kind, &'static str),
    pub(super) means: Meaning,
}

/// What a method of `system` says about the methods.
#[derive(Clone, Copy)]
pub(super) enum Introspection {
    Names,
    Help,
    Signature,
}

pub(super) const PROCESS: Param = Param {
    kind: Kind::String,
    name: "name",
    doc: "A process: its name, or group:name where its group is called otherwise",
    optional: false,
};
pub(super) const PROCESS_OR_GROUP: Param =
    Param { doc: "A process as name or group:name, or all of a group as group:*", ..PROCESS };
pub(super) const GROUP: Param = Param { doc: "A group", ..PROCESS };
pub(super) const SIGNAL: Param = Param {
    kind: Kind::String,
    name: "signal",
    doc: "The signal's name, with or without SIG, or its number",
    optional: false,
};

pub(super) const DONE: (Kind, &str) = (Kind::Boolean, "Always true; what can't be done is a fault");
pub(super) const ROWS: (Kind, &str) =
    (Kind::Array, "For each process a struct of name, group, status and description");
