//! Who asks the supervisor for something.

use serde::{Deserialize, Serialize};

use super::UserId;

/// Who gives a [`super::Command`] or sends a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// A client of a control server.
    Client {
        /// The section of the server that it connected to.
        server: String,
        /// The user of its process, known for a unix socket.
        uid: Option<UserId>,
        /// The name it authenticated with, where the server requires one.
        username: Option<String>,
    },
    /// The sender of a signal, whom the kernel has already checked: root or our own user.
    Signal,
}
