//! The second half of a request: the framing of its body, and reading it.
//!
//! A request whose end is ambiguous is rejected: a proxy and we could disagree about where the next request
//! starts.

use std::mem;

use super::chunked::Chunked;
use super::{BODY_BYTES_MAX, Rejection, Request, Version};

/// How the end of a body is determined.
#[derive(Debug)]
enum Framing {
    /// This many bytes are still missing.
    Length(usize),
    Chunked(Chunked),
    /// There is no telling, or it is too large. The head may still be worth an answer of its own.
    Rejected(Rejection),
}

/// The buffer of a body grows by at least this, and at most doubles.
const GROWTH_BYTES_MIN: usize = 64 * 1024;

/// A request whose body is being read.
#[derive(Debug)]
pub(super) struct PendingBody {
    pub(super) request: Request,
    framing: Framing,
    awaits_continue: bool,
    /// The head has not been inspected yet.
    is_new: bool,
}

impl PendingBody {
    pub(super) fn new(request: Request) -> Self {
        let framing = framing(&request).unwrap_or_else(Framing::Rejected);
        let awaits_continue =
            request.version == Version::Http11 && request.headers.lists("expect", "100-continue");
        Self { request, framing, awaits_continue, is_new: true }
    }

    /// Moves the bytes of the body from the input; true once it is complete.
    pub(super) fn read_body(&mut self, input: &mut Vec<u8>) -> Result<bool, Rejection> {
        match &mut self.framing {
            Framing::Rejected(rejection) => Err(*rejection),
            Framing::Length(missing) => {
                let body = &mut self.request.body;
                let here = input.len().min(*missing);
                if body.capacity() - body.len() < here {
                    body.reserve_exact(here.max(body.len().max(GROWTH_BYTES_MIN)).min(*missing));
                }
                body.extend_from_slice(&input[..here]);
                input.drain(..here);
                *missing -= here;
                Ok(*missing == 0)
            }
            Framing::Chunked(chunked) => {
                let used = chunked.decode(input, &mut self.request.body, BODY_BYTES_MAX)?;
                input.drain(..used);
                Ok(*chunked == Chunked::Done)
            }
        }
    }

    /// The head, once, to decide whether the body is accepted.
    pub(super) fn take_head(&mut self) -> Option<&Request> {
        mem::take(&mut self.is_new).then_some(&self.request)
    }

    /// The memory used by the body so far.
    pub(super) fn held_bytes(&self) -> usize {
        self.request.body.capacity()
    }

    /// Whether the client waits for `100 Continue`; true once.
    pub(super) fn take_continue(&mut self) -> bool {
        mem::take(&mut self.awaits_continue)
    }
}

/// RFC 9112, 6.3, without its leniencies.
fn framing(request: &Request) -> Result<Framing, Rejection> {
    let lengths: Vec<&str> = request.headers.all("content-length").collect();
    let codings: Vec<&str> = request.headers.all("transfer-encoding").collect();
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) => body_length(length).map(Framing::Length),
        ([], [_]) if request.version == Version::Http10 => Err(Rejection::Malformed),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked(Chunked::Size)),
        ([], [_]) => Err(Rejection::UnknownCoding),
        _ => Err(Rejection::Malformed),
    }
}

/// Digits only: implementations disagree about `+5` and `5, 5`.
fn body_length(text: &str) -> Result<usize, Rejection> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::Malformed);
    }
    text.parse().ok().filter(|length| *length <= BODY_BYTES_MAX).ok_or(Rejection::BodyTooLarge)
}
