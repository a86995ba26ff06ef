//! Words with quotes: the POSIX mode of Python's `shlex`, which splits `command=` and `environment=`.
//!
//! Both use the same grammar with two differences: `environment=` has comments (`#`) and breaks words at
//! punctuation, `command=` does neither. Python's rules are not a shell's (a backslash before a
//! newline keeps the newline, nothing is expanded), so a shell-words crate is not suitable.

use std::borrow::Cow;
use std::fmt;
use std::str::Chars;

/// Why a text could not be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// A quotation mark is not closed.
    NoClosingQuotation,
    /// The text ends in a backslash.
    NoEscapedCharacter,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClosingQuotation => "No closing quotation",
            Self::NoEscapedCharacter => "No escaped character",
        })
    }
}

impl std::error::Error for SplitError {}

/// Splits a `command=` into its arguments, as Python's `shlex.split` does.
///
/// # Errors
///
/// An open quotation or a backslash at the end.
pub fn split_command(text: &str) -> Result<Vec<String>, SplitError> {
    Ok(split(text, Grammar::Command)?.into_iter().map(|word| word.text.into_owned()).collect())
}

/// The inverse: a text that [`split_command`] splits into exactly these words.
pub fn join_words(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quoted(word.as_ref())).collect();
    quoted.join(" ")
}

fn quoted(word: &str) -> Cow<'_, str> {
    let is_bare = |c: char| !is_gap(c) && !"'\"\\".contains(c);
    if !word.is_empty() && word.chars().all(is_bare) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// Splits an `environment=` into its keys, signs and values.
pub fn split_pairs(text: &str) -> Result<Vec<Word<'_>>, SplitError> {
    split(text, Grammar::Pairs)
}

/// The same in the non-POSIX mode of `shlex`, which Supervisor 4.3.0 also accepts: a quotation is a
/// separate word and ends at the next mark of its kind, nothing is escaped, marks inside a bare
/// word are kept, and all marks at both ends of a word are removed.
pub fn split_pairs_of_old(text: &str) -> Result<Vec<Word<'_>>, SplitError> {
    let mut splitter = Splitter { chars: text.chars(), grammar: Grammar::PairsOfOld };
    // Names and values have a few characters each, so this capacity is rarely exceeded.
    let mut words = Vec::with_capacity(text.len() / 4);
    while let Some(word) = splitter.next_word_of_old()? {
        words.push(word);
    }
    Ok(words)
}

/// A word without its quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Word<'t> {
    /// The text without quotes.
    pub text: Cow<'t, str>,
    /// A single character that can't be part of a bare word, outside of quotes.
    pub is_sign: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    Command,
    Pairs,
    PairsOfOld,
}

fn split(text: &str, grammar: Grammar) -> Result<Vec<Word<'_>>, SplitError> {
    let mut splitter = Splitter { chars: text.chars(), grammar };
    let mut words = Vec::new();
    while let Some(word) = splitter.next_word()? {
        words.push(word);
    }
    Ok(words)
}

struct Splitter<'t> {
    chars: Chars<'t>,
    grammar: Grammar,
}

impl<'t> Splitter<'t> {
    fn peek(&self) -> Option<char> {
        self.chars.clone().next()
    }

    fn next_if(&mut self, is_wanted: impl FnOnce(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|&c| is_wanted(c))?;
        self.chars.next();
        Some(next)
    }

    fn next_if_part(&mut self) -> Option<char> {
        let grammar = self.grammar;
        self.next_if(|c| part_of_word(grammar, c))
    }

    /// The text consumed since the remaining text was `rest`.
    fn passed_of(&self, rest: &'t str) -> &'t str {
        &rest[..rest.len() - self.chars.as_str().len()]
    }

    fn next_word(&mut self) -> Result<Option<Word<'t>>, SplitError> {
        self.skip_gap();
        let rest = self.chars.as_str();
        let Some(first) = self.peek() else { return Ok(None) };
        if !part_of_word(self.grammar, first) {
            self.chars.next();
            return Ok(Some(Word { text: self.passed_of(rest).into(), is_sign: true }));
        }
        let mut text = String::new();
        while let Some(c) = self.next_if_part() {
            match c {
                '\'' => self.single_quoted(&mut text)?,
                '"' => self.double_quoted(&mut text)?,
                '\\' => text.push(self.escaped()?),
                c => text.push(c),
            }
        }
        Ok(Some(Word { text: text.into(), is_sign: false }))
    }

