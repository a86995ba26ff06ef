//! `sv logs`: the logs of several processes combined, each line preceded by the name of the process.
//!
//! Existing text is shown process by process, since not every log has times. A line has one if it begins with it, or is an
//! object with a `time`, as in logs of `log_format=json` or `log_timestamp=true`. New text is shown as it arrives,
//! in whole lines. A stream of the server begins a little before the end of its log; the part that was
//! already shown is recognised by its text.

mod lines;
mod options;

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use unicode_width::UnicodeWidthStr;

use super::answers::{self, ProcessRow};
use super::api::process_path;
use super::exit;
use super::failure::{CallError, Outcome, fault};
use super::follow::{Follow, log_of, wait};
use super::screen::harmless;
use super::selection;
use super::session::Session;
use super::times;
use crate::logs::{PIECE_BYTES_MAX, WINDOW_BYTES_MAX};
use crate::model::Signal;
use crate::sys::interrupts::HeldInterrupts;
use crate::xmlrpc::Value;
use lines::{JournalLines, LineStyle, LogScreen, StreamOverlap};
use options::JournalOptions;

/// The size of the first request for the end of a log; each further request is eight times larger.
const WINDOW_BYTES: u64 = 16 * 1024;

/// The time limit for a stream to reach the text that was read: after that, nothing was missed.
const OVERLAP_TIMEOUT: Duration = Duration::from_millis(500);

/// The maximum width of the name column; a longer name only shifts its own lines.
const NAME_WIDTH_MAX: usize = 32;

/// Distinguishable on dark and on light terminals; red is reserved for errors.
const COLORS: [&str; 6] = ["\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[96m"];

/// A channel of a process.
struct JournalSource {
    namespec: String,
    channel: &'static str,
    lines: JournalLines,
    overlap: StreamOverlap,
    stream: Option<Follow>,
    /// Whether it has no log.
    is_missing: bool,
}

/// `logs [-f] [-n LINES] [--since TIME] [--grep RE] [-t] [--json] [--stdout|--stderr] [NAME...]`
pub(super) fn logs(session: &mut Session, arg: &str) -> Outcome {
    let wanted = match JournalOptions::parse(arg, now_ms()) {
        Ok(wanted) => wanted,
        Err(why) => {
            session.misused("logs", &why);
            session.fail(exit::INVALID_ARGS);
            return Ok(());
        }
    };
    if !session.upcheck()? {
        return Ok(());
    }
    let rows = answers::processes(&session.call("supervisor.getAllProcessInfo", &[])?)?;
    let selected = selection::named(session, &rows, &wanted.names);
    let chosen: Vec<_> = selected.positions.into_iter().map(|at| &rows[at]).collect();
    let mut sources = sources(&chosen, &wanted, session.has_colors());
    let mut late_starts = Vec::new();
    for source in &mut sources {
        let end = show_end(session, source, &wanted)?;
        source.is_missing = end.is_none();
        if let Some(at) = end.and_then(|end| end.late_start) {
            late_starts.push((source.namespec.clone(), at));
        }
    }
    if let Some(line) = late_starts_text(&late_starts) {
        session.warn(harmless(&line));
    }
    if wanted.follows && !sources.is_empty() {
        return follow(session, sources, &wanted);
    }
    report_missing_logs(session, &sources, &wanted, &mut Vec::new());
    Ok(())
}

