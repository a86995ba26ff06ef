//! The activity log: a file or syslog, and in the foreground our standard output as well.
//!
//! A line is an event of `tracing`, which formats it in Supervisor's format directly into the buffer of its
//! log. The lines of a turn are written together at its end: after the output of children in that turn, and
//! with one write however many orphans were reaped.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::{Extensions, ExtensionsMut, LookupSpan, SpanData};

use crate::logs::{OwnForm, activity_line_head, severity};
use crate::model::{Channel, DaemonSettings, LogDefaults, LogFormat, LogLevel, LogTarget};
use crate::output::{Destinations, OURSELVES, Sink, Warning};
use crate::sys::clock::Clock;
use crate::sys::process::own_pid;

/// The destination of lines.
pub(super) struct Activity {
    level: LogLevel,
    file: Sink,
    /// Whether lines go to syslog instead of a file.
    to_syslog: bool,
    /// Whether lines also go to standard output.
    echo: bool,
    /// Formats events into `held`.
    tracing: Dispatch,
    /// Lines of this turn.
    held: HeldLines,
    /// The same lines in the format of program output, if that is different and shown.
    held_shaped: Vec<u8>,
    /// Lines that were written since the last [`Activity::take_written`].
    written: Vec<u8>,
}

/// The buffer is written before it exceeds this size.
const HELD_BYTES_MAX: usize = 16 * 1024;

impl Activity {
    /// Opens the log that the settings name. The timestamps of its lines are read from the clock.
    ///
    /// # Errors
    /// Why the file can't be opened.
    pub(super) fn open(
        settings: &DaemonSettings,
        echo: bool,
        clock: &Clock,
        destinations: &mut Destinations,
    ) -> Result<Self, String> {
        let target =
            settings.log_file.as_deref().map_or(LogTarget::None, |path| LogTarget::File(path.into()));
        let file = Sink::open(&target, settings.log_bytes_max, settings.log_backups, destinations)
            .map_err(|error| cannot_open(settings, &error))?;
        // COMPAT: Supervisor writes every line twice when its log file is its standard output.
        let echo = echo && !file.is_stdout(destinations);
        if let Sink::Destination(id) = file {
            destinations.count_own_log(id, true);
        }
        let LogDefaults { format, timestamp, .. } = settings.log_defaults;
        let timestamp = timestamp.unwrap_or(format == LogFormat::Json);
        destinations.set_own_form(OwnForm::beside(format, timestamp, &settings.identifier, own_pid()));
        let held = HeldLines::default();
        Ok(Self {
            level: settings.log_level,
            to_syslog: settings.log_to_syslog,
            file,
            echo,
            tracing: subscriber(clock.clone(), held.clone()),
            held,
            held_shaped: Vec::new(),
            written: Vec::new(),
        })
    }

    /// The level below which lines are not written.
    pub(super) fn level(&self) -> LogLevel {
        self.level
    }

    /// Writes lines of this level and above.
    pub(super) fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    /// Adds a line; it is written at the end of the turn, together with the others.
    pub(super) fn log(&mut self, level: LogLevel, text: &str, destinations: &mut Destinations) {
        if level < self.level {
            return;
        }
        let held_before = self.held.lock().len();
        self.format(level, text);
        if self.to_syslog {
            send_to_syslog(level, &self.held.lock()[held_before..], destinations);
        }
        if self.is_shown()
            && let Some(line) = destinations.own_form().line(destinations.now().wall, level, text)
        {
            self.held_shaped.extend_from_slice(&line);
        }
        if self.held.lock().len() >= HELD_BYTES_MAX {
            self.flush(destinations);
        }
    }

    /// Adds a line in Supervisor's format to `held`.
    fn format(&self, level: LogLevel, text: &str) {
        dispatcher::with_default(&self.tracing, || emit(level, text));
    }

    /// Writes the buffered lines. If one of the two destinations fails, the other one gets a line about it.
    pub(super) fn flush(&mut self, destinations: &mut Destinations) {
        let mut held = self.held.take();
        if held.is_empty() {
            return;
        }
        let is_plain = *destinations.own_form() == OwnForm::Plain;
        let shown = if is_plain { &held } else { &self.held_shaped };
        let kept = if let Sink::Destination(_) = self.file { shown } else { &held };
        if let Some(Warning { text }) = self.file.write(kept, OURSELVES, destinations) {
            destinations.complain(&text);
        }
        let warning = if self.echo { destinations.write_lines(Channel::Stdout, shown) } else { None };
        self.written.append(&mut held);
        self.held_shaped.clear();
        if let Some(Warning { text }) = warning {
            self.log_to_file(&text, destinations);
        }
    }

    /// A failure of standard output is logged only in the file.
    fn log_to_file(&mut self, text: &str, destinations: &mut Destinations) {
        self.format(LogLevel::Warn, text);
        self.file.write(&self.held.take(), OURSELVES, destinations);
    }

