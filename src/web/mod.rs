//! The web pages: requests to commands, replies to HTML.
//!
//! Nothing here acts, waits or looks at a clock. A request is answered at once ([`Answer::Now`]), or it is a
//! [`Visit`]: its owner puts the commands that [`Visit::next`] has to the supervisor, one after the other,
//! hands back what came of each, and when there are no more lets the visit make its [`Response`].
//!
//! Paths, link targets, classes, columns and messages are Supervisor's, since scripts read them. Sentences,
//! markup and style are our own: no JavaScript, nothing from elsewhere, readable on a phone and in the
//! dark.
//!
//! Links do things, and a link can stand on anybody's page. So whatever changes something asks first who
//! sent the request ([`Sender`]), and what comes from a foreign page is not done but shown, with a
//! button that does it. No foreign page may show ours in a frame, where that button could be put under
//! somebody's finger.

mod action;
mod files;
mod html;
mod pages;
#[cfg(test)]
mod tests;

use crate::http::{Request, Response, Sender, form_fields, is_browser, percent_encode};
use crate::model::{Command, Fault, Reply, Wall};

use action::{Action, Progress};
use pages::Tail;

/// Bytes of a message that is shown: it travels in a URL, which has bounds of its own.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// Bytes of a log that one page shows.
pub const TAIL_BYTES_MAX: i64 = 1024 * 1024;

/// What a request comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nobody needs to be asked.
    Now(Response),
    /// The supervisor has to be asked.
    Later(Visit),
}

/// A request that is being worked on.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    purpose: PagePurpose,
    progress: Progress,
}

#[derive(Clone, Debug, PartialEq)]
enum PagePurpose {
    ShowStatus { message: Option<String> },
    ShowTail(Tail),
    Act(Action),
}

/// What a request for anything but the API and the streams of logs comes to. Files have not changed
/// since `unix_secs`, when this program started.
#[must_use]
pub fn ask(request: &Request, unix_secs: i64) -> Answer {
    if !["GET", "HEAD", "POST"].contains(&request.method.as_str()) {
        return Answer::Now(Response::error(400));
    }
    match request.path.trim_start_matches('/') {
        "" | "index.html" => index(request),
        "tail.html" => Answer::Later(Visit::new(PagePurpose::ShowTail(Tail::of(
            field(request, "processname"),
            field(request, "limit").as_deref(),
        )))),
        "ok.html" => Answer::Now(Response::ok("text/plain", "OK")),
        path => Answer::Now(files::answer(path, request, unix_secs)),
    }
}

/// The status page, or what its links do. COMPAT: a HEAD request is answered as a GET is, but changes
/// nothing; Supervisor has no status page for it.
fn index(request: &Request) -> Answer {
    let name = field(request, "action").filter(|_| request.method != "HEAD");
    let Some(name) = name else {
        return Answer::Later(Visit::new(PagePurpose::ShowStatus { message: field(request, "message") }));
    };
    let process = field(request, "processname");
    match Action::parse(&name, process.as_deref()) {
        Err(text) => Answer::Now(pages::bad_request(&text)),
        Ok(action) if action.changes_something() && !is_trusted(request) => {
            Answer::Now(pages::refusal(&name, process.as_deref()))
        }
        // COMPAT: Supervisor does it at once. A program still finds it so; a person at a browser is asked
        // first, and says yes by a form.
        Ok(action) if request.method == "GET" && is_browser(request) => match action.stops_everything() {
            Some((label, warning)) => Answer::Now(pages::question(&name, label, warning)),
            None => Answer::Later(Visit::new(PagePurpose::Act(action))),
        },
        Ok(action) => Answer::Later(Visit::new(PagePurpose::Act(action))),
    }
}

/// COMPAT: Supervisor does what any page tells a browser to ask it for.
fn is_trusted(request: &Request) -> bool {
    match Sender::of(request) {
        Sender::OwnPage | Sender::Program => true,
        Sender::ForeignPage | Sender::SilentBrowser => false,
    }
}

/// A field of the form that was posted, the last of its name, or else of the query, the first.
fn field(request: &Request, name: &str) -> Option<String> {
    let body = if request.method == "POST" { request.body.as_slice() } else { b"" };
    let posted = form_fields(&String::from_utf8_lossy(body)).filter(|(it, _)| it == name).last();
    let query = request.query.as_deref().unwrap_or_default();
    posted.or_else(|| form_fields(query).find(|(it, _)| it == name)).map(|(_, value)| value)
}

impl Visit {
    fn new(purpose: PagePurpose) -> Self {
        Self { purpose, progress: Progress::default() }
    }

    /// The next command; `None` after the last. Each is to be answered by [`Visit::answered`] before the
    /// next is asked for.
    #[expect(clippy::should_implement_trait, reason = "what is next depends on answers")]
    pub fn next(&mut self) -> Option<Command> {
        let command = match (&self.purpose, self.progress.asked) {
            (PagePurpose::Act(action), _) => action.command(&self.progress),
            (PagePurpose::ShowStatus { .. }, 0) => Some(Command::GetAllProcessInfo),
            (PagePurpose::ShowTail(tail), asked) => tail.command(asked),
            (PagePurpose::ShowStatus { .. }, _) => None,
        }?;
        self.progress.asked += 1;
        Some(command)
    }

    /// Takes what came of the command.
    pub fn answered(&mut self, outcome: Result<Reply, Fault>) {
        if let PagePurpose::ShowTail(tail) = &mut self.purpose {
            tail.answered(&outcome);
        }
        self.progress.take(outcome);
    }

    /// Whether it is to go on also if nobody waits for the answer any more. What was stopped to be
    /// started again is started again.
    #[must_use]
    pub fn outlives_its_client(&self) -> bool {
        matches!(self.purpose, PagePurpose::Act(Action::RestartAll | Action::Restart(_)))
    }

    /// What the client is told.
    #[must_use]
    pub fn into_response(self, wall: Wall) -> Response {
        let Self { purpose, progress } = self;
        match purpose {
            PagePurpose::ShowStatus { message } => match progress.last {
                Some(Ok(Reply::AllInfo(processes))) => pages::status(&processes, message.as_deref()),
                _ => pages::stopping(message.as_deref()),
            },
            PagePurpose::ShowTail(tail) => tail.page(progress.asked, progress.last),
            PagePurpose::Act(action) => redirect(&action.message(&progress, wall)),
        }
    }
}

/// COMPAT: Supervisor's address is absolute, from what the client called it, and moves permanently. A
/// relative one is right behind any proxy, and 303 is never kept by a client.
fn redirect(message: &str) -> Response {
    let fits = |&(at, character): &(usize, char)| at + character.len_utf8() <= MESSAGE_BYTES_MAX;
    let message: String = message.char_indices().take_while(fits).map(|(_, character)| character).collect();
    let location = format!("./?message={}", percent_encode(&message));
    pages::uncached(Response::new(303)).header("Location", &location)
}