fn sources(rows: &[&ProcessRow], wanted: &JournalOptions, has_colors: bool) -> Vec<JournalSource> {
    let names: Vec<String> = rows.iter().map(|row| row.namespec()).collect();
    let widths = names.iter().map(|name| harmless(name).width());
    let width = widths.filter(|width| *width <= NAME_WIDTH_MAX).max().unwrap_or(0);
    let colors = COLORS.iter().cycle();
    let screen =
        if io::stdout().is_terminal() { LogScreen::Terminal { has_colors } } else { LogScreen::None };
    let of_one = |(namespec, color): (String, &&str)| {
        let (on, off) = if has_colors { (*color, "\x1b[0m") } else { ("", "") };
        let name = harmless(&namespec);
        let padding = " ".repeat(width.saturating_sub(name.width()));
        let prefix = format!("{on}{name}{padding} |{off} ").into_bytes();
        wanted.channels.iter().map(move |channel| JournalSource {
            namespec: namespec.clone(),
            channel,
            lines: JournalLines::new(
                match (wanted.is_json, wanted.has_times) {
                    (true, _) => LineStyle::Json(namespec.clone(), channel),
                    (false, true) => LineStyle::Timed(prefix.clone()),
                    (false, false) => LineStyle::Prefixed(prefix.clone()),
                },
                screen,
                wanted.pattern.clone(),
            ),
            overlap: StreamOverlap::default(),
            stream: None,
            is_missing: false,
        })
    };
    names.into_iter().zip(colors).flat_map(of_one).collect()
}

/// What was found at the end of a log.
struct LogEnd {
    /// The time of its first line, if that is later than what was asked for.
    late_start: Option<i64>,
}

/// Shows the last existing lines; `None` if there is no log.
fn show_end(
    session: &mut Session,
    source: &mut JournalSource,
    wanted: &JournalOptions,
) -> Result<Option<LogEnd>, CallError> {
    let (end, is_searched) = match end_of_log(session, source, wanted) {
        Ok(found) => found,
        Err(CallError::Fault(fault::NO_FILE, _)) => return Ok(None),
        // What goes to a pipe is kept from the first run on, and can be followed before.
        Err(CallError::Fault(fault::FAILED, _)) if wanted.follows => return Ok(None),
        Err(error @ (CallError::Fault(..) | CallError::Rejected(_))) => {
            let (namespec, channel, why) = (&source.namespec, source.channel, error.plain());
            session.warn(harmless(&format!("{namespec}: ERROR (cannot read {channel}: {why})")));
            session.fail(exit::GENERIC);
            (String::new(), true)
        }
        Err(other) => return Err(other),
    };
    source.overlap = StreamOverlap::at_end_of(end.as_bytes());
    // An incomplete line is matched when it is complete.
    let complete = if wanted.follows { end.rfind('\n').map_or(0, |at| at + 1) } else { end.len() };
    let (complete, begun) = end.split_at(complete);
    report_missing_times(session, source, complete, wanted);
    let shown: Vec<_> =
        lines::timed(complete, wanted.needs_times()).filter(|line| wanted.includes(line)).collect();
    let mut text = Vec::new();
    for (at, line) in &shown[shown.len().saturating_sub(wanted.lines)..] {
        text.extend(source.lines.shown(line.as_bytes(), *at));
    }
    text.extend(source.lines.take(begun.as_bytes(), now_ms()));
    // A closed output is noticed when we follow; otherwise we are done anyway.
    let _ = session.pass_on(&text);
    // With enough lines, earlier ones were not asked for.
    let first = wanted.since.filter(|_| shown.len() < wanted.lines).and_then(|since| {
        let mut times = lines::timed(&end, true).filter_map(|(at, _)| at);
        times.next().filter(|first| *first > since)
    });
    if is_searched {
        return Ok(Some(LogEnd { late_start: first }));
    }
    let may_have_more = wanted.pattern.is_some() && shown.len() < wanted.lines;
    if first.is_some() || (wanted.since.is_none() && may_have_more) {
        let JournalSource { namespec, channel, .. } = source;
        let begin = first.map_or_else(String::new, |at| format!(", which begin at {}", times::utc(at)));
        let text = format!(
            "{namespec}: only the last {} MiB of its {channel} log were searched{begin}",
            WINDOW_BYTES_MAX / (1024 * 1024)
        );
        session.warn(harmless(&text));
    }
    Ok(Some(LogEnd { late_start: None }))
}

