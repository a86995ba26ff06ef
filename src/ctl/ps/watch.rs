//! The table, refreshed in place.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::super::event_stream::EventStream;
use super::super::failure::Outcome;
use super::super::follow::wait;
use super::super::screen::{self, ScreenSize, shortened};
use super::super::session::Session;
use super::super::words::{ActionOptions, ActionWords};
use super::table::{self, ShownProcess, SortKey};
use super::usage::UsageMeter;
use super::{TableSource, sort_key};
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;

/// How often CPU and memory are read.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// The minimum time between two requests, however many events there are.
const REQUEST_INTERVAL: Duration = Duration::from_millis(250);

/// `top [--sort KEY] [NAME...]`
pub(in crate::ctl) fn top(session: &mut Session, arg: &str) -> Outcome {
    let options = ActionOptions { action: "top", flags: &[], valued: &["--sort"] };
    let Some(words) = options.parse(session, arg) else { return Ok(()) };
    let Some(key) = sort_key(session, "top", &words, SortKey::Cpu) else { return Ok(()) };
    watch(session, &words, key)
}

/// Shows the table until Ctrl-C, or until its reader is gone.
pub(super) fn watch(session: &mut Session, words: &ActionWords<'_>, key: SortKey) -> Outcome {
    let interrupts = HeldInterrupts::back(&[Signal::INT])?;
    let mut meter = UsageMeter::default();
    let mut view = TableSource::requested(session, words)?;
    // A message would be overwritten by the table.
    if !view.is_complete {
        return Ok(());
    }
    let mut stream: Option<EventStream> = None;
    loop {
        let rows = view.measured(session, key, &mut meter);
        let text = screenful(session, &rows);
        if session.pass_on(text.as_bytes()).is_err() {
            return Ok(());
        }
        // A stream that the server has ended is opened again, at most as often as the table is drawn.
        if stream.is_none() {
            stream = Some(session.follow_events(Some(view.newest_event))?);
        }
        let until = Instant::now() + REFRESH_INTERVAL;
        let mut is_outdated = false;
        loop {
            let until = if is_outdated { until.min(view.at + REQUEST_INTERVAL) } else { until };
            let left = until.saturating_duration_since(Instant::now());
            let watched: Vec<_> =
                std::iter::once(interrupts.as_fd()).chain(stream.as_ref().map(AsFd::as_fd)).collect();
            let Ok(ready) = wait(&watched, Some(left)) else { return Ok(()) };
            if interrupts.take() {
                session.say("");
                return Ok(());
            }
            if ready.get(1) == Some(&true)
                && let Some(open) = &mut stream
            {
                match open.read()? {
                    Some(events) => is_outdated |= !events.is_empty(),
                    None => (stream, is_outdated) = (None, true),
                }
            }
            if let Some(open) = stream.as_ref().filter(|_| ready.get(1) != Some(&true)) {
                open.check_silence()?;
            }
            if Instant::now() >= until {
                break;
            }
        }
        if is_outdated {
            view = TableSource::again(session, words)?;
        }
    }
}

/// The summary and the table: on a terminal in place of the previous one and no higher than it, else after an empty
/// line.
fn screenful(session: &Session, rows: &[ShownProcess]) -> String {
    let ScreenSize { rows: height, columns } = screen::size();
    let mut lines = table::lines(rows, columns, |row| session.paint(row));
    lines.insert(0, shortened(&table::summary(rows), columns).into_owned());
    if !session.has_escapes() || !io::stdout().is_terminal() {
        return format!("{}\n\n", lines.join("\n"));
    }
    // The cursor stays below.
    if lines.len() >= height {
        let more = lines.len() + 2 - height;
        lines.truncate(height.saturating_sub(2));
        lines.push(format!("({more} more)"));
    }
    let lines: String = lines.iter().map(|line| format!("{line}\x1b[K\n")).collect();
    format!("\x1b[H{lines}\x1b[J")
}
