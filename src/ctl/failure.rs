//! Why an action failed, as the text after `error: `.
//!
//! The reference shows the Python exception there, and scripts search it for the fault's name. Where the
//! exception is informative (a fault, an HTTP status) its form is kept; the Python file and line that follow
//! it are not, and errno in brackets is replaced by a sentence. That applies to `supervisorctl`; as `sv` we
//! say what is wrong and what to do about it (`plain`).

use std::fmt;
use std::io;
use std::time::Duration;

use super::endpoint::NoEndpoint;
use crate::model::FaultCode;
use crate::python::quote;

/// A failed call.
#[derive(Debug)]
pub(super) enum CallError {
    /// The protocol of the URL is unknown.
    Address(NoEndpoint),
    /// The connection to this URL failed.
    Connect(String, io::Error),
    /// The user interrupted the wait for the reply.
    Interrupted,
    /// No answer came in time.
    TimedOut { asked_for: &'static str, after: Duration },
    /// The connection broke during the call.
    Broken(io::Error),
    /// The reply is not valid.
    InvalidReply(String),
    /// An HTTP error: status and reason.
    Refused(u16, String),
    /// A fault of the supervisor: code and text.
    Fault(i64, String),
    /// The server has no JSON API.
    NoApi,
    /// The JSON API refuses the request, with a text that is not a fault of XML-RPC.
    Rejected(String),
}

/// The fault codes as clients know them: `FaultCode`'s numbers.
pub(super) mod fault {
    use crate::model::{FaultCode, SUCCESS};

    pub(in crate::ctl) const UNKNOWN_METHOD: i64 = FaultCode::UnknownMethod as i64;
    pub(in crate::ctl) const SHUTDOWN_STATE: i64 = FaultCode::ShutdownState as i64;
    pub(in crate::ctl) const BAD_NAME: i64 = FaultCode::BadName as i64;
    pub(in crate::ctl) const BAD_SIGNAL: i64 = FaultCode::BadSignal as i64;
    pub(in crate::ctl) const NO_FILE: i64 = FaultCode::NoFile as i64;
    pub(in crate::ctl) const NOT_EXECUTABLE: i64 = FaultCode::NotExecutable as i64;
    pub(in crate::ctl) const FAILED: i64 = FaultCode::Failed as i64;
    pub(in crate::ctl) const ABNORMAL_TERMINATION: i64 = FaultCode::AbnormalTermination as i64;
    pub(in crate::ctl) const SPAWN_ERROR: i64 = FaultCode::SpawnError as i64;
    pub(in crate::ctl) const ALREADY_STARTED: i64 = FaultCode::AlreadyStarted as i64;
    pub(in crate::ctl) const NOT_RUNNING: i64 = FaultCode::NotRunning as i64;
    pub(in crate::ctl) const DONE: i64 = SUCCESS as i64;
    pub(in crate::ctl) const ALREADY_ADDED: i64 = FaultCode::AlreadyAdded as i64;
    pub(in crate::ctl) const STILL_RUNNING: i64 = FaultCode::StillRunning as i64;
    pub(in crate::ctl) const CANT_REREAD: i64 = FaultCode::CantReread as i64;
}

impl CallError {
    /// The fault's code, if it is one.
    pub(super) fn fault_code(&self) -> Option<i64> {
        match self {
            Self::Fault(code, _) => Some(*code),
            _ => None,
        }
    }

    /// Why the server is unreachable, and a remedy if known.
    pub(super) fn unreachable(&self) -> String {
        match self {
            Self::Connect(_, error) => match error.kind() {
                io::ErrorKind::NotFound => "no such file. Is sv running?".to_owned(),
                io::ErrorKind::ConnectionRefused => "connection refused. Is sv running?".to_owned(),
                // As for ::1 in a container without IPv6, which is tried after 127.0.0.1.
                io::ErrorKind::AddrNotAvailable => "no such address here. Is sv running?".to_owned(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    "it does not accept connections. It may be stopped or overloaded.".to_owned()
                }
                io::ErrorKind::PermissionDenied => "permission denied. Its owner and root may.".to_owned(),
                _ => error.to_string(),
            },
            other => other.to_string(),
        }
    }

