//! The protocol with one listener: its output goes in, events of the protocol come out.
//!
//! A listener writes `READY\n`, gets an event, and answers it with `RESULT n\n` and n bytes; only `OK`
//! accepts the event. Then it writes `READY\n` again. Anything else ends the protocol until the listener is
//! restarted. Only an incomplete line is kept, and of an answer only its meaning.

use serde::{Deserialize, Serialize};

use super::Delivery;
use crate::model::ListenerState;
use crate::python::quote_bytes;

const READY: &[u8] = b"READY\n";

/// The answer of a listener that has processed an event.
const DONE: &[u8] = b"OK";

/// The number in a result line starts after this many bytes, which are not checked, as in Supervisor.
const RESULT_WORD_BYTES: usize = b"RESULT ".len();

/// A longer result line is invalid.
pub const RESULT_LINE_BYTES_MAX: usize = 1024;

/// The meaning of a listener's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heard {
    /// It is ready for an event.
    Ready,
    /// It has processed its event.
    Processed(Delivery),
    /// It has rejected its event, which is sent to another listener or later.
    Rejected(Delivery),
    /// It has answered with an invalid result line. It becomes UNKNOWN, and its event is sent to another
    /// listener.
    BadResult(String, Delivery),
    /// It has written unexpected output in this state. It becomes UNKNOWN.
    Violated(ListenerState),
}

/// The protocol state of a listener.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Listener {
    state: ReplyState,
    /// Output that is incomplete: less than `RESULT_LINE_BYTES_MAX` between two calls.
    said: Vec<u8>,
    /// Events can't be delivered: it has closed its standard input, or does not read from it.
    is_unresponsive: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
enum ReplyState {
    #[default]
    Acknowledged,
    Ready,
    Busy {
        delivery: Delivery,
        /// Set after the result line.
        answer: Option<ResultBody>,
    },
    Unknown,
}

/// The bytes after a result line.
#[derive(Debug, Serialize, Deserialize)]
struct ResultBody {
    bytes: usize,
    left: usize,
    is_done: bool,
}

impl ResultBody {
    fn of(bytes: usize) -> Self {
        Self { bytes, left: bytes, is_done: bytes == DONE.len() }
    }

    /// Takes the part that belongs to the answer; returns its length.
    fn take(&mut self, said: &[u8]) -> usize {
        let count = self.left.min(said.len());
        let at = self.bytes - self.left;
        self.is_done = self.is_done && DONE[at..].starts_with(&said[..count]);
        self.left -= count;
        count
    }
}

impl Listener {
    /// Its protocol state.
    #[must_use]
    pub fn state(&self) -> ListenerState {
        match self.state {
            ReplyState::Acknowledged => ListenerState::Acknowledged,
            ReplyState::Ready => ListenerState::Ready,
            ReplyState::Busy { .. } => ListenerState::Busy,
            ReplyState::Unknown => ListenerState::Unknown,
        }
    }

    /// Whether it can be sent an event.
    #[must_use]
    pub fn takes_events(&self) -> bool {
        matches!(self.state, ReplyState::Ready) && !self.is_unresponsive
    }

    /// Whether it has an event to answer, or can take a pending one.
    #[must_use]
    pub fn is_owed(&self, waiting: usize) -> bool {
        match self.state {
            ReplyState::Busy { .. } => true,
            ReplyState::Acknowledged | ReplyState::Ready => waiting > 0 && !self.is_unresponsive,
            ReplyState::Unknown => false,
        }
    }

    /// Sends it an event.
    pub fn send(&mut self, delivery: Delivery) {
        self.state = ReplyState::Busy { delivery, answer: None };
    }

    /// The last event could not be delivered, and no other can be.
    pub fn stop_listening(&mut self) -> Option<Delivery> {
        self.is_unresponsive = true;
        self.give_back(ReplyState::Ready)
    }

    /// Ends the protocol; returns the unanswered event.
    #[must_use]
    pub fn end(mut self) -> Option<Delivery> {
        self.give_back(ReplyState::Unknown)
    }

    /// Parses output. An answer is accepted if it is `OK`, or in any case with `any_will_do`.
    pub fn hear(&mut self, bytes: &[u8], any_will_do: bool) -> Vec<Heard> {
        self.said.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while let Some(next) = self.next() {
            heard.push(match next {
                Heard::Rejected(delivery) if any_will_do => Heard::Processed(delivery),
                other => other,
            });
        }
        if self.said.is_empty() {
            self.said = Vec::new();
        }
        heard
    }

