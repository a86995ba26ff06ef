//! The state of an `[eventlistener:x]` besides its processes: pending events, and the protocol state of each
//! listener.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::pace::{Discarded, Pace, RefusalNews};
use super::printer::Printer;
use super::{Event, Heard, Listener};
use crate::model::{
    Channel, EventLength, EventType, EventTypes, ListenerState, Mono, PoolSpec, ProcessId, ResultHandler,
    SortedMap, Wall,
};

/// An event for a listener, with the serial numbers that it keeps until it is processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Counts all events that any pool subscribes to.
    pub serial: u64,
    /// Counts the events of its pool.
    pub pool_serial: u64,
    /// Shared by all pools that get it.
    pub event: Arc<Event>,
}

/// The listeners of one group and their pending events.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pool {
    name: String,
    spec: PoolSpec,
    accepted: u64,
    /// The oldest first. At most `buffer_size`.
    waiting: VecDeque<Delivery>,
    /// One for each process that was started and not reaped since.
    listeners: SortedMap<ProcessId, Listener>,
    printer: Printer,
    pace: Pace,
}

impl Pool {
    /// A pool whose listeners are not started yet.
    #[must_use]
    pub fn new(name: &str, spec: PoolSpec) -> Self {
        let (waiting, listeners) = (VecDeque::new(), SortedMap::default());
        let (printer, pace) = (Printer::default(), Pace::default());
        Self { name: name.to_owned(), spec, accepted: 0, waiting, listeners, printer, pace }
    }

    /// Its group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The events that it subscribes to.
    #[must_use]
    pub fn events(&self) -> EventTypes {
        self.spec.events
    }

    /// The output of its result handler for a processed event: whole lines, and their destination.
    pub fn print(&mut self, event: &Event, wall: Wall) -> Option<(Channel, Vec<u8>)> {
        match self.spec.handler {
            ResultHandler::Print(handler) => self.printer.lines(handler, event, wall),
            ResultHandler::Default | ResultHandler::Foreign => None,
        }
    }

