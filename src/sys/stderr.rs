//! Standard error of a supervisor: a reader that is gone, or does not read, never blocks us.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::output::Output;

/// How long to wait for room for a last message.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints a message before we exit. What does not fit within a second is lost.
pub fn print(text: impl AsRef<[u8]>) {
    write(io::stderr(), text.as_ref(), DRAIN_TIMEOUT);
}

/// Prints as much as there is room for.
pub fn print_at_once(text: impl AsRef<[u8]>) {
    write(io::stderr(), text.as_ref(), Duration::ZERO);
}

fn write(stderr: impl AsFd, mut bytes: &[u8], timeout: Duration) {
    let Ok(output) = Output::inherited(stderr.as_fd()) else { return };
    let began = Instant::now();
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => {
                let left = timeout.saturating_sub(began.elapsed());
                if left.is_zero() || !wait_for_room(&output, left) {
                    return;
                }
            }
            Ok(count) => bytes = &bytes[count..],
            Err(_) => return,
        }
    }
}

fn wait_for_room(output: &Output, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(output, PollFlags::OUT)];
    let timeout =
        Timespec { tv_sec: timeout.as_secs().cast_signed(), tv_nsec: timeout.subsec_nanos().into() };
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_slow_reader_gets_everything_and_one_that_reads_nothing_delays_no_other() {
        let (mut read, write_end) =
            rustix::pipe::pipe().map(|(read, write)| (std::fs::File::from(read), write)).unwrap();
        let text = vec![b'x'; 300_000];
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; 300_000];
            read.read_exact(&mut got).unwrap();
            (got, read)
        });
        write(&write_end, &text, Duration::from_secs(30));
        let (got, _read) = reader.join().unwrap();
        assert_eq!(got, text);
        // The pipe fills, and nothing is read.
        write(&write_end, &text, Duration::ZERO);
    }
}
