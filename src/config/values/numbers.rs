//! Numbers as Python's `int` parses them.
//!
//! It accepts the decimal digits of every script: `١٢` is twelve.

use super::super::ini::trim;
use crate::python::quote;

/// A whole number: a sign, digits, single underscores between them, spaces around them.
pub(crate) fn integer(text: &str) -> Result<i64, String> {
    digits(text, 10).map_err(|error| error.message(text, "integer"))
}

/// A whole number, or `None` for a text that may be a name.
pub(super) fn number(text: &str) -> Option<i64> {
    digits(text, 10).ok()
}

/// A number of bytes: a whole number and optionally KB, MB or GB in any case.
pub(crate) fn size(text: &str) -> Result<i64, String> {
    let suffixes = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];
    let split = |(suffix, unit)| {
        let (number, end) = text.split_at_checked(text.len().checked_sub(2)?)?;
        end.eq_ignore_ascii_case(suffix).then_some((number, unit))
    };
    let (number, unit) = suffixes.into_iter().find_map(split).unwrap_or((text, 1));
    digits(number, 10)
        .and_then(|number| number.checked_mul(unit).ok_or(NotANumber::TooLarge))
        .map_err(|error| error.message(text, "size"))
}

/// Permission bits: `022`, `0o22` or `22`. Negative numbers are invalid.
pub(crate) fn octal(text: &str) -> Result<u32, String> {
    let bare = trim(text);
    let bare = bare.strip_prefix("0o").or_else(|| bare.strip_prefix("0O")).unwrap_or(bare);
    let number = digits(bare, 8).ok().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("{text} can not be converted to an octal type"))
}

/// Exit codes separated by commas; an empty text is an empty list.
pub(crate) fn exit_codes(text: &str) -> Result<Vec<i32>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let code = |item: &str| digits(item, 10).ok().and_then(|code| u8::try_from(code).ok()).map(i32::from);
    let codes: Option<Vec<i32>> = text.split(',').map(code).collect();
    codes.ok_or_else(|| format!("not a valid list of exit codes: {}", quote(text)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotANumber {
    Malformed,
    TooLarge,
}

impl NotANumber {
    fn message(self, text: &str, what: &str) -> String {
        match self {
            Self::Malformed => format!("not a valid {what}: {}", quote(text)),
            Self::TooLarge => format!("{what} out of range: {}", quote(text)),
        }
    }
}

/// The zero of each script: all of Unicode's decimal digits (category Nd), as in Python 3.11.
#[rustfmt::skip]
const ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
    0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of a character as a decimal digit of any script.
pub(crate) fn decimal_digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let c = u32::from(c);
    let below = ZEROS.partition_point(|&zero| zero <= c).checked_sub(1)?;
    Some(c - ZEROS[below]).filter(|&digit| digit < 10)
}

fn digits(text: &str, radix: u32) -> Result<i64, NotANumber> {
    let text = trim(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number: i64 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        match decimal_digit(c).filter(|&digit| digit < radix) {
            Some(digit) => {
                number = number.saturating_mul(radix.into()).saturating_add(i64::from(digit));
                after_digit = true;
            }
            None if c == '_' && after_digit => after_digit = false,
            None => return Err(NotANumber::Malformed),
        }
    }
    match (after_digit, number) {
        (false, _) => Err(NotANumber::Malformed),
        (true, i64::MAX) => Err(NotANumber::TooLarge),
        (true, number) => Ok(sign * number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0", 0),
            ("-1", -1),
            ("+5", 5),
            (" 1_000\t", 1000),
            ("007", 7),
            ("\u{a0}3\u{1f}", 3),
            ("-١_٢3", -123),
            ("１２", 12),
        ] {
            assert_eq!(integer(text), Ok(expected), "{text}");
        }
        for text in ["", " ", "foo", "1.5", "0x10", "1__0", "_1", "1_", "+ 1", "--1", "1 2", "²", "Ⅳ", "一"]
        {
            assert_eq!(integer(text), Err(format!("not a valid integer: '{text}'")));
        }
        let huge = "99999999999999999999";
        assert_eq!(integer(huge), Err(format!("integer out of range: '{huge}'")));
    }

    #[test]
    fn digits_of_every_script_count() {
        assert!(ZEROS.is_sorted(), "they are searched");
        let all = |c: char| decimal_digit(c).map(|digit| (c, digit));
        let known: Vec<_> = ('\0'..=char::MAX).filter_map(all).collect();
        assert_eq!(known.len(), 660);
        assert!(known.iter().all(|(c, _)| c.is_numeric()));
        for (c, digit) in [('0', 0), ('9', 9), ('\u{661}', 1), ('９', 9), ('\u{1d7ff}', 9)] {
            assert_eq!(decimal_digit(c), Some(digit), "{c}");
        }
        for c in ['/', ':', 'a', '½', '\0', char::MAX] {
            assert_eq!(decimal_digit(c), None, "{c:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("1024", 1024),
            ("1KB", 1024),
            ("50MB", 50 << 20),
            ("2gb", 2 << 30),
            ("5 kB", 5120),
            ("-1mb", -1 << 20),
            ("٣MB", 3 << 20),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in ["", "kb", "1.5MB", "1TB", "5k", "1B", "1 0kb", "éb"] {
            assert_eq!(size(text), Err(format!("not a valid size: '{text}'")));
        }
        assert_eq!(size("9999999999GB"), Err("size out of range: '9999999999GB'".to_owned()));
    }

    #[test]
    fn octals() {
        for (text, expected) in
            [("022", 0o22), ("0o22", 0o22), ("22", 0o22), (" 0O700 ", 0o700), ("0", 0), ("٢٢", 0o22)]
        {
            assert_eq!(octal(text), Ok(expected), "{text}");
        }
        for text in ["", "99", "0x1", "rwx", "-22", "08", "7777777777777777777777777"] {
            assert_eq!(octal(text), Err(format!("{text} can not be converted to an octal type")));
        }
    }

    #[test]
    fn lists_of_exit_codes() {
        for (text, expected) in [("", vec![]), ("0", vec![0]), ("0, 2 ,255", vec![0, 2, 255]), ("٣", vec![3])]
        {
            assert_eq!(exit_codes(text), Ok(expected), "{text}");
        }
        for text in ["300", "-1", "0,", ",", "a", "0;1"] {
            assert_eq!(exit_codes(text), Err(format!("not a valid list of exit codes: '{text}'")));
        }
    }
}