    /// The maximum number of pending events.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.spec.buffer_size
    }

    /// The number of pending events.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Changes the configuration. Pending events are kept.
    pub fn configure(&mut self, spec: PoolSpec) {
        self.spec = spec;
    }

    /// Whether it subscribes to events of this type. COMPAT: Supervisor sends an event once for each matching
    /// name in `events`.
    #[must_use]
    pub fn asks_for(&self, event: EventType) -> bool {
        self.spec.events.cover(event)
    }

    /// Adds an event. The oldest is discarded if there is no room.
    pub fn accept(&mut self, serial: u64, event: Arc<Event>) {
        self.make_room();
        self.waiting.push_back(Delivery { serial, pool_serial: self.accepted, event });
        self.accepted += 1;
    }

    /// Returns an event that a listener has not processed: it is the next to be sent. Without room the oldest
    /// of the others is discarded, as in Supervisor.
    pub fn put_back(&mut self, delivery: Delivery) {
        self.make_room();
        self.waiting.push_front(delivery);
    }

    fn make_room(&mut self) {
        let surplus = (self.waiting.len() + 1).saturating_sub(self.spec.buffer_size);
        for delivery in self.waiting.drain(..surplus.min(self.waiting.len())) {
            self.pace.discarded(delivery.serial);
        }
    }

    /// Adds a listener that was started.
    pub fn begin(&mut self, process: ProcessId) {
        self.listeners.insert(process, Listener::default());
    }

    /// Removes a listener; returns its unprocessed event.
    pub fn end(&mut self, process: ProcessId) -> Option<Delivery> {
        self.listeners.remove(&process)?.end()
    }

    /// Whether this process is a running listener of the pool.
    #[must_use]
    pub fn has(&self, process: ProcessId) -> bool {
        self.listeners.contains_key(&process)
    }

    /// The protocol state of each listener.
    pub fn states(&self) -> impl Iterator<Item = (ProcessId, ListenerState)> {
        self.listeners.iter().map(|(process, listener)| (*process, listener.state()))
    }

    /// Parses output of a listener.
    pub fn hear(&mut self, process: ProcessId, bytes: &[u8]) -> Vec<Heard> {
        let any_will_do = self.spec.handler != ResultHandler::Default;
        self.listeners.get_mut(&process).map_or_else(Vec::new, |listener| listener.hear(bytes, any_will_do))
    }

    /// Records a rejection. Returns what to log about it.
    pub fn refused(&mut self, now: Mono) -> Option<RefusalNews> {
        self.pace.refused(now)
    }

    /// Records a processed event. Returns the number of rejections before it.
    pub fn processed(&mut self) -> u64 {
        self.pace.processed()
    }

    /// When [`Pool::pass`] must be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.pace.deadline()
    }

    /// Performs what is due. Returns what was discarded since the last line about that, if one is due.
    pub fn pass(&mut self, now: Mono) -> Option<Discarded> {
        self.pace.pass(now)
    }

    /// The oldest event in wire format, if this listener can take one; it becomes BUSY.
    pub fn send(&mut self, process: ProcessId, server: &str) -> Option<(u64, Vec<u8>)> {
        if self.pace.is_paused() {
            return None;
        }
        let listener = self.listeners.get_mut(&process).filter(|listener| listener.takes_events())?;
        let delivery = self.waiting.pop_front()?;
        let sent = (delivery.serial, envelope(server, &self.name, &delivery, self.spec.length));
        listener.send(delivery);
        Some(sent)
    }

    /// Whether this listener has an event to answer, or can take a pending one. False if events can't be
    /// delivered to it.
    #[must_use]
    pub fn is_owed(&self, process: ProcessId) -> bool {
        self.listeners.get(&process).is_some_and(|listener| listener.is_owed(self.waiting.len()))
    }

    /// An event could not be delivered: the listener gets no more until it is restarted.
    pub fn stop_listening(&mut self, process: ProcessId) -> Option<Delivery> {
        self.listeners.get_mut(&process)?.stop_listening()
    }
}

/// The header line and the payload.
fn envelope(server: &str, pool: &str, delivery: &Delivery, length: EventLength) -> Vec<u8> {
    let Delivery { serial, pool_serial, event } = delivery;
    let payload = event.payload(length);
    let count = match length {
        EventLength::Bytes => payload.len(),
        EventLength::Characters => characters(&payload),
    };
    let mut bytes = Vec::with_capacity(payload.len() + 160);
    // Writing to memory can't fail.
    let _ = writeln!(
        bytes,
        "ver:3.0 server:{server} serial:{serial} pool:{pool} poolserial:{pool_serial} eventname:{} len:{count}",
        event.event_type()
    );
    bytes.extend_from_slice(&payload);
    bytes
}

