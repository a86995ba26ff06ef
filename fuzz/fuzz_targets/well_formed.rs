//! Whether a document is XML 1.0, as far as what we write makes use of it. It is judged here by the
//! letter of the specification and not by the reader that we use ourselves.

/// Fails for what an XML reader must refuse.
pub fn assert_well_formed(xml: &[u8]) {
    let text = str::from_utf8(xml).expect("a document is UTF-8");
    if let Some(character) = text.chars().find(|&character| !is_char(character)) {
        panic!("{character:?} is no character of XML");
    }
    let mut rest = text.strip_prefix("<?xml version='1.0'?>\n").expect("it begins with the declaration");
    let mut open = Vec::new();
    let mut roots = 0;
    while let Some((before, behind)) = rest.split_once('<') {
        assert_text(before, open.is_empty());
        let (tag, behind) = behind.split_once('>').expect("a tag has an end");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{text}"),
            None => {
                assert!(!tag.is_empty() && tag.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'.'));
                roots += usize::from(open.is_empty());
                open.push(tag);
            }
        }
        rest = behind;
    }
    assert_text(rest, true);
    assert!(open.is_empty() && roots == 1, "{open:?} in {text}");
}

/// The production `Char`.
pub fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn assert_text(text: &str, is_outside: bool) {
    assert!(!is_outside || text.trim_matches(['\t', '\n', '\r', ' ']).is_empty(), "{text:?} outside");
    assert!(!text.contains("]]>"), "{text:?}");
    for behind in text.split('&').skip(1) {
        let is_reference = ["amp;", "lt;", "gt;"].iter().any(|name| behind.starts_with(name));
        assert!(is_reference, "&{behind:?} is no reference");
    }
}
