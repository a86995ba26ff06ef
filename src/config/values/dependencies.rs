//! `depends_on` and `restart_with`: names, each with a condition.

use super::super::ini::trim;
use super::super::options::nearest;
use super::BadValue;
use crate::model::{Condition, Dependency, WrittenAt};
use crate::python::quote;

/// The names of the conditions in compose files.
const SYNONYMS: [(&str, &str); 5] = [
    ("service_started", "started"),
    ("service_healthy", "healthy"),
    ("service_completed_successfully", "done"),
    ("running", "ready"),
    ("exited", "done"),
];

/// `db`, `cache=started`, `workers:worker_00`, `api?`. Whether the process exists is checked later.
pub(crate) fn dependency(text: &str, place: &WrittenAt) -> Result<Dependency, BadValue> {
    let text = trim(text);
    let (bare, is_optional) = match text.strip_suffix('?') {
        Some(bare) => (trim(bare), true),
        None => (text, false),
    };
    let (name, condition) = match bare.split_once('=') {
        Some((name, word)) => (trim(name), Some(condition(trim(word))?)),
        None => (bare, None),
    };
    if name.is_empty() {
        return Err(BadValue::new(format!("not a valid dependency: {}: it names no process", quote(text))));
    }
    if let Some(meant) = in_parentheses(name).filter(|_| name.contains(char::is_whitespace)) {
        return Err(BadValue {
            message: format!("not a valid dependency: {}: a condition is written after =", quote(text)),
            suggestion: Some(if is_optional { format!("{meant}?") } else { meant }),
        });
    }
    if name.contains(char::is_whitespace) {
        return Err(BadValue {
            message: format!("not a valid dependency: {}: entries are separated by commas", quote(text)),
            suggestion: Some(text.split_whitespace().collect::<Vec<_>>().join(",")),
        });
    }
    Ok(Dependency { name: name.to_owned(), condition, is_optional, place: place.clone() })
}

/// `db=ready` for `db (ready)`, which is how conditions are shown.
pub(crate) fn in_parentheses(text: &str) -> Option<String> {
    let (name, word) = text.strip_suffix(')')?.split_once('(')?;
    let word = match condition(trim(word)) {
        Ok(condition) => condition.to_string(),
        Err(bad) => bad.suggestion?,
    };
    Some(format!("{}={word}", trim(name))).filter(|_| !trim(name).is_empty())
}

fn condition(word: &str) -> Result<Condition, BadValue> {
    Condition::from_word(word).ok_or_else(|| {
        let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, word)| *word);
        let suggestion =
            synonym.or_else(|| nearest(Condition::WORDS.into_iter().map(|(word, _)| word), word));
        BadValue {
            message: format!("not a condition: {}: it is started, ready, healthy or done", quote(word)),
            suggestion: suggestion.map(str::to_owned),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Dependency, BadValue> {
        dependency(text, &WrittenAt::default())
    }

    #[test]
    fn entries_are_a_name_a_condition_and_a_question_mark() {
        for (text, name, condition, is_optional) in [
            ("db", "db", None, false),
            (" db = healthy ", "db", Some(Condition::Healthy), false),
            ("cache=started?", "cache", Some(Condition::Started), true),
            ("workers:worker_00", "workers:worker_00", None, false),
            ("workers:*=done ?", "workers:*", Some(Condition::Done), true),
            ("api?", "api", None, true),
        ] {
            let place = WrittenAt::default();
            let expected = Dependency { name: name.to_owned(), condition, is_optional, place };
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_entries_are_explained() {
        for (text, message, suggestion) in [
            ("=ready", "not a valid dependency: '=ready': it names no process", None),
            ("?", "not a valid dependency: '?': it names no process", None),
            ("", "not a valid dependency: '': it names no process", None),
            ("a b", "not a valid dependency: 'a b': entries are separated by commas", Some("a,b")),
            (
                "db (ready)?",
                "not a valid dependency: 'db (ready)?': a condition is written after =",
                Some("db=ready?"),
            ),
            (
                "db=helthy",
                "not a condition: 'helthy': it is started, ready, healthy or done",
                Some("healthy"),
            ),
            (
                "db=service_completed_successfully",
                "not a condition: 'service_completed_successfully': it is started, ready, healthy or done",
                Some("done"),
            ),
        ] {
            let expected =
                BadValue { message: message.to_owned(), suggestion: suggestion.map(str::to_owned) };
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }
}
