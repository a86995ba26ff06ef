//! The options of `logs`.

use regex_lite::{Regex, RegexBuilder};

use super::super::times;
use crate::model::parse_duration;

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
    /// Only lines that were written since then, in milliseconds since 1970.
    pub(super) since: Option<i64>,
    /// Whether the time of each line is shown.
    pub(super) has_times: bool,
    /// Whether lines are objects.
    pub(super) is_json: bool,
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
    pub(super) fn parse(words: &'w str, now_ms: i64) -> Result<Self, String> {
        let mut wanted = Self {
            follows: false,
            lines: LINES,
            channels: Vec::new(),
            since: None,
            has_times: false,
            is_json: false,
            pattern: None,
            names: Vec::new(),
        };
        let mut lines = None;
        let mut words = words.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-f" | "--follow" => wanted.follows = true,
                "-n" | "--lines" => lines = Some(number(words.next().unwrap_or_default())?),
                "-t" | "--timestamps" => wanted.has_times = true,
                "--json" => wanted.is_json = true,
                "--since" => wanted.since = Some(since(words.next().unwrap_or_default(), now_ms)?),
                _ if word.starts_with("--since=") => {
                    wanted.since = Some(since(&word["--since=".len()..], now_ms)?);
                }
                "--grep" => wanted.pattern = Some(pattern(words.next().unwrap_or_default())?),
                "--stdout" => wanted.channels.push(CHANNELS[0]),
                "--stderr" => wanted.channels.push(CHANNELS[1]),
                _ if word.starts_with("--grep=") => wanted.pattern = Some(pattern(&word["--grep=".len()..])?),
                _ => match word.strip_prefix("--lines=").or(word.strip_prefix("-n")) {
                    Some(text) => lines = Some(number(text)?),
                    None if word.starts_with('-') => return Err(format!("Error: bad argument {word}")),
                    None => wanted.names.push(word),
                },
            }
        }
        wanted.lines = lines.unwrap_or(if wanted.since.is_some() { LINES_MAX } else { LINES });
        if wanted.channels.is_empty() {
            wanted.channels = CHANNELS.to_vec();
        }
        if wanted.names.is_empty() {
            wanted.names.push("all");
        }
        Ok(wanted)
    }
}

impl JournalOptions<'_> {
    /// Whether the times of lines make a difference.
    pub(super) fn needs_times(&self) -> bool {
        self.since.is_some() || self.has_times || self.is_json
    }

    /// Whether a line that was written then is shown.
    pub(super) fn includes(&self, (at, line): &(Option<i64>, &str)) -> bool {
        self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(line))
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    let pattern = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    pattern.map_err(|error| format!("Error: bad pattern '{text}': {error}"))
}

/// `90s`, `10m`, `2h`, `1d` before now, or a time.
fn since(text: &str, now_ms: i64) -> Result<i64, String> {
    let ago = || {
        let secs = parse_duration(text)?.as_secs();
        now_ms.checked_sub(i64::try_from(secs).ok()?.checked_mul(1000)?)
    };
    let bad = || format!("Error: bad time '{text}': give 90s, 10m, 2h, 1d or 2026-11-29T03:07:29Z");
    times::unix_ms(text).or_else(ago).ok_or_else(bad)
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
            let wanted = JournalOptions::parse(words, 0).unwrap();
            assert_eq!((wanted.follows, wanted.lines), (follows, lines), "{words}");
            assert_eq!((wanted.channels.as_slice(), wanted.names.as_slice()), (channels, names), "{words}");
            assert!(wanted.pattern.is_none());
        }
        for words in ["--grep ^E[0-9]+ web", "web --grep=^E[0-9]+"] {
            let pattern = JournalOptions::parse(words, 0).unwrap().pattern.unwrap();
            assert_eq!(pattern.as_str(), "^E[0-9]+");
        }
    }

    #[test]
    fn a_time_is_a_duration_before_now_or_a_point() {
        for (words, since, lines) in [
            ("--since 10m", 400_000, LINES_MAX),
            ("--since=2h web -n 3", -6_200_000, 3),
            ("--since 1970-01-01T00:00:01Z -t", 1000, LINES_MAX),
        ] {
            let wanted = JournalOptions::parse(words, 1_000_000).unwrap();
            assert_eq!((wanted.since, wanted.lines), (Some(since), lines), "{words}");
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
            ("--since yesterday", "Error: bad time 'yesterday': give "),
            ("--since", "Error: bad time '': give "),
            ("--since 10", "Error: bad time '10': give "),
        ] {
            let error = JournalOptions::parse(words, 0).unwrap_err();
            assert!(error.starts_with(why), "{words}: {error}");
        }
    }
}
