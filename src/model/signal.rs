//! Signal numbers and Supervisor's names for them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A signal number, 0 to 64. Zero is the null signal: it checks for existence only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal(pub i32);

/// Linux on every architecture that sv is built for (x86, arm, riscv, s390x and ppc agree on these).
const NAMES: [(&str, i32); 36] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("RTMIN", 34),
    ("RTMAX", 64),
    // Aliases are last: `name` uses the first match.
    ("IO", 29),
    ("CLD", 17),
    ("IOT", 6),
];

impl Signal {
    /// SIGHUP
    pub const HUP: Self = Self(1);
    /// SIGINT
    pub const INT: Self = Self(2);
    /// SIGQUIT
    pub const QUIT: Self = Self(3);
    /// SIGKILL
    pub const KILL: Self = Self(9);
    /// SIGUSR1
    pub const USR1: Self = Self(10);
    /// SIGUSR2
    pub const USR2: Self = Self(12);
    /// SIGTERM
    pub const TERM: Self = Self(15);
    /// SIGCHLD
    pub const CHLD: Self = Self(17);
    /// SIGRTMIN, as glibc counts
    pub const RTMIN: Self = Self(34);
    /// SIGRTMAX
    pub const RTMAX: Self = Self(64);
    /// SIGCONT
    pub const CONT: Self = Self(18);
    /// SIGSTOP
    pub const STOP: Self = Self(19);
    /// SIGTSTP
    pub const TSTP: Self = Self(20);
    /// SIGTTIN
    pub const TTIN: Self = Self(21);
    /// SIGTTOU
    pub const TTOU: Self = Self(22);

    /// The signals of faults in the process itself, and SIGABRT, which it raises itself.
    pub const FAULTS: [Self; 7] = [Self(4), Self(5), Self(6), Self(7), Self(8), Self(11), Self(31)];

    /// The signal with this name, in any case, with or without `SIG`, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES.iter().find(|(known, _)| *known == bare).map(|&(_, number)| Self(number))
    }

    /// Any valid signal: by its name, as `RTMIN+3` or `RTMAX-1`, or by its number from 1 on.
    #[must_use]
    pub fn from_any(text: &str) -> Option<Self> {
        let offset = |sign| {
            text.split_once(sign)
                .and_then(|(name, by)| Some((Self::from_name(name)?.0, by.parse::<i32>().ok()?)))
        };
        let number = match (text.parse(), Self::from_name(text)) {
            (Ok(number), _) => number,
            (_, Some(signal)) => signal.0,
            _ => match (offset('+'), offset('-')) {
                (Some((34, by @ 0..)), _) => by.checked_add(34)?,
                (_, Some((64, by @ 0..=30))) => 64 - by,
                _ => return None,
            },
        };
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// The names that [`Self::from_name`] knows, in upper case and without `SIG`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|&(name, _)| name)
    }

    /// Whether it can be configured: KILL and STOP can't be caught, CHLD is used, and a fault (SEGV, BUS, …)
    /// would only be raised again.
    #[must_use]
    pub fn is_catchable(self) -> bool {
        const NOT: [i32; 10] = [4, 5, 6, 7, 8, 9, 11, 17, 19, 31];
        !NOT.contains(&self.0)
    }

    /// The signal with this number, if Supervisor accepts it: signals with a name of their own, and 0. Other
    /// real-time signals are rejected there and here.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        let named = |n: i64| NAMES.iter().any(|&(_, known)| i64::from(known) == n);
        (number == 0 || named(number)).then(|| i32::try_from(number).ok().map(Self)).flatten()
    }

    /// `TERM`, or the number of a signal without a name: as spelled in a configuration.
    #[must_use]
    pub fn bare_name(self) -> String {
        self.known_name().map_or_else(|| self.0.to_string(), str::to_owned)
    }

    fn known_name(self) -> Option<&'static str> {
        NAMES.iter().find(|&&(_, number)| number == self.0).map(|&(name, _)| name)
    }
}

impl fmt::Display for Signal {
    /// `SIGTERM`; a signal without a name of its own is `signal 40`, as Supervisor prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_spelling() {
        for (text, number) in [("TERM", 15), ("SIGTERM", 15), ("sigusr2", 12), ("cld", 17), ("RTMAX", 64)] {
            assert_eq!(Signal::from_name(text), Some(Signal(number)), "{text}");
        }
        for text in ["", "SIG", "FOO", "_DFL", "15"] {
            assert_eq!(Signal::from_name(text), None, "{text}");
        }
    }

    #[test]
    fn any_signal_can_be_named() {
        for (text, number) in [
            ("TERM", 15),
            ("sigkill", 9),
            ("15", 15),
            ("64", 64),
            ("32", 32),
            ("RTMIN+3", 37),
            ("SIGRTMAX-30", 34),
            ("RTMIN+0", 34),
        ] {
            assert_eq!(Signal::from_any(text), Some(Signal(number)), "{text}");
        }
        for text in
            ["", "0", "65", "-1", "TERM+1", "RTMIN+31", "RTMAX-31", "RTMIN+-1", "RTMIN+", "RTMIN+2147483647"]
        {
            assert_eq!(Signal::from_any(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_those_that_have_a_name() {
        for (number, accepted) in [
            (0, true),
            (1, true),
            (31, true),
            (34, true),
            (64, true),
            (32, false),
            (33, false),
            (40, false),
            (65, false),
            (-1, false),
        ] {
            assert_eq!(Signal::from_number(number).is_some(), accepted, "{number}");
        }
    }

    #[test]
    fn odd_signals_print_as_supervisor_prints_them() {
        for (number, text) in [
            (15, "SIGTERM"),
            (29, "SIGPOLL"),
            (17, "SIGCHLD"),
            (34, "SIGRTMIN"),
            (40, "signal 40"),
            (64, "SIGRTMAX"),
        ] {
            assert_eq!(Signal(number).to_string(), text);
        }
    }
}
