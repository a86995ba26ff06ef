//! Requests of clients in the activity log at trace level: the request and its result.
//!
//! The result of a call is decoded from the response, so that it is traced whatever code path has made the
//! response.

use std::collections::HashMap;

use super::Shell;
use crate::http::{Request, Response};
use crate::logs::access_time;
use crate::model::LogLevel;
use crate::xmlrpc::decode_response;

/// The unanswered requests of clients.
#[derive(Debug, Default)]
pub(super) struct Traces(HashMap<u64, Trace>);

#[derive(Debug)]
struct Trace {
    /// `POST /RPC2 HTTP/1.1`
    request: String,
    /// `supervisor.getState`
    method: Option<String>,
}

impl Traces {
    /// Whether any response must be examined.
    pub(super) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// A client has disconnected.
    pub(super) fn remove(&mut self, token: u64) {
        self.0.remove(&token);
    }
}

impl Shell {
    fn traces(&self) -> bool {
        self.activity.level() <= LogLevel::Trace
    }

    pub(super) fn trace_request(&mut self, token: u64, request: &Request) {
        if self.traces() {
            let request = format!("{} {} {}", request.method, request.target, request.version.name());
            self.front.traces.0.insert(token, Trace { request, method: None });
        }
    }

    pub(super) fn trace_call(&mut self, token: u64, method: &str) {
        if !self.traces() {
            return;
        }
        // It may contain anything, including line endings.
        let method = method.escape_debug().to_string();
        self.log(LogLevel::Trace, &format!("XML-RPC method called: {method}()"));
        if let Some(trace) = self.front.traces.0.get_mut(&token) {
            trace.method = Some(method);
        }
    }

    /// A streamed response is traced when it begins, with the size of its head.
    ///
    /// COMPAT: always at trace level; Supervisor logs every response that contains the word error as an
    /// error.
    pub(super) fn trace_answer(&mut self, token: u64, response: &Response, bytes: usize) {
        let Some(Trace { request, method }) = self.front.traces.0.remove(&token) else { return };
        if let Some(method) = method {
            let outcome = match decode_response(response.content()) {
                Ok(Err((code, text))) => format!("returned fault: [{code}] {text}"),
                Ok(Ok(_)) | Err(_) => "returned successfully".to_owned(),
            };
            self.log(LogLevel::Trace, &format!("XML-RPC method {method}() {outcome}"));
        }
        let (peer, time) = (self.front.clients.peer(token), access_time(self.now.wall));
        let line = format!("{peer} - - [{time}] \"{request}\" {} {bytes}", response.status);
        self.log(LogLevel::Trace, &line);
    }
}
