//! The standard input of children, written without blocking on a child that does not read.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{Shell, Source, Sources};
use crate::model::ProcessId;
use crate::supervise::StdinError;
use crate::sys::output::Output;
use crate::sys::poller::{Interest, Poller};

/// The maximum number of bytes kept for a child that does not read: the size of one request. A child that has
/// read everything can be sent more at once: a longer event, too.
const UNREAD_BYTES_MAX: usize = crate::http::BODY_BYTES_MAX;

/// Our end of a pipe. Kept open even while nothing is written: otherwise the child would see the end of its
/// input.
#[derive(Debug)]
pub(super) struct Stdin {
    /// `None` once the child has closed its end, and for a FastCGI program, which has none.
    pipe: Option<Output>,
    /// Set while bytes are pending: most programs are sent nothing.
    unread: Option<Box<Unread>>,
}

/// What a child has not read yet.
#[derive(Debug, Default)]
struct Unread {
    bytes: VecDeque<u8>,
    /// Set while the pipe is watched for room, which is only while bytes are pending: the poller would report a
    /// pipe that the child has closed continuously.
    token: Option<u64>,
}

impl Stdin {
    /// The write end, which is nonblocking.
    pub(super) fn new(pipe: Option<OwnedFd>) -> Self {
        let pipe = pipe.map(|pipe| Output::own(File::from(pipe)));
        Self { pipe, unread: None }
    }

    /// Accepts all bytes, or none.
    fn take(&mut self, bytes: &[u8]) -> Result<(), StdinError> {
        self.write()?;
        let unread = &mut self.unread.get_or_insert_default().bytes;
        let is_behind = !unread.is_empty();
        if is_behind && unread.len().saturating_add(bytes.len()) > UNREAD_BYTES_MAX {
            return Err(StdinError::Full);
        }
        unread.extend(bytes);
        self.write()
    }

    /// Writes as much as there is room for.
    fn write(&mut self) -> Result<(), StdinError> {
        let pipe = self.pipe.as_ref().ok_or(StdinError::Closed)?;
        let Some(Unread { bytes, .. }) = self.unread.as_deref_mut() else { return Ok(()) };
        let outcome = drain(pipe, bytes).map_err(|_| StdinError::Closed);
        if outcome.is_err() {
            bytes.clear();
        }
        outcome
    }

    /// Watches it while bytes are pending, and closes it if the child has.
    fn watch(&mut self, process: ProcessId, is_open: bool, poller: &Poller, sources: &mut Sources) {
        let Some(pipe) = &self.pipe else { return };
        if let Some(unread) = &mut self.unread {
            match unread.token {
                None if !unread.bytes.is_empty() => {
                    let token = sources.add(Source::Stdin(process));
                    let room = Interest { read: false, write: true };
                    match poller.add(pipe, token, room) {
                        Ok(()) => unread.token = Some(token),
                        Err(_) => sources.remove(token),
                    }
                }
                Some(token) if unread.bytes.is_empty() => {
                    poller.remove(pipe.as_fd());
                    sources.remove(token);
                }
                None | Some(_) => {}
            }
        }
        self.unread.take_if(|unread| unread.bytes.is_empty());
        if !is_open {
            self.pipe = None;
        }
    }

    /// Closes it: the child is gone.
    pub(super) fn close(&mut self, process: ProcessId, poller: &Poller, sources: &mut Sources) {
        if let Some(unread) = &mut self.unread {
            unread.bytes.clear();
        }
        self.watch(process, false, poller, sources);
    }
}

fn drain(pipe: &Output, unread: &mut VecDeque<u8>) -> io::Result<()> {
    loop {
        let (front, _) = unread.as_slices();
        if front.is_empty() {
            return Ok(());
        }
        match pipe.write(front)? {
            0 => return Ok(()),
            count => drop(unread.drain(..count)),
        }
    }
}

impl Shell {
    /// Accepts a text for a child, to be written now or when it reads.
    pub(super) fn write_stdin(&mut self, process: ProcessId, bytes: &[u8]) -> Result<(), StdinError> {
        let stdin = self.children.stdin(process).ok_or(StdinError::Closed)?;
        let outcome = stdin.take(bytes);
        let is_open = outcome != Err(StdinError::Closed);
        stdin.watch(process, is_open, &self.poller, &mut self.sources);
        outcome
    }

    /// A child has read something, or closed its end.
    pub(super) fn stdin_is_ready(&mut self, process: ProcessId) {
        let Some(stdin) = self.children.stdin(process) else { return };
        let is_open = stdin.write().is_ok();
        stdin.watch(process, is_open, &self.poller, &mut self.sources);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> (OwnedFd, Stdin) {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        (read, Stdin::new(Some(write)))
    }

    #[test]
    fn all_is_taken_or_nothing() {
        let (_read, mut stdin) = pipe();
        assert_eq!(stdin.take(&vec![b'x'; UNREAD_BYTES_MAX]), Ok(()));
        let unread_len = |stdin: &Stdin| stdin.unread.as_ref().map_or(0, |it| it.bytes.len());
        let written = UNREAD_BYTES_MAX - unread_len(&stdin);
        assert!(written > 0);
        assert_eq!(stdin.take(&vec![b'x'; written]), Ok(()));
        assert_eq!(stdin.take(b"y"), Err(StdinError::Full));
        assert_eq!(unread_len(&stdin), UNREAD_BYTES_MAX);
        let (_read, mut stdin) = pipe();
        assert_eq!(stdin.take(&vec![b'x'; 3 * UNREAD_BYTES_MAX]), Ok(()), "nothing was waiting");
        assert_eq!(stdin.take(b"y"), Err(StdinError::Full));
    }

    #[test]
    fn unread_input_is_dropped_with_its_reader() {
        let (read, mut stdin) = pipe();
        assert_eq!(stdin.take(&vec![b'x'; UNREAD_BYTES_MAX]), Ok(()));
        drop(read);
        assert_eq!(stdin.take(b"y"), Err(StdinError::Closed));
        assert!(stdin.unread.is_none_or(|it| it.bytes.is_empty()));
    }
}
