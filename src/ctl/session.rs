//! The state that actions share: the client, the output, and the exit code.
//!
//! Output is buffered and written before every wait (a call, a prompt) and at the end: a table is one write,
//! but every line appears as soon as it is true. A closed output does not abort an action; the first write
//! error is kept and determines the exit status at the end.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::answers::{self, ApiProcesses, LogText, ProcessRow};
use super::ask;
use super::client::RpcClient;
use super::event_stream::EventStream;
use super::exit;
use super::failure::{CallError, Failure, fault};
use super::follow::{Follow, encoded};
use super::input::LineInput;
use super::screen::{self, harmless_lines};
use super::{suggest, wildcard};
use crate::cli::ClientAction;
use crate::config::{ClientPlugin, did_you_mean};
use crate::logs::AWAIT_QUERY;
use crate::model::{HealthStatus, Namespec, ProcessState};
use crate::xmlrpc::Value;

/// The version of the interface. It is final.
const API_VERSION: &str = "3.0";

/// The output could not be written; [`Session::written`] has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// The session of a single action or of a shell.
pub(super) struct Session<'io> {
    client: RpcClient,
    output: &'io mut dyn Write,
    input: LineInput<'io>,
    /// Buffered output.
    unwritten: String,
    /// The first write error.
    lost: Option<io::Error>,
    /// The last failure sets it; nothing resets it to 0.
    exit_code: u8,
    /// Whether the user can be asked.
    asks: bool,
    /// Whether states are shown in colour.
    colors: bool,
    /// Whether a terminal supports escape sequences.
    escapes: bool,
    /// Whether we are `sv`, which may print and do more than Supervisor's client.
    is_sv: bool,
    /// Whether more actions may follow this one.
    is_shell: bool,
    /// The processes that Tab completion has requested since the last command.
    known: Option<Vec<ProcessRow>>,
    /// The processes of this command with the status of each.
    results: Vec<(String, i64)>,
    /// Describes where the URL comes from.
    origin: Option<&'io dyn Fn() -> String>,
    /// Looks up the plug-ins in the configuration.
    plugins: Option<&'io dyn Fn() -> Vec<ClientPlugin>>,
}

impl<'io> Session<'io> {
    /// Starts with exit code 0.
    pub(super) fn new(
        client: RpcClient,
        output: &'io mut dyn Write,
        input: LineInput<'io>,
        asks: bool,
    ) -> Self {
        let unwritten = String::new();
        Self {
            client,
            output,
            input,
            unwritten,
            lost: None,
            exit_code: 0,
            asks,
            colors: false,
            escapes: true,
            is_sv: false,
            is_shell: false,
            known: None,
            results: Vec::new(),
            origin: None,
            plugins: None,
        }
    }

    /// Whether states are shown in colour.
    pub(super) fn set_colors(&mut self, colors: bool) {
        self.colors = colors;
    }

    /// Disables escape sequences, for a terminal that does not support them.
    pub(super) fn disable_escapes(&mut self) {
        self.colors = false;
        self.escapes = false;
        self.client.hide_waits();
    }

    /// Acts as `sv` instead of `supervisorctl`; `origin` describes where the URL comes from.
    pub(super) fn act_as_sv(&mut self, origin: &'io dyn Fn() -> String) {
        self.is_sv = true;
        self.origin = Some(origin);
    }

    /// Performs more than one action.
    pub(super) fn act_as_shell(&mut self) {
        self.is_shell = true;
    }

    /// Whether more actions may follow this one.
    pub(super) fn is_shell(&self) -> bool {
        self.is_shell
    }

    /// Sets how to look up the plug-ins in the configuration.
    pub(super) fn set_plugins(&mut self, plugins: &'io dyn Fn() -> Vec<ClientPlugin>) {
        self.plugins = Some(plugins);
    }

    /// The plug-ins in the configuration, which is read only when an action needs them.
    pub(super) fn plugins(&self) -> Vec<ClientPlugin> {
        self.plugins.map(|look_up| look_up()).unwrap_or_default()
    }

    /// Whether we are `sv`.
    pub(super) fn is_sv(&self) -> bool {
        self.is_sv
    }

    /// Prints a line that Supervisor's client does not have, if we are `sv`.
    pub(super) fn say_more(&mut self, line: impl Display) {
        if self.is_sv {
            self.say(line);
        }
    }

