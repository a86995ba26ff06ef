//! The program that the log subject runs: reports when it begins, writes lines as fast as they are read, and stays.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::Outcome;

const WORD: &str = "__chat";
/// A power of two, so that any number of MiB is a number of whole lines: loggers keep an unfinished one back.
pub(crate) const LINE: usize = 128;
/// What a program writes at once that buffers its output generously.
pub(crate) const BLOCK: usize = 64 * 1024;

/// The command line of such a program: it writes so many bytes, so many at a time.
pub(crate) fn command(bytes: u64, at_once: usize, beacon: &Path) -> Outcome<Vec<String>> {
    let program = std::env::current_exe()?.display().to_string();
    Ok(vec![program, WORD.to_owned(), bytes.to_string(), at_once.to_string(), beacon.display().to_string()])
}

/// The command line of one that never ends: it writes so many bytes a second.
pub(crate) fn paced_command(bytes_per_sec: usize, beacon: &Path) -> Outcome<Vec<String>> {
    let mut words = command(u64::MAX, bytes_per_sec / PACES_PER_SEC / LINE * LINE, beacon)?;
    words.push("paced".to_owned());
    Ok(words)
}

/// How often a paced one writes.
const PACES_PER_SEC: usize = 64;

/// Its name in the process table, which has room for fifteen bytes.
pub(crate) fn process_name() -> Outcome<String> {
    let program = std::env::current_exe()?;
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(name.chars().take(15).collect())
}

/// Runs that program if this process was started as it.
pub(crate) fn run_when_asked() -> Option<Outcome<()>> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.as_slice() {
        [_, word, bytes, at_once, beacon] if word == WORD => {
            Some(run(bytes, at_once, &PathBuf::from(beacon), Duration::ZERO))
        }
        [_, word, bytes, at_once, beacon, _paced] if word == WORD => {
            let pause = Duration::from_secs(1) / PACES_PER_SEC as u32;
            Some(run(bytes, at_once, &PathBuf::from(beacon), pause))
        }
        _ => None,
    }
}

fn run(bytes: &str, at_once: &str, beacon: &Path, pause: Duration) -> Outcome<()> {
    let mut left: usize = bytes.parse()?;
    let mut line = "the quick brown fox jumps over the lazy dog; ".repeat(3);
    line.truncate(LINE - 1);
    line.push('\n');
    let lines = line.repeat(at_once.parse::<usize>()? / LINE);
    let block = lines.as_bytes();
    fs::write(beacon, "begin\n")?;
    let mut stdout = stdout().lock();
    while left > 0 {
        let length = left.min(block.len());
        stdout.write_all(&block[..length])?;
        left -= length;
        if !pause.is_zero() {
            stdout.flush()?;
            thread::sleep(pause);
        }
    }
    stdout.flush()?;
    // Not an exit, which would be answered with a restart in the middle of the measurement.
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
