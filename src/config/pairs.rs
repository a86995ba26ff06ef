//! `environment=`: parses `KEY=value,KEY2="a, b"`.

use crate::model::Environment;

use crate::python::quote;
use crate::python::{Word, split_pairs, split_pairs_of_old};

/// Parses pairs separated by commas; a trailing comma is allowed. Of two pairs with one key the later value
/// counts, at the position of the first.
///
/// Supervisor accepts any single character after a value as a separator and drops it, and takes the first
/// character of `~/x` or `$HOME` for the whole value.
/// COMPAT: here both are errors, because data would be lost silently.
///
/// It is parsed as in 4.3.0; where that fails, as in later versions, which have escapes. COMPAT: so a value
/// with escaped quotes is complete, while 4.3.0 rejects it or cuts it off.
pub(super) fn pairs(text: &str) -> Result<Environment, String> {
    match split_pairs_of_old(text).map(|words| pairs_of(words, text)) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) | Err(_) => pairs_of(split_pairs(text).map_err(|error| error.to_string())?, text),
    }
}

fn pairs_of(words: Vec<Word<'_>>, text: &str) -> Result<Environment, String> {
    let mut words = words.into_iter();
    let mut found = Environment::new();
    while let Some(key) = words.next() {
        let cut_short = || format!("Unexpected end of key/value pairs in value '{text}'");
        let key = bare_word(Some(key)).ok_or_else(cut_short)?;
        words.next().filter(|word| word.is_sign && word.text == "=").ok_or_else(cut_short)?;
        let value = words.next().ok_or_else(cut_short)?;
        refuse_sign(&value, text, cut_short)?;
        set(&mut found, key, value.text.into_owned());
        if let Some(separator) = words.next().filter(|word| !is_separator(word)) {
            refuse_sign(&separator, text, cut_short)?;
            return Err(cut_short());
        }
    }
    Ok(found)
}

fn bare_word(word: Option<Word<'_>>) -> Option<String> {
    word.filter(|word| !word.is_sign).map(|word| word.text.into_owned())
}

/// Supervisor would accept any character; the semicolon is the one that people use.
fn is_separator(word: &Word<'_>) -> bool {
    word.is_sign && matches!(&*word.text, "," | ";")
}

fn refuse_sign(word: &Word<'_>, text: &str, cut_short: impl Fn() -> String) -> Result<(), String> {
    match &*word.text {
        _ if !word.is_sign => Ok(()),
        "," | ";" | "=" => Err(cut_short()),
        sign => Err(format!("{} must stand in quotes in value '{text}'", quote(sign))),
    }
}

/// The inverse: a text that [`pairs`] parses into these pairs.
pub(super) fn join_pairs(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect::<Vec<_>>().join(",")
}

/// A value in the simplest form that parses to the same value.
fn quoted(value: &str) -> String {
    let is_read = |form: &String| {
        pairs(&format!("A={form},B=1"))
            .is_ok_and(|found| found.first().is_some_and(|(_, read)| read == value))
    };
    let in_double = value.replace('\\', "\\\\").replace('"', "\\\"");
    let forms = [format!("\"{value}\""), format!("'{value}'"), format!("\"{in_double}\"")];
    // With a backslash before each character it can only be parsed by the later rules.
    let escaped = || value.chars().flat_map(|c| ['\\', c]).collect();
    forms.into_iter().find(is_read).unwrap_or_else(escaped)
}

/// Sets `key`, at its old position if it exists.
pub(super) fn set(pairs: &mut Environment, key: String, value: String) {
    match pairs.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => pairs.push((key, value)),
    }
}

/// `below` overridden by `above`.
pub(crate) fn overlaid(mut below: Environment, above: Environment) -> Environment {
    if below.is_empty() {
        return above;
    }
    for (name, value) in above {
        set(&mut below, name, value);
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_pairs_split_into_the_same() {
        let made = [("A", "1"), ("B", "a \"b\" \\c, $d;'e'"), ("C", "")];
        let made: Environment = made.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(pairs(&join_pairs(&made)), Ok(made));
    }

    fn joined(pairs: &Environment) -> String {
        pairs.iter().map(|(key, value)| format!("<{key}={value}>")).collect()
    }

    #[test]
    fn pairs_are_read() {
        for (text, expected) in [
            ("", ""),
            ("A=1", "<A=1>"),
            ("A=1,B=2,", "<A=1><B=2>"),
            ("A=1;", "<A=1>"),
            ("A=1 ; B=2", "<A=1><B=2>"),
            ("A = 1 , B = 2", "<A=1><B=2>"),
            ("A=1,\nB=2", "<A=1><B=2>"),
            ("A='x, y',B=\"a \\\"b\\\" \\c\"", "<A=x, y><B=a \"b\" \\c>"),
            ("A=foo\"bar\"baz,B=x\\ y", "<A=foobarbaz><B=x y>"),
            ("A=\"\"", "<A=>"),
            ("A=/usr/bin:/bin,B=a.b+c-d(e)", "<A=/usr/bin:/bin><B=a.b+c-d(e)>"),
            ("A=1 # all, the=rest\n,B=2", "<A=1><B=2>"),
            ("A=a\\$b", "<A=a$b>"),
            ("a-b=1,1a=2", "<a-b=1><1a=2>"),
            ("A=1,B=2,A=3", "<A=3><B=2>"),
            ("A='%h'", "<A=%h>"),
            ("A='$HOME',B=\"~ ${X}\"", "<A=$HOME><B=~ ${X}>"),
        ] {
            assert_eq!(pairs(text).map(|pairs| joined(&pairs)), Ok(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn pairs_valid_in_4_3_0_are_parsed_like_there() {
        for (text, expected) in [
            ("A=foo\"bar\"baz", "<A=foo\"bar\"baz>"),
            ("A='\"x\"',B=\"'y'\"", "<A=x><B=y>"),
            ("A=\"a\\\\b\",B='c\\d'", "<A=a\\\\b><B=c\\d>"),
            ("A=x\",B=y'", "<A=x><B=y>"),
            ("A=\"{'a': 1}\"", "<A={'a': 1}>"),
        ] {
            assert_eq!(pairs(text).map(|pairs| joined(&pairs)), Ok(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn joined_pairs_are_read_as_they_were() {
        for value in
            ["", "a b", "a\\b", "a\\\\b", "\"x\"", "'x'", "it's", "say \"hi\" it's", "\\", "a\nb", "é,=;#"]
        {
            let environment = vec![("A".to_owned(), value.to_owned()), ("B".to_owned(), "1".to_owned())];
            assert_eq!(pairs(&join_pairs(&environment)), Ok(environment), "{value}");
        }
    }

    #[test]
    fn malformed_pairs_are_reported() {
        let cut_short = |text: &str| format!("Unexpected end of key/value pairs in value '{text}'");
        for text in
            ["A", "A=", "A=1,,B=2", "a=b=c", "A=1 B=2", "=1", "A=,", "A B=1", ",", "A=1,B", "A=1\nB=2"]
        {
            assert_eq!(pairs(text), Err(cut_short(text)), "{text}");
        }
        for (text, sign) in
            [("A=~/x", "~"), ("A=$HOME", "$"), ("A=%h", "%"), ("A=x$", "$"), ("A=a@b", "@"), ("A=1|B=2", "|")]
        {
            let expected = format!("'{sign}' must stand in quotes in value '{text}'");
            assert_eq!(pairs(text), Err(expected), "{text}");
        }
        assert_eq!(pairs("A=\"x"), Err("No closing quotation".to_owned()));
        assert_eq!(pairs("A=x\\"), Err("No escaped character".to_owned()));
    }
}
