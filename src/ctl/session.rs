//! What actions have in common: somebody to call, somewhere to speak, and an exit code.
//!
//! Output is gathered and handed over before every wait (a call, a question) and at the end: a table
//! is one write, and yet a line is seen as soon as it is true. That a reader is gone is no reason to
//! stop an action half-way; the first error in writing is kept and decides the exit status in the end.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use super::answers::{self, ProcessRow};
use super::ask;
use super::client::Client;
use super::exit;
use super::failure::{CallError, Failure, fault};
use super::follow::Follow;
use super::input::Input;
use super::{suggest, wildcard};
use crate::cli::ClientAction;
use crate::config::{ClientPlugin, did_you_mean};
use crate::model::{HealthStatus, Namespec, ProcessState};
use crate::xmlrpc::Value;

/// The version of the interface that we speak. It will never be another.
const API_VERSION: &str = "3.0";

/// What was said could not be written; [`Session::written`] has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// One conversation: a single action or a shell's worth of them.
pub(super) struct Session<'io> {
    client: Client,
    output: &'io mut dyn Write,
    input: Input<'io>,
    /// Said but not yet written.
    unsaid: String,
    /// Why something that was said could not be written.
    lost: Option<io::Error>,
    /// The last one set counts; nothing sets it back to 0.
    exit_code: u8,
    /// Whether questions may be asked.
    asks: bool,
    /// Whether states are shown in colour.
    colors: bool,
    /// Whether we are `sv`, which may say and do more than Supervisor's client.
    is_sv: bool,
    /// What a Tab asked the server for since the last command.
    known: Option<Vec<ProcessRow>>,
    /// The processes of this command with the status of each.
    results: Vec<(String, i64)>,
    /// Tells where the URL comes from.
    origin: Option<&'io dyn Fn() -> String>,
    /// Looks up the plug-ins that the configuration names.
    plugins: Option<&'io dyn Fn() -> Vec<ClientPlugin>>,
}

impl<'io> Session<'io> {
    /// Starts with exit code 0.
    pub(super) fn new(client: Client, output: &'io mut dyn Write, input: Input<'io>, asks: bool) -> Self {
        let unsaid = String::new();
        Self {
            client,
            output,
            input,
            unsaid,
            lost: None,
            exit_code: 0,
            asks,
            colors: false,
            is_sv: false,
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

    /// Writes no escape sequences, for a terminal that shows them as they are.
    pub(super) fn be_dumb(&mut self) {
        self.colors = false;
        self.client.hide_waits();
    }

    /// Is `sv`, not `supervisorctl`, from now on; `origin` tells where the URL comes from.
    pub(super) fn be_sv(&mut self, origin: &'io dyn Fn() -> String) {
        self.is_sv = true;
        self.origin = Some(origin);
    }

    /// Knows from now on how to look up the plug-ins that the configuration names.
    pub(super) fn set_plugins(&mut self, plugins: &'io dyn Fn() -> Vec<ClientPlugin>) {
        self.plugins = Some(plugins);
    }

    /// The plug-ins that the configuration names: looked up only when an action needs one.
    pub(super) fn plugins(&self) -> Vec<ClientPlugin> {
        self.plugins.map(|look_up| look_up()).unwrap_or_default()
    }

    /// Whether we are `sv`.
    pub(super) fn is_sv(&self) -> bool {
        self.is_sv
    }

    /// Says a line that Supervisor's client has no words for.
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

    /// All processes; as `sv` with how each ended last, where the server has that method.
    pub(super) fn all_process_info(&mut self) -> Result<Value, CallError> {
        match self.own_process_info() {
            Some(answer) => answer,
            None => self.call("supervisor.getAllProcessInfo", &[]),
        }
    }

    /// The same, unless no supervisor of our version can be asked: says why. Where the server has our own method, that
    /// is known of its version, and one request is enough.
    pub(super) fn checked_process_info(&mut self) -> Result<Option<Value>, Failure> {
        let answer = match self.own_process_info() {
            Some(answer) => answer,
            None if self.upcheck()? => self.call("supervisor.getAllProcessInfo", &[]),
            None => return Ok(None),
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => self.report_unusable(error).map(|()| None),
        }
    }

    /// `None` if the server has no such method, or we are `supervisorctl`.
    fn own_process_info(&mut self) -> Option<Result<Value, CallError>> {
        match self.is_sv.then(|| self.call("sv.getAllProcessInfo", &[]))? {
            Err(CallError::Fault(fault::UNKNOWN_METHOD, _)) => None,
            answer => Some(answer),
        }
    }

    /// The processes that there are, asked for once a command; none if nobody answers.
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

    /// The processes for which the last action ended in one of these ways.
    pub(super) fn take_results(&mut self, statuses: &[i64]) -> Vec<String> {
        let results = std::mem::take(&mut self.results);
        results.into_iter().filter(|(_, status)| statuses.contains(status)).map(|(name, _)| name).collect()
    }

    /// Forgets what may change with the next command.
    pub(super) fn forget_known(&mut self) {
        self.known = None;
    }

    /// The names that are meant: what there is is asked for only if there is a pattern among them.
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
        self.client.follow(path)
    }

    /// Where the server is.
    pub(super) fn url(&self) -> &str {
        self.client.url()
    }

    /// Talks to another server from now on.
    pub(super) fn turn_to(&mut self, url: &str) {
        self.client.turn_to(url);
        self.origin = None;
    }

    /// Says a line.
    pub(super) fn say(&mut self, line: impl Display) {
        self.print(&format!("{line}\n"));
    }

    /// Says a text as it is.
    pub(super) fn print(&mut self, text: &str) {
        self.unsaid.push_str(text);
    }

    /// Hands over what was said.
    pub(super) fn flush(&mut self) {
        let text = std::mem::take(&mut self.unsaid);
        if !text.is_empty() {
            // It is kept, and reported in the end.
            let _ = self.write(text.as_bytes());
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.output.write_all(bytes).and_then(|()| self.output.flush()).map_err(|error| {
            self.lost.get_or_insert(error);
            Lost
        })
    }

    /// Whether all that was said could be written; to be asked once, in the end.
    ///
    /// # Errors
    /// Why the first text that could not be written was lost.
    pub(super) fn written(&mut self) -> io::Result<()> {
        self.flush();
        self.lost.take().map_or(Ok(()), Err)
    }

    /// Hands over bytes as they are.
    ///
    /// # Errors
    /// When they can't be written, or what was said before could not.
    pub(super) fn pass_on(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.flush();
        if self.lost.is_some() {
            return Err(Lost);
        }
        self.write(bytes)
    }

    /// Says a line on stderr: it must not get between the bytes of a log.
    pub(super) fn warn(&mut self, line: impl Display) {
        self.flush();
        // There is nobody to tell if stderr is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// Sets the exit code.
    pub(super) fn fail(&mut self, code: u8) {
        self.exit_code = code;
    }

    /// The code so far.
    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Says a line about something that failed.
    pub(super) fn complain(&mut self, line: impl Display) {
        self.say(line);
        self.fail(exit::GENERIC);
    }

    /// Says what was wrong with an action's words, and what its words are.
    pub(super) fn misused(&mut self, action: &str, why: &str) {
        self.complain(why);
        self.print(ClientAction::named(action).map_or("", |known| known.topic));
    }

    /// Whether there are words where the action takes none; says so.
    pub(super) fn refuses_arguments(&mut self, action: &str, arg: &str) -> bool {
        if !arg.is_empty() {
            self.misused(action, &format!("Error: {action} accepts no arguments"));
        }
        !arg.is_empty()
    }

    /// Whether a supervisor answers that speaks our version; says so if not.
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
        } else if kind == Some(io::ErrorKind::ConnectionRefused) {
            self.tell_unreachable(&error, "refused connection");
            self.fail(exit::NOT_PERMITTED);
        } else if kind == Some(io::ErrorKind::NotFound) {
            self.tell_unreachable(&error, "no such file");
            self.fail(exit::NOT_RUNNING);
        } else if matches!(error, CallError::Silent { .. }) {
            self.explain_unreachable(&error);
            self.fail(exit::GENERIC);
        } else {
            return Err(error.into());
        }
        Ok(())
    }

    /// Waits no longer than this for an answer from now on.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.client.set_patience(patience);
    }

