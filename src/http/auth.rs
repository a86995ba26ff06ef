//! Basic authentication (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The password that a server requires.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// In plain text.
    Plain(&'a str),
    /// Its SHA-1: the `{SHA}` form of the configuration.
    Sha1(&'a [u8; 20]),
}

/// Whether an `Authorization` header has these credentials.
///
/// Malformed credentials count as wrong: the reference answers some of them with status 500. The comparison
/// takes constant time.
#[must_use]
pub fn authenticate(header: Option<&str>, username: &str, secret: Secret<'_>) -> bool {
    let Some((given_username, given_password)) = header.and_then(credentials) else { return false };
    let expected = match secret {
        Secret::Plain(password) => digest(password.as_bytes()),
        Secret::Sha1(digest) => *digest,
    };
    let same_username = digest(&given_username).ct_eq(&digest(username.as_bytes()));
    let same_password = digest(&given_password).ct_eq(&expected);
    (same_username & same_password).into()
}

/// User name and password of a Basic header. A password may contain colons, a user name cannot.
fn credentials(header: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD_PAD_INDIFFERENT.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some((pair[..colon].to_vec(), pair[colon + 1..].to_vec()))
}

/// Digests are compared instead of the texts, so that not even their length can be measured.
fn digest(text: &[u8]) -> [u8; 20] {
    Sha1::digest(text).into()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn only_the_right_credentials_are_accepted() {
        for (header, enters) in [
            (basic("user:pa:ss"), true),
            (basic("user:pa:ss").replace("Basic", "bASIC"), true),
            (basic("user:pa:ss").replace('=', ""), true),
            (basic("user:pa"), false),
            (basic("user:pa:ss "), false),
            (basic("User:pa:ss"), false),
            (basic("user:"), false),
            (basic(":"), false),
            (basic("user"), false),
            ("Basic !!!".to_owned(), false),
            ("Basic".to_owned(), false),
            ("Basic ".to_owned(), false),
            (String::new(), false),
            (basic("user:pa:ss").replace("Basic", "Digest"), false),
        ] {
            assert_eq!(authenticate(Some(&header), "user", Secret::Plain("pa:ss")), enters, "{header}");
        }
        assert!(!authenticate(None, "user", Secret::Plain("pa:ss")));
    }

    #[test]
    fn a_digest_stands_for_its_password() {
        // echo -n thepassword | sha1sum
        let mut sha = [0; 20];
        for (place, byte) in sha.iter_mut().enumerate() {
            *byte =
                u8::from_str_radix(&"82ab876d1387bfafe46cc1c8a2ef074eae50cb1d"[place * 2..place * 2 + 2], 16)
                    .unwrap();
        }
        assert!(authenticate(Some(&basic("user:thepassword")), "user", Secret::Sha1(&sha)));
        assert!(!authenticate(Some(&basic("user:other")), "user", Secret::Sha1(&sha)));
    }

    #[test]
    fn names_need_not_be_ascii() {
        assert!(authenticate(Some(&basic("j\u{fc}rg:\u{1f512}")), "j\u{fc}rg", Secret::Plain("\u{1f512}")));
    }
}
