//! The activity log: a file, and in the foreground our standard output as well.
//!
//! A line is formatted by `tracing` in Supervisor's form of it and taken from there at once. The
//! lines of a turn are written together at its end: after what children said in it, and with one
//! write however many orphans were reaped.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::outputs::Outputs;
use super::sinks::{LogFile, Sink, Trouble};
use crate::logs::activity_line;
use crate::model::{DaemonSettings, LogLevel, LogTarget};
use crate::sys::clock::Clock;

/// Lines that were formatted and are about to be written. Never more than those of one call.
static FORMATTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Where lines go.
pub(super) struct Activity {
    level: LogLevel,
    file: Sink,
    /// Whether lines go to standard output too.
    echo: bool,
    /// Lines of this turn.
    held: Vec<u8>,
    has_written: bool,
}

/// Lines are written before there are more than this.
const HELD_BYTES_MAX: usize = 16 * 1024;

impl Activity {
    /// Opens the log that the settings ask for.
    ///
    /// # Errors
    /// What opening the file says, with what it was about.
    pub(super) fn open(settings: &DaemonSettings, echo: bool, outputs: &mut Outputs) -> Result<Self, String> {
        let target = settings.log_file.clone().map_or(LogTarget::None, LogTarget::File);
        let file = Sink::open(&target, settings.log_bytes_max, settings.log_backups, outputs)
            .map_err(|error| cannot_open(settings, &error))?;
        // COMPAT: Supervisor writes every line twice when its log file is its standard output.
        let echo = echo && !file.is_stdout(outputs);
        Ok(Self { level: settings.log_level, file, echo, held: Vec::new(), has_written: false })
    }

    /// The level below which lines are not written.
    pub(super) fn level(&self) -> LogLevel {
        self.level
    }

    /// Writes from this level on.
    pub(super) fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    /// Takes a line; it is written at the end of the turn, together with what else there was to say.
    pub(super) fn log(&mut self, level: LogLevel, text: &str, outputs: &mut Outputs) {
        if level < self.level {
            return;
        }
        emit(level, text);
        let mut line = FORMATTED.lock().unwrap_or_else(PoisonError::into_inner);
        self.held.append(&mut line);
        drop(line);
        if self.held.len() >= HELD_BYTES_MAX {
            self.flush(outputs);
        }
    }

    /// Writes what was taken. A log that can't be written to is told of where there still is a place
    /// to tell it.
    pub(super) fn flush(&mut self, outputs: &mut Outputs) {
        if self.held.is_empty() {
            return;
        }
        if let Some(Trouble { text }) = self.file.write(&self.held, outputs) {
            outputs.complain(&text);
        }
        if self.echo {
            outputs.stdout(&self.held);
        }
        self.held.clear();
        self.has_written = true;
    }

    /// Where the lines are written; what was flushed is in it.
    pub(super) fn sink(&self) -> &Sink {
        &self.file
    }

    /// Whether lines were written since this was asked last.
    pub(super) fn take_has_written(&mut self) -> bool {
        std::mem::take(&mut self.has_written)
    }

    /// Closes and opens the file again, as after somebody has moved it away.
    pub(super) fn reopen(&mut self, outputs: &mut Outputs) {
        self.flush(outputs);
        if let Sink::File(file) = &mut self.file
            && let Err(error) = LogFile::reopen(file)
        {
            outputs.complain(&format!("cannot reopen the log file: {error}"));
        }
    }

    /// Empties the file.
    pub(super) fn clear(&mut self, outputs: &mut Outputs) -> io::Result<()> {
        self.flush(outputs);
        match &mut self.file {
            Sink::File(file) => file.clear(),
            Sink::Nowhere | Sink::Output(_) => Ok(()),
        }
    }

    /// Stops writing to standard output: it is none of ours any more once we are a daemon.
    pub(super) fn without_echo(mut self) -> Self {
        self.echo = false;
        self
    }
}

fn cannot_open(settings: &DaemonSettings, error: &io::Error) -> String {
    let path = settings.log_file.as_deref().unwrap_or_else(|| "".as_ref());
    format!("cannot open the log file '{}': {error}", path.display())
}

/// `tracing` has five levels where Supervisor has seven, so the tag travels as the target.
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

/// Makes `tracing` speak in Supervisor's form from here on.
pub(super) fn install(clock: Clock) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .event_format(SupervisorForm { clock })
        .with_writer(ToFormatted)
        .finish();
    // The second time, after a restart in place, the first one is still there and does as well.
    let _ = tracing::subscriber::set_global_default(subscriber);
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
        let mut message = String::new();
        context.format_fields(Writer::new(&mut message), event)?;
        activity_line(&mut writer, self.clock.now().wall, event.metadata().target(), &message)
    }
}

struct ToFormatted;

impl<'a> MakeWriter<'a> for ToFormatted {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for ToFormatted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        FORMATTED.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
