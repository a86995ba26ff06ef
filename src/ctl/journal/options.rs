//! The options of `logs`.

/// As in tail(1).
const LINES: usize = 10;

/// More lines would not fit into the part of a log that is read anyway.
const LINES_MAX: usize = 1_000_000;

const CHANNELS: [&str; 2] = ["stdout", "stderr"];

/// The arguments of one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JournalOptions<'w> {
    pub(super) follows: bool,
    pub(super) lines: usize,
    pub(super) channels: Vec<&'static str>,
    /// Never empty.
    pub(super) names: Vec<&'w str>,
}

impl<'w> JournalOptions<'w> {
    /// Parses them; options and names in any order.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn parse(words: &'w str) -> Result<Self, String> {
        let mut wanted = Self { follows: false, lines: LINES, channels: Vec::new(), names: Vec::new() };
        let mut words = words.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-f" | "--follow" => wanted.follows = true,
                "-n" | "--lines" => wanted.lines = number(words.next().unwrap_or_default())?,
                "--stdout" => wanted.channels.push(CHANNELS[0]),
                "--stderr" => wanted.channels.push(CHANNELS[1]),
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
            Err("Error: logs requires a process name, or all".to_owned())
        } else {
            Ok(wanted)
        }
    }
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
        ] {
            let expected =
                JournalOptions { follows, lines, channels: channels.to_vec(), names: names.to_vec() };
            assert_eq!(JournalOptions::parse(words), Ok(expected), "{words}");
        }
    }

    #[test]
    fn invalid_arguments_are_reported() {
        for (words, why) in [
            ("", "Error: logs requires a process name, or all"),
            ("-f", "Error: logs requires a process name, or all"),
            ("-x web", "Error: bad argument -x"),
            ("web -n", "Error: bad number of lines '' (0 to 1000000)"),
            ("-n -3 web", "Error: bad number of lines '-3' (0 to 1000000)"),
            ("--lines=1000001 web", "Error: bad number of lines '1000001' (0 to 1000000)"),
        ] {
            assert_eq!(JournalOptions::parse(words), Err(why.to_owned()), "{words}");
        }
    }
}
