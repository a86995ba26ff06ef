//! XML-RPC envelopes: calls, replies and faults as values on one side and as bytes on the other.
//!
//! The same code serves both ends: the server decodes calls and encodes replies, the client does
//! the reverse, and each talks to the Python side as well as to its own.
//!
//! Invariants:
//!
//! * **Output is always well-formed XML 1.0.** Log text may contain any character; those that XML forbids
//!   even as references become U+FFFD, so that a reader never has to reject a reply.
//! * **Integers in the output fit 32 bits**, the only size of the protocol; larger ones are capped.
//! * **Input costs no more than its size.** Documents with a DOCTYPE are rejected, so there are no entities
//!   beyond XML's own five, and values nest at most [`DEPTH_MAX`] deep. The receiver limits the size of a
//!   document.
//!
//! The methods and the meaning of their parameters are not known here.

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
