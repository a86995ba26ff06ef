//! The pages.

use crate::http::{Response, http_date, percent_encode};
use crate::model::{
    Channel, Command, Fault, FaultCode, LogOf, Namespec, ProcessInfo, ProcessState, Reading, Reply,
    SUPERVISOR_VERSION,
};

use super::TAIL_BYTES_MAX;
use super::action::unexpected;
use super::html::{document, escape};

/// Bytes of a log that a page shows at least, and unless asked for more.
const TAIL_BYTES_LEAST: i64 = 1024;

/// Nothing from elsewhere, no scripts, and no frames on pages of others.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'self'";

/// A page is as old as the moment it was made.
pub(super) fn uncached(response: Response) -> Response {
    response
        .header("Pragma", "no-cache")
        .header("Cache-Control", "no-cache")
        .header("Expires", &http_date(0))
        // A browser that names our pages to us and to nobody else.
        .header("Referrer-Policy", "same-origin")
}

fn page(status: u16, title: &str, body: &str) -> Response {
    let response = Response::new(status).body("text/html;charset=utf-8", document(title, body));
    uncached(response).header("Content-Security-Policy", POLICY).header("X-Content-Type-Options", "nosniff")
}

/// The status page.
pub(super) fn status(processes: &[ProcessInfo], message: Option<&str>) -> Response {
    let buttons = buttons(&[("refresh", "Refresh"), ("restartall", "Restart All"), ("stopall", "Stop All")]);
    let table = if processes.is_empty() {
        "<p>No programs to manage</p>\n".to_owned()
    } else {
        let rows: String = processes.iter().enumerate().map(|(at, info)| row(info, at % 2 == 1)).collect();
        format!(
            "<table>\n<thead>\n<tr><th class=\"state\" scope=\"col\">State</th>\
             <th class=\"desc\" scope=\"col\">Description</th><th class=\"name\" scope=\"col\">Name</th>\
             <th class=\"action\" scope=\"col\">Action</th></tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        )
    };
    page(200, "Supervisor Status", &status_body(message, &format!("{buttons}{table}")))
}

/// The status page of a supervisor that answers no questions any more.
pub(super) fn stopping(message: Option<&str>) -> Response {
    let notice = "<p class=\"status_msg\">Supervisor is shutting down or restarting.</p>\n";
    let body = format!("{}{notice}", buttons(&[("refresh", "Refresh")]));
    page(503, "Supervisor Status", &status_body(message, &body))
}

fn status_body(message: Option<&str>, content: &str) -> String {
    let message = message.map_or(String::new(), |text| {
        format!("<div class=\"status_msg\" role=\"status\">{}</div>\n", escape(text))
    });
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<h1>Supervisor Status</h1>\n{message}<main>\n{content}</main>\n\
         <footer id=\"footer\">sv {version}, compatible with Supervisor <span>{SUPERVISOR_VERSION}</span></footer>\n"
    )
}

fn buttons(actions: &[(&str, &str)]) -> String {
    let items = actions.iter().map(|(action, label)| {
        format!("<li class=\"action-button\"><a href=\"index.html?action={action}\">{label}</a></li>\n")
    });
    format!("<ul id=\"buttons\">\n{}</ul>\n", items.collect::<String>())
}

fn row(info: &ProcessInfo, is_shaded: bool) -> String {
    let name = Namespec::join(&info.group, &info.name);
    let (shown, encoded) = (escape(&name), percent_encode(&name));
    let shade = if is_shaded { " class=\"shade\"" } else { "" };
    let (class, state) = (class_of(info.state), info.state.name().to_lowercase());
    let hint = info.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
    let description = escape(&format!("{}{hint}", info.description));
    let links: String =
        links_of(info.state, &encoded).iter().map(|link| item(link.as_ref(), &shown)).collect();
    format!(
        "<tr{shade}>\n<td class=\"status\"><span class=\"{class}\">{state}</span></td>\n\
         <td><span>{description}</span></td>\n\
         <td><a href=\"tail.html?processname={encoded}\" target=\"_blank\">{shown}</a></td>\n\
         <td class=\"action\"><ul>\n{links}</ul></td>\n</tr>\n"
    )
}

fn class_of(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running => "statusrunning",
        ProcessState::Fatal | ProcessState::Backoff => "statuserror",
        ProcessState::Stopped
        | ProcessState::Starting
        | ProcessState::Stopping
        | ProcessState::Exited
        | ProcessState::Unknown => "statusnominal",
    }
}

struct Link {
    label: &'static str,
    href: String,
    /// In a window of its own.
    is_apart: bool,
}

