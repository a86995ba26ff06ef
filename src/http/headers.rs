//! Header fields.

/// Header fields in the order of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// `None` if a value is not UTF-8: such a request is rejected.
    pub(super) fn from_parsed(parsed: &[httparse::Header<'_>]) -> Option<Self> {
        let field = |header: &httparse::Header<'_>| {
            str::from_utf8(header.value).ok().map(|value| (header.name.to_owned(), value.to_owned()))
        };
        parsed.iter().map(field).collect::<Option<_>>().map(Self)
    }

    /// The first value of this name, case-insensitive.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of this name, case-insensitive.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the comma-separated lists of this name contain a word, case-insensitive.
    #[must_use]
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_listed_words_are_found_in_any_case() {
        let parsed = [
            httparse::Header { name: "Connection", value: b"Upgrade, close" },
            httparse::Header { name: "connection", value: b"Keep-Alive" },
        ];
        let headers = Headers::from_parsed(&parsed).unwrap();
        assert_eq!(headers.get("CONNECTION"), Some("Upgrade, close"));
        assert_eq!(headers.get("host"), None);
        for (word, listed) in [("CLOSE", true), ("keep-alive", true), ("clos", false), ("", false)] {
            assert_eq!(headers.lists("connection", word), listed, "{word}");
        }
        assert_eq!(Headers::from_parsed(&[httparse::Header { name: "X", value: b"\xe9" }]), None);
    }
}
