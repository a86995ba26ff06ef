//! Any bytes from an event listener: however they are split they mean the same, and no event is lost.
//!
//! A byte that no text has parts what it says before an event is sent to it from what it says after. The
//! first byte says how long the pieces are, and whether any answer will do.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sv::events::{Delivery, Event, Heard, Listener};
use sv::model::ListenerState;

const EVENT: u8 = 0xff;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let (piece, any_will_do) = (usize::from(first >> 1).max(1), first & 1 == 1);
    let whole = converse(bytes, bytes.len(), any_will_do);
    assert_eq!(converse(bytes, piece, any_will_do), whole, "pieces of {piece}");
});

/// The output between two events, and the end of the protocol.
fn converse(bytes: &[u8], piece: usize, any_will_do: bool) -> (Vec<Vec<Heard>>, ListenerState) {
    let mut listener = Listener::default();
    let (mut serial, mut given_back) = (0, 0);
    let mut reported = Vec::new();
    for part in bytes.split(|&byte| byte == EVENT) {
        let heard: Vec<Heard> =
            part.chunks(piece.max(1)).flat_map(|bytes| listener.hear(bytes, any_will_do)).collect();
        for delivery in heard.iter().filter_map(delivery) {
            given_back += 1;
            assert_eq!(delivery.serial, given_back, "each event comes back once, in order");
        }
        assert!(!any_will_do || !heard.iter().any(|heard| matches!(heard, Heard::Rejected(_))));
        reported.push(heard);
        if listener.takes_events() {
            serial += 1;
            let event = Arc::new(Event::SupervisorRunning);
            listener.send(Delivery { serial, pool_serial: serial, event });
        }
    }
    let state = listener.state();
    assert_eq!(listener.is_owed(0), state == ListenerState::Busy);
    given_back += u64::from(listener.end().is_some());
    assert_eq!(given_back, serial, "an event is lost");
    (reported, state)
}

fn delivery(heard: &Heard) -> Option<&Delivery> {
    match heard {
        Heard::Processed(delivery) | Heard::Rejected(delivery) | Heard::BadResult(_, delivery) => {
            Some(delivery)
        }
        Heard::Ready | Heard::Violated(_) => None,
    }
}