/// Five for each process, so that scripts find each in its place: `None` where there is nothing to do.
fn links_of(state: ProcessState, encoded: &str) -> [Option<Link>; 5] {
    let act = |label, action| {
        let href = format!("index.html?processname={encoded}&amp;action={action}");
        Some(Link { label, href, is_apart: false })
    };
    let follow = |label, path| Some(Link { label, href: format!("logtail/{encoded}{path}"), is_apart: true });
    let [first, second] = match state {
        ProcessState::Running => [act("Restart", "restart"), act("Stop", "stop")],
        ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal => [act("Start", "start"), None],
        ProcessState::Starting | ProcessState::Backoff | ProcessState::Stopping | ProcessState::Unknown => {
            [None, None]
        }
    };
    let clear = act("Clear Log", "clearlog");
    [first, second, clear, follow("Tail -f Stdout", ""), follow("Tail -f Stderr", "/stderr")]
}

fn item(link: Option<&Link>, shown: &str) -> String {
    let Some(Link { label, href, is_apart }) = link else {
        return "<li class=\"hidden\"></li>\n".to_owned();
    };
    let target = if *is_apart { " target=\"_blank\"" } else { "" };
    format!(
        "<li><a href=\"{href}\" name=\"{label}\"{target} aria-label=\"{label} {shown}\">{label}</a></li>\n"
    )
}

/// The end of a log that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tail {
    process: Option<String>,
    bytes: i64,
}

impl Tail {
    /// What is no number means the least.
    pub(super) fn of(process: Option<String>, limit: Option<&str>) -> Self {
        let digits = limit.filter(|limit| limit.bytes().all(|byte| byte.is_ascii_digit()));
        let asked = digits.map_or(0, |digits| digits.parse().unwrap_or(i64::MAX));
        Self { process, bytes: asked.clamp(TAIL_BYTES_LEAST, TAIL_BYTES_MAX) }
    }

    pub(super) fn command(&self) -> Option<Command> {
        let log = LogOf::Process(Namespec::split(self.process.as_deref()?), Channel::Stdout);
        Some(Command::ReadLog(log, Reading::Range { offset: -self.bytes, length: 0 }))
    }

    pub(super) fn page(&self, outcome: Option<Result<Reply, Fault>>) -> Response {
        let process = self.process.as_deref().unwrap_or("None");
        let title = format!("Supervisor tail of process {process}");
        let refresh = self.process.as_deref().map_or(String::new(), |process| {
            let (process, limit) = (percent_encode(process), self.bytes);
            let href = format!("tail.html?processname={process}&amp;limit={limit}");
            format!(
                "<ul id=\"buttons\"><li class=\"action-button\"><a href=\"{href}\">Refresh</a></li></ul>\n"
            )
        });
        let text = escape(&tail_text(process, outcome));
        page(
            200,
            &title,
            &format!("<h1>{}</h1>\n<main>\n<pre>{text}</pre>\n{refresh}</main>\n", escape(&title)),
        )
    }
}

fn tail_text(process: &str, outcome: Option<Result<Reply, Fault>>) -> String {
    match outcome {
        None => "No process name found".to_owned(),
        Some(Ok(Reply::Text(text))) => text,
        Some(Ok(_)) => String::new(),
        Some(Err(fault)) if fault.code == FaultCode::NoFile => format!("No file for {process}"),
        Some(Err(fault)) => format!("ERROR: {}", unexpected(&fault)),
    }
}

/// Nothing was done, as there is nothing that could have been meant.
pub(super) fn bad_request(text: &str) -> Response {
    let body = format!("<h1>400 Bad Request</h1>\n<main><p>{}</p>\n{BACK}</main>\n", escape(text));
    page(400, "400 Bad Request", &body)
}

const BACK: &str = "<p><a href=\"index.html\">Supervisor Status</a></p>\n";

/// Nothing was done, as it is not clear that a person meant it; a button does it.
pub(super) fn refusal(action: &str, process: Option<&str>) -> Response {
    let (shown, value) = (escape(action), escape(process.unwrap_or_default()));
    page(
        403,
        "403 Forbidden",
        &format!(
            "<h1>403 Forbidden</h1>\n<main>\n<p>Nothing was done: this request came from a page of another site, or \
             the browser did not tell where it came from.</p>\n\
             <form action=\"index.html\" method=\"post\">\n<input type=\"hidden\" name=\"action\" value=\"{shown}\">\n\
             <input type=\"hidden\" name=\"processname\" value=\"{value}\">\n\
             <button>Do it: {shown} {value}</button>\n</form>\n\
             <p>If this comes back again and again, there is a proxy in between that has to pass on the host that it \
             was asked for, as <code>Host</code> or <code>X-Forwarded-Host</code>.</p>\n{BACK}</main>\n"
        ),
    )
}
