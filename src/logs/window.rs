//! The range of a log that a client requests: Supervisor's rules of offset and length.

/// The maximum number of bytes of a log in one answer. For more a client must send further requests.
pub const WINDOW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The same for an answer of the JSON API, in which each byte may take six. A client continues from the offset that it gets.
pub const PIECE_BYTES_MAX: u64 = 1024 * 1024;

/// A range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start.
    pub start: u64,
    /// Its maximum length.
    pub bytes: u64,
}

/// The range of `read…Log`: `length` bytes from `offset`, everything to the end for a length of 0, the last
/// `-offset` bytes for a negative offset. `None` for an invalid range.
#[must_use]
pub fn read_window(size: u64, offset: i64, length: i64) -> Option<Window> {
    let window = match (u64::try_from(offset), u64::try_from(length)) {
        (Ok(start), Ok(0)) => Window { start, bytes: size.saturating_sub(start) },
        (Ok(start), Ok(bytes)) => Window { start, bytes },
        (Err(_), Ok(0)) => {
            let start = size.saturating_sub(offset.unsigned_abs());
            Window { start, bytes: size - start }
        }
        (_, Err(_)) | (Err(_), Ok(_)) => return None,
    };
    Some(Window { bytes: window.bytes.min(WINDOW_BYTES_MAX), ..window })
}

/// The range of `tail…Log`, and whether the log has outrun the client: the last `length` bytes if there are
/// more than that after `offset`. The next offset is always the size.
#[must_use]
pub fn tail_window(size: u64, offset: i64, length: i64) -> (Window, bool) {
    // A negative offset is before the beginning; Supervisor adds before it compares.
    let outrun = i128::from(size) > i128::from(offset) + i128::from(length);
    let length = u64::try_from(length).unwrap_or(0).min(WINDOW_BYTES_MAX);
    let offset = u64::try_from(offset).unwrap_or(0);
    let bytes = if outrun || offset < size { length.min(size) } else { 0 };
    (Window { start: size - bytes, bytes }, outrun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_by_offset_and_length() {
        for (offset, length, expected) in [
            (0, 0, Some((0, 100))),
            (40, 0, Some((40, 60))),
            (40, 10, Some((40, 10))),
            (200, 0, Some((200, 0))),
            (-30, 0, Some((70, 30))),
            (-300, 0, Some((0, 100))),
            (-30, 10, None),
            (0, -1, None),
            (-1, -1, None),
        ] {
            let window = read_window(100, offset, length).map(|window| (window.start, window.bytes));
            assert_eq!(window, expected, "{offset} {length}");
        }
        assert_eq!(read_window(u64::MAX, 0, 0), Some(Window { start: 0, bytes: WINDOW_BYTES_MAX }));
        assert_eq!(read_window(5, i64::MIN, 0), Some(Window { start: 0, bytes: 5 }));
    }

    #[test]
    fn tailing_gives_the_last_bytes_and_reports_when_some_were_missed() {
        for (offset, length, start, bytes, outrun) in [
            (0, 100, 0, 100, false),
            (0, 30, 70, 30, true),
            (90, 30, 70, 30, false),
            (100, 30, 100, 0, false),
            (500, 30, 100, 0, false),
            (0, 0, 100, 0, true),
            (-5, 200, 0, 100, false),
            (-200, 250, 0, 100, true),
            (0, -1, 100, 0, true),
        ] {
            let (window, missed) = tail_window(100, offset, length);
            assert_eq!((window.start, window.bytes, missed), (start, bytes, outrun), "{offset} {length}");
        }
    }
}
