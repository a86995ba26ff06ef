//! Values that are keywords: booleans, signals, levels, names.

use crate::model::{AutoRestart, LogFormat, LogLevel, OnIdle, Password, Signal, StartRetries};

use super::super::ini::trim;
use super::numbers::{integer, number};
use crate::python::quote;

/// `yes`, `true`, `on`, `1` and their opposites, in any case.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    truth(text).ok_or_else(|| format!("not a valid boolean value: {}", quote(text)))
}

fn truth(text: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match (is_one_of(["yes", "true", "on", "1"]), is_one_of(["no", "false", "off", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// A number or `forever`.
pub(crate) fn start_retries(text: &str) -> Result<StartRetries, String> {
    if trim(text).eq_ignore_ascii_case("forever") {
        return Ok(StartRetries::Forever);
    }
    integer(text).map(StartRetries::Times)
}

/// A boolean or `unexpected`.
pub(crate) fn auto_restart(text: &str) -> Result<AutoRestart, String> {
    match truth(text) {
        Some(true) => Ok(AutoRestart::Always),
        Some(false) => Ok(AutoRestart::Never),
        None if text.eq_ignore_ascii_case("unexpected") => Ok(AutoRestart::Unexpected),
        None => Err(format!("invalid 'autorestart' value {}", quote(&text.to_lowercase()))),
    }
}

/// A number or a name, with or without `SIG`.
pub(crate) fn signal(text: &str) -> Result<Signal, String> {
    match number(text) {
        Some(number) => Signal::from_number(number)
            .ok_or_else(|| format!("value {} is not a valid signal number", quote(text))),
        None => Signal::from_name(trim(text))
            .ok_or_else(|| format!("value {} is not a valid signal name", quote(text))),
    }
}

/// A signal that can be handled: a name, a number, or `RTMIN+3`; `_` may replace the plus.
pub(crate) fn caught_signal(text: &str) -> Result<Signal, String> {
    let real_time = || {
        let (base, offset) = text.split_once(['+', '_'])?;
        let base = Signal::from_name(base).filter(|base| *base == Signal::RTMIN)?;
        let number = base.0.checked_add(offset.parse().ok().filter(|offset| *offset >= 0)?)?;
        (number <= Signal::RTMAX.0).then_some(Signal(number))
    };
    let known = match text.parse() {
        Ok(number @ 1..=31 | number @ 34..=64) => Some(Signal(number)),
        Ok(_) => return Err(format!("{} is not a valid signal number", quote(text))),
        Err(_) => Signal::from_name(text).or_else(real_time),
    };
    match known {
        None => Err(format!("{} is not a valid signal name", quote(text))),
        Some(signal) if signal.is_catchable() => Ok(signal),
        Some(Signal::CHLD) => Err("SIGCHLD reports the end of children, it can do nothing else".to_owned()),
        Some(signal) => Err(format!("no process can do something about {signal}")),
    }
}

/// The index of a keyword in a list.
pub(crate) fn word(words: &[&str], text: &str) -> Result<usize, String> {
    let refusal = || match words {
        [first, second] => format!("{} is neither {first} nor {second}", quote(text)),
        [others @ .., last] => format!("{} is none of {} or {last}", quote(text), others.join(", ")),
        [] => format!("{} is not a word", quote(text)),
    };
    words.iter().position(|word| *word == text).ok_or_else(refusal)
}

/// `wait` or `exit`.
pub(crate) fn on_idle(text: &str) -> Result<OnIdle, String> {
    Ok(match word(&["wait", "exit"], text)? {
        0 => OnIdle::Wait,
        _ => OnIdle::Exit,
    })
}

/// One of Supervisor's seven levels.
pub(crate) fn log_level(text: &str) -> Result<LogLevel, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "critical" => LogLevel::Critical,
        "error" => LogLevel::Error,
        "warn" => LogLevel::Warn,
        "info" => LogLevel::Info,
        "debug" => LogLevel::Debug,
        "trace" => LogLevel::Trace,
        "blather" => LogLevel::Blather,
        _ => return Err(format!("bad logging level name {}", quote(text))),
    })
}

/// The format of output lines, in any case.
pub(crate) fn log_format(text: &str) -> Result<LogFormat, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "raw" => LogFormat::Raw,
        "prefix" => LogFormat::Prefix,
        "json" => LogFormat::Json,
        _ => return Err(format!("bad log format {}: it is raw, prefix or json", quote(text))),
    })
}

