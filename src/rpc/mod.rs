//! Supervisor's API: names and parameters to commands, replies and faults to values.
//!
//! One table of methods (`methods.rs`) determines everything: the known names, the number and types of their
//! parameters, what they do, and the results of `system.methodHelp` and `system.methodSignature`.
//!
//! The methods of the table exist under each namespace that the configuration gives an `[rpcinterface:x]`
//! section, usually only `supervisor`; `system.*` always exists. Some small packages that add an interface of
//! their own to Supervisor are built in (`packages.rs`). `sv.*` contains methods that Supervisor does not
//! have.
//!
//! Rejected here is what is wrong regardless of processes: unknown methods and wrong parameters. Whether the
//! supervisor is shutting down, which most methods check first, is known to the core; for constant answers
//! the caller asks the core ([`Asked::AnswerUnlessStopping`]).
//!
//! `system.multicall` becomes a [`Multicall`]: a list of calls that its owner performs one by one.

mod answer;
mod arguments;
mod cache;
mod catalogue;
mod method;
mod methods;
mod multicall;
mod packages;
mod signature;
#[cfg(test)]
mod tests;

use crate::model::{Command, Fault, FaultCode, Namespace, Permission, Role};
use crate::xmlrpc::Value;

use arguments::Arguments;
use catalogue::Catalogue;
use method::Meaning;

pub use answer::{answer, body};
pub use cache::{CACHE_BYTES_MAX, Cache, CacheCall};
pub use methods::API_VERSION;
pub use multicall::{CALLS_MAX, Multicall, RESULTS_BYTES_MAX};

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The core answers it.
    Command(Command),
    /// The answer in any state: `system.*` works to the end.
    Answer(Value),
    /// The answer, unless the supervisor is shutting down or restarting: then it is the fault SHUTDOWN_STATE,
    /// as for every command.
    AnswerUnlessStopping(Value),
    /// The cache answers it, unless the supervisor is shutting down or restarting.
    Cache(CacheCall),
    /// Several calls, to be performed one after the other.
    Many(Multicall),
}

impl Asked {
    /// What it requires of the client.
    #[must_use]
    pub fn permission(&self) -> Permission {
        match self {
            Self::Command(command) => command.permission(),
            Self::Answer(_) | Self::AnswerUnlessStopping(_) => Permission::of(Role::Read, "see anything"),
            Self::Cache(call) => call.permission(),
            // Each of them has its own.
            Self::Many(_) => Permission::of(Role::Metrics, "make several calls"),
        }
    }
}

/// Resolves a call of `method` with these namespaces.
///
/// # Errors
///
/// UNKNOWN_METHOD, INCORRECT_PARAMETERS, and SIGNATURE_UNSUPPORTED for help about an unknown method.
pub fn ask(method: &str, params: &[Value], namespaces: &[Namespace]) -> Result<Asked, Fault> {
    let catalogue = Catalogue::new(namespaces);
    let found = catalogue.find(method).ok_or(Fault::bare(FaultCode::UnknownMethod))?;
    let arguments = Arguments::of(params, found.params)?;
    match found.means {
        Meaning::Command(command) => command(&arguments).map(Asked::Command),
        Meaning::Cache(call) => call(&arguments).map(Asked::Cache),
        Meaning::Constant(text) => Ok(Asked::AnswerUnlessStopping(text.into())),
        Meaning::Introspection(what) => catalogue.describe(what, &arguments).map(Asked::Answer),
        Meaning::Calls => Multicall::of(arguments.any(0)).map(Asked::Many),
    }
}
