//! `sv ps` and `sv top`: a table of processes for people, once or refreshed in place.
//!
//! The supervisor is asked once, and again only when an event says that something has changed. CPU time and memory
//! are read from /proc by us.
//!
//! `--json` prints an array with one object per process, one per line: those of the JSON API's `/api/v1/processes`, with
//! `cpu_percent` (of one processor, over the life of the process) and `resident_bytes`, null if unknown.

mod table;
mod usage;
mod watch;

use std::time::Instant;

use serde_json::Value as Json;

use super::answers;
use super::ends;
use super::failure::{CallError, Outcome};
use super::json;
use super::screen;
use super::selection;
use super::session::Session;
use super::words::{ActionOptions, ActionWords, refuse};
pub(super) use table::{SORT_WORDS, severity};
use table::{ShownProcess, SortKey};
use usage::UsageMeter;
pub(super) use watch::top;
use watch::watch;

const OPTIONS: ActionOptions =
    ActionOptions { action: "ps", flags: &[("--watch", "-w"), ("--json", "")], valued: &["--sort"] };

/// The blanks before what continues the summary on a narrow terminal.
const SUMMARY_INDENT: usize = 2;

/// `ps [-w] [--json] [--sort KEY] [NAME...]`
pub(super) fn ps(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let Some(key) = sort_key(session, "ps", &words, SortKey::Name) else { return Ok(()) };
    match (words.has("--watch"), words.has("--json")) {
        (true, true) => refuse(session, "ps", "Error: --watch can't be combined with --json"),
        (true, false) => return watch(session, &words, key),
        (false, true) => {
            let view = TableSource::requested(session, &words)?;
            let rows = view.measured(session, key, &mut UsageMeter::default());
            session.print(&json::array(rows.iter().map(|row| view.object(row))));
        }
        (false, false) => {
            let view = TableSource::requested(session, &words)?;
            let rows = view.measured(session, key, &mut UsageMeter::default());
            if rows.is_empty() && !view.is_complete {
                return Ok(());
            }
            for line in table::lines(&rows, screen::table_columns(), |row| session.paint(row)) {
                session.say(line);
            }
            session.say_wrapped(&table::summary(&rows), SUMMARY_INDENT);
        }
    }
    Ok(())
}

/// The key of `--sort`. Refuses an unknown one.
fn sort_key(
    session: &mut Session,
    action: &str,
    words: &ActionWords<'_>,
    default: SortKey,
) -> Option<SortKey> {
    let Some(word) = words.value("--sort") else { return Some(default) };
    let found = SortKey::named(word);
    if found.is_none() {
        let keys = SORT_WORDS.join(", ");
        refuse(session, action, &format!("Error: --sort is one of {keys}"));
    }
    found
}

/// What the supervisor has answered.
struct TableSource {
    /// The objects of the selected processes.
    objects: Vec<Json>,
    newest_event: u64,
    at: Instant,
    /// Whether every name means a process.
    is_complete: bool,
}

impl TableSource {
    /// Reports names that mean no process.
    fn requested(session: &mut Session, words: &ActionWords<'_>) -> Result<Self, CallError> {
        let mut is_complete = true;
        Self::request(session, |session, rows| {
            let selected = selection::named(session, rows, &words.names);
            is_complete = selected.is_complete;
            selected.positions
        })
        .map(|source| Self { is_complete, ..source })
    }

    /// As they are now. Processes that are gone leave the table.
    fn again(session: &mut Session, words: &ActionWords<'_>) -> Result<Self, CallError> {
        Self::request(session, |_, rows| selection::existing(rows, &words.names))
    }

    fn request(
        session: &mut Session,
        select: impl FnOnce(&mut Session<'_>, &[answers::ProcessRow]) -> Vec<usize>,
    ) -> Result<Self, CallError> {
        let mut document = session.get("/api/v1/processes", "the state of all processes")?;
        let at = Instant::now();
        let rows = answers::api_processes(&document);
        let chosen = select(session, &rows);
        let objects = chosen.into_iter().map(|at| document["processes"][at].take()).collect();
        let newest_event = document["newest_event"].as_u64().unwrap_or(0);
        Ok(Self { objects, newest_event, at, is_complete: true })
    }

    /// The rows as of now, with CPU and memory, in this order.
    fn measured(&self, session: &mut Session, key: SortKey, meter: &mut UsageMeter) -> Vec<ShownProcess> {
        let since = self.at.elapsed().as_secs_f64();
        let mut rows: Vec<_> = self.objects.iter().map(|object| shown(object, since)).collect();
        meter.measure(session, &mut rows);
        key.sort(&mut rows);
        rows
    }

    /// The object of a row, with what we have measured.
    fn object(&self, row: &ShownProcess) -> Json {
        let is_same = |object: &&Json| {
            object["group"] == row.process.group.as_str() && object["name"] == row.process.name.as_str()
        };
        let mut object = self.objects.iter().find(is_same).cloned().unwrap_or_default();
        object["cpu_percent"] = row.cpu_percent.map(|percent| (percent * 10.0).round() / 10.0).into();
        object["resident_bytes"] = row.resident_bytes.into();
        object
    }
}

/// A row, this many seconds after the answer.
fn shown(object: &Json, since: f64) -> ShownProcess {
    ShownProcess {
        process: answers::api_process(object),
        uptime_secs: object["uptime_secs"].as_f64().map(|secs| secs + since),
        restarts: object["counters"]["restarts"].as_u64().unwrap_or(0),
        last_end: ends::short(&object["last_end"]),
        cpu_percent: None,
        resident_bytes: None,
    }
}
