//! XML-RPC envelopes: calls, replies and faults as values on one side and as bytes on the other.
//!
//! The same code serves both ends: the server decodes calls and encodes replies, the client does
//! the reverse, and each talks to the Python side as well as to its own.
//!
//! What holds here:
//!
//! * **What goes out is always well-formed XML 1.0.** Log text may hold any character; those that
//!   XML forbids even as references become U+FFFD, so that no reply is one its reader must refuse.
//! * **Integers that go out fit 32 bits**, the only size the protocol has; larger ones are capped.
//! * **What comes in costs no more than its size.** Documents with a DOCTYPE are refused, so there
//!   are no entities beyond XML's own five, and values nest at most [`DEPTH_MAX`] deep. How long a
//!   document may be is decided where it is received.
//!
//! Which methods exist, and what their parameters mean, is not known here.

mod decode;
mod document;
mod encode;
#[cfg(test)]
mod tests;
mod value;

pub use decode::{Call, decode_call, decode_response};
pub use document::{DEPTH_MAX, DecodeError};
pub use encode::{Encoder, encode_call, encode_fault, encode_response};
pub use value::Value;
