//! `system.multicall`: several calls in one, performed one after the other.
//!
//! Each call waits for the answer to the previous one, even if that is deferred until a process has started
//! or stopped. The result is a list in their order: bare results (the original proposal of this method wraps
//! each in an array; Supervisor doesn't) and structs for faults.

use super::{Asked, ask};
use crate::model::{Fault, FaultCode, Namespace};
use crate::xmlrpc::{Encoder, Value};

/// The maximum number of calls in one multicall. Supervisor has no bound; scripts batch one call per process.
pub const CALLS_MAX: usize = 4096;

/// The maximum size of the encoded results. A call beyond it is rejected and not performed, as its result
/// could not be returned.
pub const RESULTS_BYTES_MAX: usize = 8 * 1024 * 1024;

const NAME: &str = "system.multicall";

/// The remaining calls, and the results of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Multicall {
    /// The next one is last.
    left: Vec<Value>,
    /// The approximate memory of the remaining calls.
    left_bytes: usize,
    /// Encoded as they arrive.
    results: Encoder,
}

impl Multicall {
    /// COMPAT: in Supervisor anything except a list of structs is an internal error, sometimes after some
    /// calls were performed.
    pub(super) fn of(calls: &Value) -> Result<Self, Fault> {
        let refused = |text: String| Fault::about(FaultCode::IncorrectParameters, text);
        let calls = calls.as_array().filter(|calls| calls.iter().all(|it| matches!(it, Value::Struct(_))));
        let calls = calls.ok_or_else(|| refused("calls must be an array of structs".to_owned()))?;
        if calls.len() > CALLS_MAX {
            return Err(refused(format!("{} calls are more than {CALLS_MAX}", calls.len())));
        }
        let left_bytes = calls.iter().map(Value::bytes).sum();
        let left = calls.iter().rev().cloned().collect();
        Ok(Self { left, left_bytes, results: Encoder::array_response() })
    }

    /// The next call; `None` after the last. [`Multicall::answered`] must be called with its result before
    /// the next call.
    pub fn next(&mut self, namespaces: &[Namespace]) -> Option<Result<Asked, Fault>> {
        while !self.encode_slice() {}
        let call = self.left.pop()?;
        self.left_bytes -= call.bytes();
        if self.results.bytes() > RESULTS_BYTES_MAX {
            let text = format!("not done, as the results before it exceed {RESULTS_BYTES_MAX} bytes");
            return Some(Err(Fault::about(FaultCode::Failed, text)));
        }
        Some(ask_one(&call, namespaces))
    }

    /// Encodes a slice of the last result. True once all of it is encoded.
    pub fn encode_slice(&mut self) -> bool {
        self.results.encode_slice()
    }

    /// Adds the result of the call.
    pub fn answered(&mut self, outcome: Result<Value, Fault>) {
        let result = outcome.unwrap_or_else(|fault| {
            let code = fault.code.number();
            Value::members([("faultCode", code.into()), ("faultString", fault.to_string().into())])
        });
        self.results.push(result);
    }

    /// The approximate memory of the remaining calls and the results.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.left_bytes + self.results.held_bytes()
    }

    /// The body of the reply with all results in order.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.results.finish()
    }
}

fn ask_one(call: &Value, namespaces: &[Namespace]) -> Result<Asked, Fault> {
    let refused = |text: &str| Err(Fault::about(FaultCode::IncorrectParameters, text));
    let params = match call.get("params") {
        None => &[],
        Some(Value::Array(params)) => params.as_slice(),
        Some(_) => return refused("params must be an array"),
    };
    match call.get("methodName").map(Value::as_str) {
        None => refused("No methodName"),
        Some(None) => refused("methodName must be a string"),
        Some(Some(NAME)) => refused("Recursive system.multicall forbidden"),
        Some(Some(name)) => ask(name, params, namespaces),
    }
}
