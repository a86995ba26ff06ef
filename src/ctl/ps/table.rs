//! The table of `sv ps`, as lines.

use std::cmp::Reverse;

use unicode_width::UnicodeWidthStr;

use super::super::answers::ProcessRow;
use super::super::screen::{duration, harmless, padded, shortened};
use crate::model::{HealthStatus, ProcessState};

const COLUMNS: usize = 9;

const HEADER: [&str; COLUMNS] =
    ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "LAST-END", "CPU", "MEM", "HEALTH"];

/// The columns that are left out of a narrow terminal, one after the other.
const OPTIONAL: [usize; 7] = [5, 2, 4, 8, 7, 6, 3];

/// A name is shortened to this width before columns are left out.
const NAME_WIDTH_MIN: usize = 12;

/// A process in the table.
#[derive(Debug)]
pub(super) struct ShownProcess {
    pub(super) process: ProcessRow,
    pub(super) uptime_secs: Option<f64>,
    pub(super) restarts: u64,
    /// `exit 3`, `SIGKILL`; `None` if it has never ended.
    pub(super) last_end: Option<String>,
    /// In percent of one processor.
    pub(super) cpu_percent: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
}

/// The values of `--sort`.
pub(in super::super) const SORT_WORDS: [&str; 6] = ["name", "state", "cpu", "mem", "restarts", "uptime"];

/// The order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SortKey {
    Name,
    State,
    Cpu,
    Memory,
    Restarts,
    Uptime,
}

impl SortKey {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "name" => Self::Name,
            "state" => Self::State,
            "cpu" => Self::Cpu,
            "mem" => Self::Memory,
            "restarts" => Self::Restarts,
            "uptime" => Self::Uptime,
            _ => return None,
        })
    }

    /// Sorts rows that are in the order of names: by numbers the largest comes first, by state trouble does.
    pub(super) fn sort(self, rows: &mut [ShownProcess]) {
        // Tenths are shown: smaller differences would only make the rows change places.
        let tenths = |number: Option<f64>| number.map(|number| (number * 10.0) as u64);
        rows.sort_by_key(|row| match self {
            Self::Name => (0, None),
            Self::State => (severity(&row.process), None),
            Self::Cpu => (0, Some(Reverse(tenths(row.cpu_percent)))),
            Self::Memory => (0, Some(Reverse(row.resident_bytes))),
            Self::Restarts => (0, Some(Reverse(Some(row.restarts)))),
            Self::Uptime => (0, Some(Reverse(tenths(row.uptime_secs)))),
        });
    }
}

/// The position of a process in the order of trouble: the smaller, the worse.
pub(in super::super) fn severity(row: &ProcessRow) -> usize {
    use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
    let is_unhealthy = row.health.as_ref().is_some_and(|health| health.status == HealthStatus::Unhealthy);
    match row.state {
        Some(Fatal) => 0,
        None | Some(Unknown) => 1,
        Some(Exited) if !row.is_done => 2,
        Some(Backoff) => 3,
        Some(Running) if is_unhealthy => 4,
        Some(Starting) => 5,
        Some(Stopping) => 6,
        Some(Running) if row.is_unhealthy() => 7,
        Some(Running) => 8,
        Some(Exited) => 9,
        Some(Stopped) => 10,
    }
}

/// The header and the rows, none wider than this. `paint` has the escape sequences around a state.
pub(super) fn lines(
    rows: &[ShownProcess],
    width: usize,
    paint: impl Fn(&ProcessRow) -> (&'static str, &'static str),
) -> Vec<String> {
    let cells: Vec<[String; COLUMNS]> = rows.iter().map(cells).collect();
    let layout = TableLayout::fitting(&cells, width);
    let header = layout.line(&HEADER.map(str::to_owned), ("", ""));
    let body = cells.iter().zip(rows).map(|(cells, row)| layout.line(cells, paint(&row.process)));
    std::iter::once(header).chain(body).collect()
}

fn cells(row: &ShownProcess) -> [String; COLUMNS] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        harmless(&row.process.namespec()).into_owned(),
        harmless(&row.process.state_name).into_owned(),
        or_none((row.process.pid > 0).then(|| row.process.pid.to_string())),
        or_none(row.uptime_secs.map(|secs| duration(secs as u64))),
        row.restarts.to_string(),
        or_none(row.last_end.clone()),
        or_none(row.cpu_percent.map(percent)),
        or_none(row.resident_bytes.map(size)),
        or_none(row.process.health.as_ref().map(|health| health.status.name().to_owned())),
    ]
}

