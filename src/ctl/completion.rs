//! Completes a word of a command line: actions, groups, processes, signals.
//!
//! The shell calls it for each Tab, and so do the completions of bash, zsh and fish.

use super::answers::ProcessRow;
use super::await_state::CONDITION_WORDS;
use super::failure::Outcome;
use super::ps::SORT_WORDS;
use super::session::Session;
use crate::cli::ACTIONS;
use crate::model::Signal;

/// The start of the word to complete, and its candidates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) start: usize,
    pub(super) candidates: Vec<String>,
}

/// What is completed at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CompletionKind {
    Action,
    Group,
    Process,
    /// A program, followed by its number of processes. Clients know programs as groups only.
    Program,
    Signal,
    /// The value of an option.
    Value(&'static [&'static str]),
    Nothing,
}

/// Completes the last word of a text. The server is asked once per command; without an answer there are no
/// names.
pub(super) fn complete(session: &mut Session<'_>, text: &str) -> Completion {
    let start = text
        .rfind(char::is_whitespace)
        .map_or(0, |blank| blank + text[blank..].chars().next().map_or(0, char::len_utf8));
    let (before, word) = text.split_at(start);
    let candidates = match expected(before) {
        CompletionKind::Action => actions(session.is_sv()),
        CompletionKind::Group => groups(session.known_processes()),
        CompletionKind::Program => {
            groups(session.known_processes()).into_iter().map(|group| group + "=").collect()
        }
        CompletionKind::Process => processes(session.known_processes(), word),
        CompletionKind::Signal => Signal::names().map(str::to_owned).collect(),
        CompletionKind::Value(words) => words.iter().map(|word| (*word).to_owned()).collect(),
        CompletionKind::Nothing => Vec::new(),
    };
    let candidates = candidates.into_iter().filter(|candidate| candidate.starts_with(word)).collect();
    Completion { start, candidates }
}

/// `complete =WORD WORD...`: one candidate per line, for the scripts of shells. Errors are silent: they would
/// appear in the middle of the command line.
pub(super) fn answer(session: &mut Session<'_>, arg: &str) -> Outcome {
    let (word, before) = arg.split_once(' ').unwrap_or((arg, ""));
    let found = complete(session, &format!("{before} {}", word.strip_prefix('=').unwrap_or(word)));
    for candidate in found.candidates {
        session.say(candidate);
    }
    Ok(())
}

/// What can follow these words.
fn expected(before: &str) -> CompletionKind {
    let words: Vec<&str> = before.split_whitespace().collect();
    match words[..] {
        [] | ["help"] => CompletionKind::Action,
        ["ps" | "top", .., "--sort"] => CompletionKind::Value(&SORT_WORDS),
        ["wait", .., "--for"] => CompletionKind::Value(&CONDITION_WORDS),
        [.., "--timeout" | "--grep" | "--max-unavailable" | "--lines" | "-n" | "--since"] => {
            CompletionKind::Nothing
        }
        ["add" | "diff" | "remove" | "update", ..] => CompletionKind::Group,
        ["scale", ..] => CompletionKind::Program,
        ["exec"] => CompletionKind::Process,
        ["signal"] => CompletionKind::Signal,
        [
            "clear" | "events" | "fg" | "health" | "is-running" | "logs" | "pid" | "ps" | "restart"
            | "signal" | "start" | "status" | "stop" | "tail" | "top" | "wait" | "why",
            ..,
        ] => CompletionKind::Process,
        _ => CompletionKind::Nothing,
    }
}

fn actions(is_sv: bool) -> Vec<String> {
    let known = ACTIONS.iter().filter(|action| is_sv || !action.is_for_sv());
    let names = known.map(|action| action.name).chain(["help"]);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

fn groups(rows: &[ProcessRow]) -> Vec<String> {
    distinct(rows.iter().map(|row| row.group.clone()))
}

/// The group is omitted for a process whose group has no other, unless it was typed.
fn processes(rows: &[ProcessRow], word: &str) -> Vec<String> {
    distinct(rows.iter().flat_map(|row| {
        let ProcessRow { group, name, .. } = row;
        if word.contains(':') || name != group {
            vec![format!("{group}:{name}"), format!("{group}:*")]
        } else {
            vec![name.clone()]
        }
    }))
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_before_determine_what_is_completed() {
        for (before, kind) in [
            ("", CompletionKind::Action),
            ("  ", CompletionKind::Action),
            ("help ", CompletionKind::Action),
            ("help start ", CompletionKind::Nothing),
            ("start ", CompletionKind::Process),
            ("start a b ", CompletionKind::Process),
            ("tail -f ", CompletionKind::Process),
            ("signal ", CompletionKind::Signal),
            ("signal HUP ", CompletionKind::Process),
            ("update ", CompletionKind::Group),
            ("scale a=1 ", CompletionKind::Program),
            ("ps web --sort ", CompletionKind::Value(&SORT_WORDS)),
            ("top --sort ", CompletionKind::Value(&SORT_WORDS)),
            ("wait --for ", CompletionKind::Value(&CONDITION_WORDS)),
            ("wait --for done ", CompletionKind::Process),
            ("wait --timeout ", CompletionKind::Nothing),
            ("restart --rolling --timeout ", CompletionKind::Nothing),
            ("restart --rolling --timeout 60 ", CompletionKind::Process),
            ("version ", CompletionKind::Nothing),
            ("nope ", CompletionKind::Nothing),
        ] {
            assert_eq!(expected(before), kind, "{before:?}");
        }
    }

    #[test]
    fn names_are_completed_as_people_type_them() {
        let row = ProcessRow::named;
        let rows = [row("web", "web"), row("pair", "a"), row("pair", "b")];
        assert_eq!(groups(&rows), ["web", "pair"]);
        assert_eq!(processes(&rows, "w"), ["web", "pair:a", "pair:*", "pair:b"]);
        assert_eq!(processes(&rows, "web:"), ["web:web", "web:*", "pair:a", "pair:*", "pair:b"]);
    }
}
