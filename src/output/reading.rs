//! Reading streams: what is ready, the last output of a dead child, and what others hold open of it.

use std::time::Duration;

use super::Outputs;
use super::outlet::Targets;
use super::ready_lines::ReadyLines;
use super::report::Report;
use super::stream::{ReadOutcome, Stream};
use super::tokens::Watched;
use crate::logs::{Piece, conversation_echo, output_echo};
use crate::model::{ChildId, LogLevel, Pid};
use crate::python::quote;
use crate::sys::poller::Poller;

/// Bytes read of a dead child's pipe before its end is reported. A pipe can be enlarged to this; what a
/// descendant writes beyond it is read later.
const DRAINED_BYTES_MAX: usize = 1024 * 1024;

/// How long an unfinished line waits for the rest where several streams write to one destination.
const LINE_END_TIMEOUT: Duration = Duration::from_secs(1);

/// What reading needs of the runtime.
pub struct ReadContext<'a> {
    /// Where streams are watched.
    pub poller: &'a Poller,
    /// Holds one chunk. What was read is passed on before the next chunk is read.
    pub buffer: &'a mut [u8],
    /// Whether everything that is read is echoed to the activity log, which has level debug.
    pub echoes: bool,
}

impl Outputs {
    /// Reads a stream that is ready, or writes to a destination or syslog that has room.
    pub fn ready(&mut self, token: u64, context: &mut ReadContext<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        match self.tokens.get(token) {
            // A stream.
            None => match self.read(token, context, &mut reports) {
                ReadOutcome::Bytes(_) | ReadOutcome::NothingNow => {}
                ReadOutcome::End => self.close_stream(token, context, &mut reports),
            },
            Some(Watched::Destination(id)) => {
                reports.extend(self.destinations.flush(id).map(Report::from));
            }
            Some(Watched::Syslog) => {
                let now = self.destinations.now().mono;
                self.destinations.syslog.flush(now);
            }
        }
        reports
    }

    /// Reads what a dead child has left in its pipes, before its end is reported. What others still hold open is read
    /// on, as a process that writes to a pipe without a reader is killed.
    pub fn drain_dead(&mut self, child: ChildId, context: &mut ReadContext<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        for token in self.streams.live(child) {
            self.drain(token, context, &mut reports);
        }
        for token in self.streams.live(child) {
            self.hold(token, context, &mut reports);
        }
        reports
    }

    /// The ends of hooks are not waited for any more. What they still write is read on.
    pub fn abandon_hooks(&mut self, context: &mut ReadContext<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        for token in self.streams.live_hooks() {
            self.hold(token, context, &mut reports);
        }
        reports
    }

    /// Reads a stream of a dead process on. The line that the process has begun is not continued by it.
    fn hold(&mut self, token: u64, context: &mut ReadContext<'_>, reports: &mut Vec<Report>) {
        self.finish_outlet(token, reports);
        if let Some(stream) = self.streams.get_mut(token) {
            stream.ready_lines = None;
        }
        self.streams.hold(token, self.destinations.now().mono);
        while let Some(oldest) = self.streams.held.surplus() {
            if let Some(Stream { name, pid, channel, .. }) = self.streams.get(oldest) {
                let (channel, max) = (channel.name(), self.streams.held.max());
                let text = format!(
                    "{channel} of '{name}' (pid {}) is closed, although other processes hold it open: there are more than {max} \
                     outputs of ended processes",
                    pid.0
                );
                reports.push(Report::Log { level: LogLevel::Warn, text });
            }
            self.close_stream(oldest, context, reports);
        }
    }

    /// Whether others hold streams of dead processes open.
    #[must_use]
    pub fn has_held(&self) -> bool {
        !self.streams.held.is_empty()
    }

    /// The supervisor ends: reads what held streams still contain and closes them.
    pub fn close_held(&mut self, context: &mut ReadContext<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        for token in self.streams.held.tokens().collect::<Vec<_>>() {
            self.drain(token, context, &mut reports);
            self.close_stream(token, context, &mut reports);
        }
        reports
    }