/// That logs begin later than asked, in one line: earlier lines have been rotated away, or there were none.
fn late_starts_text(late: &[(String, i64)]) -> Option<String> {
    const NAMES_MAX: usize = 3;
    let latest = times::utc(*late.iter().map(|(_, at)| at).max()?);
    let mut names: Vec<&str> = late.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let names = names.join(", ") + &if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(match late {
        [_] => format!("{names}: the log begins at {latest}, later than asked"),
        _ => format!("{names}: the logs begin later than asked, the last of them at {latest}"),
    })
}

/// An end of the log that has this number of lines, if there are that many within bounds, and whether all that was asked for
/// is within bounds.
fn end_of_log(
    session: &mut Session,
    source: &JournalSource,
    wanted: &JournalOptions,
) -> Result<(String, bool), CallError> {
    let mut window = WINDOW_BYTES;
    loop {
        let (text, is_whole) = match last_bytes(session, source, window) {
            Err(CallError::NoApi) => last_bytes_by_xml(session, source, window)?,
            end => end?,
        };
        // The first line may have lost its beginning.
        let included =
            lines::timed(&text, wanted.needs_times()).skip(1).filter(|line| wanted.includes(line)).count();
        let is_old_enough = wanted.since.is_some_and(|since| {
            lines::timed(&text, true).find_map(|(at, _)| at).is_some_and(|first| first < since)
        });
        let has_all = is_whole || included > wanted.lines || is_old_enough;
        if has_all || window >= WINDOW_BYTES_MAX {
            return Ok((text, has_all));
        }
        window = (window * 8).min(WINDOW_BYTES_MAX);
    }
}

/// The last bytes of a log, this many at most, and whether they are all of it: a character that is cut off at either end is
/// left out, so the length of the text does not show it.
fn last_bytes(
    session: &mut Session,
    source: &JournalSource,
    window: u64,
) -> Result<(String, bool), CallError> {
    let log = format!("{}/logs/{}", process_path(&source.namespec), source.channel);
    if window <= PIECE_BYTES_MAX {
        let piece = session.log_piece(&format!("{log}?bytes={window}"))?;
        return Ok((piece.text, !piece.overflow));
    }
    let end = session.log_piece(&format!("{log}?bytes=0"))?.offset;
    let mut offset = end.saturating_sub(window);
    let (mut text, mut is_whole) = (String::new(), offset == 0);
    while offset < end {
        let piece = session.log_piece(&format!("{log}?offset={offset}&length={}", end - offset))?;
        // It was truncated meanwhile.
        if piece.offset <= offset {
            break;
        }
        text.push_str(&piece.text);
        is_whole &= !piece.overflow;
        offset = piece.offset;
    }
    Ok((text, is_whole))
}

/// The same of Supervisor or an older sv. XML has no escape characters: there are others in place of them.
fn last_bytes_by_xml(
    session: &mut Session,
    source: &JournalSource,
    window: u64,
) -> Result<(String, bool), CallError> {
    let method = match source.channel {
        "stderr" => "supervisor.readProcessStderrLog",
        _ => "supervisor.readProcessStdoutLog",
    };
    let offset = Value::Int(-i64::try_from(window).unwrap_or(i64::MAX));
    let params = [source.namespec.as_str().into(), offset, Value::Int(0)];
    let text = answers::plain_text(&session.call(method, &params)?)?;
    let is_whole = (text.len() as u64) < window;
    Ok((text, is_whole))
}

/// The times of lines were asked for, and none is known.
fn report_missing_times(session: &mut Session, source: &JournalSource, text: &str, wanted: &JournalOptions) {
    let is_asked = wanted.since.is_some() || wanted.has_times;
    if text.is_empty() || !is_asked || lines::timed(text, true).any(|(at, _)| at.is_some()) {
        return;
    }
    let JournalSource { namespec, channel, .. } = source;
    let text = format!(
        "{namespec}: its {channel} log has no times: a log file has them with log_format=json, or with log_format=prefix \
         and log_timestamp=true"
    );
    session.warn(harmless(&text));
    if wanted.since.is_some() {
        session.fail(exit::GENERIC);
    }
}