/// Counts the bytes that don't continue a UTF-8 character.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{OutputKind, ProcessNames};
    use crate::model::Channel;

    const ONE: ProcessId = ProcessId(1);
    const TWO: ProcessId = ProcessId(2);

    fn pool(buffer_size: usize, length: EventLength) -> Pool {
        let events = [EventType::Event].into_iter().collect();
        let mut pool =
            Pool::new("pool", PoolSpec { events, buffer_size, length, handler: ResultHandler::Default });
        pool.begin(ONE);
        pool
    }

    fn group(number: u64) -> Arc<Event> {
        Arc::new(Event::GroupAdded(number.to_string()))
    }

    /// The number of discarded events since the last time, and the first of them.
    fn discarded(pool: &mut Pool) -> Option<(u64, u64)> {
        let later = pool.deadline()?;
        pool.pass(later).map(|it| (it.count, it.serial))
    }

    fn sent(pool: &mut Pool, process: ProcessId) -> Option<String> {
        pool.send(process, "here").map(|(_, bytes)| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn an_event_is_one_header_line_and_its_payload() {
        let mut pool = pool(10, EventLength::Characters);
        pool.accept(21, group(1));
        pool.accept(22, Arc::new(Event::SupervisorStopping));
        assert_eq!(sent(&mut pool, ONE), None, "it is not ready");
        pool.hear(ONE, b"READY\n");
        let first = "ver:3.0 server:here serial:21 pool:pool poolserial:0 eventname:PROCESS_GROUP_ADDED \
            len:12\ngroupname:1\n";
        assert_eq!(sent(&mut pool, ONE).as_deref(), Some(first));
        assert_eq!(sent(&mut pool, ONE), None, "it has one already");
        pool.hear(ONE, b"RESULT 2\nOKREADY\n");
        let second = "ver:3.0 server:here serial:22 pool:pool poolserial:1 \
            eventname:SUPERVISOR_STATE_CHANGE_STOPPING len:0\n";
        assert_eq!(sent(&mut pool, ONE).as_deref(), Some(second));
    }

    #[test]
    fn the_length_counts_characters_or_bytes() {
        let names = ProcessNames { process: "w".into(), group: "w".into() };
        let said = |data: &[u8]| {
            let (channel, kind) = (Channel::Stdout, OutputKind::Communication);
            Arc::new(Event::Output { names: names.clone(), pid: 1, channel, kind, data: data.to_owned() })
        };
        let head = "processname:w groupname:w pid:1\n".len();
        let undecodable = "Undecodable: b'\\xff'".len();
        for (data, length, count) in [
            ("h\u{e4}\u{1f600}".as_bytes(), EventLength::Characters, head + 3),
            ("h\u{e4}\u{1f600}".as_bytes(), EventLength::Bytes, head + 7),
            (b"\xff", EventLength::Characters, head + undecodable),
            (b"\xff", EventLength::Bytes, head + 1),
        ] {
            let mut pool = pool(1, length);
            pool.hear(ONE, b"READY\n");
            pool.accept(0, said(data));
            let (_, bytes) = pool.send(ONE, "here").unwrap();
            let (header, payload) = bytes.split_at(1 + memchr::memchr(b'\n', &bytes).unwrap());
            assert!(header.ends_with(format!(" len:{count}\n").as_bytes()), "{}", header.escape_ascii());
            assert_eq!(payload.ends_with(data), length == EventLength::Bytes || data != b"\xff");
        }
    }

    #[test]
    fn the_oldest_is_discarded_when_the_buffer_is_full_of_events() {
        let mut pool = pool(2, EventLength::Characters);
        pool.accept(0, group(0));
        pool.accept(1, group(1));
        assert_eq!(discarded(&mut pool), None);
        pool.accept(2, group(2));
        assert_eq!(discarded(&mut pool), Some((1, 0)));
        let smaller = PoolSpec { buffer_size: 1, ..pool.spec };
        pool.configure(smaller);
        pool.accept(3, group(3));
        assert_eq!(discarded(&mut pool), Some((2, 1)));
        assert_eq!(pool.waiting(), 1);
    }

    #[test]
    fn returned_events_are_next_and_keep_their_numbers() {
        let mut pool = pool(2, EventLength::Characters);
        pool.begin(TWO);
        pool.hear(ONE, b"READY\n");
        pool.hear(TWO, b"READY\n");
        pool.accept(5, group(5));
        pool.accept(6, group(6));
        let first = sent(&mut pool, ONE);
        let delivery = pool.end(ONE).unwrap();
        pool.put_back(delivery);
        assert_eq!(discarded(&mut pool), None);
        assert_eq!(sent(&mut pool, TWO), first, "the other gets the same");
        pool.accept(7, group(7));
        let delivery = pool.end(TWO).unwrap();
        pool.put_back(delivery);
        assert_eq!(discarded(&mut pool), Some((1, 6)), "there were two already");
        assert_eq!(pool.waiting.iter().map(|it| it.serial).collect::<Vec<_>>(), [5, 7]);
    }
}
