//! The client's actions: one table for `sv`'s subcommands, the shell's `help`, and completion.
//!
//! The usage forms are Supervisor's, tabs included: people and scripts read them after an error.

/// An action of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAction {
    /// The name of the action.
    pub name: &'static str,
    /// One line for a list.
    pub about: &'static str,
    /// The output of `help NAME`: one line per usage form with its meaning, each ending in a newline.
    pub topic: &'static str,
}

impl ClientAction {
    /// The action of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ACTIONS.iter().find(|action| action.name == name)
    }

    /// Whether Supervisor's client does not have it: then only `sv` has it.
    #[must_use]
    pub fn is_for_sv(&self) -> bool {
        matches!(
            self.name,
            "diff"
                | "events"
                | "exec"
                | "graph"
                | "health"
                | "is-running"
                | "logs"
                | "ps"
                | "scale"
                | "top"
                | "wait"
                | "why"
        )
    }

    /// The usage as `sv`, for its help: all forms with their meanings, and an example.
    #[must_use]
    pub fn forms(&self) -> String {
        let topic = format!("{}{}", self.topic, self.topic_of_sv());
        let rows: Vec<(String, &str)> = topic.lines().filter_map(|line| self.form(line)).collect();
        let with_meaning = rows.iter().filter(|(_, meaning)| !meaning.is_empty());
        let width = with_meaning.map(|(form, _)| form.len()).max().unwrap_or(0);
        let lines = rows.iter().map(|(form, meaning)| {
            let line = format!("  {form:<width$}  {meaning}");
            format!("{}\n", line.trim_end())
        });
        format!("{}\nExample:\n  {}\n", lines.collect::<String>(), self.example())
    }

    /// Splits a line of the topic into a form and its meaning; continuations and remarks have no form.
    fn form<'t>(&self, line: &'t str) -> Option<(String, &'t str)> {
        let (form, meaning) = line.split_once('\t').unwrap_or((line, ""));
        let mut form = form.trim().to_owned();
        for (placeholder, plain) in PLACEHOLDERS {
            form = form.replace(placeholder, plain);
        }
        let meaning = meaning.trim().trim_end_matches('.');
        if form.split_whitespace().next() == Some(self.name) {
            return Some((format!("sv {form}"), meaning));
        }
        // `Ex:` introduces forms that are shown like the others.
        (form.is_empty() && !meaning.is_empty()).then_some((form, meaning))
    }

    fn example(&self) -> &'static str {
        match self.name {
            "add" => "sv reread && sv add worker",
            "avail" => "sv avail",
            "clear" => "sv clear web",
            "diff" => "sv diff && echo 'up to date'",
            "events" => "sv events -f --json | jq -r 'select(.to == \"FATAL\") | .full_name'",
            "exec" => "sv exec web -- env",
            "exit" => "supervisor> exit",
            "fg" => "sv fg console",
            "graph" => "sv graph --dot | dot -Tsvg > graph.svg",
            "health" => "HEALTHCHECK CMD [\"sv\", \"health\"]",
            "is-running" => "sv is-running web && echo yes",
            "logs" => "sv logs -f -n 50 web 'worker:*'",
            "maintail" => "sv maintail -f",
            "open" => "supervisor> open unix:///run/other.sock",
            "pid" => "kill -USR1 $(sv pid web)",
            "ps" => "sv ps --sort state",
            "quit" => "supervisor> quit",
            "reload" => "sv reload",
            "remove" => "sv stop 'worker:*' && sv remove worker",
            "reread" => "sv reread && sv update",
            "restart" => "sv restart web 'worker:*'",
            "scale" => "sv scale web=5 worker=2",
            "shutdown" => "sv shutdown",
            "signal" => "sv signal HUP nginx",
            "start" => "sv start web 'worker:*'",
            "status" => "sv status --json | jq -r '.[] | select(.state != \"RUNNING\") | .name'",
            "stop" => "sv stop web 'worker:*'",
            "tail" => "sv tail -f web stderr",
            "top" => "sv top --sort mem",
            "update" => "sv update web",
            "version" => "sv version",
            "wait" => "sv wait db cache --for healthy --timeout 30 && ./migrate",
            "why" => "sv why web",
            _ => "",
        }
    }

    /// Forms that only `sv` has, in the format of `topic`; mostly empty.
    #[must_use]
    pub fn topic_of_sv(&self) -> &'static str {
        match self.name {
            "restart" => {
                "restart --rolling <gname>:*\tRestart the next one when the one before is ready\n\
                 restart --rolling --timeout 60 <gname>:*\tEnd after that many seconds\n\
                 restart --rolling --json <gname>:*\tPrint a JSON array with an object for each process\n"
            }
            "status" => "status --json [...]\tPrint a JSON array with an object for each process\n",
            _ => "",
        }
    }

    /// The action that an action of the plug-in supervisor-wildcards is an alias of. (The plug-in has no
    /// `mstatus`.)
    #[must_use]
    pub fn without_wildcards(name: &str) -> Option<&'static str> {
        WILDCARDS.iter().find(|(plugins, _)| *plugins == name).map(|(_, ours)| *ours)
    }

    /// The alias of this action in supervisor-wildcards.
    #[must_use]
    pub fn with_wildcards(&self) -> Option<&'static str> {
        WILDCARDS.iter().find(|(_, ours)| *ours == self.name).map(|(plugins, _)| *plugins)
    }

    /// Whether it is only useful inside the shell.
    #[must_use]
    pub fn is_for_shell(&self) -> bool {
        matches!(self.name, "exit" | "quit" | "open")
    }
}

