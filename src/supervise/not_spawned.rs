//! Why a program could not be started.

use serde::{Deserialize, Serialize};

/// Why there is no process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotSpawned {
    /// Supervisor's message for it.
    pub text: String,
    /// The status that a shell uses for it: 127 for a missing command, 126 for one that can't be executed.
    pub status: u8,
    /// The cause: the program or the machine.
    pub blame: Blame,
}

/// Whether the program or the machine is the reason why a process could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The program or its configuration: failed starts are counted.
    Program,
    /// The machine, which is short of descriptors, processes or memory.
    Machine,
}

impl NotSpawned {
    /// The status for a missing command.
    pub const NOT_FOUND: u8 = 127;
    /// The status for an existing command that can't be executed.
    pub const NOT_EXECUTABLE: u8 = 126;

    /// The machine lacks a resource that every program needs.
    #[must_use]
    pub fn for_shortage(text: String) -> Self {
        Self { text, status: Self::NOT_EXECUTABLE, blame: Blame::Machine }
    }
}

impl From<String> for NotSpawned {
    /// For any other obstacle to a start, such as a log or a socket.
    fn from(text: String) -> Self {
        Self { text, status: Self::NOT_EXECUTABLE, blame: Blame::Program }
    }
}