/// The columns that are shown, and their widths.
struct TableLayout {
    widths: [usize; COLUMNS],
    is_shown: [bool; COLUMNS],
    gap: usize,
    /// No line is wider.
    limit: usize,
}

impl TableLayout {
    fn fitting(cells: &[[String; COLUMNS]], limit: usize) -> Self {
        let widest = |column: usize| {
            let of_rows = cells.iter().map(|row| row[column].width()).max();
            of_rows.unwrap_or(0).max(HEADER[column].len())
        };
        let mut layout =
            Self { widths: std::array::from_fn(widest), is_shown: [true; COLUMNS], gap: 2, limit };
        let name_min = layout.widths[0].min(NAME_WIDTH_MIN);
        if layout.others() + layout.widths[0] > limit {
            layout.gap = 1;
        }
        for column in OPTIONAL {
            if layout.others() + name_min > limit {
                layout.is_shown[column] = false;
            }
        }
        layout.widths[0] = layout.widths[0].min(limit.saturating_sub(layout.others()));
        layout
    }

    /// The width of everything but the name.
    fn others(&self) -> usize {
        let shown = (1..COLUMNS).filter(|column| self.is_shown[*column]);
        shown.map(|column| self.gap + self.widths[column]).sum()
    }

    fn line(&self, cells: &[String; COLUMNS], (on, off): (&str, &str)) -> String {
        if self.widths[0] == 0 {
            // Not even two columns fit.
            return shortened(&cells[0], self.limit).trim_end().to_owned();
        }
        let mut line = padded(&shortened(&cells[0], self.widths[0]), self.widths[0], false);
        for column in (1..COLUMNS).filter(|column| self.is_shown[*column]) {
            let is_number = matches!(column, 2..=4 | 6 | 7);
            let cell = padded(&cells[column], self.widths[column], is_number);
            let (on, off) = if column == 1 { (on, off) } else { ("", "") };
            line.push_str(&format!("{}{on}{cell}{off}", " ".repeat(self.gap)));
        }
        line.trim_end().to_owned()
    }
}

/// `0.4%`, `117%`
fn percent(percent: f64) -> String {
    if percent < 99.95 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

/// `812K`, `3.4M`, `1.2G`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    let mut amount = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while amount >= 999.5
        && let Some(larger) = units.next()
    {
        amount /= 1024.0;
        unit = Some(larger);
    }
    let unit = unit.copied().unwrap_or_default();
    if amount < 9.95 && unit != "K" { format!("{amount:.1}{unit}") } else { format!("{amount:.0}{unit}") }
}

