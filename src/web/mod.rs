//! The web pages: requests to commands, replies to HTML.
//!
//! This module does not act, wait or read a clock. A request is answered at once ([`Answer::Now`]), or it is
//! a [`PageRequest`]: its owner sends the commands from [`PageRequest::next`] to the supervisor, one after the other,
//! passes back the results, and when there are no more commands gets the [`Response`].
//!
//! Paths, link targets, classes, columns and messages are Supervisor's, since scripts read them. Sentences,
//! markup and style are our own: no external resources, readable on a phone and in the dark. The status page and the
//! page of a process work without JavaScript. Where it runs, the scripts in `js` replace them by pages that follow
//! the JSON API; the markup that the server sends stays as it is, for programs that read it.
//!
//! Links perform actions, and any page can contain such a link. So a request that changes something is
//! checked for its sender ([`Sender`]), and a request from a foreign page is not performed but shown, with a
//! button to confirm it. Foreign pages can't embed ours in a frame, where the button could be used for
//! clickjacking.

mod action;
mod files;
mod html;
mod pages;
mod process_page;
#[cfg(test)]
mod tests;

use crate::http::{Request, Response, Sender, form_fields, is_browser, percent_encode};
use crate::model::{Command, Fault, FaultCode, Grant, Namespec, Pid, ProcessUsage, Reply, Wall};

use action::{PageAction, Progress};
use pages::Tail;

/// The maximum size of a message: it is part of a URL, which has limits of its own.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// The maximum size of a log on a page.
pub const TAIL_BYTES_MAX: i64 = 1024 * 1024;

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It needs no command.
    Now(Response),
    /// It needs commands to the supervisor.
    Later(PageRequest),
}

/// A request that is being processed.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRequest {
    purpose: PagePurpose,
    progress: Progress,
}

#[derive(Clone, Debug, PartialEq)]
enum PagePurpose {
    ShowStatus { message: Option<String> },
    ShowTail(Tail),
    ShowProcess(String),
    Act(PageAction),
}

/// Handles a request for anything except the API and log streams. Files have not changed since `unix_secs`,
/// when this program started.
#[must_use]
pub fn ask(request: &Request, unix_secs: i64) -> Answer {
    if !["GET", "HEAD", "POST"].contains(&request.method.as_str()) {
        return Answer::Now(Response::error(400));
    }
    match request.path.trim_start_matches('/') {
        "" | "index.html" => index(request),
        "tail.html" => Answer::Later(PageRequest::new(PagePurpose::ShowTail(Tail::of(
            field(request, "processname"),
            field(request, "limit").as_deref(),
        )))),
        "process.html" => match field(request, "processname") {
            Some(name) => Answer::Later(PageRequest::new(PagePurpose::ShowProcess(name))),
            None => Answer::Now(pages::bad_request("The process is missing: processname.")),
        },
        "ok.html" => Answer::Now(Response::ok("text/plain", "OK")),
        path => Answer::Now(files::answer(path, request, unix_secs)),
    }
}

/// The status page, or the action of a link. COMPAT: a HEAD request is answered like a GET, but changes
/// nothing; Supervisor has no status page for it.
fn index(request: &Request) -> Answer {
    let name = field(request, "action").filter(|_| request.method != "HEAD");
    let Some(name) = name else {
        return Answer::Later(PageRequest::new(PagePurpose::ShowStatus {
            message: field(request, "message"),
        }));
    };
    let process = field(request, "processname");
    match PageAction::parse(&name, process.as_deref()) {
        Err(text) => Answer::Now(pages::bad_request(&text)),
        Ok(action) if action.changes_something() && !is_trusted(request) => {
            Answer::Now(pages::refusal(&name, process.as_deref()))
        }
        // COMPAT: Supervisor does it at once. For a program we do so too; in a browser the user is asked for
        // confirmation first, with a form.
        Ok(action) if request.method == "GET" && is_browser(request) => match action.stops_everything() {
            Some((label, warning)) => Answer::Now(pages::question(&name, label, warning)),
            None => Answer::Later(PageRequest::new(PagePurpose::Act(action))),
        },
        Ok(action) => Answer::Later(PageRequest::new(PagePurpose::Act(action))),
    }
}

