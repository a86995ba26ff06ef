//! The client's actions: one table for `sv`'s subcommands, the shell's `help`, and completion.
//!
//! The usage forms are Supervisor's, tabs included: people and scripts read them after an error.

/// Something that the client can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAction {
    /// The word that starts it.
    pub name: &'static str,
    /// One line for a list.
    pub about: &'static str,
    /// What `help NAME` prints: a usage form and its meaning a line, each ending in a newline.
    pub topic: &'static str,
}

impl ClientAction {
    /// The action of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// Whether Supervisor's client has no such thing: then only `sv` has it.
    #[must_use]
    pub fn is_for_sv(&self) -> bool {
        matches!(self.name, "health" | "logs")
    }

    /// Forms that only `sv` has, in the manner of `topic`; empty for most.
    #[must_use]
    pub fn topic_of_sv(&self) -> &'static str {
        match self.name {
            "status" => {
                "status --json [...]\tThe same for programs: an array, with an object for each process\n"
            }
            _ => "",
        }
    }

    /// Whether it makes sense only inside the shell.
    #[must_use]
    pub fn is_for_shell(&self) -> bool {
        matches!(self.name, "exit" | "quit" | "open")
    }
}

/// All of them, in the alphabetical order in which they are listed.
pub const ACTIONS: [ClientAction; 23] = [
    ClientAction {
        name: "add",
        about: "Start groups that are configured but not active",
        topic: "add <name> [...]\tPut configured programs or groups into action\n",
    },
    ClientAction {
        name: "avail",
        about: "List all configured processes",
        topic: "avail\t\t\tList all processes of the configuration\n",
    },
    ClientAction {
        name: "clear",
        about: "Empty the log files of processes",
        topic: "clear <name>\t\tEmpty the log files of a process\n\
                clear <name> <name>\tEmpty the log files of several processes\n\
                clear all\t\tEmpty the log files of all processes\n",
    },
    ClientAction { name: "exit", about: "Leave the shell", topic: "exit\tLeave the shell.\n" },
    ClientAction {
        name: "fg",
        about: "Talk to a process: see its output, type its input",
        topic: "fg <process>\tSee the output of a process and type its input\n\
                \t\tCtrl-C to leave it\n",
    },
    ClientAction {
        name: "health",
        about: "Tell whether all is well, for HEALTHCHECK and probes",
        topic: "health\t\t\tExit status 0 if all processes run, are done or rest on purpose; else 1\n\
                health <name> [...]\tExit status 0 if these run or are done; else 1\n\
                health --json [...]\tThe same for programs: an object\n",
    },
    ClientAction {
        name: "logs",
        about: "Show the logs of processes side by side",
        topic: "logs <name>\t\tShow the last 10 lines of a process, stdout and stderr\n\
                logs -n 50 <name>\tShow its last 50 *lines*\n\
                logs --stderr <name>\tShow its stderr only (or --stdout)\n\
                logs -f <name> <name>\tFollow several processes or groups (Ctrl-C to leave)\n\
                logs -f all\t\tFollow all processes\n",
    },
    ClientAction {
        name: "maintail",
        about: "Show the end of the supervisor's own log",
        topic: "maintail -f \tFollow the supervisor's own log (Ctrl-C to leave)\n\
                maintail -100\tShow its last 100 *bytes*\n\
                maintail\tShow its last 1600 *bytes*\n\n",
    },
    ClientAction {
        name: "open",
        about: "Talk to another supervisor",
        topic: "open <url>\tTalk to the supervisor at this URL.\n\
                \t\t(a unix domain socket is unix:///its/path)\n",
    },
    ClientAction {
        name: "pid",
        about: "Show process ids",
        topic: "pid\t\t\tShow the process id of the supervisor.\n\
                pid <name>\t\tShow the process id of one process.\n\
                pid all\t\t\tShow the process ids of all processes, one a line.\n",
    },
    ClientAction { name: "quit", about: "Leave the shell", topic: "quit\tLeave the shell.\n" },
    ClientAction {
        name: "reload",
        about: "Stop everything, read the configuration anew and start again",
        topic: "reload \t\tStop everything, read the configuration anew and start again.\n",
    },
    ClientAction {
        name: "remove",
        about: "Take stopped groups out of action",
        topic: "remove <name> [...]\tTake stopped programs or groups out of action\n",
    },
    ClientAction {
        name: "reread",
        about: "Read the configuration and tell what changed, without acting on it",
        topic: "reread \t\t\tRead the configuration and tell what changed, without acting on it\n",
    },
    ClientAction {
        name: "restart",
        about: "Stop processes, then start them",
        topic: "restart <name>\t\tStop and start a process\n\
                restart <gname>:*\tStop and start all processes of a group\n\
                restart <name> <name>\tStop and start several processes or groups\n\
                restart all\t\tStop and start all processes\n\
                Note: the configuration is not read again. See reread and update for that.\n",
    },
    ClientAction {
        name: "shutdown",
        about: "Stop everything and end the supervisor",
        topic: "shutdown \tStop everything and end the supervisor.\n",
    },
    ClientAction {
        name: "signal",
        about: "Send a signal to processes",
        topic: "signal <signal name> <name>\t\tSend a signal to a process\n\
                signal <signal name> <gname>:*\t\tSend a signal to all processes of a group\n\
                signal <signal name> <name> <name>\tSend a signal to several processes or groups\n\
                signal <signal name> all\t\tSend a signal to all processes\n",
    },
    ClientAction {
        name: "start",
        about: "Start processes and wait until they run",
        topic: "start <name>\t\tStart one process\n\
                start <gname>:*\t\tStart the processes of a group\n\
                start <name> <name>\tStart several processes or groups\n\
                start all\t\tStart everything\n",
    },
    ClientAction {
        name: "status",
        about: "Show how processes fare",
        topic: "status <name>\t\tShow how one process fares\n\
                status <gname>:*\tShow how the processes of a group fare\n\
                status <name> <name>\tShow how several processes fare\n\
                status\t\t\tShow how all processes fare\n",
    },
    ClientAction {
        name: "stop",
        about: "Stop processes and wait until they ended",
        topic: "stop <name>\t\tStop one process\n\
                stop <gname>:*\t\tStop the processes of a group\n\
                stop <name> <name>\tStop several processes or groups\n\
                stop all\t\tStop everything\n",
    },
    ClientAction {
        name: "tail",
        about: "Show the end of a process's log",
        topic: "tail [-f] <name> [stdout|stderr] (default stdout)\n\
                Ex:\n\
                tail -f <name>\t\tFollow the stdout of a process\n\
                \t\t\tCtrl-C to leave.\n\
                tail -100 <name>\tShow the last 100 *bytes* of its stdout\n\
                tail <name> stderr\tShow the last 1600 *bytes* of its stderr\n",
    },
    ClientAction {
        name: "update",
        about: "Read the configuration and make it so: add, remove and restart what has to be",
        topic: "update\t\t\tRead the configuration; add, remove and restart what has to be\n\
                update all\t\tRead the configuration; add, remove and restart what has to be\n\
                update <gname> [...]\tDo so for these groups only\n",
    },
    ClientAction {
        name: "version",
        about: "Show the version of the supervisor that answers",
        topic: "version\t\t\tShow the version of the supervisor that answers\n",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_listed_in_order_and_explain_themselves() {
        assert!(ACTIONS.is_sorted_by_key(|action| action.name));
        for action in ACTIONS {
            assert!(action.topic.starts_with(action.name), "{}", action.name);
            assert!(action.topic.ends_with('\n'), "{}", action.name);
            assert_eq!(ClientAction::named(action.name), Some(&action));
        }
        assert_eq!(ClientAction::named("EOF"), None);
    }
}
