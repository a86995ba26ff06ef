//! HTTP/1.0 and 1.1 without sockets: bytes in, requests out, replies to bytes, and the reverse for
//! the client.
//!
//! `httparse` knows the grammar of the head. This module adds what a server on a socket needs: one
//! request at a time, bodies by length or in chunks, and a bound on everything that a peer can make
//! us keep. It neither reads nor writes nor looks at a clock, and it knows no path and no method
//! beyond what framing asks of it (a POST must have a body, the reply to a HEAD must not).
//!
//! The owner of a [`Connection`]:
//!
//! 1. reads from the socket while [`Connection::wants_input`] and hands the bytes to
//!    [`Connection::feed`];
//! 2. may look at the head by [`Connection::next_head`], to refuse a body before it is kept, asks
//!    [`Connection::next_request`], and when there is none yet sends what
//!    [`Connection::take_interim`] has, if anything;
//! 3. answers a request, or a [`Rejection`], through [`Connection::respond`], and asks again: the
//!    next request may have been read already. An answer without a foreseeable end goes through
//!    [`Connection::begin_stream`], [`Connection::piece`] and [`Connection::end_stream`];
//! 4. closes when all is sent and [`Connection::is_closing`].
//!
//! How long a peer may take is the owner's to decide, with [`Connection::is_idle`] and
//! [`Connection::mid_request`].

mod auth;
mod body;
mod chunked;
pub mod client;
mod connection;
mod date;
mod form;
mod headers;
mod request;
mod response;
mod sender;
mod target;
#[cfg(test)]
mod tests;

pub use auth::{Secret, authenticate};
pub use connection::{
    BODY_BYTES_MAX, Connection, HEADERS_MAX, PIPELINED_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, Rejection,
};
pub use date::{http_date, http_date_secs};
pub use form::form_fields;
pub use headers::Headers;
pub use request::{Request, Version};
pub use response::Response;
pub use sender::{Sender, is_browser};
pub use target::percent_encode;
