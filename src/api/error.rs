//! Errors: an HTTP status with `{"error":{"code":10,"name":"BAD_NAME","message":"BAD_NAME: nope"}}`.
//!
//! Code, name and message are XML-RPC's. The code is null for errors that only HTTP has, and for a refusal: their message
//! is a sentence that does not repeat the name.

use serde::Serialize;

use super::json;
use crate::http::Response;
use crate::model::{Fault, FaultCode};

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct ApiError {
    status: u16,
    view: ErrorView,
    /// The methods that the path has, if it lacks the requested one.
    allow: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody {
    error: ErrorView,
}

/// An error in a body.
#[derive(Debug, Serialize)]
pub(super) struct ErrorView {
    code: Option<i32>,
    name: &'static str,
    message: String,
}

impl ErrorView {
    pub(super) fn of(fault: &Fault) -> Self {
        // Among XML-RPC's codes it has that of another fault.
        let code = (fault.code != FaultCode::Forbidden).then(|| fault.code.number());
        let sentence = fault.detail.clone().filter(|_| code.is_none());
        Self { code, name: fault.code.name(), message: sentence.unwrap_or_else(|| fault.to_string()) }
    }
}

impl ApiError {
    pub(super) fn new(status: u16, name: &'static str, message: String) -> Self {
        Self { status, view: ErrorView { code: None, name, message }, allow: None }
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self::new(404, "NOT_FOUND", format!("there is no {path}"))
    }

    pub(super) fn bad_request(why: &str) -> Self {
        Self::new(400, "BAD_REQUEST", why.to_owned())
    }

    pub(super) fn method_not_allowed(method: &str, methods: &[&str]) -> Self {
        let methods = methods.join(", ");
        let error =
            Self::new(405, "METHOD_NOT_ALLOWED", format!("{method} is not allowed here, only {methods}"));
        Self { allow: Some(methods), ..error }
    }

    pub(super) fn response(self) -> Response {
        let response = json(self.status, &ErrorBody { error: self.view });
        match self.allow {
            Some(methods) => response.header("Allow", &methods),
            None => response,
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self { status: status(fault.code), view: ErrorView::of(&fault), allow: None }
    }
}

/// The HTTP status that says most about a fault.
fn status(code: FaultCode) -> u16 {
    match code {
        FaultCode::IncorrectParameters
        | FaultCode::BadArguments
        | FaultCode::BadSignal
        | FaultCode::SignatureUnsupported => 400,
        FaultCode::Forbidden => 403,
        FaultCode::UnknownMethod | FaultCode::BadName => 404,
        FaultCode::AlreadyStarted
        | FaultCode::NotRunning
        | FaultCode::AlreadyAdded
        | FaultCode::StillRunning => 409,
        FaultCode::NoFile
        | FaultCode::NotExecutable
        | FaultCode::Failed
        | FaultCode::AbnormalTermination
        | FaultCode::SpawnError
        | FaultCode::CantReread => 422,
        FaultCode::ShutdownState => 503,
    }
}