    /// The lines that were written since the last call.
    pub(super) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// Whether its lines appear among those of programs.
    pub(super) fn is_shown(&self) -> bool {
        self.echo || matches!(self.file, Sink::Destination(_))
    }

    /// Whether its destination can't be read back.
    pub(super) fn is_unreadable(&self) -> bool {
        !matches!(self.file, Sink::File(_))
    }

    /// Closes and reopens the file, as after it was moved away.
    pub(super) fn reopen(&mut self, destinations: &mut Destinations) {
        self.flush(destinations);
        if let Err(error) = self.file.reopen(destinations) {
            destinations.complain(&format!("cannot reopen the log file: {error}"));
        }
    }

    /// Truncates the file.
    pub(super) fn clear(&mut self, destinations: &mut Destinations) -> io::Result<()> {
        self.flush(destinations);
        self.file.clear(destinations)
    }

    /// Writes the buffered lines and closes the file.
    pub(super) fn close(mut self, destinations: &mut Destinations) {
        self.flush(destinations);
        if let Sink::Destination(id) = self.file {
            destinations.count_own_log(id, false);
        }
        self.file.close(destinations);
    }

    /// Stops writing to standard output, which a daemon does not own.
    pub(super) fn without_echo(mut self) -> Self {
        self.echo = false;
        self
    }
}

/// COMPAT: a message has the severity of its line; in Supervisor all are of level info.
fn send_to_syslog(level: LogLevel, lines: &[u8], destinations: &mut Destinations) {
    for line in lines.trim_ascii_end().split(|byte| *byte == b'\n') {
        destinations.send_to_syslog(severity(level), &[line]);
    }
}

fn cannot_open(settings: &DaemonSettings, error: &io::Error) -> String {
    let path = settings.log_file.as_deref().unwrap_or_else(|| "".as_ref());
    format!("cannot open the log file '{}': {error}", path.display())
}

/// `tracing` has five levels and Supervisor seven, so the tag is passed as the target.
fn emit(level: LogLevel, text: &str) {
    match level {
        LogLevel::Critical => tracing::event!(target: "CRIT", Level::ERROR, "{text}"),
        LogLevel::Error => tracing::event!(target: "ERRO", Level::ERROR, "{text}"),
        LogLevel::Warn => tracing::event!(target: "WARN", Level::WARN, "{text}"),
        LogLevel::Info => tracing::event!(target: "INFO", Level::INFO, "{text}"),
        LogLevel::Debug => tracing::event!(target: "DEBG", Level::DEBUG, "{text}"),
        LogLevel::Trace => tracing::event!(target: "TRAC", Level::TRACE, "{text}"),
        LogLevel::Blather => tracing::event!(target: "BLAT", Level::TRACE, "{text}"),
    }
}

/// Writes events in Supervisor's format.
fn subscriber(clock: Clock, held: HeldLines) -> Dispatch {
    let layer = tracing_subscriber::fmt::layer()
        .event_format(SupervisorForm { clock })
        .with_writer(move || held.clone());
    Dispatch::new(layer.with_subscriber(NoSpans))
}

/// There are no spans, so there is no registry of them: that of `tracing-subscriber` would keep 32 KiB.
struct NoSpans;

impl Subscriber for NoSpans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl LookupSpan<'_> for NoSpans {
    type Data = NoSpan;

    fn span_data(&self, _: &Id) -> Option<NoSpan> {
        None
    }
}

enum NoSpan {}

impl SpanData<'_> for NoSpan {
    fn id(&self) -> Id {
        match *self {}
    }

    fn metadata(&self) -> &'static Metadata<'static> {
        match *self {}
    }

    fn parent(&self) -> Option<&Id> {
        match *self {}
    }

    fn extensions(&self) -> Extensions<'_> {
        match *self {}
    }

    fn extensions_mut(&self) -> ExtensionsMut<'_> {
        match *self {}
    }
}

struct SupervisorForm {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for SupervisorForm
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        activity_line_head(&mut writer, self.clock.now().wall, event.metadata().target())?;
        // Escapes control sequences.
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// A buffer of lines, shared by a log and its formatting subscriber.
#[derive(Clone, Default)]
struct HeldLines(Arc<Mutex<Vec<u8>>>);

impl HeldLines {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock())
    }
}

impl io::Write for HeldLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_formats_its_own_lines_and_escapes_terminal_commands() {
        let (ours, others) = (HeldLines::default(), HeldLines::default());
        let _other = subscriber(Clock::local(), others.clone());
        let tracing = subscriber(Clock::local(), ours.clone());
        for text in ["a\x1b[2J\nb", "{c}"] {
            dispatcher::with_default(&tracing, || emit(LogLevel::Warn, text));
        }
        let lines = String::from_utf8(ours.take()).unwrap();
        assert_eq!(lines.matches(" WARN ").count(), 2, "{lines}");
        assert!(lines.contains(" WARN a\\x1b[2J\nb\n2") && lines.ends_with(" WARN {c}\n"), "{lines}");
        assert!(others.take().is_empty());
    }
}
