//! The sender of a request.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Grant, UserId};

/// The sender of a [`super::Command`] or a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// A client of a control server.
    Client {
        /// The section of the server that it connected to.
        server: String,
        /// The user of its process, known for a unix socket.
        uid: Option<UserId>,
        /// The user name, if the server requires authentication.
        username: Option<String>,
        /// What the server grants it.
        grant: Grant,
    },
    /// The sender of a signal, already checked by the kernel: root or our own user.
    Signal,
}

impl Principal {
    /// What it may do. A process that may send us signals may do everything.
    #[must_use]
    pub fn grant(&self) -> Grant {
        match self {
            Self::Client { grant, .. } => *grant,
            Self::Signal => Grant::default(),
        }
    }
}

impl fmt::Display for Principal {
    /// `a client of [unix_http_server] (uid 0)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal => f.write_str("a signal"),
            Self::Client { server, uid, username, grant: _ } => {
                write!(f, "a client of [{server}]")?;
                match (username, uid) {
                    (Some(username), _) => write!(f, " (user {username})"),
                    (None, Some(uid)) => write!(f, " (uid {uid})"),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}