    fn give_back(&mut self, next: ReplyState) -> Option<Delivery> {
        match std::mem::replace(&mut self.state, next) {
            ReplyState::Busy { delivery, .. } => Some(delivery),
            ReplyState::Acknowledged | ReplyState::Ready | ReplyState::Unknown => None,
        }
    }

    /// `None` if the output is incomplete.
    fn next(&mut self) -> Option<Heard> {
        match &mut self.state {
            ReplyState::Acknowledged if self.said.len() < READY.len() => None,
            ReplyState::Acknowledged if self.said.starts_with(READY) => {
                self.said.drain(..READY.len());
                self.state = ReplyState::Ready;
                Some(Heard::Ready)
            }
            ReplyState::Ready if self.said.is_empty() => None,
            ReplyState::Acknowledged | ReplyState::Ready => {
                let violated = Heard::Violated(self.state());
                self.state = ReplyState::Unknown;
                self.said.clear();
                Some(violated)
            }
            ReplyState::Busy { answer: None, .. } => self.result_line(),
            ReplyState::Busy { answer: Some(answer), .. } => {
                let count = answer.take(&self.said);
                self.said.drain(..count);
                self.verdict()
            }
            ReplyState::Unknown => {
                self.said.clear();
                None
            }
        }
    }

    fn result_line(&mut self) -> Option<Heard> {
        let line = &self.said[..self.said.len().min(RESULT_LINE_BYTES_MAX)];
        // A line that is too long must be rejected even if it arrives in one piece.
        let end = memchr::memchr(b'\n', line);
        if end.is_none() && line.len() < RESULT_LINE_BYTES_MAX {
            return None;
        }
        let line = &line[..end.unwrap_or(line.len())];
        let Some(bytes) = end.and_then(|_| answer_bytes(line)) else {
            let line = text(line);
            self.said.clear();
            return Some(Heard::BadResult(line, self.give_back(ReplyState::Unknown)?));
        };
        self.said.drain(..=end.unwrap_or(0));
        if let ReplyState::Busy { answer, .. } = &mut self.state {
            *answer = Some(ResultBody::of(bytes));
        }
        self.next()
    }

    /// COMPAT: an empty answer is complete at once; Supervisor waits for more output.
    fn verdict(&mut self) -> Option<Heard> {
        let ReplyState::Busy { answer: Some(ResultBody { left: 0, is_done, .. }), .. } = self.state else {
            return None;
        };
        let delivery = self.give_back(ReplyState::Acknowledged)?;
        Some(if is_done { Heard::Processed(delivery) } else { Heard::Rejected(delivery) })
    }
}

/// Bytes that are not text are shown like Python's bytes.
fn text(line: &[u8]) -> String {
    std::str::from_utf8(line)
        .map_or_else(|_| format!("Undecodable: {}", quote_bytes(line)), ToOwned::to_owned)
}

