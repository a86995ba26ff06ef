//! The activity log: a file or syslog, and in the foreground our standard output as well.
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

use super::logfile::LogFile;
use super::outputs::{OURSELVES, Outputs};
use super::sinks::{Sink, Trouble};
use crate::logs::{activity_line, activity_object, rfc3339, severity};
use crate::model::{DaemonSettings, LogFormat, LogLevel, LogTarget};
use crate::sys::clock::Clock;
use crate::sys::process::own_pid;

/// Lines that were formatted and are about to be written. Never more than those of one call.
static FORMATTED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Where lines go.
pub(super) struct Activity {
    level: LogLevel,
    file: Sink,
    /// Whether lines go to syslog, and no file.
    to_syslog: bool,
    /// Whether lines go to standard output too.
    echo: bool,
    /// Where programs write JSON beside us we do too, as who: so that one reader can read it all.
    speaks_json_as: Option<String>,
    /// Lines of this turn.
    held: Vec<u8>,
    /// The same as JSON objects, if they are wanted.
    held_objects: Vec<u8>,
    /// Lines were written since [`Activity::take_has_written`] was asked last.
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
        let speaks_json = settings.log_defaults.format == LogFormat::Json;
        Ok(Self {
            level: settings.log_level,
            to_syslog: settings.log_file.is_none(),
            speaks_json_as: speaks_json.then(|| settings.identifier.clone()),
            file,
            echo,
            held: Vec::new(),
            held_objects: Vec::new(),
            has_written: false,
        })
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
        if self.to_syslog {
            send_to_syslog(level, &line, outputs);
        }
        self.held.append(&mut line);
        drop(line);
        if let Some(identifier) = &self.speaks_json_as {
            let time = rfc3339(outputs.now.wall);
            let object = activity_object(&time, identifier, own_pid(), level.tag(), text);
            self.held_objects.extend_from_slice(object.as_bytes());
        }
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
        let shown = if self.speaks_json_as.is_some() { &self.held_objects } else { &self.held };
        let kept = if let Sink::Output(_) = self.file { shown } else { &self.held };
        if let Some(Trouble { text }) = self.file.write(kept, OURSELVES, outputs) {
            outputs.complain(&text);
        }
        let trouble = if self.echo { outputs.stdout(shown) } else { None };
        self.held.clear();
        self.held_objects.clear();
        self.has_written = true;
        if let Some(Trouble { text }) = trouble {
            self.tell_file(&text, outputs);
        }
    }

    /// What is wrong with standard output stands in the file alone.
    fn tell_file(&mut self, text: &str, outputs: &mut Outputs) {
        emit(LogLevel::Warn, text);
        let line = std::mem::take(&mut *FORMATTED.lock().unwrap_or_else(PoisonError::into_inner));
        self.file.write(&line, OURSELVES, outputs);
    }

    /// Whether lines were written since this was asked last.
    pub(super) fn take_has_written(&mut self) -> bool {
        std::mem::take(&mut self.has_written)
    }

    /// Closes and opens the file again, as after somebody has moved it away.
    pub(super) fn reopen(&mut self, outputs: &mut Outputs) {
        self.flush(outputs);
        if let Some(file) = self.file.file_mut(outputs)
            && let Err(error) = file.reopen()
        {
            outputs.complain(&format!("cannot reopen the log file: {error}"));
        }
    }

    /// Empties the file.
    pub(super) fn clear(&mut self, outputs: &mut Outputs) -> io::Result<()> {
        self.flush(outputs);
        self.file.file_mut(outputs).map_or(Ok(()), LogFile::clear)
    }

    /// Writes what was taken and closes the file.
    pub(super) fn close(mut self, outputs: &mut Outputs) {
        self.flush(outputs);
        self.file.close(outputs);
    }

    /// Stops writing to standard output: it is none of ours any more once we are a daemon.
    pub(super) fn without_echo(mut self) -> Self {
        self.echo = false;
        self
    }
}

/// COMPAT: each message is as loud as its line; Supervisor's are all of level info.
fn send_to_syslog(level: LogLevel, lines: &[u8], outputs: &mut Outputs) {
    let now = outputs.now;
    for line in lines.trim_ascii_end().split(|byte| *byte == b'\n') {
        outputs.syslog.send(severity(level), &[line], now);
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
