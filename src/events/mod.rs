//! Events in the form that listeners get, and the pools that keep them until a listener has processed them.
//!
//! * [`Event`] is something that happened, with its type and its exact payload.
//! * [`Ticks`] makes events from the wall clock.
//! * [`Pool`] is the state of an `[eventlistener:x]` besides its processes: a buffer, serial numbers, and the
//!   protocol state of each listener.
//! * `printer` formats lines like the result handlers of known Python packages.
//! * `pace` keeps a listener that rejects everything, or is too slow, from flooding CPU and log.
//! * [`Listener`] is the protocol with one listener.
//!
//! This module does no I/O and does not know which processes run: [`crate::supervise`] reports what happens
//! and decides which listener gets an event; the runtime moves the bytes.

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