    /// Does what is due: reports held streams, writes unfinished lines, and looks for syslog.
    pub fn wake(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        let now = self.destinations.now().mono;
        while let Some(token) = self.streams.held.next_to_report(now) {
            reports.extend(self.streams.get(token).map(|stream| held_open(&stream.name, stream.pid)));
        }
        self.write_unfinished_lines(&mut reports);
        self.destinations.syslog.wake(now);
        reports
    }

    /// What there is to report about syslog, once.
    pub fn take_syslog_warning(&mut self) -> Option<Report> {
        self.destinations.syslog.take_warning().map(Report::from)
    }

    /// Writes unfinished lines whose ends have not come in time.
    fn write_unfinished_lines(&mut self, reports: &mut Vec<Report>) {
        let now = self.destinations.now().mono;
        while let Some(token) = self.streams.take_unfinished(now) {
            let Some(stream) = self.streams.get_mut(token) else { continue };
            // The line that it was about may be complete, and another may have begun.
            match stream.outlet.unfinished_since().map(|since| since.after(LINE_END_TIMEOUT)) {
                Some(later) if later > now => self.streams.await_line_end(token, later),
                due => {
                    stream.awaits_line_end = false;
                    let writer = stream.writer();
                    let written =
                        due.and_then(|_| stream.outlet.write_unfinished(writer, &mut self.destinations));
                    reports.extend(written.map(Report::from));
                }
            }
        }
    }

    /// Reads what there is now, up to a bound.
    fn drain(&mut self, token: u64, context: &mut ReadContext<'_>, reports: &mut Vec<Report>) {
        let mut bytes = 0;
        while bytes < DRAINED_BYTES_MAX {
            match self.read(token, context, reports) {
                ReadOutcome::Bytes(count) => bytes += count,
                ReadOutcome::NothingNow => return,
                ReadOutcome::End => return self.close_stream(token, context, reports),
            }
        }
    }

    fn read(&mut self, token: u64, context: &mut ReadContext<'_>, reports: &mut Vec<Report>) -> ReadOutcome {
        let Some(stream) = self.streams.get(token) else { return ReadOutcome::End };
        let outcome = stream.read(context.buffer);
        if let ReadOutcome::Bytes(count) = outcome {
            self.take_chunk(token, &context.buffer[..count], context.echoes, reports);
        }
        outcome
    }

    /// A chunk is written to where it goes, and reported as far as it is for others.
    fn take_chunk(&mut self, token: u64, bytes: &[u8], echoes: bool, reports: &mut Vec<Report>) {
        let Self { streams, destinations, records, followers, formatted, .. } = self;
        let Some(stream) = streams.get_mut(token) else { return };
        let lost_before = stream.outlet.sink().lost_bytes(destinations);
        let mut targets = Targets { destinations, records, followers, formatted };
        for piece in stream.pieces(bytes) {
            take_piece(stream, &piece, echoes, &mut targets, reports);
        }
        let lost = stream.outlet.sink().lost_bytes(targets.destinations).saturating_sub(lost_before);
        targets.records.count(stream.id(), bytes.len(), lost);
        if stream.is_conversation() {
            take_conversation(stream, bytes, echoes, reports);
        }
        if let Some(since) = stream.outlet.unfinished_since()
            && !std::mem::replace(&mut stream.awaits_line_end, true)
        {
            streams.await_line_end(token, since.after(LINE_END_TIMEOUT));
        }
        self.look_for_ready_lines(token, |lines| lines.feed(bytes), reports);
    }