const WILDCARDS: [(&str, &str); 4] =
    [("mrestart", "restart"), ("mstart", "start"), ("mstatus", "status"), ("mstop", "stop")];

/// Supervisor's placeholders of arguments, and those of `sv`.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("<program>", "PROGRAM"),
    ("<signal name>", "SIGNAL"),
    ("<gname>", "GROUP"),
    ("<name>", "NAME"),
    ("<process>", "NAME"),
    ("<url>", "URL"),
    (" [...]", " [NAME]..."),
];

/// All actions, in alphabetical order.
pub const ACTIONS: [ClientAction; 33] = [
    ClientAction {
        name: "add",
        about: "Start groups that are configured but not active",
        topic: "add <name> [...]\tStart programs or groups that are configured but not active\n",
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
    ClientAction {
        name: "diff",
        about: "Show what update would do, without doing it",
        topic: "diff\t\t\tShow each process that update would change, and why; exit with 1 if there are any\n\
                diff <gname>...\tThe same for these groups only\n\
                diff --json\t\tPrint a JSON object\n",
    },
    ClientAction {
        name: "events",
        about: "Show what has happened to processes, and what happens",
        topic: "events\t\t\tShow the events that the supervisor has kept, the oldest first\n\
                events --since 120\tShow those after the event with this serial\n\
                events -f\t\tShow new events as they happen (Ctrl-C to leave)\n\
                events -f --since 0\tShow those that were kept, then new ones\n\
                events <name>\t\tShow those of a process or of several\n\
                events --json [...]\tPrint a JSON object for each event, one a line\n",
    },
    ClientAction {
        name: "exec",
        about: "Run a command with the user, environment, directory and limits of a program",
        topic: "exec <name> -- COMMAND ARG...\tRun a command on this terminal; sv exits with its status\n\
                exec <name>\tRun a shell\n",
    },
    ClientAction { name: "exit", about: "Leave the shell", topic: "exit\tLeave the shell.\n" },
    ClientAction {
        name: "fg",
        about: "Talk to a process: see its output, type its input",
        topic: "fg <process>\tSee the output of a process and type its input\n\
                \t\tCtrl-C to leave it\n",
    },
    ClientAction {
        name: "graph",
        about: "Show what depends on what",
        topic: "graph\t\tShow each process with what it depends on, and whether that holds\n\
                graph --dot\tThe same for Graphviz\n\
                graph --mermaid\tThe same for Mermaid\n\
                graph --json\tPrint a JSON object\n",
    },
    ClientAction {
        name: "health",
        about: "Check whether all is well, for HEALTHCHECK and probes",
        topic: "health\t\t\tExit with 0 if all processes run, are done or are stopped on purpose; else with 1\n\
                health <name> [...]\tExit with 0 if these run or are done; else with 1\n\
                health --json [...]\tPrint a JSON object\n",
    },
    ClientAction {
        name: "is-running",
        about: "Check whether a process is RUNNING, for scripts",
        topic: "is-running <name>\tExit with 0 if it is RUNNING, with 1 if not, with 2 after any error; print nothing\n",
    },
    ClientAction {
        name: "logs",
        about: "Show the logs of processes side by side",
        topic: "logs\t\t\tShow the last 10 lines of each process\n\
                logs <name>\t\tShow the last 10 lines of a process, stdout and stderr\n\
                logs -n 50 <name>\tShow its last 50 *lines*\n\
                logs --stderr <name>\tShow its stderr only (or --stdout)\n\
                logs -f <name> <name>\tFollow several processes or groups (Ctrl-C to leave)\n\
                logs --grep RE [...]\tOnly lines that match a regular expression\n\
                logs --since 10m [...]\tOnly lines of the last 10 minutes, if the log has times\n\
                logs -t [...]\t\tShow when each line was written\n\
                logs --json [...]\tPrint a JSON object for each line\n\
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
    ClientAction {
        name: "ps",
        about: "Show processes with restarts, last end, CPU, memory and health",
        topic: "ps\t\t\tShow all processes as a table for people\n\
                ps <name> [...]\tShow these processes or groups\n\
                ps --sort KEY\t\tBy name, state (trouble first), cpu, mem, restarts or uptime\n\
                ps -w\t\t\tRefresh the table in place (Ctrl-C to leave)\n\
                ps --json [...]\tPrint a JSON array with an object for each process\n",
    },
    ClientAction { name: "quit", about: "Leave the shell", topic: "quit\tLeave the shell.\n" },
    ClientAction {
        name: "reload",
        about: "Stop everything, read the configuration again and start everything",
        topic: "reload \t\tStop everything, read the configuration again and start everything.\n",
    },
    ClientAction {
        name: "remove",
        about: "Remove stopped groups from the running supervisor",
        topic: "remove <name> [...]\tRemove stopped programs or groups from the running supervisor\n",
    },
    ClientAction {
        name: "reread",
        about: "Read the configuration and show what changed, without applying it",
        topic: "reread \t\t\tRead the configuration and show what changed, without applying it\n",
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
        name: "scale",
        about: "Run another number of processes of a program",
        topic: "scale <program>=5\tStart or stop processes until the program has 5\n\
                scale <program>=5 <program>=2\tThe same for several programs\n\
                scale --json <program>=5\tPrint a JSON array with an object for each program\n\
                Note: the number lasts until the configuration is applied again, by update or reload.\n",
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
        about: "Show process status",
        topic: "status <name>\t\tShow the status of one process\n\
                status <gname>:*\tShow the status of the processes of a group\n\
                status <name> <name>\tShow the status of several processes or groups\n\
                status\t\t\tShow the status of all processes\n",
    },
    ClientAction {
        name: "stop",
        about: "Stop processes and wait until they have ended",
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
        name: "top",
        about: "Show processes by their use of the CPU, refreshed in place",
        topic: "top\t\t\tShow all processes, the busiest first (Ctrl-C to leave)\n\
                top <name> [...]\tShow these processes or groups\n\
                top --sort KEY\t\tBy another key of ps\n",
    },
    ClientAction {
        name: "update",
        about: "Read the configuration and apply it: add, remove and restart what changed",
        topic: "update\t\t\tRead the configuration; add, remove and restart what changed\n\
                update all\t\tRead the configuration; add, remove and restart what changed\n\
                update <gname> [...]\tThe same for these groups only\n",
    },
    ClientAction {
        name: "version",
        about: "Show the version of the supervisor that answers",
        topic: "version\t\t\tShow the version of the supervisor that answers\n",
    },
    ClientAction {
        name: "wait",
        about: "Wait until processes run, are healthy, are done or are stopped",
        topic: "wait <name> [...]\tWait until these processes or groups are RUNNING\n\
                wait <name> --for WHAT\tWait until running, ready, healthy, done or stopped\n\
                wait <name> --timeout 5\tGive up after that many seconds\n",
    },
    ClientAction {
        name: "why",
        about: "Explain the state of processes: history, last end and output",
        topic: "why <name>\t\tShow what is known about a process, and its last lines\n\
                why <gname>:*\t\tThe same for all processes of a group, those in trouble first\n\
                why <name> <name>\tThe same for several processes or groups\n\
                why --json <name>\tPrint a JSON object; an array for several\n",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_set_in_columns_followed_by_an_example() {
        let forms = |name: &str| ClientAction::named(name).unwrap().forms();
        assert_eq!(
            forms("start"),
            "  sv start NAME       Start one process\n  \
               sv start GROUP:*    Start the processes of a group\n  \
               sv start NAME NAME  Start several processes or groups\n  \
               sv start all        Start everything\n\n\
             Example:\n  sv start web 'worker:*'\n"
        );
        assert!(forms("fg").contains("\n              Ctrl-C to leave it\n"), "{}", forms("fg"));
        for action in ACTIONS {
            assert!(!action.forms().contains(['\t', '<']), "{}", action.forms());
            assert!(action.example().contains(action.name), "{}", action.name);
        }
    }

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
