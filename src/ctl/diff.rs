//! `sv diff`: what an update would do.
//!
//! With `--json` it prints the object of the JSON API's `/api/v1/diff`.

use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

use super::exit;
use super::failure::Outcome;
use super::is_running::error_is_2;
use super::screen::{harmless, padded, shortened, shown, table_columns, wrapped};
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
    for line in lines(&groups, colors, table_columns()) {
        session.say(line);
    }
    Ok(())
}

/// A line for each process, or for a group of which only settings of its own differ, and one for each of its options, none
/// wider than this: `~ web:web_00  restart`, `    command  restart  a -> b`.
fn lines(groups: &[Json], colors: bool, width: usize) -> Vec<String> {
    let mut rows: Vec<ShownDifference> = Vec::new();
    for group in groups {
        let processes = group["processes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if processes.is_empty() {
            let what =
                if group["change"] == "changed" { "in place  settings of the group" } else { "in place" };
            rows.push(ShownDifference {
                change: shown(&group["change"]),
                name: format!("{}:*", shown(&group["group"])),
                action: what.to_owned(),
                options: Vec::new(),
            });
        }
        rows.extend(processes.iter().map(|process| ShownDifference {
            change: shown(&process["change"]),
            name: shown(&process["full_name"]),
            action: effect(&shown(&process["action"])).to_owned(),
            options: process["options"].as_array().into_iter().flatten().map(option).collect(),
        }));
    }
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| text.width()).max().unwrap_or(0);
    let actions = widest(&mut rows.iter().map(|row| &row.action));
    let names = widest(&mut rows.iter().map(|row| &row.name));
    let names = names.min(width.saturating_sub(actions + SIGN_WIDTH + GAP.len())).max(1);
    let options = || rows.iter().flat_map(|row| &row.options);
    let columns = [0, 1].map(|column| widest(&mut options().map(|cells| &cells[column])));
    let mut lines = Vec::new();
    for row in &rows {
        let (sign, color) = match row.change.as_str() {
            "added" => ("+", "\x1b[32m"),
            "removed" => ("-", "\x1b[31m"),
            _ => ("~", "\x1b[33m"),
        };
        let (on, off) = if colors { (color, "\x1b[0m") } else { ("", "") };
        let name = padded(&shortened(&row.name, names), names, false);
        lines.extend(wrapped(&format!("{on}{sign}{off} {name}{GAP}{}", row.action), width, SIGN_WIDTH));
        for [option, effect, values] in &row.options {
            let start = format!("{OPTION_INDENT}{}{GAP}", padded(option, columns[0], false));
            let start = format!("{start}{}{GAP}", padded(effect, columns[1], false));
            lines.extend(wrapped(format!("{start}{values}").trim_end(), width, start.width()));
        }
    }
    lines
}

/// The sign of a change, and a blank.
const SIGN_WIDTH: usize = 2;

/// What separates two columns.
const GAP: &str = "  ";

const OPTION_INDENT: &str = "    ";

/// A process or a group, as it is shown.
struct ShownDifference {
    change: String,
    name: String,
    action: String,
    /// Name, effect, and values.
    options: Vec<[String; 3]>,
}

/// `["command", "restart", "a -> b"]`
fn option(option: &Json) -> [String; 3] {
    let value = |member: &str| match option[member].as_str() {
        None => "unset".to_owned(),
        Some("") => "''".to_owned(),
        Some(text) => harmless(text).into_owned(),
    };
    // A server that knows less has no values.
    let has_values = option["old"].is_string() || option["new"].is_string();
    let values = if has_values { format!("{} -> {}", value("old"), value("new")) } else { String::new() };
    [shown(&option["name"]), effect(&shown(&option["effect"])).to_owned(), values]
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
        let option = |name: &str, effect: &str, old: Option<&str>, new: Option<&str>| json!({"name": name, "effect": effect, "old": old, "new": new});
        let groups = [
            json!({"group": "web", "change": "changed", "processes": [
                process("web:web_0", "changed", "restart", json!([
                    option("command", "restart", Some("a\n1"), Some("b 2 and more")),
                    option("nice", "in_place", None, Some("5")),
                    option("umask", "next_start", Some(""), None),
                    {"name": "x", "effect": "restart"},
                ])),
                process("web:w\x1b[2J", "removed", "stop", json!([])),
            ]}),
            json!({"group": "tuned", "change": "changed", "processes": []}),
            json!({"group": "new", "change": "added", "processes": [process("new", "added", "none", json!([]))]}),
        ];
        let expected = [
            "~ web:web_0       restart",
            "    command  restart     a\\n1 -> b 2 and more",
            "    nice     in place    unset -> 5",
            "    umask    next start  '' -> unset",
            "    x        restart",
            "- web:w\\u{1b}[2J  stop",
            "~ tuned:*         in place  settings of the group",
            "+ new             stays down",
        ];
        assert_eq!(lines(&groups, false, usize::MAX), expected);
        assert!(lines(&groups, true, 80)[6].starts_with("\x1b[33m~\x1b[0m tuned:*  "));
        let narrow = lines(&groups, false, 36);
        assert!(narrow.iter().all(|line| line.width() <= 36), "{narrow:?}");
        assert_eq!(narrow[1..3], ["    command  restart     a\\n1 -> b 2", "                  and more"]);
    }
}
