//! Request targets: the path in them, and percent-encoding.

/// A parsed request target.
pub(super) struct RequestTarget {
    /// Percent-decoded.
    pub(super) path: String,
    /// The part after the question mark, as sent.
    pub(super) query: Option<String>,
}

impl RequestTarget {
    /// Parses a target. For `http://host/path`, which only proxies send, only the path counts, as RFC 9112
    /// (3.2.2) requires.
    pub(super) fn parse(target: &str) -> Self {
        let (path, query) = split(target);
        Self { path: percent_decode(path), query: query.map(str::to_owned) }
    }
}

/// The path and the query of a target, as sent.
fn split(target: &str) -> (&str, Option<&str>) {
    let resource = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    };
    let resource = resource.split('#').next().unwrap_or_default();
    resource.split_once('?').map_or((resource, None), |(path, query)| (path, Some(query)))
}

/// The segments of a target's path, each percent-decoded: a slash that is encoded is part of a name.
pub(super) fn segments(target: &str) -> Vec<String> {
    split(target).0.split('/').map(percent_decode).collect()
}

/// `%41` to `A`. A percent sign without two hex digits is kept; bytes that are not UTF-8 become U+FFFD.
pub(super) fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match (first, hex_pair(after)) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            _ => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |place: usize| bytes.get(place).and_then(|&byte| char::from(byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Encodes a name as one path segment or query value: everything except letters, digits and `-._~`.
#[must_use]
pub fn percent_encode(name: &str) -> String {
    encode_where(name, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte))
}

/// Encodes a target so that it can't end the request line early.
pub(super) fn seal(target: &str) -> String {
    encode_where(target, |byte| !byte.is_ascii_graphic())
}

fn encode_where(text: &str, is_encoded: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_encoded(byte) {
            encoded.push_str(&format!("%{byte:02X}"));
        } else {
            encoded.push(char::from(byte));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_parsed() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/RPC2?x=1&y=%41", "/RPC2", Some("x=1&y=%41")),
            ("/a?b?c#d", "/a", Some("b?c")),
            ("/a#d?e", "/a", None),
            ("/logtail/g%3Aw%C3%A4b/stdout", "/logtail/g:w\u{e4}b/stdout", None),
            ("/logtail/w\u{e4}b", "/logtail/w\u{e4}b", None),
            ("/%zz%4", "/%zz%4", None),
            ("/%", "/%", None),
            ("/%ff", "/\u{fffd}", None),
            ("/%+1", "/%+1", None),
            ("http://localhost:9001/RPC2", "/RPC2", None),
            ("http://localhost", "/", None),
            ("/to?url=http://x/y", "/to", Some("url=http://x/y")),
            ("*", "*", None),
        ] {
            let parsed = RequestTarget::parse(target);
            assert_eq!((parsed.path.as_str(), parsed.query.as_deref()), (path, query), "{target}");
        }
    }

    #[test]
    fn encoded_names_round_trip() {
        for (name, encoded) in [
            ("g:web_01*", "g%3Aweb_01%2A"),
            ("a b/c?d#e%", "a%20b%2Fc%3Fd%23e%25"),
            ("w\u{e4}b+&=", "w%C3%A4b%2B%26%3D"),
        ] {
            assert_eq!(percent_encode(name), encoded);
            assert_eq!(percent_decode(encoded), name);
        }
        assert_eq!(seal("/a b\r\nX: y?\u{e4}%20"), "/a%20b%0D%0AX:%20y?%C3%A4%20");
    }
}
