//! How a started program reports that it runs: a line with its process id through a FIFO.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::Outcome;

/// The reading end, and the script that writes to it and then sleeps.
pub(crate) struct Beacon {
    fifo: File,
    path: PathBuf,
    script: PathBuf,
    /// What arrived after the last whole line.
    rest: String,
}

impl Beacon {
    /// Makes the FIFO and the script in this folder.
    pub(crate) fn new(dir: &Path) -> Outcome<Self> {
        let path = dir.join("beacon.fifo");
        let script = dir.join("beacon");
        let fifo = fifo(&path)?;
        // The shell replaces itself, so the process that has reported is the one that stays.
        fs::write(&script, format!("#!/bin/sh\necho $$ >{}\nexec sleep 100000\n", path.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        Ok(Beacon { fifo, path, script, rest: String::new() })
    }

    /// The program to run: it reports and stays.
    pub(crate) fn script(&self) -> &Path {
        &self.script
    }

    /// Where programs of other kinds write their line.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for this many lines.
    pub(crate) fn lines(&mut self, count: usize, timeout: Duration) -> Outcome<Vec<String>> {
        let deadline = Instant::now() + timeout;
        let mut lines = Vec::new();
        while lines.len() < count {
            self.wait(deadline)
                .map_err(|error| format!("{} of {count} programs spoke: {error}", lines.len()))?;
            let mut buffer = [0; 4096];
            let length = self.fifo.read(&mut buffer)?;
            self.rest.push_str(&String::from_utf8_lossy(&buffer[..length]));
            while let Some((line, rest)) = self.rest.split_once('\n') {
                lines.push(line.to_owned());
                self.rest = rest.to_owned();
            }
        }
        Ok(lines)
    }

    /// Waits for this many process ids.
    pub(crate) fn pids(&mut self, count: usize, timeout: Duration) -> Outcome<Vec<u32>> {
        self.lines(count, timeout)?.iter().map(|line| Ok(line.trim().parse()?)).collect()
    }

    fn wait(&self, deadline: Instant) -> Outcome<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().try_into()?, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.fifo, PollFlags::IN)], Some(&timeout))? {
            0 => Err("nothing more came in time".into()),
            _ => Ok(()),
        }
    }
}

/// A FIFO, open for reading and writing: so neither side sees that the other is absent.
pub(crate) fn fifo(path: &Path) -> Outcome<File> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let nonblock = OFlags::NONBLOCK.bits().try_into()?;
    Ok(OpenOptions::new().read(true).write(true).custom_flags(nonblock).open(path)?)
}
