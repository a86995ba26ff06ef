//! One stream of a process: the pipe that is read, and what its bytes are for.

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};

use super::destinations::Destinations;
use super::ids::{StreamId, WriterId};
use super::outlet::{Outlet, Targets};
use super::ready_lines::ReadyLines;
use super::warning::Warning;
use crate::events::OutputKind;
use crate::logs::{AnsiStripper, Capture, LINE_BYTES_MAX, Piece};
use crate::model::{Channel, ChildId, LogForm, LogFormat, Name, Pid, ProcessId, StreamSpec};
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};

const READ: Interest = Interest { read: true, write: false };

/// A stream that is read.
#[derive(Debug)]
pub(super) struct Stream {
    /// The child that was started with it.
    pub(super) child: ChildId,
    /// The process whose log it goes to.
    pub(super) process: ProcessId,
    pub(super) channel: Channel,
    /// Of the child.
    pub(super) pid: Pid,
    /// Of the process.
    pub(super) name: Name,
    /// Under which it is watched.
    pub(super) token: u64,
    /// Its child was reaped, or is not waited for any more; others hold it open.
    pub(super) is_held: bool,
    /// It is among those whose unfinished line is looked at later.
    pub(super) awaits_line_end: bool,
    pub(super) outlet: Outlet,
    /// Boxed, as few streams have any, and only while the process starts.
    pub(super) ready_lines: Option<Box<ReadyLines>>,
    fd: OwnedFd,
    /// `strip_ansi`
    stripper: Option<Box<AnsiStripper>>,
    purpose: Purpose,
    /// False while its outlet is full. It is not watched at all then: a hang-up would be reported again and again.
    is_watched: bool,
}

/// What a stream is for, besides its log.
#[derive(Debug)]
pub(super) enum Purpose {
    Output {
        /// `*_capture_maxbytes`
        capture: Option<Box<Capture>>,
        /// `*_events_enabled`
        events_enabled: bool,
    },
    /// It carries the listener protocol.
    Conversation,
}

impl Purpose {
    /// Nothing besides the log.
    pub(super) const LOGS: Self = Self::Output { capture: None, events_enabled: false };

    pub(super) fn of(spec: &StreamSpec) -> Self {
        let capture = Capture::new(spec.capture_bytes_max).map(Box::new);
        Self::Output { capture, events_enabled: spec.events_enabled }
    }

    /// The form in which such a stream is logged. The listener protocol is logged as it is.
    pub(super) fn form(&self, form: LogForm) -> LogForm {
        match self {
            Self::Output { .. } => form,
            Self::Conversation => LogForm { format: LogFormat::Raw, ..form },
        }
    }
}

/// The outcome of reading a stream once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    Bytes(usize),
    NothingNow,
    End,
}

impl Stream {
    pub(super) fn new(
        (child, StreamId { process, channel }, pid, name): (ChildId, StreamId, Pid, Name),
        (fd, token): (OwnedFd, u64),
        (outlet, purpose): (Outlet, Purpose),
        strip_ansi: bool,
    ) -> Self {
        Self {
            child,
            process,
            channel,
            pid,
            name,
            token,
            is_held: false,
            awaits_line_end: false,
            outlet,
            ready_lines: None,
            fd,
            stripper: strip_ansi.then(Box::default),
            purpose,
            is_watched: false,
        }
    }

    /// The stream of the process whose log it goes to.
    pub(super) fn id(&self) -> StreamId {
        StreamId { process: self.process, channel: self.channel }
    }

    pub(super) fn writer(&self) -> WriterId {
        WriterId(self.token)
    }

    pub(super) fn is_conversation(&self) -> bool {
        matches!(self.purpose, Purpose::Conversation)
    }

    /// The form that the options ask for.
    pub(super) fn form(&self, form: LogForm) -> LogForm {
        self.purpose.form(form)
    }

    /// Reads once. Of a listener everything is read that is there, so that what it writes in two calls is parsed
    /// together.
    pub(super) fn read(&self, buffer: &mut [u8]) -> ReadOutcome {
        // Formatted lines are longer.
        let bytes_max = if self.outlet.is_formatted() { LINE_BYTES_MAX } else { buffer.len() };
        let buffer = &mut buffer[..bytes_max];
        let mut total = 0;
        while total < buffer.len() {
            match read_ready(&self.fd, &mut buffer[total..]) {
                Ok(Some(0)) | Err(_) if total == 0 => return ReadOutcome::End,
                Ok(None) if total == 0 => return ReadOutcome::NothingNow,
                Ok(Some(0) | None) | Err(_) => break,
                Ok(Some(count)) => total += count,
            }
            if !self.is_conversation() {
                break;
            }
        }
        ReadOutcome::Bytes(total)
    }

    /// The pieces of a chunk, in order.
    pub(super) fn pieces<'b>(&mut self, bytes: &'b [u8]) -> Vec<Piece<'b>> {
        let bytes = match &mut self.stripper {
            Some(stripper) => Cow::Owned(stripper.strip(bytes)),
            None => Cow::Borrowed(bytes),
        };
        match &mut self.purpose {
            Purpose::Output { capture: Some(capture), .. } => capture.scan(&bytes),
            Purpose::Output { capture: None, .. } | Purpose::Conversation => vec![Piece::Text(bytes)],
        }
    }

    /// What was held back, as nothing follows.
    pub(super) fn last_pieces(&mut self) -> Vec<Piece<'static>> {
        let held = self.stripper.as_mut().map_or(&b""[..], |it| it.finish());
        let Purpose::Output { capture: Some(capture), .. } = &mut self.purpose else {
            return vec![Piece::Text(held.into())];
        };
        let mut pieces = capture.scan(held);
        pieces.push(Piece::Text(capture.finish().into()));
        pieces
    }

    /// Which kind of event a piece may be.
    pub(super) fn event(&self, piece: &Piece<'_>) -> Option<OutputKind> {
        match (piece, &self.purpose) {
            (Piece::Message(_), _) => Some(OutputKind::Communication),
            (Piece::Text(_), Purpose::Output { events_enabled: true, .. }) => Some(OutputKind::Log),
            (Piece::Text(_) | Piece::Captured(_), _) => None,
        }
    }

    /// Writes a chunk to all places where it goes.
    pub(super) fn write(&mut self, bytes: &[u8], targets: &mut Targets<'_>) -> Option<Warning> {
        let writer = self.writer();
        self.outlet.write(bytes, (self.id(), writer, &self.name), targets)
    }

    /// Writes what its outlet has held back, as nothing follows.
    pub(super) fn finish(&mut self, targets: &mut Targets<'_>) -> Option<Warning> {
        let writer = self.writer();
        self.outlet.finish((writer, &self.name), targets)
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Watches it if its outlet has room, and only then.
    pub(super) fn watch(&mut self, destinations: &Destinations, poller: &Poller) {
        let is_wanted = !self.outlet.is_full(destinations);
        if is_wanted && !self.is_watched {
            self.is_watched = poller.add(&self.fd, self.token, READ).is_ok();
        } else if !is_wanted && self.is_watched {
            self.unwatch(poller);
        }
    }

    pub(super) fn unwatch(&mut self, poller: &Poller) {
        poller.remove(self.fd.as_fd());
        self.is_watched = false;
    }
}
