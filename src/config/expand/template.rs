//! Expands `%(name)s` in a text: finds the conversions and inserts their results.

use std::borrow::Cow;

use memchr::memchr;

use super::conversion::{Conversion, Flags, NUMBER_MAX};
use super::names::{NameValue, Names, VARIABLE_PREFIX};

/// Why a text can't be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpandError {
    /// A name that is unknown here.
    UnknownName(String),
    /// `%(ENV_X:?message)s`, where X is unset or empty.
    Unset {
        /// Without its prefix.
        variable: String,
        /// As written.
        message: String,
    },
    /// A `%` that starts no conversion, or a conversion that its value does not support.
    Malformed(String),
}

/// The maximum length of an expanded text: more than a command line or an environment can hold.
pub const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// Replaces the names in a template by their values, as Python's `%` does with a dictionary. Inserted values
/// are not expanded again.
///
/// A conversion without a name is malformed: Python would print the whole dictionary, and with it the
/// environment.
///
/// # Errors
///
/// An unknown name or a malformed conversion.
pub fn expand<'t>(template: &'t str, names: &Names<'_>) -> Result<Cow<'t, str>, ExpandError> {
    if memchr(b'%', template.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(template));
    }
    let mut out = String::with_capacity(template.len() * 2);
    let mut cursor = Cursor { template, at: 0 };
    while let Some(text) = cursor.text_before_percent() {
        out.push_str(text);
        if cursor.skip(b'%') {
            out.push('%');
        } else {
            out.push_str(&cursor.conversion(names)?);
        }
        if out.len() > EXPANDED_BYTES_MAX {
            return Err(ExpandError::Malformed(format!("it makes more than {EXPANDED_BYTES_MAX} bytes")));
        }
    }
    out.push_str(cursor.rest());
    Ok(Cow::Owned(out))
}

struct Cursor<'t> {
    template: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.template[self.at..]
    }

    /// Advances past the next percent sign.
    fn text_before_percent(&mut self) -> Option<&'t str> {
        let end = memchr(b'%', self.rest().as_bytes())?;
        let text = &self.rest()[..end];
        self.at += end + 1;
        Some(text)
    }

    /// Advances past an ASCII character if it is the next one.
    fn skip(&mut self, c: u8) -> bool {
        let found = self.rest().as_bytes().first() == Some(&c);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<char, ExpandError> {
        let c = self.rest().chars().next().ok_or_else(|| malformed("incomplete format"))?;
        self.at += c.len_utf8();
        Ok(c)
    }

    fn conversion<'n>(&mut self, names: &Names<'n>) -> Result<Cow<'n, str>, ExpandError>
    where
        't: 'n,
    {
        let name = self.name()?;
        let value = value_of(name, names)?;
        let flags = self.flags();
        let width = self.number("width")?;
        let precision = if self.skip(b'.') { Some(self.number("precision")?.unwrap_or(0)) } else { None };
        let _length_modifier = self.skip(b'h') || self.skip(b'l') || self.skip(b'L');
        let kind = self.next()?;
        let conversion = Conversion { flags, width: width.unwrap_or(0), precision, kind };
        match conversion.apply(value) {
            Some(made) => made.map_err(ExpandError::Malformed),
            None => Err(self.unsupported(kind)),
        }
    }

    /// The name in parentheses, which may contain balanced parentheses.
    fn name(&mut self) -> Result<&'t str, ExpandError> {
        if self.rest().is_empty() {
            return Err(malformed("incomplete format"));
        }
        if !self.skip(b'(') {
            let index = self.template[..self.at].chars().count();
            return Err(ExpandError::Malformed(format!(
                "no name in parentheses at index {index}, write %% for a %"
            )));
        }
        let inner = self.rest();
        let mut depth = 1;
        for (at, byte) in inner.bytes().enumerate() {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            if depth == 0 {
                self.at += at + 1;
                return Ok(&inner[..at]);
            }
        }
        Err(malformed("incomplete format key"))
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.rest().chars().next() {
                Some('-') => flags.left = true,
                Some('+') => flags.plus = true,
                Some(' ') => flags.blank = true,
                Some('#') => flags.alternate = true,
                Some('0') => flags.zero = true,
                _ => return flags,
            }
            self.at += 1;
        }
    }

    fn number(&mut self, what: &str) -> Result<Option<usize>, ExpandError> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(None);
        }
        let number = self.rest()[..digits].parse().ok().filter(|&number| number <= NUMBER_MAX);
        self.at += digits;
        number.map(Some).ok_or_else(|| ExpandError::Malformed(format!("{what} too big")))
    }

    fn unsupported(&self, kind: char) -> ExpandError {
        let index = self.template[..self.at].chars().count() - 1;
        let code = u32::from(kind);
        ExpandError::Malformed(format!("unsupported format character '{kind}' ({code:#x}) at index {index}"))
    }
}

