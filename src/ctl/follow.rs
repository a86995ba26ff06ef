//! A log that is read while it grows: one request whose reply has no end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::endpoint::{Endpoint, Stream};
use super::failure::CallError;
use crate::http::client::{ResponseParser, encode_request};
use crate::http::percent_encode;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// What of a reply can be waiting to be taken: what was read at once and what was kept for being incomplete.
const REPLY_BYTES_MAX: usize = 2 * READ_BYTES;

/// An open connection to a growing log.
pub(super) struct Follow {
    stream: Stream,
    reply: ResponseParser,
}

/// Where the server has the log of a process.
pub(super) fn log_of(namespec: &str, channel: &str) -> String {
    format!("/logtail/{namespec}/{channel}")
}

impl Follow {
    /// Asks for it, and waits for nothing.
    pub(super) fn open(url: &str, path: &str, credentials: Option<(&str, &str)>) -> Result<Self, CallError> {
        let endpoint = Endpoint::parse(url).map_err(CallError::Address)?;
        let mut stream = endpoint.connect().map_err(|error| CallError::Connect(url.to_owned(), error))?;
        let target: Vec<String> = path.split('/').map(percent_encode).collect();
        let request = encode_request("GET", &target.join("/"), &endpoint.host(), credentials, None, b"");
        stream.write_all(&request).map_err(CallError::Broken)?;
        Ok(Self { stream, reply: ResponseParser::new(REPLY_BYTES_MAX) })
    }

    /// What came, waiting for it; `None` when nothing will come any more. That may be nothing yet.
    pub(super) fn read(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let mut buffer = vec![0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            // A server that ends doesn't end its replies.
            Ok(0) if self.reply.head().is_some() => return Ok(None),
            Ok(0) => return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                let fed = self.reply.feed(&buffer[..count]);
                fed.map_err(|error| CallError::Nonsense(error.to_string()))?;
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

/// Waits until one of them can be read, or for so long; `true` for each that can.
///
/// # Errors
/// `BrokenPipe` when nobody reads our standard output any more, else what poll(2) says.
pub(super) fn wait(inputs: &[BorrowedFd<'_>], at_most: Option<Duration>) -> io::Result<Vec<bool>> {
    let stdout = io::stdout();
    let mut watched: Vec<PollFd<'_>> =
        inputs.iter().map(|input| PollFd::from_borrowed_fd(*input, PollFlags::IN)).collect();
    // Without an event to wait for: that its reader is gone is told in any case.
    watched.push(PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()));
    let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut watched, at_most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready: Vec<bool> = watched.iter().map(|one| !one.revents().is_empty()).collect();
    if ready.pop() == Some(true) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(ready)
}