    /// Calls a method of the server.
    pub(super) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        self.flush();
        self.client.call(method, params)
    }

    /// Requests a document of the JSON API; `asked_for` describes it for messages.
    pub(super) fn get(&mut self, target: &str, asked_for: &'static str) -> Result<Json, CallError> {
        self.flush();
        self.client.get(target, asked_for)
    }

    /// The processes by the JSON API; `asked_for` describes them for messages.
    pub(super) fn api_processes(&mut self, asked_for: &'static str) -> Result<Vec<ProcessRow>, CallError> {
        self.flush();
        let answer: ApiProcesses = self.client.get("/api/v1/processes", asked_for)?;
        Ok(answer.processes)
    }

    /// A part of a log, by the JSON API.
    pub(super) fn log_piece(&mut self, target: &str) -> Result<LogText, CallError> {
        self.flush();
        self.client.get(target, "the log of a process")
    }

    /// Performs an action of the JSON API; `waits_for` describes it for the progress line.
    pub(super) fn post(&mut self, target: &str, waits_for: String) -> Result<Json, CallError> {
        self.flush();
        self.client.post(target, waits_for)
    }

    /// Follows the events after this one, or from now on.
    pub(super) fn follow_events(&mut self, after: Option<u64>) -> Result<EventStream, CallError> {
        let after = after.map_or_else(String::new, |serial| format!("&after={serial}"));
        let target = format!("/api/v1/events?follow=true{after}");
        Ok(EventStream::of(self.client.follow(&target)?))
    }

    /// All processes; as `sv` with their last exit, if the server has that method.
    pub(super) fn all_process_info(&mut self) -> Result<Value, CallError> {
        match self.own_process_info() {
            Some(answer) => answer,
            None => self.call("supervisor.getAllProcessInfo", &[]),
        }
    }

    /// All processes as rows, or `None` after an error message if no supervisor of our API version answers. As `sv` they come
    /// from the JSON API: its answer is half as long as that of XML-RPC, and a tenth of the work to read.
    pub(super) fn checked_processes(&mut self) -> Result<Option<Vec<ProcessRow>>, Failure> {
        match self.is_sv.then(|| self.api_processes("the state of all processes")) {
            Some(Ok(rows)) => return Ok(Some(rows)),
            // Supervisor, or an older sv: as supervisorctl.
            None | Some(Err(CallError::NoApi)) => {}
            Some(Err(error)) => return self.report_unusable(error).map(|()| None),
        }
        let answer = self.checked_process_info()?;
        Ok(answer.as_ref().map(answers::processes).transpose()?)
    }

    /// The same as they are answered by XML-RPC. If the server has our own method, its version is known, and one request is
    /// enough.
    pub(super) fn checked_process_info(&mut self) -> Result<Option<Value>, Failure> {
        if let Some(answer) = self.own_process_info() {
            return match answer {
                Ok(answer) => Ok(Some(answer)),
                Err(error) => self.report_unusable(error).map(|()| None),
            };
        }
        if !self.upcheck()? {
            return Ok(None);
        }
        match self.call("supervisor.getAllProcessInfo", &[]) {
            Err(error @ CallError::TimedOut { .. }) => self.report_unusable(error).map(|()| None),
            answer => Ok(Some(answer?)),
        }
    }

    /// `None` if the server has no such method, or we are `supervisorctl`.
    fn own_process_info(&mut self) -> Option<Result<Value, CallError>> {
        match self.is_sv.then(|| self.call("sv.getAllProcessInfo", &[]))? {
            Err(CallError::Fault(fault::UNKNOWN_METHOD, _)) => None,
            answer => Some(answer),
        }
    }

    /// The processes of the server, requested once per command; empty if it does not answer.
    pub(super) fn known_processes(&mut self) -> &[ProcessRow] {
        if self.known.is_none() {
            let answer = self.call("supervisor.getAllProcessInfo", &[]);
            let rows = answer.and_then(|rows| answers::processes(&rows)).unwrap_or_default();
            self.known = Some(rows);
        }
        self.known.as_deref().unwrap_or_default()
    }

    /// Records how an action on a process ended.
    pub(super) fn record(&mut self, group: &str, name: &str, status: i64) {
        if self.is_sv {
            self.results.push((Namespec::join(group, name), status));
        }
    }

    /// The processes for which the last action ended with one of these statuses.
    pub(super) fn take_results(&mut self, statuses: &[i64]) -> Vec<String> {
        let results = std::mem::take(&mut self.results);
        results.into_iter().filter(|(_, status)| statuses.contains(status)).map(|(name, _)| name).collect()
    }

    /// Drops cached state that may change with the next command.
    pub(super) fn forget_known(&mut self) {
        self.known = None;
    }

    /// Expands names: the processes are requested only if there is a pattern among them.
    pub(super) fn expanded(&mut self, names: &[&str]) -> Result<Vec<String>, CallError> {
        if !names.iter().any(|name| wildcard::may_be_pattern(name)) {
            return Ok(names.iter().map(|name| (*name).to_owned()).collect());
        }
        let rows = answers::processes(&self.call("supervisor.getAllProcessInfo", &[])?)?;
        Ok(wildcard::expand(names, &rows))
    }

    /// Follows a log of the server.
    pub(super) fn follow(&mut self, path: &str) -> Result<Follow, CallError> {
        self.flush();
        self.client.follow(&encoded(path))
    }

    /// The same of a log that may not exist before the first run of its program.
    pub(super) fn follow_awaited(&mut self, path: &str) -> Result<Follow, CallError> {
        self.flush();
        self.client.follow(&format!("{}?{AWAIT_QUERY}", encoded(path)))
    }

    /// The URL of the server.
    pub(super) fn url(&self) -> &str {
        self.client.url()
    }

    /// Switches to another server.
    pub(super) fn switch_to(&mut self, url: &str) {
        self.client.switch_to(url);
        self.origin = None;
    }

    /// Prints a line.
    pub(super) fn say(&mut self, line: impl Display) {
        self.print(&format!("{line}\n"));
    }

    /// Prints a line that is as wide as the terminal at most: what does not fit continues on the next line, after this many
    /// blanks. If standard output is not a terminal, it stays one line.
    pub(super) fn say_wrapped(&mut self, line: &str, indent: usize) {
        for part in screen::wrapped(line, screen::table_columns(), indent) {
            self.say(part);
        }
    }

    /// Prints a text without a newline.
    pub(super) fn print(&mut self, text: &str) {
        self.unwritten.push_str(text);
    }

    /// Writes the buffered output.
    pub(super) fn flush(&mut self) {
        let text = std::mem::take(&mut self.unwritten);
        if !text.is_empty() {
            // The error is kept, and reported at the end.
            let _ = self.write(text.as_bytes());
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.output.write_all(bytes).and_then(|()| self.output.flush()).map_err(|error| {
            self.lost.get_or_insert(error);
            Lost
        })
    }

    /// Whether all output could be written; to be called once, at the end.
    ///
    /// # Errors
    /// The first write error.
    pub(super) fn written(&mut self) -> io::Result<()> {
        self.flush();
        self.lost.take().map_or(Ok(()), Err)
    }

    /// Writes bytes unchanged.
    ///
    /// # Errors
    /// If they, or earlier output, can't be written.
    pub(super) fn pass_on(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.flush();
        if self.lost.is_some() {
            return Err(Lost);
        }
        self.write(bytes)
    }

    /// Prints a line on stderr, so that it does not mix with the bytes of a log.
    pub(super) fn warn(&mut self, line: impl Display) {
        self.flush();
        // If stderr is closed the message is lost.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Sets the exit code.
    pub(super) fn fail(&mut self, code: u8) {
        self.exit_code = code;
    }

    /// The current exit code.
    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Prints a line about a failure and sets the exit code.
    pub(super) fn complain(&mut self, line: impl Display) {
        self.say(line);
        self.fail(exit::GENERIC);
    }

    /// Prints an error about the arguments of an action, and its usage.
    pub(super) fn misused(&mut self, action: &str, why: &str) {
        self.complain(why);
        self.print(ClientAction::named(action).map_or("", |known| known.topic));
    }

    /// Whether there are arguments although the action accepts none; prints an error.
    pub(super) fn refuses_arguments(&mut self, action: &str, arg: &str) -> bool {
        if !arg.is_empty() {
            self.misused(action, &format!("Error: {action} accepts no arguments"));
        }
        !arg.is_empty()
    }

    /// Whether something listens at the address.
    pub(super) fn reaches_a_server(&mut self) -> bool {
        let answer = self.call("supervisor.getVersion", &[]);
        answer.err().and_then(|error| error.connect_kind()).is_none()
    }

    /// Whether a supervisor of our API version answers; prints an error if not.
    pub(super) fn upcheck(&mut self) -> Result<bool, Failure> {
        match self.call("supervisor.getVersion", &[]) {
            Ok(version) if version.as_str() == Some(API_VERSION) => return Ok(true),
            Ok(version) if self.is_sv => {
                self.warn(format_args!(
                    "error: the server speaks version {} of the interface, and sv version {API_VERSION}",
                    version.as_str().unwrap_or("unknown")
                ));
                self.fail(exit::NOT_INSTALLED);
            }
            Ok(version) => {
                self.say(format_args!(
                    "Sorry, this version of supervisorctl expects to talk to a server with API version \
                     {API_VERSION}, but the remote version is {}.",
                    version.as_str().unwrap_or("unknown")
                ));
                self.fail(exit::NOT_INSTALLED);
            }
            Err(error) => self.report_unusable(error)?,
        }
        Ok(false)
    }

    /// Says why no supervisor can be asked, and sets the exit code.
    ///
    /// # Errors
    /// The error itself if it does not show that.
    fn report_unusable(&mut self, error: CallError) -> Result<(), Failure> {
        let kind = error.connect_kind();
        if error.fault_code() == Some(fault::UNKNOWN_METHOD) && self.is_sv {
            let text = self.plain(&error);
            self.warn(format_args!("error: {text}"));
            self.fail(exit::UNIMPLEMENTED);
        } else if error.fault_code() == Some(fault::UNKNOWN_METHOD) {
            self.say(
                "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
                 supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section \
                 is enabled in the configuration file (see sample.conf).",
            );
            self.fail(exit::UNIMPLEMENTED);
        } else if kind == Some(io::ErrorKind::ConnectionRefused)
            || kind == Some(io::ErrorKind::AddrNotAvailable) && self.is_sv
        {
            self.report_unreachable(&error, "refused connection");
            self.fail(exit::NOT_PERMITTED);
        } else if kind == Some(io::ErrorKind::NotFound) {
            self.report_unreachable(&error, "no such file");
            self.fail(exit::NOT_RUNNING);
        } else if matches!(error, CallError::TimedOut { .. }) {
            self.explain_unreachable(&error);
            self.fail(exit::GENERIC);
        } else {
            return Err(error.into());
        }
        Ok(())
    }

    /// Sets the time limit for replies.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.client.set_timeout(timeout);
    }

    /// Sets the time limit for replies to read-only requests.
    pub(super) fn set_reading_timeout(&mut self, timeout: Option<Duration>) {
        self.client.set_reading_timeout(timeout);
    }

    /// Sets the deadline of all requests, in addition to their timeouts.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.client.set_deadline(deadline);
    }

    /// Whether Ctrl-C cancels a wait and does not end us.
    pub(super) fn is_interruptible(&self) -> bool {
        self.client.is_interruptible()
    }

    /// Makes Ctrl-C cancel a wait and not end us.
    pub(super) fn set_interruptible(&mut self) {
        self.client.set_interruptible();
    }

    /// Prints that the server is unreachable: as `supervisorctl` with the given text of the reference.
    fn report_unreachable(&mut self, error: &CallError, words: &str) {
        match self.is_sv {
            true => self.explain_unreachable(error),
            false => self.say(format!("{} {words}", self.url())),
        }
    }

    /// Prints on stderr that the server is unreachable, and hints at the cause.
    pub(super) fn explain_unreachable(&mut self, error: &CallError) {
        let text = self.unreachable(error);
        self.warn(format_args!("error: {text}"));
    }

    /// An error in plain words, harmless for a terminal.
    pub(super) fn plain(&self, error: &CallError) -> String {
        let text = match error {
            CallError::Connect(..) | CallError::TimedOut { .. } => self.unreachable(error),
            CallError::Refused(401, _) if self.client.has_credentials() => {
                "the server does not accept this user name and password".to_owned()
            }
            other => other.plain(),
        };
        harmless_lines(&text)
    }

    /// The same for a command on one process: its name may be that of a group.
    pub(super) fn plain_for_process(&mut self, name: &str, error: &CallError) -> String {
        let first = match error {
            CallError::Fault(fault::BAD_NAME, _) => {
                self.known_processes().iter().find(|row| row.group == name).map(ProcessRow::namespec)
            }
            _ => None,
        };
        match first {
            Some(first) => {
                harmless_lines(&format!("'{name}' is a group: name a process of it, such as '{first}'"))
            }
            None => self.plain(error),
        }
    }

    /// `, did you mean 'web:*'?` for an unknown name. Empty in Supervisor's client.
    pub(super) fn suggestion(&mut self, name: &str) -> String {
        if !self.is_sv {
            return String::new();
        }
        suggested(suggest::process(name, self.known_processes()))
    }

    /// The same for the name of a group.
    pub(super) fn group_suggestion(&mut self, name: &str) -> String {
        if !self.is_sv {
            return String::new();
        }
        suggested(suggest::group(name, self.known_processes().iter().map(|row| row.group.as_str())))
    }

    /// The same for a group that is configured, active or not.
    pub(super) fn configured_suggestion(&mut self, name: &str) -> String {
        if !self.is_sv {
            return String::new();
        }
        let answer = self.call("supervisor.getAllConfigInfo", &[]);
        let rows = answer.and_then(|rows| answers::config(&rows)).unwrap_or_default();
        let groups = rows.iter().map(|row| row.namespec.split(':').next().unwrap_or_default());
        suggested(suggest::group(name, groups))
    }

    /// The error that the server is unreachable, with hints at the cause.
    pub(super) fn unreachable(&self, error: &CallError) -> String {
        let origin = self.origin.map(|origin| origin());
        let (url, why) = (self.url(), error.unreachable());
        format!("cannot reach {url}: {why}{}", origin.unwrap_or_default())
    }

    /// Prompts for a line; `None` at the end of the input.
    pub(super) fn ask(&mut self, prompt: &str) -> Option<String> {
        self.print(prompt);
        self.flush();
        self.input.line()
    }

    /// The input, for actions that read it while they do something else.
    pub(super) fn input(&mut self) -> &mut LineInput<'io> {
        &mut self.input
    }

    /// Asks the user to confirm; without a user the answer is yes.
    pub(super) fn confirms(&mut self, question: &str) -> bool {
        let means_it = |answer: String| answer.to_lowercase().starts_with('y');
        !self.asks || self.ask(question).is_some_and(means_it)
    }

    /// Asks for user name and password, if possible, and uses them from then on.
    pub(super) fn logs_in(&mut self) -> bool {
        if self.asks || !self.is_sv {
            self.say("Server requires authentication");
        }
        if !self.asks {
            return false;
        }
        let Some(username) = self.ask("Username:") else { return false };
        let Some(password) = ask::hidden("Password:").or_else(|| self.ask("Password:")) else { return false };
        self.say("");
        self.log_in(username, password);
        true
    }

    /// Sets the user name and password.
    pub(super) fn log_in(&mut self, username: String, password: String) {
        self.client.log_in(username, password);
    }

    /// Whether the terminal, if there is one, supports escape sequences.
    pub(super) fn has_escapes(&self) -> bool {
        self.escapes
    }

    /// Whether colours are enabled.
    pub(super) fn has_colors(&self) -> bool {
        self.colors
    }

    /// The escape sequences around a process's state: green means healthy, as in `health`.
    pub(super) fn paint(&self, row: &ProcessRow) -> (&'static str, &'static str) {
        let on = match row.state {
            _ if !self.colors => return ("", ""),
            Some(ProcessState::Running) => match row.health.as_ref().map(|health| health.status) {
                None | Some(HealthStatus::Healthy) => "\x1b[32m",
                Some(HealthStatus::Starting) => "\x1b[33m",
                Some(HealthStatus::Unhealthy) => "\x1b[31m",
            },
            Some(ProcessState::Exited) if row.is_done => "\x1b[32m",
            Some(ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff) => "\x1b[33m",
            Some(ProcessState::Fatal | ProcessState::Exited | ProcessState::Unknown) => "\x1b[31m",
            Some(ProcessState::Stopped) | None => return ("", ""),
        };
        (on, "\x1b[0m")
    }
}

fn suggested(meant: Option<String>) -> String {
    meant.map(|meant| format!(", {}", did_you_mean(&meant))).unwrap_or_default()
}
