//! Appending short texts to a buffer.

/// The bytes that are copied at a time, by one instruction each to load and to store.
const BLOCK: usize = 16;

/// Appends the bytes.
///
/// memcpy(3) of musl copies single bytes up to the next multiple of eight and starts a string instruction then, which takes
/// several times as long as this for what a line consists of: a few dozen bytes that begin anywhere.
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        out.extend_from_slice(block);
    }
    match bytes.last_chunk::<BLOCK>() {
        // The last block overlaps the one before it.
        Some(last) if !rest.is_empty() => {
            out.truncate(out.len() - (BLOCK - rest.len()));
            out.extend_from_slice(last);
        }
        _ => out.extend_from_slice(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_are_appended_unchanged() {
        let text: Vec<u8> = (0..=255).collect();
        let mut all = Vec::new();
        for length in 0..100 {
            let before = all.len();
            append(&mut all, &text[length..length * 2]);
            assert_eq!(all[before..], text[length..length * 2]);
        }
    }
}
