//! The outlets of both streams of a process: opened before it is started, formatting once its pid is known.

use std::io;

use super::destinations::Destinations;
use super::ids::StreamId;
use super::outlet::{NamePrefix, Outlet};
use super::stream::Purpose;
use super::warning::Warning;
use crate::logs::Speaker;
use crate::model::{Channel, LogTarget, Namespec, Pid, ProcessSpec, StreamSpec};

/// What the output of a child is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Logs, and events if the options of the process ask for them.
    Output,
    /// The listener protocol on standard output; standard error as [`Wanted::Output`].
    Conversation,
    /// The logs of the process alone: of a hook.
    Logs,
}

/// Where the output of a child that is about to start goes. What it writes to stays open until it is closed.
#[derive(Debug)]
pub struct Outlets {
    pub(super) stdout: (Outlet, Purpose),
    pub(super) stderr: (Outlet, Purpose),
    /// About logs that cannot be opened; opening them is tried again later.
    pub(super) warnings: Vec<Warning>,
}

impl Outlets {
    /// A log that cannot be opened is tried again later.
    ///
    /// # Errors
    /// The error of opening a log, see [`Outlet::open`].
    pub(super) fn open(
        spec: &ProcessSpec,
        (wanted, strict): (Wanted, bool),
        [stdout, stderr]: [LogTarget; 2],
        destinations: &mut Destinations,
    ) -> io::Result<Self> {
        let mut warnings = Vec::new();
        let mut open = |target: &LogTarget, stream: &StreamSpec, purpose: Purpose| {
            let form = (purpose.form(spec.log_form), strict);
            let (outlet, error) = Outlet::open(target, stream, form, destinations)?;
            warnings.extend(error.and_then(|error| cannot_open(target, &spec.name, &error)));
            io::Result::Ok((outlet, purpose))
        };
        let (of_stdout, of_stderr) = match wanted {
            Wanted::Output => (Purpose::of(&spec.stdout), Purpose::of(&spec.stderr)),
            Wanted::Conversation => (Purpose::Conversation, Purpose::of(&spec.stderr)),
            Wanted::Logs => (Purpose::LOGS, Purpose::LOGS),
        };
        let stdout = open(&stdout, &spec.stdout, of_stdout)?;
        match open(&stderr, &spec.stderr, of_stderr) {
            Ok(stderr) => Ok(Self { stdout, stderr, warnings }),
            Err(error) => {
                stdout.0.close(destinations);
                Err(error)
            }
        }
    }

    /// Nothing will be written.
    pub(super) fn close(self, destinations: &mut Destinations) {
        self.stdout.0.close(destinations);
        self.stderr.0.close(destinations);
    }
}

fn cannot_open(target: &LogTarget, name: &str, error: &io::Error) -> Option<Warning> {
    let LogTarget::File(path) = target else { return None };
    let path = path.display();
    let text = format!(
        "cannot open log '{path}' of '{name}': {error}; its last output is kept in memory until it opens"
    );
    Some(Warning { text })
}

/// Has an outlet format the lines of a process, with its name in a column of this width.
pub(super) fn format_as(
    outlet: &mut Outlet,
    spec: &ProcessSpec,
    (id, pid): (StreamId, Pid),
    width: usize,
    destinations: &Destinations,
) {
    let is_coloured = outlet.sink().is_terminal(destinations) && may_be_coloured();
    let colour = is_coloured.then_some(id.process.0);
    let column = NamePrefix { name: &label(spec), width, colour };
    let speaker = Speaker { program: &spec.name, group: &spec.group, stream: id.channel.name(), pid: pid.0 };
    outlet.format_as(&speaker, column);
}

/// The name of a process before its lines, as in `status`.
pub(super) fn label(spec: &ProcessSpec) -> String {
    Namespec::join(&spec.group, &spec.name)
}

/// See <https://no-color.org>.
fn may_be_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The options of one stream of a process.
pub(super) fn stream_spec(spec: &ProcessSpec, channel: Channel) -> &StreamSpec {
    match channel {
        Channel::Stdout => &spec.stdout,
        Channel::Stderr => &spec.stderr,
    }
}
