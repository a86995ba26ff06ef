//! Suggestions for misspelled names.

use strsim::osa_distance;

use super::{Naming, OptionDoc, OptionList, SectionKind, TABLE, ValueType};
use crate::model::Signal;
use crate::python::{Word, split_pairs};

/// Longer names are not compared: they are not typing errors.
const NAME_BYTES_MAX: usize = 64;

/// The option that is most similar to `name`, if any is similar.
pub(crate) fn nearest_option(options: OptionList, name: &str) -> Option<String> {
    let keys: Vec<_> = options.iter().flat_map(OptionDoc::keys).collect();
    nearest(keys.iter().map(String::as_str), name).map(str::to_owned)
}

/// The section that is most similar to `section`, with the part after the colon.
pub(crate) fn nearest_section(section: &str) -> Option<String> {
    let (name, instance) = section.split_once(':').unwrap_or((section, ""));
    let known = nearest(TABLE.iter().map(|section| section.name), name)?;
    let naming = TABLE.iter().find(|section| section.name == known)?.naming;
    let suggestion = match (naming, instance) {
        (Naming::Single, _) | (Naming::Optional, "") => known.to_owned(),
        (Naming::Required, "") => format!("{known}:NAME"),
        (_, instance) => format!("{known}:{instance}"),
    };
    (SectionKind::of(&suggestion).is_some() && suggestion != section).then_some(suggestion)
}

/// The word that was probably meant for a value of this type; `None` if the value is valid or not similar to
/// any.
pub(crate) fn nearest_word(value_type: ValueType, value: &str) -> Option<&'static str> {
    let value = value.to_lowercase();
    let meant = SYNONYMS.iter().filter(|(synonym, _)| *synonym == value).map(|&(_, word)| word);
    let words = words(value_type);
    let mut meant = meant.filter(|word| words.contains(word));
    let is_word = words.iter().any(|word| word.eq_ignore_ascii_case(&value));
    let bare = value.strip_prefix("sig").unwrap_or(&value);
    meant.next().or_else(|| nearest(words.into_iter(), bare)).filter(|_| !is_word)
}

/// The value that was probably meant: a word, or a number in another form.
pub(crate) fn meant(value_type: ValueType, value: &str) -> Option<String> {
    let number = || match value_type {
        ValueType::Size => with_unit(value, &[("KB", "k"), ("MB", "m"), ("GB", "g"), ("", "b")]),
        ValueType::Integer => with_unit(value, &[("", "s")]),
        ValueType::Seconds => in_seconds(value),
        ValueType::ExitCodes => parted_by_commas(value),
        ValueType::Pairs => with_commas(value),
        _ => None,
    };
    nearest_word(value_type, value).map(str::to_owned).or_else(number).or_else(|| unquoted(value_type, value))
}

/// Quotes are part of a value unless it is a list of words.
fn unquoted(value_type: ValueType, value: &str) -> Option<String> {
    let is_single = !matches!(value_type, ValueType::Command | ValueType::Pairs | ValueType::Secret);
    let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    bare.filter(|bare| is_single && !bare.is_empty()).map(str::to_owned)
}

/// `10M`, `10 MiB` as `10MB`, and `5s`, `5 seconds` as `5`: units are matched by their first letter.
fn with_unit(value: &str, units: &[(&str, &str)]) -> Option<String> {
    let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = value[digits.len()..].trim().to_lowercase();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (known, _) = units.iter().find(|(_, letter)| unit.starts_with(letter))?;
    let is_other = is_number && !unit.eq_ignore_ascii_case(known) && unit.len() <= "seconds".len();
    is_other.then(|| format!("{digits}{known}"))
}

/// `5s`, `500ms`, `5m` and `1h` as seconds.
fn in_seconds(value: &str) -> Option<String> {
    let number = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let millis: u64 = match value[number.len()..].trim() {
        "ms" => 1,
        "s" | "sec" | "seconds" => 1_000,
        "m" | "min" | "minutes" => 60_000,
        "h" | "hours" => 3_600_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
    let (whole, rest) = (millis / 1000, millis % 1000);
    Some(if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest:03}").trim_end_matches('0').to_owned()
    })
}

/// `0;1`, `0 1` and `0,1,` as `0,1`.
fn parted_by_commas(value: &str) -> Option<String> {
    let items: Vec<_> = value.split([',', ';', ' ']).filter(|item| !item.is_empty()).collect();
    let is_code = |item: &&str| item.parse::<u8>().is_ok();
    (!items.is_empty() && items.iter().all(is_code)).then(|| items.join(","))
}

/// `A="1" B="2"` as `A=...,B=...`: values are omitted because they may be secrets.
fn with_commas(value: &str) -> Option<String> {
    const NAMES_MAX: usize = 3;
    let words = split_pairs(value).ok()?;
    let is_name = |pair: &[Word<'_>]| !pair[0].is_sign && pair[1].is_sign && pair[1].text == "=";
    let lacks_comma = words.windows(3).any(|three| !three[0].is_sign && is_name(&three[1..]));
    let names = words.windows(2).filter(|pair| is_name(pair)).map(|pair| format!("{}=...", pair[0].text));
    lacks_comma.then(|| names.take(NAMES_MAX).collect::<Vec<_>>().join(","))
}

/// The names that other tools use.
const SYNONYMS: [(&str, &str); 13] = [
    ("always", "true"),
    ("enabled", "true"),
    ("never", "false"),
    ("disabled", "false"),
    ("on-failure", "unexpected"),
    ("warning", "warn"),
    ("err", "error"),
    ("crit", "critical"),
    ("fatal", "critical"),
    ("always", "forever"),
    ("infinite", "forever"),
    ("infinity", "forever"),
    ("unlimited", "forever"),
];

/// The words that a value of this type can be; empty if it is not a word.
fn words(value_type: ValueType) -> Vec<&'static str> {
    const BOOLEANS: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];
    match value_type {
        ValueType::Boolean => BOOLEANS.to_vec(),
        ValueType::AutoRestart => BOOLEANS.into_iter().chain(["unexpected"]).collect(),
        ValueType::Retries => vec!["forever"],
        ValueType::Word(words) => words.to_vec(),
        ValueType::SignalAction => vec!["shutdown", "reload", "reopen", "ignore"],
        ValueType::LogLevel => vec!["critical", "error", "warn", "info", "debug", "trace", "blather"],
        ValueType::Signal => Signal::names().collect(),
        _ => Vec::new(),
    }
}

