//! `sv why`: what is known about processes, and the end of their output.
//!
//! With `--json` it prints the object of the JSON API's `/api/v1/processes/NAME` with `output`: `channel` and `lines`,
//! or null without a log; an array of them for a group, a pattern or several names.

use serde_json::{Value as Json, json};

use super::answers;
use super::api::process_path;
use super::ends;
use super::exit;
use super::failure::{CallError, Outcome, fault};
use super::json;
use super::ps::severity;
use super::screen::{duration, harmless, shortened, shown, table_columns};
use super::selection;
use super::session::Session;
use super::times;
use super::wildcard::may_be_pattern;
use super::words::{ActionOptions, refuse};
use crate::model::Namespec;
use crate::xmlrpc::Value;

/// How much of a log is read, and how many lines of it are shown.
const OUTPUT_BYTES: i64 = 8 * 1024;
const OUTPUT_LINES: usize = 10;

/// How many transitions are shown.
const TRANSITIONS_SHOWN: usize = 10;

/// The width of the labels.
const LABEL_WIDTH: usize = 14;

/// The blanks before what continues a line of output on a terminal.
const OUTPUT_INDENT: usize = 4;

/// The rows of a terminal that a line of output takes, about: a longer one loses its middle.
const OUTPUT_ROWS_MAX: usize = 4;

const OPTIONS: ActionOptions = ActionOptions { action: "why", flags: &[("--json", "")], valued: &[] };

/// `why [--json] NAME...`: of several processes, those in trouble come first. A single one is a JSON object, and what may be
/// several an array.
pub(super) fn why(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let is_json = words.has("--json");
    match words.names[..] {
        [] => refuse(session, "why", "Error: why requires a process name"),
        [name] if is_one(name) => match Explanation::of(session, name) {
            Ok(explanation) if is_json => session.say(explanation.into_json()),
            Ok(explanation) => explanation.print(session),
            Err(CallError::Fault(fault::BAD_NAME, _)) => {
                let suggestion = session.suggestion(name);
                session.warn(answers::unknown(&Namespec::split(name), &suggestion));
                session.fail(exit::GENERIC);
            }
            Err(error) => return Err(error.into()),
        },
        ref names => {
            let explanations = explain_several(session, names)?;
            if is_json {
                session.print(&json::array(explanations.into_iter().map(Explanation::into_json)));
                return Ok(());
            }
            for (at, explanation) in explanations.iter().enumerate() {
                if at > 0 {
                    session.say("");
                }
                explanation.print(session);
            }
        }
    }
    Ok(())
}

/// Whether a name means one process, and not a group or a pattern.
fn is_one(name: &str) -> bool {
    name != "all" && !may_be_pattern(name) && Namespec::split(name).process.is_some()
}