fn answer_bytes(line: &[u8]) -> Option<usize> {
    std::str::from_utf8(line.get(RESULT_WORD_BYTES..)?).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::Event;

    fn delivery() -> Delivery {
        Delivery { serial: 3, pool_serial: 1, event: Arc::new(Event::SupervisorRunning) }
    }

    fn busy() -> Listener {
        let mut listener = Listener::default();
        assert_eq!(listener.hear(b"READY\n", false), [Heard::Ready]);
        listener.send(delivery());
        listener
    }

    fn in_pieces(mut listener: Listener, said: &[u8], size: usize) -> (Vec<Heard>, ListenerState) {
        let heard = said.chunks(size).flat_map(|piece| listener.hear(piece, false)).collect();
        (heard, listener.state())
    }

    #[test]
    fn a_listener_is_ready_after_it_reports_so() {
        use ListenerState::{Acknowledged, Ready, Unknown};
        let violated = |state| vec![Heard::Violated(state)];
        for (said, heard, state) in [
            (&b""[..], vec![], Acknowledged),
            (b"READY", vec![], Acknowledged),
            (b"rubbi", vec![], Acknowledged),
            (b"READY\n", vec![Heard::Ready], Ready),
            (b"READY ", violated(Acknowledged), Unknown),
            (b"rubbish", violated(Acknowledged), Unknown),
            (b"ready\n", violated(Acknowledged), Unknown),
            (b"READY\nx", vec![Heard::Ready, Heard::Violated(Ready)], Unknown),
            (b"READY\nREADY\nREADY\n", vec![Heard::Ready, Heard::Violated(Ready)], Unknown),
        ] {
            for size in 1..=said.len().max(1) {
                let reported = in_pieces(Listener::default(), said, size);
                assert_eq!(reported, (heard.clone(), state), "{} in pieces of {size}", said.escape_ascii());
            }
        }
    }

    #[test]
    fn an_answer_is_ok_or_a_refusal() {
        use ListenerState::{Acknowledged, Busy, Ready};
        let rejected = || vec![Heard::Rejected(delivery())];
        for (said, heard, state) in [
            (&b"RESULT 2\nOK"[..], vec![Heard::Processed(delivery())], Acknowledged),
            (b"RESULT 2\nO", vec![], Busy),
            (b"RESULT 4\nFAIL", rejected(), Acknowledged),
            (b"RESULT 3\nOK\n", rejected(), Acknowledged),
            (b"RESULT 2\nKO", rejected(), Acknowledged),
            (b"RESULT 1\nO", rejected(), Acknowledged),
            (b"RESULT 0\n", rejected(), Acknowledged),
            (b"RESULT 2\r\nOK", vec![Heard::Processed(delivery())], Acknowledged),
            (b"anyword 2\nOK", vec![Heard::Processed(delivery())], Acknowledged),
            (b"RESULT 2\nOKREADY\n", vec![Heard::Processed(delivery()), Heard::Ready], Ready),
        ] {
            for size in 1..=said.len() {
                let reported = in_pieces(busy(), said, size);
                assert_eq!(reported, (heard.clone(), state), "{} in pieces of {size}", said.escape_ascii());
            }
        }
    }

    #[test]
    fn where_any_answer_will_do_none_is_a_refusal() {
        assert_eq!(busy().hear(b"RESULT 4\nFAIL", true), [Heard::Processed(delivery())]);
        assert_eq!(busy().hear(b"RESULT 0\n", true), [Heard::Processed(delivery())]);
        assert!(matches!(busy().hear(b"no\n", true)[..], [Heard::BadResult(..)]));
    }

    #[test]
    fn invalid_answers_end_the_protocol() {
        let long = [b'9'; RESULT_LINE_BYTES_MAX + 1];
        let padded = format!("{:RESULT_LINE_BYTES_MAX$}\n", "RESULT 2");
        for (said, line) in [
            (&b"OK\n"[..], "OK"),
            (b"RESULT\n", "RESULT"),
            (b"RESULT x\n", "RESULT x"),
            (b"RESULT -1\n", "RESULT -1"),
            (b"RESULT 99999999999999999999999\n", "RESULT 99999999999999999999999"),
            (b"\xff\n", "Undecodable: b'\\xff'"),
            (&long, &"9".repeat(RESULT_LINE_BYTES_MAX)),
            (padded.as_bytes(), padded.trim_end_matches('\n')),
        ] {
            for size in [1, said.len()] {
                let bad = Heard::BadResult(line.to_owned(), delivery());
                assert_eq!(in_pieces(busy(), said, size), (vec![bad], ListenerState::Unknown), "{line}");
            }
        }
    }

    #[test]
    fn a_line_feed_after_an_answer_is_part_of_the_next_line() {
        let (heard, state) = in_pieces(busy(), b"RESULT 2\nOK\nREADY\n", 4);
        let violated = Heard::Violated(ListenerState::Acknowledged);
        assert_eq!((heard, state), (vec![Heard::Processed(delivery()), violated], ListenerState::Unknown));
    }

    #[test]
    fn long_output_of_a_listener_is_not_kept() {
        let mut listener = busy();
        listener.hear(b"RESULT 100000000\n", false);
        for _ in 0..100 {
            assert_eq!(listener.hear(&[b'x'; 65_536], false), []);
        }
        assert_eq!((listener.state(), listener.said.capacity()), (ListenerState::Busy, 0));
        let mut unknown = Listener::default();
        unknown.hear(b"rubbish", false);
        assert_eq!((unknown.hear(&[b'x'; 65_536], false), unknown.said.capacity()), (vec![], 0));
    }

    #[test]
    fn an_event_that_was_not_answered_is_given_back() {
        assert_eq!(busy().end(), Some(delivery()));
        assert_eq!(Listener::default().end(), None);
        let mut unresponsive = busy();
        assert_eq!(unresponsive.stop_listening(), Some(delivery()));
        assert_eq!((unresponsive.state(), unresponsive.takes_events()), (ListenerState::Ready, false));
    }
}