    fn next_word_of_old(&mut self) -> Result<Option<Word<'t>>, SplitError> {
        self.skip_gap();
        let rest = self.chars.as_str();
        let Some(first) = self.chars.next() else { return Ok(None) };
        if matches!(first, '\'' | '"') {
            self.chars.find(|&c| c == first).ok_or(SplitError::NoClosingQuotation)?;
        } else if !part_of_word(self.grammar, first) {
            return Ok(Some(Word { text: self.passed_of(rest).into(), is_sign: true }));
        } else {
            while self.next_if_part().is_some() {}
        }
        let text = self.passed_of(rest).trim_matches(['\'', '"']);
        Ok(Some(Word { text: text.into(), is_sign: false }))
    }

    /// Skips white space, and in `environment=` everything from `#` to the end of the line.
    fn skip_gap(&mut self) {
        while let Some(c) = self.peek() {
            if c == '#' && self.grammar != Grammar::Command {
                while self.next_if(|c| c != '\n').is_some() {}
            } else if !is_gap(c) {
                return;
            } else {
                self.chars.next();
            }
        }
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), SplitError> {
        loop {
            match self.chars.next().ok_or(SplitError::NoClosingQuotation)? {
                '\'' => return Ok(()),
                c => text.push(c),
            }
        }
    }

    /// Here a backslash escapes a quotation mark or itself, and is kept before any other character.
    fn double_quoted(&mut self, text: &mut String) -> Result<(), SplitError> {
        loop {
            match self.chars.next().ok_or(SplitError::NoClosingQuotation)? {
                '"' => return Ok(()),
                '\\' => match self.escaped()? {
                    c @ ('"' | '\\') => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, SplitError> {
        self.chars.next().ok_or(SplitError::NoEscapedCharacter)
    }
}

/// As in Python, the list is narrower than Unicode's.
fn is_gap(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn part_of_word(grammar: Grammar, c: char) -> bool {
    match grammar {
        Grammar::Command => !is_gap(c),
        Grammar::Pairs => c.is_alphanumeric() || "_/.+-():'\"\\".contains(c),
        Grammar::PairsOfOld => c.is_ascii_alphanumeric() || "_/.+-():'\"".contains(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_split_as_python_splits_them() {
        let cases: [(&str, &[&str]); 14] = [
            ("", &[]),
            ("  \t\n ", &[]),
            ("/bin/cat", &["/bin/cat"]),
            ("a  b\tc\nd", &["a", "b", "c", "d"]),
            ("sh -c 'a b'", &["sh", "-c", "a b"]),
            (r#"x "a \" \\ \n 'y'""#, &["x", r#"a " \ \n 'y'"#]),
            (r"a\ b \'", &["a b", "'"]),
            (r"'a\'b", &[r"a\b"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("'' \"\"", &["", ""]),
            ("a # b $HOME *", &["a", "#", "b", "$HOME", "*"]),
            ("a\\\nb", &["a\nb"]),
            ("é 'ü x'", &["é", "ü x"]),
            ("a\u{a0}b", &["a\u{a0}b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split_command(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn joined_words_split_into_the_same() {
        let cases: [(&[&str], &str); 4] = [
            (&["/bin/cat", "-n", "a=b;c"], "/bin/cat -n a=b;c"),
            (&["sh", "-c", "echo 'a' \"b\" \\c"], r#"sh -c 'echo '\''a'\'' "b" \c'"#),
            (&["", " ", "a\nb"], "'' ' ' 'a\nb'"),
            (&[], ""),
        ];
        for (words, expected) in cases {
            assert_eq!(join_words(words), expected);
            assert_eq!(split_command(expected).unwrap(), words);
        }
    }

    #[test]
    fn open_quotes_and_escapes_are_named() {
        for (text, expected) in [
            ("'a", "No closing quotation"),
            ("a \"b", "No closing quotation"),
            ("a\\", "No escaped character"),
            ("\"a\\", "No escaped character"),
        ] {
            assert_eq!(split_command(text).unwrap_err().to_string(), expected, "{text:?}");
        }
    }
}