/// Each process that is meant, by the order of trouble. One that is gone meanwhile is left out.
fn explain_several(session: &mut Session, names: &[&str]) -> Result<Vec<Explanation>, CallError> {
    let rows = session.api_processes("the state of all processes")?;
    let mut positions = selection::named(session, &rows, names).positions;
    positions.sort_by_cached_key(|at| rows.get(*at).map_or(0, severity));
    let mut explanations = Vec::new();
    for row in positions.into_iter().filter_map(|at| rows.get(at)) {
        match Explanation::of(session, &row.namespec()) {
            Ok(explanation) => explanations.push(explanation),
            Err(CallError::Fault(fault::BAD_NAME, _)) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(explanations)
}

/// What is known about a process.
struct Explanation {
    /// The API's object.
    document: Json,
    /// The last lines of a channel.
    output: Option<(&'static str, Vec<String>)>,
}

impl Explanation {
    fn of(session: &mut Session, name: &str) -> Result<Self, CallError> {
        let document = session.get(&process_path(name), "the state of a process")?;
        let full_name = document["process"]["full_name"].as_str().unwrap_or(name).to_owned();
        let output = last_lines(session, &full_name, OUTPUT_LINES);
        Ok(Self { document, output })
    }

    fn into_json(self) -> Json {
        let Self { mut document, output } = self;
        document["output"] =
            output.map_or(Json::Null, |(channel, lines)| json!({"channel": channel, "lines": lines}));
        document
    }

    fn print(&self, session: &mut Session) {
        let paint = session.paint(&answers::api_process(&self.document["process"]));
        for (line, indent) in report(&self.document, paint) {
            session.say_wrapped(&line, indent);
        }
        if let Some((channel, lines)) = &self.output {
            session.say(format_args!("last lines of {channel}:"));
            let columns_max = table_columns().saturating_mul(OUTPUT_ROWS_MAX);
            for line in lines {
                let line = format!("  {}", harmless(line));
                session.say_wrapped(&shortened(&line, columns_max), OUTPUT_INDENT);
            }
        }
    }
}

/// The last lines of the standard error of a process, or of its standard output if only that has a log with text.
/// `None` without a log, or if it can't be read.
pub(super) fn last_lines(
    session: &mut Session,
    full_name: &str,
    count: usize,
) -> Option<(&'static str, Vec<String>)> {
    let methods =
        [("stderr", "supervisor.readProcessStderrLog"), ("stdout", "supervisor.readProcessStdoutLog")];
    methods.into_iter().find_map(|(channel, method)| {
        let params = [full_name.into(), Value::Int(-OUTPUT_BYTES), Value::Int(0)];
        let text = session.call(method, &params).ok()?;
        let lines: Vec<&str> = text.as_str()?.lines().filter(|line| !line.trim().is_empty()).collect();
        let lines = &lines[lines.len().saturating_sub(count)..];
        (!lines.is_empty()).then(|| (channel, lines.iter().map(|line| (*line).to_owned()).collect()))
    })
}

/// Everything but the output, as lines, each with the column that continues it on a terminal.
fn report(document: &Json, (on, off): (&str, &str)) -> Vec<(String, usize)> {
    let (process, config) = (&document["process"], &document["config"]);
    let ago = |time: &Json| Some(duration(secs_between(time, &document["now_at"])?));
    let text = |value: &Json| value.as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let texts = |value: &Json| {
        let texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let since = ago(&process["since_at"])
        .map_or_else(String::new, |age| format!(" for {age}, since {}", shown(&process["since_at"])));
    let (name, state) = (text(&process["full_name"]), text(&process["state"]));
    let (name, state) = (name.unwrap_or_default(), state.unwrap_or_default());
    let mut lines =
        vec![(format!("{} is {on}{}{off}{since}", harmless(&name), harmless(&state)), OUTPUT_INDENT)];
    let counters = &process["counters"];
    let count = |member: &str| counters[member].as_u64().unwrap_or(0);
    let next = secs_between(&document["now_at"], &process["next_start_at"]);
    let retries = config["startretries"].as_u64().map(|retries| format!("; startretries={retries}"));
    let error = process["spawn_error"].as_str().unwrap_or_default();
    let end = ends::in_words(&process["last_end"], error).map(|end| {
        let expected = if process["last_end"]["expected"] == true { ", as expected" } else { "" };
        let when = ago(&process["ended_at"]).map_or_else(String::new, |age| format!(", {age} ago"));
        format!("{end}{expected}{when}")
    });
    let health = text(&process["health"]["status"]).map(|status| {
        let failure = text(&process["health"]["failure"]);
        format!("{status}{}", failure.map_or_else(String::new, |failure| format!(": {failure}")))
    });
    let starts = format!(
        "{} ({} restart{}, {} failed{})",
        count("starts"),
        count("restarts"),
        if count("restarts") == 1 { "" } else { "s" },
        count("failed_starts"),
        retries.unwrap_or_default()
    );
    let by_oom = match count("exits_by_oom") {
        0 => String::new(),
        count => format!(", {count} out of memory"),
    };
    let ends = format!(
        "{} expected, {} unexpected, {} by a signal{by_oom}",
        count("exits_expected"),
        count("exits_unexpected"),
        count("exits_by_signal")
    );
    let defined_at =
        text(&config["defined_at"]["file"]).map(|file| format!("{file}:{}", config["defined_at"]["line"]));
    for (label, value) in [
        ("description", text(&process["description"])),
        (
            "spawn error",
            text(&process["spawn_error"]).filter(|_| process["spawn_error"] != process["description"]),
        ),
        ("hint", text(&process["hint"])),
        ("waits for", texts(&process["waiting_for"])),
        ("needed by", texts(&process["needed_by"])),
        ("next start", next.map(|secs| format!("in {}", duration(secs)))),
        ("last end", end),
        ("health", health),
        ("status", text(&process["status"])),
        ("starts", Some(starts)),
        ("ends", Some(ends)),
        ("command", text(&config["command"])),
        ("defined at", defined_at),
    ] {
        if let Some(value) = value {
            let line = format!("{:<LABEL_WIDTH$}{}", format!("{label}:"), harmless(&value));
            lines.push((line, LABEL_WIDTH));
        }
    }
    if let Some(output) = text(&process["check_output"])
        && !process["health"]["failure"].as_str().is_some_and(|failure| failure.contains(output.trim_end()))
    {
        lines.push(("output of the failed check:".to_owned(), 0));
        let shown = output.lines().filter(|line| !line.trim().is_empty());
        lines.extend(shown.map(|line| (format!("  {}", harmless(line)), OUTPUT_INDENT)));
    }
    let history = document["history"].as_array().map_or(&[][..], Vec::as_slice);
    if !history.is_empty() {
        lines.push(("history:".to_owned(), 0));
    }
    for entry in &history[history.len().saturating_sub(TRANSITIONS_SHOWN)..] {
        let when = format!("  {}  ", shown(&entry["at"]));
        lines.push((format!("{when}{}", ends::transition(entry)), when.len()));
    }
    lines
}

/// Whole seconds between two times of the API; `None` unless both are there. A clock that was set back makes it 0.
fn secs_between(from: &Json, to: &Json) -> Option<u64> {
    let [from, to] = [from, to].map(|time| times::unix_ms(time.as_str()?));
    u64::try_from((to?.div_euclid(1000) - from?.div_euclid(1000)).max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared() {
        for (from, to, secs) in [
            ("2026-11-29T03:07:29.999Z", "2026-11-29T03:08:30.000Z", Some(61)),
            ("2026-11-29T03:07:29.123Z", "2026-11-29T03:07:00.000Z", Some(0)),
            ("2024-02-28T23:59:59.000Z", "2024-03-01T00:00:00.000Z", Some(86_401)),
            ("", "2026-11-29T03:07:00.000Z", None),
            ("2026-11-29T03:07:00.000Z", "yesterday, at midnight", None),
        ] {
            assert_eq!(secs_between(&from.into(), &to.into()), secs, "{from}");
        }
        assert_eq!(secs_between(&Json::Null, &"2026-11-29T03:07:00.000Z".into()), None);
    }

    #[test]
    fn a_process_that_fails_is_explained() {
        let document = json!({
            "now_at": "2026-11-29T03:07:30.000Z",
            "process": {
                "full_name": "g:web", "state": "BACKOFF", "description": "Exited too quickly",
                "since_at": "2026-11-29T03:07:29.123Z", "ended_at": "2026-11-29T03:07:29.000Z",
                "next_start_at": "2026-11-29T03:07:34.000Z", "spawn_error": "Exited too quickly", "hint": null,
                "waiting_for": [], "needed_by": ["api", "job"], "status": null,
                "health": {"status": "unhealthy", "failure": "1 of 3 checks failed: \u{1b}[31mno"},
                "check_output": "\u{1b}[31mno\nand why\n",
                "last_end": {"exit_code": 127, "signal": null, "expected": false},
                "counters": {"starts": 3, "restarts": 2, "failed_starts": 3, "exits_expected": 0,
                    "exits_unexpected": 3, "exits_by_signal": 0}
            },
            "config": {"command": "web --port 80", "startretries": 3,
                "defined_at": {"file": "/etc/x.conf", "line": 3}},
            "history": [{"serial": 7, "at": "2026-11-29T03:07:29.123Z", "from": "STARTING", "to": "BACKOFF",
                "pid": 12, "end": {"exit_code": 127, "signal": null}, "reason": "too quick"}]
        });
        let expected = "\
            g:web is <BACKOFF> for 1s, since 2026-11-29T03:07:29.123Z\n\
            description:  Exited too quickly\n\
            needed by:    api, job\n\
            next start:   in 4s\n\
            last end:     exit status 127 (command not found), 1s ago\n\
            health:       unhealthy: 1 of 3 checks failed: \\u{1b}[31mno\n\
            starts:       3 (2 restarts, 3 failed; startretries=3)\n\
            ends:         0 expected, 3 unexpected, 0 by a signal\n\
            command:      web --port 80\n\
            defined at:   /etc/x.conf:3\n\
            output of the failed check:\n  \\u{1b}[31mno\n  and why\n\
            history:\n  \
              2026-11-29T03:07:29.123Z  STARTING -> BACKOFF, pid 12, exit status 127 (command not found): too quick";
        let lines: Vec<String> = report(&document, ("<", ">")).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines.join("\n"), expected);
        let hostile = json!({"process": {"full_name": "a\u{1b}", "state": "b\u{1b}"}});
        assert_eq!(report(&hostile, ("", ""))[0].0, "a\\u{1b} is b\\u{1b}");
        // A server that knows less is no problem.
        assert_eq!(report(&json!({}), ("", ""))[0].0, " is ");
    }
}
