//! A terminal with a program, and typed input.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::TIMEOUT;

/// A pseudo-terminal, and the program that it is the controlling terminal of.
#[derive(Debug)]
pub struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of the screen was looked at already.
    seen: usize,
    child: Child,
    /// Open until the end: once no process has a terminal open, a reader may get EIO before the last output.
    slave: File,
}

impl Terminal {
    /// Starts the command on a terminal of 80 columns. Its environment and folder are kept.
    pub fn start(command: &Command) -> Self {
        Self::start_with_width(command, 80)
    }

    /// The same on a terminal of this width.
    pub fn start_with_width(command: &Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(name.as_bytes()))
            .unwrap();
        let child = on_terminal(command, &slave).spawn().unwrap();
        let keyboard = File::from(master);
        let screen = Arc::default();
        show(keyboard.try_clone().unwrap(), Arc::clone(&screen));
        Self { keyboard, screen, seen: 0, child, slave }
    }

    /// Types a text; `\r` is the Enter key.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Resizes it, and notifies its program.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).unwrap();
    }

    /// Gives it another size again and again until the text appears: a client that has just started may not
    /// watch for changes yet, and then misses one.
    pub fn resize_until(&mut self, rows: u16, columns: u16, text: &str) -> String {
        self.expect_while(text, |terminal| {
            terminal.resize(rows, columns + 1);
            terminal.resize(rows, columns);
        })
    }

    /// Waits until the text appears after the previously awaited text, and returns what precedes it.
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_while(text, |_| ())
    }

    fn expect_while(&mut self, text: &str, act: impl Fn(&Self)) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            act(self);
            let screen = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
            let fresh = screen.get(self.seen..).unwrap_or_default();
            if let Some(at) = fresh.find(text) {
                self.seen += at + text.len();
                return fresh[..at].to_owned();
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {text:?} behind {fresh:?} in {screen:?}; the program: {:?}",
                self.child.try_wait()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Whether the terminal itself shows what is typed and gathers it into lines.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits until the terminal no longer shows what is typed: for a password.
    pub fn wait_until_silent(&self) {
        let deadline = Instant::now() + TIMEOUT;
        while tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(Instant::now() < deadline, "it shows what is typed: {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to the program.
    pub fn kill_program(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits until the program has ended and all that it has written is on the screen.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.wait_for_the_rest(deadline);
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end: {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Written after everything else, and removed from the screen again.
const END: u8 = 0x1e;

impl Terminal {
    fn wait_for_the_rest(&mut self, deadline: Instant) {
        self.slave.write_all(&[END]).unwrap();
        loop {
            let mut screen = self.screen.lock().unwrap();
            if let Some(end) = screen.iter().position(|byte| *byte == END) {
                screen.remove(end);
                return;
            }
            drop(screen);
            assert!(Instant::now() < deadline, "the screen is not read to its end: {:?}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The same command with setsid(1), which makes the terminal its controlling one and becomes the command.
fn on_terminal(command: &Command, slave: &File) -> Command {
    let mut wrapped = Command::new("setsid");
    wrapped.env("TERM", "xterm").args(["--ctty"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    let stream = || slave.try_clone().unwrap();
    wrapped.stdin(stream()).stdout(stream()).stderr(stream());
    wrapped
}

/// Reads until all copies of the terminal are closed.
fn show(mut from: File, screen: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            screen.lock().unwrap().extend_from_slice(&buffer[..length]);
        }
    });
}