    /// Waits no longer than this for an answer to a request that only reads.
    pub(super) fn set_reading_timeout(&mut self, timeout: Option<Duration>) {
        self.client.set_reading_timeout(timeout);
    }

    /// Lets Ctrl-C end a wait, and not us, from now on.
    pub(super) fn be_interruptible(&mut self) {
        self.client.be_interruptible();
    }

    /// Says that nobody answers: as `supervisorctl` in the reference's words.
    fn tell_unreachable(&mut self, error: &CallError, words: &str) {
        match self.is_sv {
            true => self.explain_unreachable(error),
            false => self.say(format!("{} {words}", self.url())),
        }
    }

    /// Says on stderr that nobody answers, and what helps to find out why.
    pub(super) fn explain_unreachable(&mut self, error: &CallError) {
        let text = self.unreachable(error);
        self.warn(format_args!("error: {text}"));
    }

    /// What went wrong, in plain words.
    pub(super) fn plain(&self, error: &CallError) -> String {
        match error {
            CallError::Connect(..) | CallError::Silent { .. } => self.unreachable(error),
            CallError::Refused(401, _) if self.client.has_credentials() => {
                "the server does not accept this user name and password".to_owned()
            }
            other => other.plain(),
        }
    }

    /// `, did you mean 'web:*'?` for a name that nothing is called by. Supervisor's client says nothing.
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

    /// That nobody answers, and what helps to find out why.
    pub(super) fn unreachable(&self, error: &CallError) -> String {
        let origin = self.origin.map(|origin| origin());
        let (url, why) = (self.url(), error.unreachable());
        format!("cannot reach {url}: {why}{}", origin.unwrap_or_default())
    }

    /// Asks for a line; `None` at the end of the input.
    pub(super) fn ask(&mut self, prompt: &str) -> Option<String> {
        self.print(prompt);
        self.flush();
        self.input.line()
    }

    /// What is typed while something else goes on as well.
    pub(super) fn input(&mut self) -> &mut Input<'io> {
        &mut self.input
    }

    /// Whether the user means it; without a user it is meant.
    pub(super) fn confirms(&mut self, question: &str) -> bool {
        let means_it = |answer: String| answer.to_lowercase().starts_with('y');
        !self.asks || self.ask(question).is_some_and(means_it)
    }

    /// Asks who the user is, if that can be asked, and tells the server from now on.
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

    /// Is somebody else from now on.
    pub(super) fn log_in(&mut self, username: String, password: String) {
        self.client.log_in(username, password);
    }

    /// Whether colours are welcome.
    pub(super) fn has_colors(&self) -> bool {
        self.colors
    }

    /// What to write before and after a process's state: green is well, as in `health`.
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
