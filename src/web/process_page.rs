//! The page of one process: its state, why it is in it, its configuration and its history.

use crate::http::{Response, percent_encode};
use crate::model::{Grant, Namespec, ProcessDetails, ProcessInfo, ProcessSpec, ProcessUsage, Transition};

use super::action::ctime;
use super::html::readable;
use super::pages::{class_of, footer, live_page, not_found_because};

/// The page without scripts. With them it is replaced by one that is live.
pub(super) fn page(details: &ProcessDetails, usage: Option<ProcessUsage>, grant: Grant) -> Response {
    let ProcessDetails { info, spec, history } = details;
    let name = Namespec::join(&info.group, &info.name);
    let (shown, encoded) = (readable(&name), percent_encode(&name));
    let state = info.state.name().to_lowercase();
    let reasons: String =
        reasons(info, usage).iter().map(|text| format!("<p>{}</p>\n", readable(text))).collect();
    let facts: String = facts(spec).iter().map(fact).collect();
    let rows: String = history.iter().rev().map(row).collect();
    let button =
        |href: &str, label| format!("<li class=\"action-button\"><a href=\"{href}\">{label}</a></li>\n");
    let body = format!(
        "<h1>{shown}</h1>\n<ul id=\"buttons\">\n{}{}{}</ul>\n<main>\n\
         <p><span class=\"{}\">{state}</span> {}</p>\n{reasons}\
         <h2>Configuration</h2>\n<dl>\n{facts}</dl>\n\
         <h2>History</h2>\n<table>\n<thead>\n<tr><th scope=\"col\">Time</th><th scope=\"col\">Change</th>\
         <th scope=\"col\">Pid</th><th scope=\"col\">Reason</th></tr>\n</thead>\n<tbody>\n{rows}</tbody>\n</table>\n\
         </main>\n{}",
        button(&format!("process.html?processname={encoded}"), "Refresh"),
        if grant.includes_logs() {
            button(&format!("tail.html?processname={encoded}"), "Logs")
        } else {
            String::new()
        },
        button("index.html", "Supervisor Status"),
        class_of(info.state),
        readable(&info.shown_description()),
        footer(),
    );
    live_page(&name, "js/process.js", &body)
}

/// The page of a process that does not exist, or not any more.
pub(super) fn unknown(name: &str) -> Response {
    not_found_because(&format!("No such process named {name}"))
}

/// What explains the state beyond its description.
fn reasons(info: &ProcessInfo, usage: Option<ProcessUsage>) -> Vec<String> {
    let health = info.shown_health().map(|health| format!("Health: {health}"));
    let end = info.last_exit.map(|status| format!("Last end: {status}"));
    let needed = (!info.needed_by.is_empty()).then(|| format!("Needed by: {}", info.needed_by.join(", ")));
    let memory = usage.map(|usage| format!("Memory: {}", bytes_text(usage.resident_bytes)));
    let counters = info.counters;
    let starts = format!(
        "Starts: {}, automatic ones: {}, failed ones: {}",
        counters.starts, counters.restarts, counters.failed_starts
    );
    [info.shown_hint(), info.reported_status.clone(), health, end, needed, memory, Some(starts)]
        .into_iter()
        .flatten()
        .collect()
}

/// `900 KiB`, `3.4 MiB`, `1.5 GiB`, as on the live page (`bytes` in `js/view.js`).
fn bytes_text(bytes: u64) -> String {
    let mebibytes = bytes as f64 / (1024.0 * 1024.0);
    match mebibytes {
        ..1.0 => format!("{:.0} KiB", mebibytes * 1024.0),
        ..10.0 => format!("{mebibytes:.1} MiB"),
        ..1024.0 => format!("{mebibytes:.0} MiB"),
        _ => format!("{:.1} GiB", mebibytes / 1024.0),
    }
}

fn facts(spec: &ProcessSpec) -> Vec<(&'static str, String)> {
    let on: Vec<_> = spec.dependencies().map(|(dependency, _)| dependency.name.as_str()).collect();
    let directory = spec.directory.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let user = spec.user.as_ref().map(|user| user.name.clone()).unwrap_or_default();
    let mut facts = vec![
        ("Command", spec.command.clone()),
        ("Directory", directory),
        ("User", user),
        ("Depends on", on.join(", ")),
        ("Defined at", spec.defined_at.to_string()),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn fact((name, value): &(&str, String)) -> String {
    format!("<dt>{name}</dt><dd>{}</dd>\n", readable(value))
}

fn row(transition: &Transition) -> String {
    let Transition { at, from, to, pid, reason, .. } = transition;
    let pid = pid.map(|pid| pid.to_string()).unwrap_or_default();
    format!(
        "<tr><td>{}</td><td>{from} \u{2192} {to}</td><td>{pid}</td><td>{}</td></tr>\n",
        ctime(*at),
        readable(&reason.text())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_live_page() {
        let sizes = [921_600, 3_600_000, 52_428_800, 1_600_000_000];
        assert_eq!(sizes.map(bytes_text), ["900 KiB", "3.4 MiB", "50 MiB", "1.5 GiB"]);
    }
}
