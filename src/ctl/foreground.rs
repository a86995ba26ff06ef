//! `fg`: shows the output of a process on our terminal, and sends typed lines to its standard input.
//!
//! It ends when the user leaves (Ctrl-C, or the end of the input) and when the process exits. The process
//! itself is not affected.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::answers;
use super::failure::{CallError, Failure, Outcome, fault, plain_fault};
use super::follow::{Follow, log_of, wait};
use super::logs::{PRESS, report_unreadable};
use super::session::Session;
use crate::model::{ProcessState, Signal};
use crate::python::quote;
use crate::sys::interrupts::HeldInterrupts;

/// How often the state of the process is polled: its streams don't show its end.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// After a pause of this length, the last output is shown and the process considered finished.
const LAST_OUTPUT_PAUSE: Duration = Duration::from_millis(200);

/// The process may have been restarted by someone else, so the last output is bounded.
const LAST_OUTPUT_MAX: Duration = Duration::from_secs(2);

/// Why it ended.
enum End {
    /// The user left, or the reader of our output is gone.
    Left,
    Died,
    /// The server rejects the typed line.
    Fault(i64, String),
}

/// `fg NAME`
pub(super) fn fg(session: &mut Session, arg: &str) -> Outcome {
    if !session.upcheck()? {
        return Ok(());
    }
    let mut names = arg.split_whitespace();
    match (names.next(), names.next()) {
        (None, _) => session.misused("fg", "ERROR: no process name supplied"),
        (Some(_), Some(_)) => session.complain("ERROR: too many process names supplied"),
        (Some(name), None) => return fg_one(session, name),
    }
    Ok(())
}

fn fg_one(session: &mut Session, name: &str) -> Outcome {
    match session.call("supervisor.getProcessInfo", &[name.into()]) {
        Ok(info) if answers::process(&info)?.state != Some(ProcessState::Running) => {
            session.complain("ERROR: process not running");
        }
        Ok(_) => return converse(session, name),
        Err(CallError::Fault(fault::BAD_NAME, _)) => {
            let suggestion = session.suggestion(name);
            session.complain(format_args!("ERROR: bad process name supplied{suggestion}"));
        }
        // The reference leaves the exit code unchanged here.
        Err(CallError::Fault(code, text)) => print_fault(session, code, &text),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

fn print_fault(session: &mut Session, code: i64, text: &str) {
    match session.is_sv() {
        true => session.say(format_args!("ERROR: {}", plain_fault(code, text))),
        false => session.say(format_args!("ERROR: <Fault {code}: {}>", quote(text))),
    }
}

fn converse(session: &mut Session, name: &str) -> Outcome {
    session.say(PRESS);
    let interrupts = HeldInterrupts::back(&[Signal::INT])?;
    let streams = ["stdout", "stderr"].into_iter().filter_map(|channel| stream(session, name, channel));
    let streams = streams.collect();
    let end = Foreground { session, name, streams, interrupts, checked: Instant::now() }.run()?;
    match end {
        End::Left => {}
        End::Died => session.say("Process got killed"),
        End::Fault(code, text) => print_fault(session, code, &text),
    }
    session.say("Exiting foreground");
    Ok(())
}

/// An unavailable stream is reported and skipped: not every channel has a log.
fn stream(session: &mut Session, name: &str, channel: &'static str) -> Option<(String, Follow)> {
    let path = log_of(name, channel);
    match session.follow(&path) {
        Ok(log) => Some((path, log)),
        Err(error) => {
            report_unreadable(session, &path, &error);
            None
        }
    }
}

/// The state of a running `fg`.
struct Foreground<'s, 'io> {
    session: &'s mut Session<'io>,
    name: &'s str,
    /// With their paths on the server.
    streams: Vec<(String, Follow)>,
    interrupts: HeldInterrupts,
    /// When the process state was last polled.
    checked: Instant,
}

impl Foreground<'_, '_> {
    fn run(mut self) -> Result<End, Failure> {
        loop {
            if let Some(end) = self.send_lines()? {
                return Ok(end);
            }
            if self.checked.elapsed() >= CHECK_INTERVAL && self.is_dead()? {
                self.show_last_output();
                return Ok(End::Died);
            }
            let rest = CHECK_INTERVAL.saturating_sub(self.checked.elapsed());
            if let Some(end) = self.turn(rest) {
                return Ok(end);
            }
        }
    }

    /// Waits for input, and handles the streams and the keyboard.
    fn turn(&mut self, at_most: Duration) -> Option<End> {
        let keyboard = self.session.input().source();
        let streams = self.streams.iter().map(|(_, stream)| stream.as_fd());
        let others = [self.interrupts.as_fd(), keyboard];
        let watched: Vec<_> = others.into_iter().chain(streams).collect();
        let Ok(ready) = wait(&watched, Some(at_most)) else { return Some(End::Left) };
        let [_, has_input, streams @ ..] = ready.as_slice() else { return None };
        if self.interrupts.take() || !self.pass_on(streams) {
            return Some(End::Left);
        }
        if *has_input {
            self.session.input().read();
        }
        None
    }

    /// Shows the data of the ready streams; `false` if the output is closed.
    fn pass_on(&mut self, ready: &[bool]) -> bool {
        let mut is_seen = true;
        let mut index = 0;
        self.streams.retain_mut(|(path, stream)| {
            index += 1;
            if !ready[index - 1] {
                return true;
            }
            match stream.read() {
                Ok(bytes) => {
                    is_seen &= bytes.as_ref().is_none_or(|bytes| self.session.pass_on(bytes).is_ok());
                    bytes.is_some()
                }
                Err(error) => {
                    report_unreadable(self.session, path, &error);
                    false
                }
            }
        });
        is_seen
    }

    /// Sends typed lines.
    fn send_lines(&mut self) -> Result<Option<End>, Failure> {
        while let Some(line) = self.session.input().take_line() {
            let params = [self.name.into(), format!("{line}\n").as_str().into()];
            match self.session.call("supervisor.sendProcessStdin", &params) {
                Ok(_) => {}
                Err(CallError::Fault(fault::NOT_RUNNING, _)) => {
                    self.show_last_output();
                    return Ok(Some(End::Died));
                }
                Err(CallError::Fault(code, text)) => return Ok(Some(End::Fault(code, text))),
                Err(other) => return Err(other.into()),
            }
        }
        Ok(self.session.input().takes_end().then_some(End::Left))
    }

    fn is_dead(&mut self) -> Result<bool, Failure> {
        self.checked = Instant::now();
        match self.session.call("supervisor.getProcessInfo", &[self.name.into()]) {
            Ok(info) => Ok(answers::process(&info)?.state != Some(ProcessState::Running)),
            // An update may have removed the process.
            Err(CallError::Fault(fault::BAD_NAME, _)) => Ok(true),
            Err(other) => Err(other.into()),
        }
    }

    /// Shows the remaining output of a process that has exited.
    fn show_last_output(&mut self) {
        let started = Instant::now();
        while !self.streams.is_empty() && started.elapsed() < LAST_OUTPUT_MAX {
            let streams: Vec<_> = self.streams.iter().map(|(_, stream)| stream.as_fd()).collect();
            match wait(&streams, Some(LAST_OUTPUT_PAUSE)) {
                Ok(ready) if ready.contains(&true) && self.pass_on(&ready) => {}
                _ => return,
            }
        }
    }
}