/// COMPAT: Supervisor performs requests from any page.
fn is_trusted(request: &Request) -> bool {
    match Sender::of(request) {
        Sender::OwnPage | Sender::Program => true,
        Sender::ForeignPage | Sender::SilentBrowser => false,
    }
}

/// A field of the posted form, the last of its name, or else of the query, the first.
fn field(request: &Request, name: &str) -> Option<String> {
    let body = if request.method == "POST" { request.body.as_slice() } else { b"" };
    let posted = form_fields(&String::from_utf8_lossy(body)).filter(|(it, _)| it == name).last();
    let query = request.query.as_deref().unwrap_or_default();
    posted.or_else(|| form_fields(query).find(|(it, _)| it == name)).map(|(_, value)| value)
}

impl PageRequest {
    fn new(purpose: PagePurpose) -> Self {
        Self { purpose, progress: Progress::default() }
    }

    /// The next command; `None` after the last. [`PageRequest::answered`] must be called with its result before the
    /// next call.
    #[expect(clippy::should_implement_trait, reason = "what is next depends on answers")]
    pub fn next(&mut self) -> Option<Command> {
        let command = match (&self.purpose, self.progress.asked) {
            (PagePurpose::Act(action), _) => action.command(&self.progress),
            (PagePurpose::ShowStatus { .. }, 0) => Some(Command::GetAllProcessInfo),
            (PagePurpose::ShowTail(tail), asked) => tail.command(asked),
            (PagePurpose::ShowProcess(name), 0) => Some(Command::GetProcessDetails(Namespec::split(name))),
            (PagePurpose::ShowStatus { .. } | PagePurpose::ShowProcess(_), _) => None,
        }?;
        self.progress.asked += 1;
        Some(command)
    }

    /// Adds the result of the command.
    pub fn answered(&mut self, outcome: Result<Reply, Fault>) {
        if let PagePurpose::ShowTail(tail) = &mut self.purpose {
            tail.answered(&outcome);
        }
        self.progress.take(outcome);
    }

    /// The process whose use of memory the page shows; `None` for other pages, and if it does not run.
    #[must_use]
    pub fn measured_pid(&self) -> Option<Pid> {
        match (&self.purpose, &self.progress.last) {
            (PagePurpose::ShowProcess(_), Some(Ok(Reply::Details(details)))) => {
                Some(Pid(details.info.pid)).filter(|pid| pid.0 > 0)
            }
            _ => None,
        }
    }

    /// The response to a client, with the links to what it may do, and what [`PageRequest::measured_pid`] uses.
    #[must_use]
    pub fn into_response(self, wall: Wall, grant: Grant, usage: Option<ProcessUsage>) -> Response {
        let Self { purpose, progress } = self;
        if let Some(Err(fault)) = &progress.last
            && fault.code == FaultCode::Forbidden
        {
            return pages::forbidden(&fault.to_string());
        }
        match purpose {
            PagePurpose::ShowStatus { message } => match progress.last {
                Some(Ok(Reply::AllInfo(processes))) => pages::status(&processes, message.as_deref(), grant),
                _ => pages::stopping(message.as_deref()),
            },
            PagePurpose::ShowTail(tail) => tail.page(progress.asked, progress.last),
            PagePurpose::ShowProcess(name) => match progress.last {
                Some(Ok(Reply::Details(details))) => process_page::page(&details, usage, grant),
                Some(Err(fault)) if fault.code == FaultCode::BadName => process_page::unknown(&name),
                _ => pages::stopping(None),
            },
            PagePurpose::Act(action) => redirect(&action.message(&progress, wall)),
        }
    }
}

/// COMPAT: Supervisor's redirect is absolute, based on the requested host, and permanent. A relative one is
/// correct with any proxy, and a client never caches 303.
fn redirect(message: &str) -> Response {
    let fits = |&(at, character): &(usize, char)| at + character.len_utf8() <= MESSAGE_BYTES_MAX;
    let message: String = message.char_indices().take_while(fits).map(|(_, character)| character).collect();
    let location = format!("./?message={}", percent_encode(&message));
    pages::uncached(Response::new(303)).header("Location", &location)
}
