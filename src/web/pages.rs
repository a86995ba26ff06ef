//! The HTML pages.

use crate::http::{Response, http_date, percent_encode};
use crate::model::{
    Channel, Command, Fault, FaultCode, Grant, LogOf, LogRange, Namespec, ProcessInfo, ProcessState, Reply,
    SUPERVISOR_VERSION,
};

use super::TAIL_BYTES_MAX;
use super::action::unexpected;
use super::html::{document, escape, readable, readable_log};

/// The minimum and default size of a log on a page.
const TAIL_BYTES_LEAST: i64 = 1024;

/// The factor by which the next page shows more of a log.
const MORE_TIMES: i64 = 16;

/// No external resources, nothing inline, and no embedding in foreign frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// Disables caching.
pub(super) fn uncached(response: Response) -> Response {
    response
        .header("Pragma", "no-cache")
        .header("Cache-Control", "no-cache")
        .header("Expires", &http_date(0))
        // The browser sends the address of our pages to us only.
        .header("Referrer-Policy", "same-origin")
}

pub(super) fn page(status: u16, title: &str, body: &str) -> Response {
    guarded(Response::new(status).body("text/html;charset=utf-8", document(title, None, body)))
}

/// A page that a script replaces where scripts run.
pub(super) fn live_page(title: &str, script: &str, body: &str) -> Response {
    guarded(Response::new(200).body("text/html;charset=utf-8", document(title, Some(script), body)))
}

fn guarded(response: Response) -> Response {
    uncached(response).header("Content-Security-Policy", POLICY).header("X-Content-Type-Options", "nosniff")
}

/// The status page.
pub(super) fn status(processes: &[ProcessInfo], message: Option<&str>, grant: Grant) -> Response {
    let actions = [("refresh", "Refresh"), ("restartall", "Restart All"), ("stopall", "Stop All")];
    let buttons = buttons(if grant.operates() { &actions } else { &actions[..1] });
    let table = if processes.is_empty() {
        "<p>No programs to manage</p>\n".to_owned()
    } else {
        let rows: String =
            processes.iter().enumerate().map(|(at, info)| row(info, at % 2 == 1, grant)).collect();
        format!(
            "<table>\n<thead>\n<tr><th class=\"state\" scope=\"col\">State</th>\
             <th class=\"desc\" scope=\"col\">Description</th><th class=\"name\" scope=\"col\">Name</th>\
             <th class=\"action\" scope=\"col\">PageAction</th></tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        )
    };
    live_page("Supervisor Status", "js/status.js", &status_body(message, &format!("{buttons}{table}")))
}

/// The status page of a supervisor that is shutting down.
pub(super) fn stopping(message: Option<&str>) -> Response {
    let notice = "<p class=\"status_msg\">Supervisor is shutting down or restarting.</p>\n";
    let body = format!("{}{notice}", buttons(&[("refresh", "Refresh")]));
    page(503, "Supervisor Status", &status_body(message, &body))
}

fn status_body(message: Option<&str>, content: &str) -> String {
    let message = message.map_or(String::new(), |text| {
        let (mark, role) = if is_error(text) { (ERROR, "alert") } else { ("", "status") };
        format!("<div class=\"status_msg\" role=\"{role}\"{mark}>{}</div>\n", readable(text))
    });
    format!("<h1>Supervisor Status</h1>\n{message}<main>\n{content}</main>\n{}", footer())
}

pub(super) fn footer() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<footer id=\"footer\">sv {version}, compatible with Supervisor <span>{SUPERVISOR_VERSION}</span></footer>\n"
    )
}

/// The mark of an error; classes are Supervisor's.
const ERROR: &str = " data-kind=\"error\"";

/// Whether a message reports a failure. It comes from the URL of the page, so only its text can be examined.
fn is_error(message: &str) -> bool {
    ["ERROR", "unexpected rpc fault", "No such process", "Not all "]
        .iter()
        .any(|start| message.starts_with(start))
}

fn buttons(actions: &[(&str, &str)]) -> String {
    let items = actions.iter().map(|(action, label)| {
        format!("<li class=\"action-button\"><a href=\"index.html?action={action}\">{label}</a></li>\n")
    });
    format!("<ul id=\"buttons\">\n{}</ul>\n", items.collect::<String>())
}