    /// For people who don't know Python, with a remedy if known.
    pub(super) fn plain(&self) -> String {
        match self {
            Self::Address(error) => error.plain(),
            Self::Connect(..) => self.unreachable(),
            Self::Refused(401, _) => {
                "the server asks for a user name and a password: give them by -u and -p, or as username= and \
                 password= in [supervisorctl]"
                    .to_owned()
            }
            Self::Refused(403, _) => {
                "the server forbids it: its role does not include this, or it does not know its own host name in the \
                 URL (allowed_hosts)"
                    .to_owned()
            }
            Self::Refused(status, reason) => {
                format!("the server refused the request: {status} {reason}. Is it a supervisor?")
            }
            Self::Fault(code, text) => plain_fault(*code, text),
            Self::Interrupted
            | Self::TimedOut { .. }
            | Self::Broken(_)
            | Self::InvalidReply(_)
            | Self::NoApi => self.to_string(),
            Self::Rejected(text) => plain_fault(fault::FAILED, text),
        }
    }

    /// The kind of a connection error.
    pub(super) fn connect_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Connect(_, error) => Some(error.kind()),
            _ => None,
        }
    }
}

/// Whether a fault is about the client's role. Its number is that of FAILED.
pub(super) fn is_forbidden(text: &str) -> bool {
    text.starts_with(FaultCode::Forbidden.name())
}

/// A fault in plain words: its text without the fault's name, or a sentence that replaces it.
pub(super) fn plain_fault(code: i64, text: &str) -> String {
    let named = text
        .split_once(": ")
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
    let detail = named.map_or(text, |(_, detail)| detail);
    match code {
        fault::SHUTDOWN_STATE => "the supervisor is shutting down".to_owned(),
        fault::UNKNOWN_METHOD => {
            "the supervisor does not offer this: its configuration needs the section [rpcinterface:supervisor]"
                .to_owned()
        }
        fault::BAD_NAME => format!("there is no process or group '{detail}'"),
        fault::CANT_REREAD => format!("cannot read the configuration: {detail}"),
        // The supervisor's text for the state UNKNOWN.
        fault::FAILED if detail.ends_with("is in an unknown process state") => {
            "its state is UNKNOWN, since a signal could not be sent to it: 'sv maintail' shows why".to_owned()
        }
        _ => detail.to_owned(),
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(why) => write!(f, "<class 'ValueError'>, {why}"),
            Self::Connect(url, error) => write!(f, "cannot connect to '{url}': {error}"),
            Self::Interrupted => f.write_str("interrupted: the supervisor completes the request"),
            Self::TimedOut { asked_for, after } => write!(
                f,
                "asked for {asked_for}, it did not answer within {} s. It may be stopped or overloaded.",
                (after.as_secs_f64() * 10.0).round() / 10.0
            ),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::InvalidReply(why) => write!(f, "cannot understand the server's reply: {why}"),
            Self::Refused(status, reason) => write!(
                f,
                "<class 'xmlrpc.client.ProtocolError'>, <ProtocolError for 127.0.0.1/RPC2: {status} {reason}>"
            ),
            Self::NoApi => f.write_str(
                "the server has no JSON API: it is Supervisor, or an older sv. 'sv version' shows which",
            ),
            Self::Rejected(text) => f.write_str(text),
            Self::Fault(code, text) => {
                write!(f, "<class 'xmlrpc.client.Fault'>, <Fault {code}: {}>", quote(text))
            }
        }
    }
}

/// What aborts an action.
#[derive(Debug)]
pub(super) enum Failure {
    /// A failed call that the action has no message for.
    Call(CallError),
    /// As `supervisorctl`: a result with a code that the action has no message for. The code and the process.
    UnknownResult(i64, String),
    /// An error of the operating system.
    System(io::Error),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::UnknownResult(code, name) => {
                write!(f, "<class 'ValueError'>, Unknown result code {code} for {name}")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

/// The result of an action. Its own messages are already printed; its exit code is in the session.
pub(super) type Outcome = Result<(), Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_in_plain_words_have_no_name_and_no_number() {
        for (code, text, plain) in [
            (6, "SHUTDOWN_STATE", "the supervisor is shutting down"),
            (10, "BAD_NAME: web", "there is no process or group 'web'"),
            (30, "FAILED: update of web is under way", "update of web is under way"),
            (92, "CANT_REREAD: line 7: no colon", "cannot read the configuration: line 7: no colon"),
            (21, "NOT_EXECUTABLE: /bin/x: y", "/bin/x: y"),
            (
                30,
                "FORBIDDEN: the role read may not x: that needs admin",
                "the role read may not x: that needs admin",
            ),
            (99, "what: ever", "what: ever"),
        ] {
            assert_eq!(plain_fault(code, text), plain);
        }
    }
}
