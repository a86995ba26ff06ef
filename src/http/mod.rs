//! HTTP/1.0 and 1.1 without sockets: bytes to requests and replies to bytes, and the reverse for the client.
//!
//! `httparse` parses the head. This module adds what a server needs: one request at a time, bodies by length
//! or in chunks, and a bound on all buffers. It does no I/O and reads no clock, and it knows no paths, and
//! methods only for framing (the reply to a HEAD must not have a body).
//!
//! The owner of a [`Connection`]:
//!
//! 1. reads from the socket while [`Connection::wants_input`] and passes the bytes to [`Connection::feed`];
//! 2. may inspect the head with [`Connection::next_head`], to reject a body before it is buffered, calls
//!    [`Connection::next_request`], and if there is none yet sends the bytes of [`Connection::take_interim`],
//!    if any;
//! 3. answers a request, or a [`Rejection`], with [`Connection::respond`], and repeats: the next request may
//!    have been read already. A response of unknown length uses [`Connection::begin_stream`],
//!    [`Connection::piece`] and [`Connection::end_stream`];
//! 4. closes the socket once everything is sent and [`Connection::is_closing`].
//!
//! Timeouts are up to the owner, with [`Connection::is_idle`] and [`Connection::mid_request`].

mod auth;
mod body;
mod chunked;
pub mod client;
mod connection;
mod date;
mod form;
mod headers;
mod host;
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
pub use host::{has_trusted_host, has_valid_host};
pub use request::{Request, Version};
pub use response::Response;
pub use sender::{Sender, is_browser, may_be_a_page};
pub use target::percent_encode;