fn row(info: &ProcessInfo, is_shaded: bool, grant: Grant) -> String {
    let name = Namespec::join(&info.group, &info.name);
    let (shown, encoded) = (readable(&name), percent_encode(&name));
    let shade = if is_shaded { " class=\"shade\"" } else { "" };
    let (class, state) = (class_of(info.state), info.state.name().to_lowercase());
    let more = info
        .shown_health()
        .map(|health| health.to_string())
        .into_iter()
        .chain(info.shown_hint())
        .chain(info.reported_status.clone());
    let more: String = more.map(|text| format!("; {text}")).collect();
    let description = readable(&format!("{}{more}", info.shown_description()));
    let links: String =
        links_of(info.state, &encoded, grant).iter().map(|link| item(link.as_ref(), &shown)).collect();
    let page = if grant.includes_logs() { "tail" } else { "process" };
    // Supervisor's classes don't distinguish these.
    let end = match (info.state, info.ended_as_expected) {
        (ProcessState::Exited, true) => " data-end=\"expected\"",
        (ProcessState::Exited, false) => " data-end=\"unexpected\"",
        _ => "",
    };
    let health = info.health.as_ref().map(|health| format!(" data-health=\"{}\"", health.status.name()));
    let health = health.unwrap_or_default();
    format!(
        "<tr{shade}{end}{health}>\n<td class=\"status\"><span class=\"{class}\">{state}</span></td>\n\
         <td><span>{description}</span></td>\n\
         <td><a href=\"{page}.html?processname={encoded}\" target=\"_blank\">{shown}</a></td>\n\
         <td class=\"action\"><ul>\n{links}</ul></td>\n</tr>\n"
    )
}

pub(super) fn class_of(state: ProcessState) -> &'static str {
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
    /// Opens in a new window.
    is_apart: bool,
}

/// Five for each process, so that scripts find each at its position: `None` if an action does not apply, or the client's
/// role does not include it.
fn links_of(state: ProcessState, encoded: &str, grant: Grant) -> [Option<Link>; 5] {
    let act = |label, action| {
        let href = format!("index.html?processname={encoded}&amp;action={action}");
        grant.operates().then_some(Link { label, href, is_apart: false })
    };
    let follow = |label, path| {
        let href = format!("logtail/{encoded}{path}");
        grant.includes_logs().then_some(Link { label, href, is_apart: true })
    };
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

/// The ends of the requested logs: of standard output and, if it has a separate log, of standard error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tail {
    process: Option<String>,
    bytes: i64,
    stdout: Option<Result<Reply, Fault>>,
}

impl Tail {
    /// An invalid number means the minimum.
    pub(super) fn of(process: Option<String>, limit: Option<&str>) -> Self {
        let digits = limit.filter(|limit| limit.bytes().all(|byte| byte.is_ascii_digit()));
        let asked = digits.map_or(0, |digits| digits.parse().unwrap_or(i64::MAX));
        Self { process, bytes: asked.clamp(TAIL_BYTES_LEAST, TAIL_BYTES_MAX), stdout: None }
    }

    /// The next command, after `asked` commands. If one stream can't be read because the process does not
    /// exist, the other can't either.
    pub(super) fn command(&self, asked: usize) -> Option<Command> {
        let channel = match (asked, &self.stdout) {
            (0, _) => Channel::Stdout,
            (1, Some(Ok(_))) => Channel::Stderr,
            (1, Some(Err(fault))) if fault.code == FaultCode::NoFile => Channel::Stderr,
            _ => return None,
        };
        let log = LogOf::Process(Namespec::split(self.process.as_deref()?), channel);
        // One byte more than is shown, to know whether there is more.
        Some(Command::ReadLog(log, LogRange::Range { offset: -self.bytes - 1, length: 0 }))
    }

    /// Takes the first result, which decides whether there is a second command.
    pub(super) fn answered(&mut self, outcome: &Result<Reply, Fault>) {
        self.stdout.get_or_insert_with(|| outcome.clone());
    }

    /// COMPAT: Supervisor shows only standard output, and starts in the middle of a line.
    pub(super) fn page(&self, asked: usize, last: Option<Result<Reply, Fault>>) -> Response {
        let process = self.process.as_deref().unwrap_or("None");
        let title = format!("Supervisor tail of process {process}");
        let stdout = match &self.stdout {
            None => failed("No process name found"),
            Some(Ok(Reply::Text(text))) => self.log("Standard output", text),
            Some(Ok(_)) => String::new(),
            Some(Err(fault)) if fault.code == FaultCode::NoFile => failed(&format!("No file for {process}")),
            Some(Err(fault)) => failed(&format!("ERROR: {}", unexpected(fault))),
        };
        let stderr = match last {
            Some(Ok(Reply::Text(text))) if asked > 1 => self.log("Standard error", &text),
            // It is redirected to standard output, or discarded.
            _ => String::new(),
        };
        let body =
            format!("<h1>{}</h1>\n{}<main>\n{stdout}{stderr}</main>\n", readable(&title), self.buttons());
        page(200, &title, &body)
    }

