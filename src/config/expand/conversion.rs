//! One conversion of Python's `%` formatting: a value into text.

use std::borrow::Cow;

use super::names::NameValue;
use crate::python::{quote, quote_ascii};

/// The maximum width and precision: `%(x)999999999d` must not fill the memory.
pub(super) const NUMBER_MAX: usize = 1_000;

/// The characters between name and width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `-`
    pub(super) left: bool,
    /// `+`
    pub(super) plus: bool,
    /// a space
    pub(super) blank: bool,
    /// `#`
    pub(super) alternate: bool,
    /// `0`
    pub(super) zero: bool,
}

/// What follows the name: `%(name)05.1f` without the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    pub(super) flags: Flags,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
    pub(super) kind: char,
}

impl Conversion {
    /// The text of a value, or why it can't be converted; `None` if the conversion does not exist.
    pub(super) fn apply(self, value: NameValue<'_>) -> Option<Result<Cow<'_, str>, String>> {
        if let ('s', NameValue::Text(text), 0, None) = (self.kind, value, self.width, self.precision) {
            return Some(Ok(Cow::Borrowed(text)));
        }
        Some(self.made(value)?.map(Cow::Owned))
    }

    /// The general case.
    fn made(self, value: NameValue<'_>) -> Option<Result<String, String>> {
        let precision = self.precision.unwrap_or(6);
        Some(match self.kind {
            's' | 'r' | 'a' => Ok(self.text(value)),
            'c' => self.character(value),
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => self.number(value).map(|number| self.whole(number)),
            'f' | 'F' => self.number(value).map(|n| self.real(n, self.fixed(magnitude(n), precision))),
            'e' | 'E' => self.number(value).map(|n| self.real(n, self.scientific(magnitude(n), precision))),
            'g' | 'G' => self.number(value).map(|n| self.real(n, self.general(magnitude(n), precision))),
            _ => return None,
        })
    }

    fn number(self, value: NameValue<'_>) -> Result<i64, String> {
        match value {
            NameValue::Number(number) => Ok(number),
            NameValue::Text(_) => Err(format!("%{} format: a number is required, not a text", self.kind)),
        }
    }

    fn text(self, value: NameValue<'_>) -> String {
        let text = match (value, self.kind) {
            (NameValue::Number(number), _) => number.to_string(),
            (NameValue::Text(text), 'r') => quote(text),
            (NameValue::Text(text), 'a') => quote_ascii(text),
            (NameValue::Text(text), _) => text.to_owned(),
        };
        match self.precision {
            Some(length) => self.padded(&text.chars().take(length).collect::<String>()),
            None => self.padded(&text),
        }
    }

    fn character(self, value: NameValue<'_>) -> Result<String, String> {
        let single = match value {
            NameValue::Number(code) => u32::try_from(code).ok().and_then(char::from_u32),
            NameValue::Text(text) => text.chars().next().filter(|c| c.len_utf8() == text.len()),
        };
        let single = single.ok_or("%c format: a single character is required")?;
        Ok(self.padded(single.encode_utf8(&mut [0; 4])))
    }

    fn whole(self, number: i64) -> String {
        let magnitude = number.unsigned_abs();
        let (prefix, digits) = match self.kind {
            'o' => ("0o", format!("{magnitude:o}")),
            'x' => ("0x", format!("{magnitude:x}")),
            'X' => ("0X", format!("{magnitude:X}")),
            _ => ("", magnitude.to_string()),
        };
        let digits = format!("{digits:0>width$}", width = self.precision.unwrap_or(0));
        self.signed(number, if self.flags.alternate { prefix } else { "" }, &digits)
    }

    fn real(self, number: i64, digits: String) -> String {
        let digits = if self.kind.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
        self.signed(number, "", &digits)
    }

    /// `1234567.0`
    fn fixed(self, value: f64, precision: usize) -> String {
        format!("{value:.precision$}{}", self.point(precision))
    }

    /// `1.234567e+06`
    fn scientific(self, value: f64, precision: usize) -> String {
        let (digits, exponent) = self.mantissa_and_exponent(value, precision);
        format!("{digits}{}", exponent_text(exponent))
    }

    /// The shorter one of both, without trailing zeros unless they are requested.
    fn general(self, value: f64, precision: usize) -> String {
        let precision = precision.max(1);
        let (digits, exponent) = self.mantissa_and_exponent(value, precision - 1);
        let in_reach = usize::try_from(exponent).ok().filter(|&exponent| exponent < precision);
        let (digits, exponent_text) = match in_reach {
            Some(exponent) => (self.fixed(value, precision - 1 - exponent), String::new()),
            None => (digits, exponent_text(exponent)),
        };
        let short =
            if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
        format!("{}{exponent_text}", if self.flags.alternate { &digits } else { short })
    }

    /// Rust writes `1.5e6`; the exponent of a whole number is never negative.
    fn mantissa_and_exponent(self, value: f64, precision: usize) -> (String, u32) {
        let text = format!("{value:.precision$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        (format!("{mantissa}{}", self.point(precision)), exponent.parse().unwrap_or(0))
    }

    /// The alternate form has a decimal point even if no digits follow it.
    fn point(self, precision: usize) -> &'static str {
        if self.flags.alternate && precision == 0 { "." } else { "" }
    }

    /// Sign and prefix are placed before padding zeros, but after padding spaces.
    fn signed(self, number: i64, prefix: &str, digits: &str) -> String {
        let sign = match number {
            ..0 => "-",
            _ if self.flags.plus => "+",
            _ if self.flags.blank => " ",
            _ => "",
        };
        if !self.flags.zero || self.flags.left {
            return self.padded(&format!("{sign}{prefix}{digits}"));
        }
        let width = self.width.saturating_sub(sign.len() + prefix.len());
        format!("{sign}{prefix}{digits:0>width$}")
    }

    fn padded(self, text: &str) -> String {
        let width = self.width;
        if self.flags.left { format!("{text:<width$}") } else { format!("{text:>width$}") }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Python's conversion loses the same digits")]
fn magnitude(number: i64) -> f64 {
    number.unsigned_abs() as f64
}

fn exponent_text(exponent: u32) -> String {
    format!("e+{exponent:02}")
}
