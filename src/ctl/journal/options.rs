//! The options of `logs`.

use regex_lite::{Regex, RegexBuilder};

/// As in tail(1).
const LINES: usize = 10;

/// More lines would not fit into the part of a log that is read anyway.
const LINES_MAX: usize = 1_000_000;

/// The maximum size of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

const CHANNELS: [&str; 2] = ["stdout", "stderr"];

/// The arguments of one command.
#[derive(Debug)]
pub(super) struct JournalOptions<'w> {
    pub(super) follows: bool,
    pub(super) lines: usize,
    pub(super) channels: Vec<&'static str>,
    /// Only lines that match.
    pub(super) pattern: Option<Regex>,
    /// Never empty.
    pub(super) names: Vec<&'w str>,
}

impl<'w> JournalOptions<'w> {
    /// Parses them; options and names in any order.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn parse(words: &'w str) -> Result<Self, String> {
        let (channels, names) = (Vec::new(), Vec::new());
        let mut wanted = Self { follows: false, lines: LINES, channels, pattern: None, names };
        let mut words = words.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-f" | "--follow" => wanted.follows = true,
                "-n" | "--lines" => wanted.lines = number(words.next().unwrap_or_default())?,
                "--grep" => wanted.pattern = Some(pattern(words.next().unwrap_or_default())?),
                "--stdout" => wanted.channels.push(CHANNELS[0]),
                "--stderr" => wanted.channels.push(CHANNELS[1]),
                _ if word.starts_with("--grep=") => wanted.pattern = Some(pattern(&word["--grep=".len()..])?),
                _ => match word.strip_prefix("--lines=").or(word.strip_prefix("-n")) {
                    Some(lines) => wanted.lines = number(lines)?,
                    None if word.starts_with('-') => return Err(format!("Error: bad argument {word}")),
                    None => wanted.names.push(word),
                },
            }
        }
        if wanted.channels.is_empty() {
            wanted.channels = CHANNELS.to_vec();
        }
        if wanted.names.is_empty() {
            wanted.names.push("all");
        }
        Ok(wanted)
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    let pattern = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    pattern.map_err(|error| format!("Error: bad pattern '{text}': {error}"))
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= LINES_MAX);
    number.ok_or_else(|| format!("Error: bad number of lines '{text}' (0 to {LINES_MAX})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_names_come_in_any_order() {
        let both = &["stdout", "stderr"][..];
        for (words, follows, lines, channels, names) in [
            ("web", false, 10, both, &["web"][..]),
            ("-f web -n 3 pair:*", true, 3, both, &["web", "pair:*"]),
            ("--follow --stderr -n0 all", true, 0, &["stderr"], &["all"]),
            ("--lines=7 web --stdout", false, 7, &["stdout"], &["web"]),
            ("", false, 10, both, &["all"]),
            ("-f", true, 10, both, &["all"]),
        ] {
            let wanted = JournalOptions::parse(words).unwrap();
            assert_eq!((wanted.follows, wanted.lines), (follows, lines), "{words}");
            assert_eq!((wanted.channels.as_slice(), wanted.names.as_slice()), (channels, names), "{words}");
            assert!(wanted.pattern.is_none());
        }
        for words in ["--grep ^E[0-9]+ web", "web --grep=^E[0-9]+"] {
            let pattern = JournalOptions::parse(words).unwrap().pattern.unwrap();
            assert_eq!(pattern.as_str(), "^E[0-9]+");
        }
    }

    #[test]
    fn invalid_arguments_are_reported() {
        for (words, why) in [
            ("-x web", "Error: bad argument -x"),
            ("web -n", "Error: bad number of lines '' (0 to 1000000)"),
            ("-n -3 web", "Error: bad number of lines '-3' (0 to 1000000)"),
            ("--lines=1000001 web", "Error: bad number of lines '1000001' (0 to 1000000)"),
            ("--grep [", "Error: bad pattern '[': "),
        ] {
            let error = JournalOptions::parse(words).unwrap_err();
            assert!(error.starts_with(why), "{words}: {error}");
        }
    }
}