/// The name of a process or group. Characters that separate namespecs and event headers are rejected. COMPAT:
/// so is the empty name, which Supervisor accepts.
pub(crate) fn name(text: &str) -> Result<&str, String> {
    let bare = trim(text);
    if bare.is_empty() {
        return Err("Invalid name: it is empty".to_owned());
    }
    match [' ', ':', '/'].into_iter().find(|&c| bare.contains(c)) {
        Some(c) => Err(format!("Invalid name: {} because of character: '{c}'", quote(text))),
        None => Ok(bare),
    }
}

/// Items separated by commas; an empty text is an empty list, a trailing comma makes an empty item.
pub(crate) fn list(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(trim).collect() }
}

/// In plain text, or `{SHA}` and 40 hex digits.
pub(crate) fn password(text: &str) -> Result<Password, String> {
    let Some(hex) = text.strip_prefix("{SHA}") else { return Ok(Password::Plain(text.to_owned())) };
    sha1(hex)
        .map(Password::Sha1)
        .ok_or_else(|| "a {SHA} password needs 40 hex digits behind {SHA}".to_owned())
}

fn sha1(hex: &str) -> Option<[u8; 20]> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let bytes: Vec<u8> =
        digits.filter(|digits| digits.len() == 40)?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_and_restarts() {
        for (text, expected) in [
            ("yes", true),
            ("TRUE", true),
            ("On", true),
            ("1", true),
            ("no", false),
            ("oFF", false),
            ("0", false),
        ] {
            assert_eq!(boolean(text), Ok(expected), "{text}");
        }
        for text in ["", "maybe", "2", " yes", "t"] {
            assert_eq!(boolean(text), Err(format!("not a valid boolean value: '{text}'")));
        }
        assert_eq!(auto_restart("Unexpected"), Ok(AutoRestart::Unexpected));
        assert_eq!(auto_restart("YES"), Ok(AutoRestart::Always));
        assert_eq!(auto_restart("0"), Ok(AutoRestart::Never));
        assert_eq!(auto_restart("Maybe"), Err("invalid 'autorestart' value 'maybe'".to_owned()));
    }

    #[test]
    fn signals() {
        for (text, number) in [
            ("TERM", 15),
            (" sigusr1 ", 10),
            ("9", 9),
            ("34", 34),
            ("64", 64),
            ("0", 0),
            ("cld", 17),
            ("POLL", 29),
        ] {
            assert_eq!(signal(text), Ok(Signal(number)), "{text}");
        }
        for (text, what) in [
            ("FOO", "name"),
            ("", "name"),
            ("_DFL", "name"),
            ("SIG_IGN", "name"),
            ("99", "number"),
            ("32", "number"),
            ("33", "number"),
            ("35", "number"),
            ("63", "number"),
        ] {
            assert_eq!(signal(text), Err(format!("value '{text}' is not a valid signal {what}")));
        }
    }

    #[test]
    fn levels_names_and_lists() {
        let levels = ["Blather", "TRACE", "debug", "info", "Warn", "error", "critical"];
        let tags: Vec<_> = levels.iter().map(|text| log_level(text).map(LogLevel::tag)).collect();
        assert_eq!(tags, ["BLAT", "TRAC", "DEBG", "INFO", "WARN", "ERRO", "CRIT"].map(Ok));
        for text in ["warning", "10", ""] {
            assert_eq!(log_level(text), Err(format!("bad logging level name '{text}'")));
        }
        assert_eq!(name(" wéb*\t"), Ok("wéb*"));
        assert_eq!(name("a\tb"), Ok("a\tb"));
        for (text, sign) in [("x y", " "), ("a:b", ":"), ("a/b", "/"), ("/:", ":")] {
            assert_eq!(name(text), Err(format!("Invalid name: '{text}' because of character: '{sign}'")));
        }
        assert!(name(" ").is_err());
        assert_eq!(list(""), Vec::<&str>::new());
        assert_eq!(list("a, b ,,c,"), ["a", "b", "", "c", ""]);
    }

    #[test]
    fn passwords() {
        assert_eq!(password("abc"), Ok(Password::Plain("abc".to_owned())));
        assert_eq!(password("{SHA}0aFF000000000000000000000000000000000001").ok(), {
            let mut sum = [0; 20];
            (sum[0], sum[1], sum[19]) = (0x0a, 0xff, 1);
            Some(Password::Sha1(sum))
        });
        for text in ["{SHA}", "{SHA}zz", "{SHA}0aff"] {
            assert_eq!(password(text), Err("a {SHA} password needs 40 hex digits behind {SHA}".to_owned()));
        }
    }
}
