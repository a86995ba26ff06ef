//! What of our own program is kept mapped.

use std::fs;
use std::ptr;

use nix::libc;

/// Where our own code is mapped.
#[derive(Debug, Default)]
pub struct Code(Vec<(usize, usize)>);

impl Code {
    /// Nothing, where it can't be seen what is mapped.
    #[must_use]
    pub fn find() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self(maps.lines().filter_map(code_of_ours).collect())
    }

    /// Lets go of the pages that were mapped so far. Most code serves the start or a client, and a
    /// supervisor is at rest most of its life: what is needed again is mapped again from the page
    /// cache, a fault for every few pages.
    pub fn release(&self) {
        for &(start, len) in &self.0 {
            // SAFETY: the range is a private mapping of our own executable that can't be written
            // to, so its pages equal the file's and are read from there at the next use.
            #[expect(unsafe_code, reason = "madvise(2) has no safe form")]
            unsafe {
                libc::madvise(ptr::with_exposed_provenance_mut(start), len, libc::MADV_DONTNEED)
            };
        }
    }
}

/// Start and length in bytes, if this line of /proc/self/maps is a mapping of code from a file.
fn code_of_ours(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_code = fields.next()? == "r-xp";
    let is_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (is_code && is_file).then(|| (start, end.saturating_sub(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_from_a_file_is_let_go() {
        for (line, range) in [
            ("1000-3000 r-xp 00009000 fe:01 123    /sv", Some((0x1000, 0x2000))),
            ("1000-3000 r--p 00009000 fe:01 123    /sv", None),
            ("1000-3000 rw-p 00009000 fe:01 123    /sv", None),
            ("1000-3000 rwxp 00009000 fe:01 123    /sv", None),
            ("1000-3000 r-xp 00000000 00:00 0      [vdso]", None),
            ("1000-3000 r-xp 00000000 00:00 0", None),
            ("", None),
        ] {
            assert_eq!(code_of_ours(line), range, "{line}");
        }
    }

    #[test]
    fn we_go_on_without_the_pages() {
        let code = Code::find();
        assert!(!code.0.is_empty());
        code.release();
        assert_eq!(code_of_ours("nonsense"), None);
    }
}
