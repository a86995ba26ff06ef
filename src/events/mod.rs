//! Events: what happened, in the form in which listeners are told of it, and the pools that keep it
//! for them until one of them has taken it.
//!
//! * [`Event`] is one thing that happened; it knows its type and its payload, byte for byte.
//! * [`Ticks`] makes events of the wall clock.
//! * [`Pool`] is what an `[eventlistener:x]` is beside its processes: a buffer, its numbers, and how far
//!   the conversation with each listener has come.
//! * `printer` has the lines that the result handlers of known Python packages print.
//! * `pace` keeps a listener that refuses everything, or is too slow, from costing CPU and log.
//! * [`Listener`] is one such conversation: what it says goes in, what it means comes out.
//!
//! Nothing here reads or writes, and nothing knows which processes run: [`crate::supervise`] tells of
//! what happens and decides who is sent what, the shell moves the bytes.

mod event;
mod listener;
mod pace;
mod pool;
mod printer;
mod ticks;

pub use event::{Event, OutputKind, ProcessNames, StateChange};
pub use listener::{Heard, Listener, RESULT_LINE_BYTES_MAX};
pub use pace::{Discarded, RefusalNews};
pub use pool::{Delivery, Pool};
pub use ticks::{Period, Ticks};