    fn buttons(&self) -> String {
        let button =
            |href: &str, label| format!("<li class=\"action-button\"><a href=\"{href}\">{label}</a></li>\n");
        let back = button("index.html", "Supervisor Status");
        let Some(process) = self.process.as_deref().map(percent_encode) else {
            return format!("<ul id=\"buttons\">\n{back}</ul>\n");
        };
        let tail = |bytes: i64| format!("tail.html?processname={process}&amp;limit={bytes}");
        let refresh = button(&tail(self.bytes), "Refresh");
        let more = (self.bytes < TAIL_BYTES_MAX)
            .then(|| button(&tail(self.bytes.saturating_mul(MORE_TIMES).min(TAIL_BYTES_MAX)), "Show More"));
        let details = button(&format!("process.html?processname={process}"), "Process");
        format!("<ul id=\"buttons\">\n{refresh}{}{details}{back}</ul>\n", more.unwrap_or_default())
    }

    /// An empty log shows a sentence instead of an empty box. (Its element is present, since scripts look for
    /// it.)
    fn log(&self, title: &str, text: &str) -> String {
        let shown = last_lines(text, self.bytes);
        let (empty, omitted) = match (shown.is_empty(), shown.len() < text.len()) {
            (true, _) => ("<p>Nothing was written.</p>\n", ""),
            (false, true) => ("", "<p>Earlier output is not shown.</p>\n"),
            (false, false) => ("", ""),
        };
        format!("<h2>{title}</h2>\n{empty}{omitted}<pre>{}</pre>\n", readable_log(shown))
    }
}

fn failed(text: &str) -> String {
    format!("<div{ERROR}><pre>{}</pre></div>\n", readable(text))
}

/// The requested end of a log, starting at the beginning of a line if possible. The text has one byte more if
/// there is more.
fn last_lines(text: &str, bytes: i64) -> &str {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if text.len() <= bytes {
        return text;
    }
    match text.find('\n').map(|end| &text[end + 1..]) {
        Some(lines) if !lines.is_empty() => lines,
        // One line, longer than requested.
        _ => {
            let surplus = text.len() - bytes;
            let start = (surplus..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            &text[start..]
        }
    }
}

/// The confirmation page of a browser for an action that stops everything.
pub(super) fn question(action: &str, label: &str, warning: &str) -> Response {
    let (shown, value) = (readable(label), escape(action));
    page(
        200,
        label,
        &format!(
            "<h1>{shown}</h1>\n<main>\n<p>{warning}</p>\n\
             <form action=\"index.html\" method=\"post\">\n\
             <input type=\"hidden\" name=\"action\" value=\"{value}\">\n\
             <ul id=\"buttons\">\n<li><button data-kind=\"error\">{shown}</button></li>\n\
             <li class=\"action-button\"><a href=\"index.html\">Cancel</a></li>\n</ul>\n</form>\n</main>\n"
        ),
    )
}

/// Page not found. Like all status pages it names no character set.
pub(super) fn not_found() -> Response {
    not_found_because("There is no such page.")
}

pub(super) fn not_found_because(text: &str) -> Response {
    let body = format!("<h1>404 Not Found</h1>\n<main><p>{}</p>\n{BACK}</main>\n", readable(text));
    guarded(Response::new(404).body("text/html", document("404 Not Found", None, &body)))
}

/// An invalid request: nothing was done.
pub(super) fn bad_request(text: &str) -> Response {
    let body = format!("<h1>400 Bad Request</h1>\n<main><p>{}</p>\n{BACK}</main>\n", readable(text));
    page(400, "400 Bad Request", &body)
}

/// The client's role does not include what it has asked for.
pub(super) fn forbidden(text: &str) -> Response {
    let body = format!("<h1>403 Forbidden</h1>\n<main><p>{}</p>\n{BACK}</main>\n", readable(text));
    page(403, "403 Forbidden", &body)
}

const BACK: &str = "<p><a href=\"index.html\">Supervisor Status</a></p>\n";

/// Nothing was done, since a foreign page may have caused the request; a button performs it.
pub(super) fn refusal(action: &str, process: Option<&str>) -> Response {
    let process = process.unwrap_or_default();
    let (action, shown, value) = (escape(action), readable(process), escape(process));
    page(
        403,
        "403 Forbidden",
        &format!(
            "<h1>403 Forbidden</h1>\n<main>\n<p>Nothing was done: this request came from a page of another site, or \
             the browser did not report where it came from.</p>\n\
             <form action=\"index.html\" method=\"post\">\n<input type=\"hidden\" name=\"action\" value=\"{action}\">\n\
             <input type=\"hidden\" name=\"processname\" value=\"{value}\">\n\
             <button>Do it: {action} {shown}</button>\n</form>\n\
             <p>If this comes back again and again, there is a proxy in between that has to pass on the host that it \
             was asked for, as <code>Host</code> or <code>X-Forwarded-Host</code>.</p>\n{BACK}</main>\n"
        ),
    )
}
