//! Supervisor's API: names and parameters to commands, replies and faults to values.
//!
//! One table of methods (`methods.rs`) feeds everything: which names are known, how many parameters
//! of which type they take, what they mean, and what `system.methodHelp` and
//! `system.methodSignature` tell. A method that isn't in it doesn't exist.
//!
//! The methods of the table live under each name that the configuration gives an `[rpcinterface:x]`
//! section, usually `supervisor` and nothing else; `system.*` is always there. Some small packages that add
//! an interface of their own to Supervisor are built in (`packages.rs`). `sv.*`, where those are, is what Supervisor has no method for.
//!
//! What is refused here is what can be seen without looking at a process: unknown methods and wrong
//! parameters. Whether the supervisor is shutting down, which most methods ask first, is the
//! core's to know; for the answers that are constants the caller asks the core
//! ([`Asked::AnswerUnlessStopping`]).
//!
//! `system.multicall` comes to a [`Multicall`]: a list of calls that its owner makes one by one.

mod answer;
mod arguments;
mod cache;
mod catalogue;
mod methods;
mod multicall;
mod packages;
#[cfg(test)]
mod tests;

use crate::model::{Command, Fault, FaultCode, Namespace};
use crate::xmlrpc::Value;

use arguments::Arguments;
use catalogue::Catalogue;
use methods::Meaning;

pub use answer::{answer, body};
pub use cache::{CACHE_BYTES_MAX, Cache, CacheCall};
pub use methods::API_VERSION;
pub use multicall::{CALLS_MAX, Multicall, RESULTS_BYTES_MAX};

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The core has to answer.
    Command(Command),
    /// This is the answer, in any state: `system.*` works to the very end.
    Answer(Value),
    /// This is the answer, unless the supervisor is shutting down or restarting: then it is the
    /// fault SHUTDOWN_STATE, as for every command.
    AnswerUnlessStopping(Value),
    /// The cache has to answer, unless the supervisor is shutting down or restarting.
    Cache(CacheCall),
    /// Several calls are to be made, one after the other.
    Many(Multicall),
}

/// What a call of `method` means where these namespaces are configured.
///
/// # Errors
///
/// UNKNOWN_METHOD, INCORRECT_PARAMETERS, and SIGNATURE_UNSUPPORTED for help about a method that
/// doesn't exist.
pub fn ask(method: &str, params: &[Value], namespaces: &[Namespace]) -> Result<Asked, Fault> {
    let catalogue = Catalogue::new(namespaces);
    let found = catalogue.find(method).ok_or(Fault::bare(FaultCode::UnknownMethod))?;
    let arguments = Arguments::of(params, found.params)?;
    match found.means {
        Meaning::Command(command) => command(&arguments).map(Asked::Command),
        Meaning::Cache(call) => call(&arguments).map(Asked::Cache),
        Meaning::Constant(text) => Ok(Asked::AnswerUnlessStopping(text.into())),
        Meaning::Introspection(about) => about(&arguments, &catalogue).map(Asked::Answer),
        Meaning::Calls => Multicall::of(arguments.any(0)).map(Asked::Many),
    }
}
