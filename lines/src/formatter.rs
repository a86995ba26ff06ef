//! Formatting the lines of one stream, chunk by chunk.

use super::json::{Json, Speaker};
use super::prefix::Prefix;
use super::split::{LINE_BYTES_MAX, LinePiece, Lines};

/// Formatted lines are passed on before they exceed this size by much.
const FORMATTED_BYTES_MAX: usize = 64 * 1024;

/// Formats the lines of one stream.
#[derive(Debug)]
pub struct LineFormatter {
    lines: Lines,
    form: LineForm,
}

#[derive(Debug)]
enum LineForm {
    Prefix(Prefix),
    Json(Json),
}

impl LineFormatter {
    /// `name | line`, with the name padded to `width`; with a number, in the colour of that number.
    #[must_use]
    pub fn prefix(name: &str, width: usize, colour: Option<u64>) -> Self {
        Self::new(LineForm::Prefix(Prefix::new(name, width, colour)))
    }

    /// A JSON object per line.
    #[must_use]
    pub fn json(speaker: &Speaker<'_>) -> Self {
        Self::new(LineForm::Json(Json::new(speaker)))
    }

    fn new(form: LineForm) -> Self {
        Self { lines: Lines::new(LINE_BYTES_MAX), form }
    }

    /// Sets the time of the following lines.
    pub fn set_time(&mut self, time: &str) {
        match &mut self.form {
            LineForm::Prefix(prefix) => prefix.set_time(Some(time)),
            LineForm::Json(json) => json.set_time(time),
        }
    }

    /// Formats the lines that this chunk completes and passes them on. `buffer` holds them in between; the
    /// caller keeps it to avoid an allocation per chunk.
    pub fn feed(&mut self, chunk: &[u8], buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8])) {
        let Self { lines, form } = self;
        // One loop for each form, so that the form is not looked up for each line.
        match form {
            LineForm::Prefix(prefix) => {
                lines.split(chunk, |piece| write(buffer, pass_on, |out| prefix.write(piece, out)));
            }
            LineForm::Json(json) => {
                lines.split(chunk, |piece| write(buffer, pass_on, |out| json.write(piece, out)));
            }
        }
        pass_on_rest(buffer, pass_on);
    }

    /// The same for what was held back, at the end of the stream.
    pub fn finish(&mut self, buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8])) {
        let Self { lines, form } = self;
        lines.finish(&mut |piece: LinePiece<'_>| {
            write(buffer, pass_on, |out| match form {
                LineForm::Prefix(prefix) => prefix.write(piece, out),
                LineForm::Json(json) => json.write(piece, out),
            });
        });
        pass_on_rest(buffer, pass_on);
    }
}

fn write(buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8]), line: impl FnOnce(&mut Vec<u8>)) {
    line(buffer);
    if buffer.len() >= FORMATTED_BYTES_MAX {
        pass_on(buffer);
        buffer.clear();
    }
}

fn pass_on_rest(buffer: &mut Vec<u8>, pass_on: &mut dyn FnMut(&[u8])) {
    if !buffer.is_empty() {
        pass_on(buffer);
    }
    buffer.clear();
    buffer.shrink_to(FORMATTED_BYTES_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::LABEL_WIDTH_MAX;

    const TIME: &str = "2026-11-20T16:11:36.042Z";

    fn formatted(mut formatter: LineFormatter, text: &[u8]) -> String {
        let mut all = Vec::new();
        let mut buffer = Vec::new();
        formatter.feed(text, &mut buffer, &mut |bytes| all.extend_from_slice(bytes));
        formatter.finish(&mut buffer, &mut |bytes| all.extend_from_slice(bytes));
        String::from_utf8(all).unwrap()
    }

    fn timed(mut formatter: LineFormatter) -> LineFormatter {
        formatter.set_time(TIME);
        formatter
    }

    fn json() -> LineFormatter {
        let speaker = Speaker { program: "w\"b", group: "site", stream: "stderr", pid: 7 };
        LineFormatter::json(&speaker)
    }

    #[test]
    fn a_prefix_is_a_name_in_a_column_and_a_bar() {
        let plain = || LineFormatter::prefix("web", 6, None);
        assert_eq!(formatted(plain(), b"one\n\ntwo"), "web    | one\nweb    | \nweb    | two\n");
        assert_eq!(formatted(timed(plain()), b"one\n"), "2026-11-20T16:11:36.042Z web    | one\n");
        let coloured = LineFormatter::prefix("web", 3, Some(21));
        assert_eq!(formatted(coloured, b"x\n"), "\x1b[33mweb \x1b[0m| x\n");
        let long = "n".repeat(40);
        assert_eq!(formatted(LineFormatter::prefix(&long, 40, None), b"x\n"), format!("{long} | x\n"));
        assert_eq!(
            formatted(LineFormatter::prefix("n", 999, None), b"x\n").len(),
            LABEL_WIDTH_MAX + " | x\n".len()
        );
    }

    #[test]
    fn a_long_line_continues_after_a_plus() {
        let line = [&b"x".repeat(LINE_BYTES_MAX)[..], b"yz\n"].concat();
        let text = formatted(LineFormatter::prefix("web", 3, None), &line);
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
            assert_eq!(formatted(json(), line), expected);
        }
        let timed = formatted(timed(json()), b"x\n");
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
                let text = formatted(json(), &[&line[..], b"\n"].concat());
                assert!(text.ends_with(&format!(",\"message\":{message}}}\n")), "{byte} at {at}: {text}");
            }
        }
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
            assert_eq!(formatted(json(), format!("{line}\n").as_bytes()), format!("{expected}\n"));
        }
        let own_time = formatted(timed(json()), b"{\"time\":1}\n");
        assert!(own_time.starts_with("{\"time\":1,\"program\":"), "{own_time}");
    }

    #[test]
    fn pieces_of_a_long_line_are_marked() {
        let line = [&b"{\"a\":\""[..], &b"x".repeat(LINE_BYTES_MAX), b"\"}\n"].concat();
        let text = formatted(json(), &line);
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
        LineFormatter::prefix("web", 3, None).feed(&b"\n".repeat(100_000), &mut buffer, &mut |bytes| {
            largest = largest.max(bytes.len());
            lines += memchr::memchr_iter(b'\n', bytes).count();
        });
        assert!(largest < FORMATTED_BYTES_MAX + 100 && lines == 100_000);
        assert!(buffer.is_empty() && buffer.capacity() <= FORMATTED_BYTES_MAX);
    }
}
