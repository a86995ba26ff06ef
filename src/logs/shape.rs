//! The formats of log lines: prefixed with a name, or JSON objects.

use super::json::{Json, Speaker};
use super::lines::{LINE_BYTES_MAX, LinePiece, Lines};
use super::moment::rfc3339;
use super::prefix::Prefix;
use crate::model::Wall;

/// Formatted lines are passed on before they exceed this size by much.
const SHAPED_BYTES_MAX: usize = 64 * 1024;

/// Formats the lines of one stream.
#[derive(Debug)]
pub struct Shaper {
    lines: Lines,
    form: LineForm,
    timestamp: bool,
    /// The timestamp of lines, if they have one.
    when: Option<Wall>,
}

#[derive(Debug)]
enum LineForm {
    Prefix(Prefix),
    Json(Json),
}

impl Shaper {
    /// `name | line`, with the name padded to `width`; with a number, in the colour of that number.
    #[must_use]
    pub fn prefix(name: &str, width: usize, colour: Option<u64>, timestamp: bool) -> Self {
        Self::new(LineForm::Prefix(Prefix::new(name, width, colour)), timestamp)
    }

    /// A JSON object per line.
    #[must_use]
    pub fn json(speaker: &Speaker<'_>, timestamp: bool) -> Self {
        Self::new(LineForm::Json(Json::new(speaker)), timestamp)
    }

    fn new(form: LineForm, timestamp: bool) -> Self {
        Self { lines: Lines::new(LINE_BYTES_MAX), form, timestamp, when: None }
    }

    /// Formats the lines that this chunk completes and passes them on. `buffer` holds them in between; the
    /// caller keeps it to avoid an allocation per chunk.
    pub fn feed(&mut self, chunk: &[u8], when: Wall, buffer: &mut Vec<u8>, pass_on: impl FnMut(&[u8])) {
        self.shape(when, buffer, pass_on, |lines, each| lines.feed(chunk, each));
    }

    /// The same for what was held back, at the end of the stream.
    pub fn finish(&mut self, when: Wall, buffer: &mut Vec<u8>, pass_on: impl FnMut(&[u8])) {
        self.shape(when, buffer, pass_on, |lines, each| lines.finish(each));
    }

