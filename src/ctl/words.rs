//! The arguments of actions that only `sv` has: options and names in any order.

use std::time::Duration;

use super::exit;
use super::session::Session;

/// The options of an action.
pub(super) struct ActionOptions {
    /// The name of the action.
    pub(super) action: &'static str,
    /// Options without a value, each with its short form or an empty text.
    pub(super) flags: &'static [(&'static str, &'static str)],
    /// Options with a value.
    pub(super) valued: &'static [&'static str],
}

/// The arguments of one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ActionWords<'w> {
    flags: Vec<&'static str>,
    values: Vec<(&'static str, &'w str)>,
    pub(super) names: Vec<&'w str>,
}

impl<'w> ActionWords<'w> {
    /// Whether an option was given.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// The value of an option; the last one counts.
    pub(super) fn value(&self, option: &str) -> Option<&'w str> {
        self.values.iter().rev().find(|(name, _)| *name == option).map(|(_, value)| *value)
    }

    /// The value of an option that is a number of seconds, or what to report about it.
    pub(super) fn seconds(&self, option: &str) -> Result<Option<Duration>, String> {
        let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
        let Some(text) = self.value(option) else { return Ok(None) };
        seconds(text).map(Some).ok_or_else(|| format!("Error: {option} is a number of seconds"))
    }
}

impl ActionOptions {
    /// Parses the arguments; reports an error in them and sets the exit code.
    pub(super) fn parse<'w>(&self, session: &mut Session, arg: &'w str) -> Option<ActionWords<'w>> {
        self.parsed(arg).map_err(|why| refuse(session, self.action, &why)).ok()
    }

    fn parsed<'w>(&self, arg: &'w str) -> Result<ActionWords<'w>, String> {
        let mut parsed = ActionWords::default();
        let mut words = arg.split_whitespace();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').map_or((word, None), |(it, value)| (it, Some(value)));
            let flag = self.flags.iter().find(|(long, short)| word == *long || word == *short);
            let valued = self.valued.iter().find(|name| option == **name);
            if let Some((flag, _)) = flag {
                parsed.flags.push(flag);
            } else if let Some(name) = valued {
                let value = value.or_else(|| words.next());
                parsed.values.push((name, value.ok_or_else(|| format!("Error: {name} requires a value"))?));
            } else if word.starts_with('-') {
                return Err(format!("Error: bad argument {word}"));
            } else {
                parsed.names.push(word);
            }
        }
        Ok(parsed)
    }
}

/// Reports an error in the arguments, with the usage, and sets the exit code.
pub(super) fn refuse(session: &mut Session, action: &str, why: &str) {
    session.misused(action, why);
    session.fail(exit::INVALID_ARGS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_names_come_in_any_order() {
        let options =
            ActionOptions { action: "ps", flags: &[("--watch", "-w"), ("--json", "")], valued: &["--sort"] };
        for arg in ["web --sort cpu -w pair:*", "--sort=name --watch web --sort=cpu pair:*"] {
            let words = options.parsed(arg).unwrap();
            assert!(words.has("--watch") && !words.has("--json"));
            assert_eq!(
                (words.value("--sort"), words.names.as_slice()),
                (Some("cpu"), &["web", "pair:*"][..])
            );
        }
        for (arg, why) in [
            ("--sort", "Error: --sort requires a value"),
            ("-x", "Error: bad argument -x"),
            ("--watch=1", "Error: bad argument --watch=1"),
        ] {
            assert_eq!(options.parsed(arg), Err(why.to_owned()));
        }
    }
}
