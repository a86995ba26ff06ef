//! `sv diff`: what an update would do.
//!
//! With `--json` it prints the object of the JSON API's `/api/v1/diff`.

use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

use super::exit;
use super::failure::Outcome;
use super::is_running::error_is_2;
use super::screen::{harmless, padded, shown};
use super::session::Session;
use super::words::{ActionOptions, ActionWords};

const OPTIONS: ActionOptions = ActionOptions { action: "diff", flags: &[("--json", "")], valued: &[] };

/// `diff [--json] [GROUP...]`: exits with 0 if an update would change nothing, with 1 if it would, with 2 after any
/// error.
pub(super) fn diff(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    let shown = show(session, &words);
    error_is_2(session, shown)
}

fn show(session: &mut Session, words: &ActionWords<'_>) -> Outcome {
    let mut document = session.get("/api/v1/diff", "the differences")?;
    let is_all = words.names.is_empty() || words.names.contains(&"all");
    let mut groups = document["groups"].as_array().cloned().unwrap_or_default();
    let name_of = |group: &Json| group["group"].as_str().unwrap_or_default().to_owned();
    let mut is_complete = true;
    if !is_all {
        let known: Vec<String> = groups.iter().map(name_of).collect();
        for name in &words.names {
            let is_active =
                |session: &mut Session| session.known_processes().iter().any(|row| row.group == *name);
            if !known.iter().any(|group| group == name) && !is_active(session) {
                let suggestion = session.group_suggestion(name);
                session.warn(format_args!("error: there is no group '{}'{suggestion}", harmless(name)));
                is_complete = false;
            }
        }
        groups.retain(|group| words.names.contains(&name_of(group).as_str()));
    }
    if !groups.is_empty() {
        session.fail(exit::GENERIC);
    }
    if !is_complete {
        session.fail(exit::INVALID_ARGS);
    }
    if words.has("--json") {
        document["groups"] = groups.into();
        session.say(document);
        return Ok(());
    }
    let colors = session.has_colors();
    for line in lines(&groups, colors) {
        session.say(line);
    }
    Ok(())
}

/// A line for each process, or for a group of which only settings of its own differ:
/// `~ web:web_00  restart  command (restart), priority (in place)`.
fn lines(groups: &[Json], colors: bool) -> Vec<String> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for group in groups {
        let processes = group["processes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if processes.is_empty() {
            let what = if group["change"] == "changed" { "settings of the group" } else { "" };
            let name = format!("{}:*", shown(&group["group"]));
            rows.push([shown(&group["change"]), name, "in place".to_owned(), what.to_owned()]);
        }
        for process in processes {
            let options = process["options"].as_array().into_iter().flatten();
            let options: Vec<String> = options
                .map(|option| format!("{} ({})", shown(&option["name"]), effect(&shown(&option["effect"]))))
                .collect();
            rows.push([
                shown(&process["change"]),
                shown(&process["full_name"]),
                effect(&shown(&process["action"])).to_owned(),
                options.join(", "),
            ]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let (names, actions) = (width(1), width(2));
    let line = |[change, name, action, options]: &[String; 4]| {
        let (sign, color) = match change.as_str() {
            "added" => ("+", "\x1b[32m"),
            "removed" => ("-", "\x1b[31m"),
            _ => ("~", "\x1b[33m"),
        };
        let (on, off) = if colors { (color, "\x1b[0m") } else { ("", "") };
        let (name, action) = (padded(name, names, false), padded(action, actions, false));
        format!("{on}{sign}{off} {name}  {action}  {options}").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The API's words for people.
fn effect(word: &str) -> &str {
    match word {
        "in_place" => "in place",
        "next_start" => "next start",
        "none" => "stays down",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_a_line() {
        let process = |name: &str, change: &str, action: &str, options: Json| json!({"full_name": name, "change": change, "action": action, "options": options});
        let option = |name: &str, effect: &str| json!({"name": name, "effect": effect});
        let groups = [
            json!({"group": "web", "change": "changed", "processes": [
                process("web:web_0", "changed", "restart",
                    json!([option("command", "restart"), option("nice", "in_place"), option("x", "next_start")])),
                process("web:w\x1b[2J", "removed", "stop", json!([])),
            ]}),
            json!({"group": "tuned", "change": "changed", "processes": []}),
            json!({"group": "new", "change": "added", "processes": [process("new", "added", "none", json!([]))]}),
        ];
        let expected = [
            "~ web:web_0       restart     command (restart), nice (in place), x (next start)",
            "- web:w\\u{1b}[2J  stop",
            "~ tuned:*         in place    settings of the group",
            "+ new             stays down",
        ];
        assert_eq!(lines(&groups, false), expected);
        assert!(lines(&groups, true)[2].starts_with("\x1b[33m~\x1b[0m tuned:*  "));
    }
}