    fn shape(
        &mut self,
        when: Wall,
        buffer: &mut Vec<u8>,
        mut pass_on: impl FnMut(&[u8]),
        for_each_line: impl FnOnce(&mut Lines, &mut dyn FnMut(LinePiece<'_>)),
    ) {
        self.set_time(when);
        let Self { lines, form, .. } = self;
        for_each_line(lines, &mut |piece| {
            match form {
                LineForm::Prefix(prefix) => prefix.write(piece, buffer),
                LineForm::Json(json) => json.write(piece, buffer),
            }
            if buffer.len() >= SHAPED_BYTES_MAX {
                pass_on(buffer);
                buffer.clear();
            }
        });
        if !buffer.is_empty() {
            pass_on(buffer);
        }
        buffer.clear();
        buffer.shrink_to(SHAPED_BYTES_MAX);
    }

    /// Once per chunk: all of its lines were read at the same time.
    fn set_time(&mut self, when: Wall) {
        if self.timestamp && self.when != Some(when) {
            self.when = Some(when);
            let time = rfc3339(when);
            match &mut self.form {
                LineForm::Prefix(prefix) => prefix.set_time(Some(&time)),
                LineForm::Json(json) => json.set_time(&time),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::prefix::LABEL_WIDTH_MAX;
    use crate::model::Channel;

    const WHEN: Wall = Wall { unix_ms: 1_795_191_096_042, utc_offset_secs: 0 };

    fn shaped(mut shaper: Shaper, text: &[u8]) -> String {
        let mut all = Vec::new();
        let mut buffer = Vec::new();
        shaper.feed(text, WHEN, &mut buffer, |bytes| all.extend_from_slice(bytes));
        shaper.finish(WHEN, &mut buffer, |bytes| all.extend_from_slice(bytes));
        String::from_utf8(all).unwrap()
    }

    fn json(timestamp: bool) -> Shaper {
        let speaker = Speaker { program: "w\"b", group: "site", channel: Channel::Stderr, pid: 7 };
        Shaper::json(&speaker, timestamp)
    }

    #[test]
    fn a_prefix_is_a_name_in_a_column_and_a_bar() {
        let plain = |timestamp| Shaper::prefix("web", 6, None, timestamp);
        assert_eq!(shaped(plain(false), b"one\n\ntwo"), "web    | one\nweb    | \nweb    | two\n");
        assert_eq!(shaped(plain(true), b"one\n"), "2026-11-20T16:11:36.042Z web    | one\n");
        let coloured = Shaper::prefix("web", 3, Some(21), false);
        assert_eq!(shaped(coloured, b"x\n"), "\x1b[33mweb \x1b[0m| x\n");
        let long = "n".repeat(40);
        assert_eq!(shaped(Shaper::prefix(&long, 40, None, false), b"x\n"), format!("{long} | x\n"));
        assert_eq!(
            shaped(Shaper::prefix("n", 999, None, false), b"x\n").len(),
            LABEL_WIDTH_MAX + " | x\n".len()
        );
    }

    #[test]
    fn a_long_line_continues_after_a_plus() {
        let line = [&b"x".repeat(LINE_BYTES_MAX)[..], b"yz\n"].concat();
        let text = shaped(Shaper::prefix("web", 3, None, false), &line);
        assert!(text.starts_with("web | xx") && text.ends_with("x\nweb + yz\n"));
    }

    #[test]
    fn a_line_becomes_a_json_object() {
        let ours = r#""program":"w\"b","group":"site","stream":"stderr","pid":7"#;
        for (line, expected) in [
            (
                &b"a\t\"b\" \xc3\xa4\xff\n"[..],
                format!("{{{ours},\"message\":\"a\\t\\\"b\\\" \u{e4}\u{fffd}\"}}\n"),
            ),
            (b"\n", format!("{{{ours},\"message\":\"\"}}\n")),
            (b"no end", format!("{{{ours},\"message\":\"no end\"}}\n")),
            (b"{broken\n", format!("{{{ours},\"message\":\"{{broken\"}}\n")),
            (b"{\"a\":1} {}\n", format!("{{{ours},\"message\":\"{{\\\"a\\\":1}} {{}}\"}}\n")),
            (b"crlf\r\n", format!("{{{ours},\"message\":\"crlf\"}}\n")),
            (b"a\rb\r\r\n", format!("{{{ours},\"message\":\"a\\rb\\r\"}}\n")),
            (b"[1]\n", format!("{{{ours},\"message\":\"[1]\"}}\n")),
        ] {
            assert_eq!(shaped(json(false), line), expected);
        }
        let timed = shaped(json(true), b"x\n");
        assert!(timed.starts_with("{\"time\":\"2026-11-20T16:11:36.042Z\",\"program\":"), "{timed}");
    }

    #[test]
    fn every_byte_is_escaped_as_serde_json_does_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for at in [0, 1, 7, 8, 9, 15] {
                let mut line = b"0123456789abcdefg".to_vec();
                line[at] = byte;
                if byte == b'\n' {
                    continue;
                }
                let message = serde_json::to_string(&String::from_utf8_lossy(&line)).unwrap();
                let text = shaped(json(false), &[&line[..], b"\n"].concat());
                assert!(text.ends_with(&format!(",\"message\":{message}}}\n")), "{byte} at {at}: {text}");
            }
        }
    }

    #[test]
    fn each_chunk_has_its_own_time() {
        let (mut shaper, mut buffer, mut all) = (json(true), Vec::new(), String::new());
        for unix_ms in [0, 1] {
            let when = Wall { unix_ms, utc_offset_secs: 0 };
            shaper.feed(b"x\n", when, &mut buffer, |bytes| all += std::str::from_utf8(bytes).unwrap());
        }
        let times: Vec<_> = all.lines().map(|line| &line[9..33]).collect();
        assert_eq!(times, ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"]);
    }

    #[test]
    fn an_object_keeps_its_members_and_gets_the_missing_ones() {
        let ours = r#""program":"w\"b","group":"site","stream":"stderr","pid":7"#;
        for (line, expected) in [
            (r#"{"level":"info", "n": 1.50}"#, format!(r#"{{"level":"info", "n": 1.50,{ours}}}"#)),
            (" {} ", format!("{{{ours}}}")),
            (
                r#"{"pid":1,"gr\u006fup":{}}"#,
                r#"{"pid":1,"gr\u006fup":{},"program":"w\"b","stream":"stderr"}"#.into(),
            ),
            (
                r#"{"program":0,"group":0,"stream":0,"pid":0}"#,
                r#"{"program":0,"group":0,"stream":0,"pid":0}"#.into(),
            ),
        ] {
            assert_eq!(shaped(json(false), format!("{line}\n").as_bytes()), format!("{expected}\n"));
        }
        let own_time = shaped(json(true), b"{\"time\":1}\n");
        assert!(own_time.starts_with("{\"time\":1,\"program\":"), "{own_time}");
    }

    #[test]
    fn pieces_of_a_long_line_are_marked() {
        let line = [&b"{\"a\":\""[..], &b"x".repeat(LINE_BYTES_MAX), b"\"}\n"].concat();
        let text = shaped(json(false), &line);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].ends_with("x\",\"partial\":true}") && lines[1].ends_with("\\\"}\"}"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn many_short_lines_are_passed_on_in_parts() {
        let (mut largest, mut lines) = (0, 0);
        let mut buffer = Vec::new();
        Shaper::prefix("web", 3, None, false).feed(&b"\n".repeat(100_000), WHEN, &mut buffer, |bytes| {
            largest = largest.max(bytes.len());
            lines += memchr::memchr_iter(b'\n', bytes).count();
        });
        assert!(largest < SHAPED_BYTES_MAX + 100 && lines == 100_000);
        assert!(buffer.is_empty() && buffer.capacity() <= SHAPED_BYTES_MAX);
    }
}
