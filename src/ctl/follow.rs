//! A document that is read while it grows: one request with an endless reply.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::endpoint::{Endpoint, EndpointStream};
use super::failure::CallError;
use crate::http::client::{ResponseParser, encode_request};
use crate::http::percent_encode;

/// The size of a read.
const READ_BYTES: usize = 64 * 1024;

/// The maximum of buffered reply data: one read and an incomplete chunk.
const REPLY_BYTES_MAX: usize = 2 * READ_BYTES;

/// An open connection to a growing document: a log, or a stream of events.
pub(super) struct Follow {
    stream: EndpointStream,
    reply: ResponseParser,
}

/// The server's path of a process log.
pub(super) fn log_of(namespec: &str, channel: &str) -> String {
    format!("/logtail/{namespec}/{channel}")
}

/// The path as the target of a request.
pub(super) fn encoded(path: &str) -> String {
    path.split('/').map(percent_encode).collect::<Vec<_>>().join("/")
}

impl Follow {
    /// Sends the request without waiting for the reply. The target is encoded.
    pub(super) fn open(
        url: &str,
        target: &str,
        credentials: Option<(&str, &str)>,
        at_most: Option<Duration>,
    ) -> Result<Self, CallError> {
        let endpoint = Endpoint::parse(url).map_err(CallError::Address)?;
        let mut stream =
            endpoint.connect(at_most).map_err(|error| CallError::Connect(url.to_owned(), error))?;
        let request = encode_request("GET", target, &endpoint.host(), credentials, None, b"");
        stream.write_all(&request).map_err(CallError::Broken)?;
        Ok(Self { stream, reply: ResponseParser::new(REPLY_BYTES_MAX) })
    }

    /// Waits for data, which may be empty; `None` when the reply has ended.
    pub(super) fn read(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let mut buffer = vec![0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            // A server that exits doesn't terminate its replies.
            Ok(0) if self.reply.head().is_some() => return Ok(None),
            Ok(0) => return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                let fed = self.reply.feed(&buffer[..count]);
                fed.map_err(|error| CallError::InvalidReply(error.to_string()))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CallError::Broken(error)),
        }
        match self.reply.head() {
            Some(head) if head.status != 200 => Err(CallError::Refused(head.status, head.reason.clone())),
            _ => {
                let body = self.reply.take_body();
                Ok((!body.is_empty() || !self.reply.is_complete()).then_some(body))
            }
        }
    }
}

impl AsFd for Follow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Waits until one of them is readable, or for a time limit; `true` for each that is readable.
///
/// # Errors
/// `BrokenPipe` if the reader of our standard output is gone, else the error of poll(2).
pub(super) fn wait(inputs: &[BorrowedFd<'_>], at_most: Option<Duration>) -> io::Result<Vec<bool>> {
    let stdout = io::stdout();
    // Without a requested event: a closed reader is reported in any case.
    let output = PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty());
    let mut ready = polled(inputs, Some(output), at_most)?;
    if ready.pop() == Some(true) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(ready)
}

/// Waits until one of them is readable, or for a time limit, whether or not our standard output is read.
///
/// # Errors
/// The error of poll(2).
pub(super) fn readable(inputs: &[BorrowedFd<'_>], at_most: Option<Duration>) -> io::Result<Vec<bool>> {
    polled(inputs, None, at_most)
}

fn polled<'fd>(
    inputs: &[BorrowedFd<'fd>],
    output: Option<PollFd<'fd>>,
    at_most: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let inputs = inputs.iter().map(|input| PollFd::from_borrowed_fd(*input, PollFlags::IN));
    let mut watched: Vec<PollFd<'_>> = inputs.chain(output).collect();
    let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut watched, at_most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(watched.iter().map(|one| !one.revents().is_empty()).collect())
}