/// Now, in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Not having a log is normal for some processes, but worth a message if the process was named, once.
fn report_missing_logs(
    session: &mut Session,
    sources: &[JournalSource],
    wanted: &JournalOptions,
    reported: &mut Vec<String>,
) {
    let has_log =
        |namespec: &str| sources.iter().any(|source| !source.is_missing && source.namespec == namespec);
    for JournalSource { namespec, .. } in sources {
        if !wanted.names.contains(&"all") && !has_log(namespec) && !reported.contains(namespec) {
            session.warn(format_args!("{}: ERROR (no log file)", harmless(namespec)));
            session.fail(exit::GENERIC);
            reported.push(namespec.clone());
        }
    }
}

/// Shows new lines, until Ctrl-C or until the server ends the streams.
fn follow(session: &mut Session, mut sources: Vec<JournalSource>, wanted: &JournalOptions) -> Outcome {
    let interrupts = HeldInterrupts::back(&[Signal::INT])?;
    for source in &mut sources {
        source.stream = session.follow_awaited(&log_of(&source.namespec, source.channel)).ok();
        // The server knows whether there will be a log.
        source.is_missing = false;
    }
    let (mut missing, mut reported) = (0, Vec::new());
    let started = Instant::now();
    while sources.iter().any(|source| source.stream.is_some()) {
        let is_joining = sources.iter().any(|source| source.stream.is_some() && source.overlap.is_open());
        let streams = sources.iter().filter_map(|source| source.stream.as_ref());
        let watched: Vec<BorrowedFd<'_>> =
            std::iter::once(interrupts.as_fd()).chain(streams.map(Follow::as_fd)).collect();
        let Ok(ready) = wait(&watched, is_joining.then_some(OVERLAP_TIMEOUT)) else { return Ok(()) };
        if interrupts.take() {
            // After the ^C that the terminal shows.
            if io::stdout().is_terminal() {
                session.say("");
            }
            break;
        }
        let mut ready = ready.into_iter().skip(1);
        let is_late = started.elapsed() >= OVERLAP_TIMEOUT;
        for source in sources.iter_mut().filter(|source| source.stream.is_some()) {
            let text = source.turn(ready.next() == Some(true), is_late);
            if session.pass_on(&text).is_err() {
                return Ok(());
            }
        }
        let missing_now = sources.iter().filter(|source| source.is_missing).count();
        if missing_now > missing {
            report_missing_logs(session, &sources, wanted, &mut reported);
            missing = missing_now;
        }
    }
    for source in &mut sources {
        let rest = source.lines.rest(now_ms());
        let _ = session.pass_on(&rest);
    }
    Ok(())
}

impl JournalSource {
    /// The complete lines that arrived.
    fn turn(&mut self, is_ready: bool, is_late: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        if is_ready && let Some(stream) = &mut self.stream {
            match stream.read() {
                Ok(Some(more)) => bytes = self.overlap.unseen(more),
                // A channel without a log is not a failure here: the other one may have a log.
                Err(CallError::Refused(..)) => (self.stream, self.is_missing) = (None, true),
                Ok(None) | Err(_) => self.stream = None,
            }
        }
        if is_late || self.stream.is_none() {
            bytes.extend(self.overlap.close());
        }
        self.lines.take(&bytes, now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_begin_later_than_asked_are_one_line() {
        let late = |names: &[&str]| -> Vec<(String, i64)> {
            (1..).zip(names).map(|(at, name)| ((*name).to_owned(), at * 1000)).collect()
        };
        for (names, expected) in [
            (&[][..], None),
            (&["web"], Some("web: the log begins at 1970-01-01T00:00:01.000Z, later than asked")),
            (
                &["web", "web"],
                Some("web: the logs begin later than asked, the last of them at 1970-01-01T00:00:02.000Z"),
            ),
            (
                &["a", "b", "c", "d", "e"],
                Some(
                    "a, b, c and 2 more: the logs begin later than asked, the last of them at \
                     1970-01-01T00:00:05.000Z",
                ),
            ),
        ] {
            assert_eq!(late_starts_text(&late(names)).as_deref(), expected);
        }
    }
}