    /// Looks for lines that show that a process is ready. What one stream has matched is not expected of the other
    /// any more.
    fn look_for_ready_lines(
        &mut self,
        token: u64,
        look: impl FnOnce(&mut ReadyLines) -> Vec<usize>,
        reports: &mut Vec<Report>,
    ) {
        let Some(stream) = self.streams.get_mut(token) else { return };
        let Some(lines) = &mut stream.ready_lines else { return };
        let (matched, child, process, pid) = (look(lines), stream.child, stream.process, stream.pid);
        if matched.is_empty() {
            return;
        }
        for token in self.streams.live(child) {
            let Some(stream) = self.streams.get_mut(token) else { continue };
            if let Some(lines) = &mut stream.ready_lines {
                matched.iter().for_each(|check| lines.forget(*check));
            }
            stream.ready_lines.take_if(|lines| lines.is_done());
        }
        reports.extend(matched.into_iter().map(|check| Report::ReadyLine { process, pid, check }));
    }

    /// Closes a stream that has ended. An unfinished last line is written as it is.
    fn close_stream(&mut self, token: u64, context: &ReadContext<'_>, reports: &mut Vec<Report>) {
        let Self { streams, destinations, records, followers, formatted, .. } = self;
        let Some(stream) = streams.get_mut(token) else { return };
        let mut targets = Targets { destinations, records, followers, formatted };
        for piece in stream.last_pieces() {
            take_piece(stream, &piece, context.echoes, &mut targets, reports);
        }
        self.look_for_ready_lines(token, ReadyLines::finish, reports);
        self.finish_outlet(token, reports);
        let Some(mut stream) = self.streams.remove(token) else { return };
        if context.echoes {
            let (channel, name) = (stream.channel.name(), &stream.name);
            let text = format!("{channel} of '{name}' closed, stopped monitoring it");
            reports.push(Report::Log { level: LogLevel::Debug, text });
        }
        stream.unwatch(context.poller);
        stream.outlet.close(&mut self.destinations);
    }

    fn finish_outlet(&mut self, token: u64, reports: &mut Vec<Report>) {
        let Self { streams, destinations, records, followers, formatted, .. } = self;
        let Some(stream) = streams.get_mut(token) else { return };
        let finished = stream.finish(&mut Targets { destinations, records, followers, formatted });
        reports.extend(finished.map(Report::from));
    }
}

/// Text goes to the log and, at debug level, to ours. What may be an event is reported.
fn take_piece(
    stream: &mut Stream,
    piece: &Piece<'_>,
    echoes: bool,
    targets: &mut Targets<'_>,
    reports: &mut Vec<Report>,
) {
    if let Piece::Text(bytes) = piece {
        reports.extend(stream.write(bytes, targets).map(Report::from));
    }
    if stream.is_conversation() {
        return;
    }
    let (process, channel, name) = (stream.process, stream.channel, &stream.name);
    let (bytes, echo) = match piece {
        Piece::Text(bytes) if bytes.is_empty() => return,
        Piece::Text(bytes) | Piece::Captured(bytes) => {
            (bytes, echoes.then(|| output_echo(name, channel.name(), bytes)))
        }
        Piece::Message(bytes) => {
            let text = format!("{} {} emitted a comm event", quote(name), channel.name());
            (bytes, echoes.then_some(text))
        }
    };
    reports.extend(echo.map(|text| Report::Log { level: LogLevel::Debug, text }));
    if let Some(kind) = stream.event(piece) {
        reports.push(Report::Event { process, pid: stream.pid, channel, kind, data: bytes.to_vec() });
    }
}

/// What a dead listener has left is not an answer of the next run, so it goes to the log alone.
fn take_conversation(stream: &Stream, bytes: &[u8], echoes: bool, reports: &mut Vec<Report>) {
    if echoes {
        let text = conversation_echo(&stream.name, stream.channel.name(), bytes);
        reports.push(Report::Log { level: LogLevel::Debug, text });
    }
    if !stream.is_held {
        reports.push(Report::ListenerOutput { process: stream.process, bytes: bytes.to_owned() });
    }
}

fn held_open(name: &str, pid: Pid) -> Report {
    let text = format!(
        "'{name}' (pid {}) ended, but other processes hold its output open; it is read until they close it",
        pid.0
    );
    Report::Log { level: LogLevel::Info, text }
}
