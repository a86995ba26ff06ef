//! The lines that the result handlers of three Python packages print: the output of programs with its origin.
//!
//! Each package has its own format. supervisor-stdlog assigns colors to processes in turn and pads their
//! names to the longest so far, so a printer has state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tz::UtcDateTime;

use super::Event;
use crate::model::{Channel, PrintHandler, Wall};

/// Processes beyond this number share the color of the last one.
const COLORED_NAMES_MAX: usize = 1024;

/// The colors of supervisor-stdlog, assigned in turn.
const COLORS: [u8; 5] = [36, 33, 32, 35, 34];

/// The state of a pool's output that determines the format of the next line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Printer {
    /// The number of events of any process: the color of a name depends on when it first appeared.
    printed: usize,
    colors: BTreeMap<String, u8>,
    /// The width of the column of names.
    width: usize,
}

impl Printer {
    /// Whole lines, and their destination; `None` for an event that is not output.
    pub(super) fn lines(
        &mut self,
        handler: PrintHandler,
        event: &Event,
        wall: Wall,
    ) -> Option<(Channel, Vec<u8>)> {
        let Event::Output { names, channel, data, .. } = event else { return None };
        let name = &names.process;
        Some(match handler {
            PrintHandler::Stdout => {
                (Channel::Stdout, prefixed(data, &format!("{name} {} | ", channel.name()), ""))
            }
            PrintHandler::Stdlog => (*channel, self.colored(name, *channel, data)),
            // That package intends to separate the channels, but prints both to standard output.
            PrintHandler::Console => {
                (Channel::Stdout, prefixed(&unix_lines(data), &format!("{name} | {} | ", utc(wall)), ""))
            }
        })
    }

    fn colored(&mut self, name: &str, channel: Channel, data: &[u8]) -> Vec<u8> {
        let next = COLORS.get(self.printed % COLORS.len()).copied().unwrap_or_default();
        self.printed = self.printed.wrapping_add(1);
        if self.colors.len() < COLORED_NAMES_MAX {
            self.colors.entry(name.to_owned()).or_insert(next);
        }
        let of_name = self.colors.get(name).copied().unwrap_or(next);
        self.width = self.width.max(name.chars().count() + 1);
        let of_line = match channel {
            Channel::Stdout => 37,
            Channel::Stderr => 31,
        };
        let width = self.width;
        prefixed(data, &format!("\x1b[{of_name}m{name:width$}| \x1b[{of_line}m"), "\x1b[m")
    }
}

/// Puts each line of the data between a prefix and a suffix.
fn prefixed(data: &[u8], prefix: &str, suffix: &str) -> Vec<u8> {
    let lines = data.strip_suffix(b"\n").unwrap_or(data).split(|byte| *byte == b'\n');
    lines.flat_map(|line| [prefix.as_bytes(), line, suffix.as_bytes(), b"\n"].concat()).collect()
}

/// Removes the carriage return before a line feed.
fn unix_lines(data: &[u8]) -> Vec<u8> {
    let lines = data.split_inclusive(|byte| *byte == b'\n');
    let bare = lines.map(|line| match line {
        [line @ .., b'\r', b'\n'] => [line, b"\n"].concat(),
        line => line.to_vec(),
    });
    bare.flatten().collect()
}

/// `2026-11-20 16:11:36`
fn utc(wall: Wall) -> String {
    let at = UtcDateTime::from_timespec(wall.unix_secs(), 0).unwrap_or(UtcDateTime::UNIX_EPOCH);
    let (year, month, day) = (at.year(), at.month(), at.month_day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{OutputKind, ProcessNames};

    const WALL: Wall = Wall { unix_ms: 1_795_191_096_042, utc_offset_secs: 3600 };

    fn output(process: &str, channel: Channel, data: &str) -> Event {
        let names = ProcessNames { process: process.into(), group: "g".into() };
        Event::Output { names, pid: 7, channel, kind: OutputKind::Log, data: data.as_bytes().to_vec() }
    }

    /// What is printed of these events, one after the other.
    fn printed(handler: PrintHandler, events: &[Event]) -> Vec<(Channel, String)> {
        let mut printer = Printer::default();
        let lines = events.iter().filter_map(|event| printer.lines(handler, event, WALL));
        lines.map(|(channel, bytes)| (channel, String::from_utf8(bytes).unwrap())).collect()
    }

    #[test]
    fn lines_carry_their_origin_as_supervisor_stdout_prints_it() {
        let events = [output("web", Channel::Stdout, "one\n\ntwo"), output("db", Channel::Stderr, "x\n")];
        let expected = ["web stdout | one\nweb stdout | \nweb stdout | two\n", "db stderr | x\n"];
        let expected = expected.map(|text| (Channel::Stdout, text.to_owned()));
        assert_eq!(printed(PrintHandler::Stdout, &events), expected);
    }

    #[test]
    fn names_have_colors_and_a_column_as_supervisor_stdlog_prints_them() {
        let events = [
            output("db", Channel::Stdout, "one\ntwo\n"),
            output("db", Channel::Stderr, "bad"),
            output("worker", Channel::Stdout, "x\n"),
            output("db", Channel::Stdout, "y\n"),
        ];
        let expected = [
            (Channel::Stdout, "\x1b[36mdb | \x1b[37mone\x1b[m\n\x1b[36mdb | \x1b[37mtwo\x1b[m\n".to_owned()),
            (Channel::Stderr, "\x1b[36mdb | \x1b[31mbad\x1b[m\n".to_owned()),
            (Channel::Stdout, "\x1b[32mworker | \x1b[37mx\x1b[m\n".to_owned()),
            (Channel::Stdout, "\x1b[36mdb     | \x1b[37my\x1b[m\n".to_owned()),
        ];
        assert_eq!(printed(PrintHandler::Stdlog, &events), expected);
    }

    #[test]
    fn lines_carry_the_time_as_supervisor_console_prints_it() {
        let events = [output("web", Channel::Stderr, "one\r\ntwo\n")];
        let expected = "web | 2026-11-20 16:11:36 | one\nweb | 2026-11-20 16:11:36 | two\n";
        assert_eq!(printed(PrintHandler::Console, &events), [(Channel::Stdout, expected.to_owned())]);
    }

    #[test]
    fn other_events_print_nothing_and_names_are_remembered_up_to_a_bound() {
        let mut printer = Printer::default();
        assert_eq!(printer.lines(PrintHandler::Stdlog, &Event::SupervisorRunning, WALL), None);
        for index in 0..COLORED_NAMES_MAX + 5 {
            let event = output(&format!("p{index}"), Channel::Stdout, "x");
            assert!(printer.lines(PrintHandler::Stdlog, &event, WALL).is_some());
        }
        assert_eq!(printer.colors.len(), COLORED_NAMES_MAX);
    }
}
