//! `system.multicall`: several calls in one, made one after the other.
//!
//! Each waits for the answer to the one before, also where that is put off until a process has
//! started or stopped. What became of them is a list in their order: bare results (the proposal that
//! this method comes from wraps each in an array; Supervisor doesn't) and structs that stand for faults.

use super::{Asked, ask};
use crate::model::{Fault, FaultCode, Namespace};
use crate::xmlrpc::{Encoder, Value};

/// Calls in one multicall. Supervisor has no bound; what a script batches is a call for each process.
pub const CALLS_MAX: usize = 4096;

/// What the results may come to, as they are sent. A call beyond it is refused and not made, as nobody could be
/// told what came of it.
pub const RESULTS_BYTES_MAX: usize = 8 * 1024 * 1024;

const NAME: &str = "system.multicall";

/// The calls that are still to be made, and what became of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Multicall {
    /// The next one is the last.
    left: Vec<Value>,
    /// About what those take.
    left_bytes: usize,
    /// Encoded as they come.
    results: Encoder,
}

impl Multicall {
    /// COMPAT: what is no list of structs is an internal error in Supervisor, some of it after calls were
    /// made.
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

    /// What the next call comes to; `None` after the last. Each is to be answered by
    /// [`Multicall::answered`] before the next is asked for.
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

    /// Takes what became of the call.
    pub fn answered(&mut self, outcome: Result<Value, Fault>) {
        let result = outcome.unwrap_or_else(|fault| {
            let code = fault.code as i32;
            Value::members([("faultCode", code.into()), ("faultString", fault.to_string().into())])
        });
        self.results.push(result);
    }

    /// About how much memory the calls that are left and the results take.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.left_bytes + self.results.held_bytes()
    }

    /// The body of the reply: what became of all of them, in their order.
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