/// The value of a name. After a variable's name `:-` gives a default for an unset or empty variable, and `:?`
/// an error message, as in a shell.
fn value_of<'n>(name: &'n str, names: &Names<'n>) -> Result<NameValue<'n>, ExpandError> {
    let unknown = || ExpandError::UnknownName(name.to_owned());
    let Some((variable, otherwise)) = name.split_once(':').filter(|_| names.get(name).is_none()) else {
        return names.get(name).ok_or_else(unknown);
    };
    let short = variable.strip_prefix(VARIABLE_PREFIX).ok_or_else(unknown)?;
    match (names.get(variable), otherwise.split_at_checked(1)) {
        (Some(NameValue::Text(text)), Some(("-" | "?", _))) if !text.is_empty() => Ok(NameValue::Text(text)),
        (_, Some(("-", instead))) => Ok(NameValue::Text(instead)),
        (_, Some(("?", message))) => {
            let message = if message.is_empty() { "it is not set" } else { message };
            Err(ExpandError::Unset { variable: short.to_owned(), message: message.to_owned() })
        }
        _ => Err(unknown()),
    }
}

fn malformed(why: &str) -> ExpandError {
    ExpandError::Malformed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str) -> Result<String, ExpandError> {
        let environment = [("P", "50%"), ("Q", "%(n)d"), ("EMPTY", ""), ("A:-B", "named so")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names = Names::default()
            .with("n", NameValue::Number(31))
            .with("m", NameValue::Number(-31))
            .with("z", NameValue::Number(0))
            .with("big", NameValue::Number(1_234_567))
            .with("s", NameValue::Text("it'sé\n"))
            .with("c", NameValue::Text("x"))
            .with("a(b)", NameValue::Text("nested"))
            .with("", NameValue::Text("nameless"))
            .with_variables(&environment);
        expand(template, &names).map(Cow::into_owned)
    }

    #[test]
    fn expands_as_python_does() {
        for (template, expected) in [
            ("", ""),
            ("no percent", "no percent"),
            ("a%%b", "a%b"),
            ("%%(n)s", "%(n)s"),
            ("web_%(n)s.", "web_31."),
            ("web_%(n)05d", "web_00031"),
            ("é%(n)s%(c)sé", "é31xé"),
            ("%(ENV_P)s %(ENV_Q)s", "50% %(n)d"),
            ("%(a(b))s%()s", "nestednameless"),
            ("%(n)ld%(n)hd%(n)Lu%(n)i", "31313131"),
            (
                "%(n)#x|%(n)#06x|%(n)+d|%(n) d|%(n)-5d|%(n)05d|%(n)-05d|%(n).3d|%(n)8.3d|%(n)#o",
                "0x1f|0x001f|+31| 31|31   |00031|31   |031|     031|0o37",
            ),
            (
                "%(n)r|%(n)5s|%(n)05s|%(n).1s|%(n)X|%(n)#X|%(n)  +d|%(n)0-5d|",
                "31|   31|   31|3|1F|0X1F|+31|31   |",
            ),
            (
                "%(m)#x|%(m)#08x|%(m)+d|%(m) d|%(m)-5d|%(m)05d|%(m).3d|%(m)#o",
                "-0x1f|-0x0001f|-31|-31|-31  |-0031|-031|-0o37",
            ),
            ("%(n)e|%(n).2f|%(n)g|%(n)G|%(n).f", "3.100000e+01|31.00|31|31|31"),
            (
                "%(m)e|%(m).2f|%(m)8.1f|%(m)08.1f|%(m)-8.1f|",
                "-3.100000e+01|-31.00|   -31.0|-00031.0|-31.0   |",
            ),
            (
                "%(big)g|%(big)#g|%(big).2g|%(big).0e|%(big)#.0e|%(big).0f|%(big)#.0f",
                "1.23457e+06|1.23457e+06|1.2e+06|1e+06|1.e+06|1234567|1234567.",
            ),
            (
                "%(big).10g|%(big)E|%(big)G|%(z)g|%(z).3g|%(z)F|%(z).3e",
                "1234567|1.234567E+06|1.23457E+06|0|0|0.000000|0.000e+00",
            ),
            ("%(s)r|%(s)5.2s|%(s)-7s|%(s).0s|%(s)a", "\"it'sé\\n\"|   it|it'sé\n ||\"it's\\xe9\\n\""),
            ("%(n)#.1G|%(n)#.2g|%(n)#.3g", "3.E+01|31.|31.0"),
            ("%(c)c|%(c)05c|%(n)c", "x|    x|\u{1f}"),
        ] {
            assert_eq!(expanded(template), Ok(expected.to_owned()), "{template}");
        }
    }

    #[test]
    fn variables_may_have_a_default() {
        for (template, expected) in [
            ("%(ENV_P:-x)s %(ENV_P:?must be set)s", "50% 50%"),
            ("%(ENV_NO:-8080)s|%(ENV_NO:-)s|%(ENV_NO:-a b:-c)s", "8080||a b:-c"),
            ("%(ENV_EMPTY:-x)s|%(ENV_EMPTY)s", "x|"),
            ("%(ENV_NO:-/bin/sh -c (a (b)))5s", "/bin/sh -c (a (b))"),
            ("%(ENV_NO:-%(n)s)s", "%(n)s"),
            ("%(ENV_A:-B)s", "named so"),
        ] {
            assert_eq!(expanded(template), Ok(expected.to_owned()), "{template}");
        }
        for (template, message) in
            [("%(ENV_NO:?set the port)s", "set the port"), ("%(ENV_EMPTY:?)s", "it is not set")]
        {
            let variable = template[6..template.find(':').unwrap()].to_owned();
            let expected = ExpandError::Unset { variable, message: message.to_owned() };
            assert_eq!(expanded(template), Err(expected), "{template}");
        }
        for template in
            ["%(n:-x)s", "%(ENV_P:x)s", "%(ENV_P:)s", "%(ENV_P:+x)s", "%(ENV_P:é)s", "%(here:-x)s"]
        {
            assert!(matches!(expanded(template), Err(ExpandError::UnknownName(_))), "{template}");
        }
    }

    #[test]
    fn reports_what_is_malformed() {
        for (template, expected) in [
            ("50%", "incomplete format"),
            ("%(n)", "incomplete format"),
            ("%(n)5", "incomplete format"),
            ("%(n", "incomplete format key"),
            ("%(n(b)s", "incomplete format key"),
            ("date +%s", "no name in parentheses at index 7, write %% for a %"),
            ("100% sure", "no name in parentheses at index 4, write %% for a %"),
            ("é%(n)y", "unsupported format character 'y' (0x79) at index 5"),
            ("%(n)%", "unsupported format character '%' (0x25) at index 4"),
            ("%(n)lld", "unsupported format character 'l' (0x6c) at index 5"),
            ("%(n)*d", "unsupported format character '*' (0x2a) at index 4"),
            ("%(n)b", "unsupported format character 'b' (0x62) at index 4"),
            ("%(c)d", "%d format: a number is required, not a text"),
            ("%(c)g", "%g format: a number is required, not a text"),
            ("%(s)c", "%c format: a single character is required"),
            ("%(m)c", "%c format: a single character is required"),
            ("%(n)999999999d", "width too big"),
            ("%(n)99999999999999999999999d", "width too big"),
            ("%(n).1001f", "precision too big"),
        ] {
            assert_eq!(expanded(template), Err(malformed(expected)), "{template}");
        }
        for (template, name) in [("%(x)s", "x"), ("%(n)s%(ENV_NONE)d", "ENV_NONE"), ("%(N)", "N")] {
            assert_eq!(expanded(template), Err(ExpandError::UnknownName(name.to_owned())), "{template}");
        }
    }

    #[test]
    fn huge_expansions_and_noise_are_harmless() {
        assert_eq!(expanded(&"%(n)1000d".repeat(1000)).map(|text| text.len()), Ok(1_000_000));
        let error = expanded(&"%(n)1000d".repeat(1100)).unwrap_err();
        assert_eq!(error, malformed("it makes more than 1048576 bytes"));
        const PIECES: [&str; 16] =
            ["%", "(", ")", "n", "s", "(n)", "(s)", "d", "x", ".", "9", "0", "-", "#", "é", "g"];
        let mut seed: u32 = 3;
        for _ in 0..20_000 {
            let mut template = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                template.push_str(PIECES[(seed >> 16) as usize % PIECES.len()]);
            }
            let made = expanded(&template);
            assert!(made.is_err() || made.is_ok_and(|text| text.len() < 20_000), "{template}");
        }
    }
}