/// The element of `known` that is most similar to `name`, if any is similar.
#[must_use]
pub fn nearest<'k>(known: impl Iterator<Item = &'k str>, name: &str) -> Option<&'k str> {
    similar(known, name).into_iter().next()
}

/// The elements of `known` that are most similar to `name`, if any is similar: few characters are missing, too many, wrong
/// or in the place of their neighbour.
#[must_use]
pub fn similar<'k>(known: impl Iterator<Item = &'k str>, name: &str) -> Vec<&'k str> {
    if name.len() > NAME_BYTES_MAX {
        return Vec::new();
    }
    let name = name.to_lowercase();
    // A single letter is not similar to anything.
    let slips_max = (1 + name.len() / 5).min(name.chars().count().saturating_sub(1));
    let slips: Vec<_> = known.map(|known| (osa_distance(&known.to_lowercase(), &name), known)).collect();
    let least = slips.iter().map(|(slips, _)| *slips).min().filter(|least| *least <= slips_max);
    slips.into_iter().filter(|(slips, _)| Some(*slips) == least).map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_recognised_and_other_names_are_not() {
        for (name, expected) in [
            ("autorestrat", Some("autorestart")),
            ("comand", Some("command")),
            ("stdout_log_file", Some("stdout_logfile")),
            ("numproc", Some("numprocs")),
            ("frobnicate", None),
            ("x", None),
            ("", None),
        ] {
            let found = nearest_option(SectionKind::Program.options(), name);
            assert_eq!(found.as_deref(), expected, "{name}");
        }
        assert_eq!(nearest_option(SectionKind::Program.options(), &"x".repeat(100_000)), None);
    }

    #[test]
    fn words_are_suggested_from_those_of_the_type() {
        for (value_type, value, expected) in [
            (ValueType::Boolean, "ture", Some("true")),
            (ValueType::Boolean, "Flase", Some("false")),
            (ValueType::Boolean, "maybe", None),
            (ValueType::Boolean, "YES", None),
            (ValueType::Boolean, "on-failure", None),
            (ValueType::AutoRestart, "unexpcted", Some("unexpected")),
            (ValueType::AutoRestart, "always", Some("true")),
            (ValueType::AutoRestart, "on-failure", Some("unexpected")),
            (ValueType::LogLevel, "warning", Some("warn")),
            (ValueType::LogLevel, "debgu", Some("debug")),
            (ValueType::Signal, "SIGTREM", Some("TERM")),
            (ValueType::Signal, "usr3", Some("USR1")),
            (ValueType::Integer, "ture", None),
        ] {
            assert_eq!(nearest_word(value_type, value), expected, "{value}");
        }
    }

    #[test]
    fn numbers_are_known_in_other_forms() {
        for (value_type, value, expected) in [
            (ValueType::Size, "10M", Some("10MB")),
            (ValueType::Size, "50 MiB", Some("50MB")),
            (ValueType::Size, "5k", Some("5KB")),
            (ValueType::Size, "512 bytes", Some("512")),
            (ValueType::Size, "1.5MB", None),
            (ValueType::Size, "17mb", None),
            (ValueType::Size, "many", None),
            (ValueType::Integer, "5s", Some("5")),
            (ValueType::Seconds, "5s", Some("5")),
            (ValueType::Seconds, "500ms", Some("0.5")),
            (ValueType::Seconds, "2 min", Some("120")),
            (ValueType::Seconds, "5", None),
            (ValueType::Retries, "unlimited", Some("forever")),
            (ValueType::Retries, "forevre", Some("forever")),
            (ValueType::AutoRestart, "infinite", None),
            (ValueType::Integer, "10 seconds", Some("10")),
            (ValueType::Integer, "5m", None),
            (ValueType::ExitCodes, "0;1", Some("0,1")),
            (ValueType::ExitCodes, "0, 1,", Some("0,1")),
            (ValueType::ExitCodes, "300", None),
            (ValueType::Boolean, "ture", Some("true")),
            (ValueType::User, "'nobody'", Some("nobody")),
            (ValueType::Path, "\"/dev/stdout\"", Some("/dev/stdout")),
            (ValueType::Text, "'a", None),
            (ValueType::Command, "'a'", None),
            (ValueType::Pairs, "A=\"1\" B='2'", Some("A=...,B=...")),
            (ValueType::Pairs, "A=1\nB=2", Some("A=...,B=...")),
            (ValueType::Pairs, "A=1,B", None),
        ] {
            assert_eq!(meant(value_type, value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn sections_keep_their_own_name() {
        for (section, expected) in [
            ("programm:web", Some("program:web")),
            ("Program:web", Some("program:web")),
            ("program", Some("program:NAME")),
            ("supervisor", Some("supervisord")),
            ("supervisord:x", Some("supervisord")),
            ("inet_http_serverfoo", Some("inet_http_server")),
            ("celery", None),
        ] {
            assert_eq!(nearest_section(section).as_deref(), expected, "{section}");
        }
    }
}
