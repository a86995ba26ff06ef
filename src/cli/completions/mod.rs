//! `sv completions`: completion scripts for shells, and the candidates that they request.
//!
//! The scripts contain no knowledge: for each Tab they call `sv completions words -- WORD...` with the words
//! up to the cursor. The command line is completed from its grammar; for the names of processes a client asks
//! the supervisor that the words select.

use std::ffi::OsString;

use clap::Command;

use super::{Action, ClientAction, texts};

/// The script for a shell.
pub(super) fn script(shell: &str) -> Option<&'static str> {
    match shell {
        "bash" => Some(include_str!("sv.bash")),
        "zsh" => Some(include_str!("sv.zsh")),
        "fish" => Some(include_str!("sv.fish")),
        _ => None,
    }
}

/// The supported shells, for messages and for completion.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// The words before the cursor, classified.
struct TypedWords {
    /// Options with their values, as for a command line.
    options: Vec<String>,
    /// The words of the action.
    action: Vec<String>,
    /// The word to complete; may be empty.
    word: String,
    /// Whether it is the value of an option: a file, a URL, a secret.
    is_value: bool,
}

/// Answers a script. `reparse` turns a command line into a client.
pub(super) fn words(command: &Command, args: &[OsString], reparse: impl Fn(Vec<String>) -> Action) -> Action {
    let typed = take_apart(texts(args));
    let TypedWords { options, action, word, is_value } = typed;
    let known = match action.first().map(String::as_str) {
        _ if is_value => Vec::new(),
        None if word.starts_with('-') => options_of(command),
        None => actions(command),
        Some(name) if word.starts_with('-') => {
            command.find_subcommand(name).map(options_of).unwrap_or_default()
        }
        Some("completions") if action.len() == 1 => SHELLS.map(str::to_owned).to_vec(),
        Some("help") if action.len() == 1 => actions(command),
        Some(name) if ClientAction::named(name).is_some() => {
            let words = [vec![super::COMPLETE.to_owned(), format!("={word}")], action].concat();
            return reparse([options, words].concat());
        }
        Some(_) => Vec::new(),
    };
    let fitting = known.into_iter().filter(|known| known.starts_with(&word));
    Action::say(fitting.map(|known| format!("{known}\n")).collect())
}

fn take_apart(mut words: Vec<String>) -> TypedWords {
    let word = words.pop().unwrap_or_default();
    let mut typed = TypedWords { options: Vec::new(), action: Vec::new(), word, is_value: false };
    let mut words = words.into_iter();
    while let Some(next) = words.next() {
        if takes_value(&next) {
            let value = words.next();
            typed.is_value |= value.is_none();
            typed.options.extend(std::iter::once(next).chain(value));
        } else if next.starts_with('-') && typed.action.is_empty() {
            typed.options.push(next);
        } else {
            typed.action.push(next);
        }
    }
    typed
}

/// Options of the client whose value is the next word.
fn takes_value(word: &str) -> bool {
    const LONG: [&str; 5] = ["--configuration", "--serverurl", "--username", "--password", "--history-file"];
    LONG.contains(&word) || matches!(word, "-c" | "-s" | "-u" | "-p" | "-r")
}

fn actions(command: &Command) -> Vec<String> {
    let shown = command.get_subcommands().filter(|action| !action.is_hide_set());
    shown.map(|action| action.get_name().to_owned()).chain(["help".to_owned()]).collect()
}

fn options_of(command: &Command) -> Vec<String> {
    let long = command.get_arguments().filter_map(|option| option.get_long());
    long.map(|name| format!("--{name}")).chain(["--help".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_classified() {
        for (line, options, action, word, is_value) in [
            ("", "", "", "", false),
            ("st", "", "", "st", false),
            ("-c f start w", "-c f", "start", "w", false),
            ("start -c f a ", "-c f", "start a", "", false),
            ("-c ", "-c", "", "", true),
            ("-i tail -f w", "-i", "tail -f", "w", false),
        ] {
            let typed = take_apart(line.split(' ').map(str::to_owned).collect());
            let result = (typed.options.join(" "), typed.action.join(" "), typed.word, typed.is_value);
            assert_eq!(result, (options.into(), action.into(), word.into(), is_value), "{line}");
        }
    }
}