/// `3 processes: 1 FATAL, 2 RUNNING (1 unhealthy)`, trouble first.
pub(super) fn summary(rows: &[ShownProcess]) -> String {
    use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
    let count =
        |is_counted: &dyn Fn(&ProcessRow) -> bool| rows.iter().filter(|row| is_counted(&row.process)).count();
    let states = [Fatal, Unknown, Exited, Backoff, Starting, Stopping, Running, Stopped];
    let counts = states.map(|state| (state.name(), count(&|row| row.state == Some(state))));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(name, number)| format!("{number} {name}"))
        .collect();
    let plural = if rows.len() == 1 { "" } else { "es" };
    let separator = if counts.is_empty() { "" } else { ": " };
    let is_unhealthy =
        |row: &ProcessRow| row.health.as_ref().is_some_and(|it| it.status == HealthStatus::Unhealthy);
    let unhealthy = match count(&is_unhealthy) {
        0 => String::new(),
        number => format!(" ({number} unhealthy)"),
    };
    format!("{} process{plural}{separator}{}{unhealthy}", rows.len(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HealthInfo;

    fn row(name: &str, state: ProcessState) -> ShownProcess {
        let process = ProcessRow {
            state: Some(state),
            state_name: state.name().to_owned(),
            ..ProcessRow::named(name, name)
        };
        ShownProcess {
            process,
            uptime_secs: None,
            restarts: 0,
            last_end: None,
            cpu_percent: None,
            resident_bytes: None,
        }
    }

    fn busy() -> ShownProcess {
        let mut row = row("web", ProcessState::Running);
        row.process.pid = 1234;
        row.process.health = Some(HealthInfo { status: HealthStatus::Unhealthy, failure: None });
        ShownProcess {
            uptime_secs: Some(3723.9),
            restarts: 12,
            last_end: Some("SIGKILL".to_owned()),
            cpu_percent: Some(12.34),
            resident_bytes: Some(3_565_158),
            ..row
        }
    }

    fn plain(rows: &[ShownProcess], width: usize) -> String {
        lines(rows, width, |_| ("", "")).join("\n")
    }

    #[test]
    fn numbers_are_set_to_the_right_and_unknown_values_are_dashes() {
        let rows = [busy(), row("\u{6771}\u{4eac}", ProcessState::Stopped)];
        assert_eq!(
            plain(&rows, 80),
            "NAME  STATE     PID  UPTIME  RESTARTS  LAST-END    CPU   MEM  HEALTH\n\
             web   RUNNING  1234   1h02m        12  SIGKILL   12.3%  3.4M  unhealthy\n\
             \u{6771}\u{4eac}  STOPPED     -       -         0  -             -     -  -"
        );
    }

    #[test]
    fn lines_fit_terminals_of_any_width() {
        let long = "worker_that_has_a_name_of_more_than_sixty_columns_and_ends_in_17";
        let rows = [busy(), row(long, ProcessState::Starting), row("\x1b[2J\u{202e}", ProcessState::Fatal)];
        for width in 1..200 {
            for line in lines(&rows, width, |_| ("", "")) {
                assert!(line.width() <= width, "{width}: {line}");
                assert!(!line.contains(['\x1b', '\u{202e}']), "{line}");
            }
        }
        assert!(plain(&rows, 80).contains("worker_tha\u{2026}nds_in_17"), "{}", plain(&rows, 80));
        assert!(plain(&rows, 140).contains(long));
    }

    #[test]
    fn only_the_state_is_painted() {
        let painted = lines(&[row("web", ProcessState::Running)], 80, |_| ("<", ">"));
        assert!(painted[0].starts_with("NAME  STATE    PID"), "{painted:?}");
        assert!(painted[1].starts_with("web   <RUNNING>    -"), "{painted:?}");
    }

    #[test]
    fn rows_are_sorted_by_trouble_or_by_the_largest_number() {
        use ProcessState::{Exited, Fatal, Running, Stopped};
        let rows = || {
            let mut done = row("done", Exited);
            done.process.is_done = true;
            [row("a", Running), done, row("failed", Exited), row("off", Stopped), busy(), row("z", Fatal)]
        };
        for (key, expected) in [
            ("name", "a done failed off web z"),
            ("state", "z failed web a done off"),
            ("cpu", "web a done failed off z"),
            ("mem", "web a done failed off z"),
            ("restarts", "web a done failed off z"),
            ("uptime", "web a done failed off z"),
        ] {
            let mut rows = rows();
            SortKey::named(key).unwrap().sort(&mut rows);
            let names: Vec<_> = rows.iter().map(|row| row.process.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{key}");
        }
        assert!(SORT_WORDS.iter().all(|word| SortKey::named(word).is_some()));
    }

    #[test]
    fn the_summary_counts_states() {
        assert_eq!(summary(&[]), "0 processes");
        assert_eq!(summary(&[row("a", ProcessState::Stopped)]), "1 process: 1 STOPPED");
        let rows = [busy(), row("a", ProcessState::Running), row("z", ProcessState::Fatal)];
        assert_eq!(summary(&rows), "3 processes: 1 FATAL, 2 RUNNING (1 unhealthy)");
    }

    #[test]
    fn sizes_and_shares_are_short() {
        for (bytes, text) in [
            (0, "0K"),
            (900_000, "879K"),
            (1_048_576, "1.0M"),
            (1_023_000_000, "976M"),
            (1_600_000_000, "1.5G"),
            (u64::MAX, "16777216T"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (share, text) in [(0.0, "0.0%"), (99.94, "99.9%"), (99.96, "100%"), (1234.5, "1234%")] {
            assert_eq!(percent(share), text);
        }
    }
}
