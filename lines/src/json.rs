//! Lines as JSON objects, one a line: `{"time":…,"program":…,"group":…,"stream":…,"pid":…,"message":…}`.
//!
//! A line that is a JSON object already is kept byte for byte; the members that it lacks are added after its own.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::append::append;
use super::split::LinePiece;

/// The writer of a line.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Name of the process.
    pub program: &'a str,
    /// Its group.
    pub group: &'a str,
    /// The name of the stream that it wrote to.
    pub stream: &'a str,
    /// Its process id.
    pub pid: i32,
}

/// Our members except the message, in order; a set of them is a bit mask.
const MEMBERS: [&str; 5] = ["time", "program", "group", "stream", "pid"];

const TIME: usize = 0;

/// The members that are added to the lines of one stream.
#[derive(Debug)]
pub(crate) struct Json {
    /// `"program":"web"`, …; the time is empty until it is set.
    members: [String; MEMBERS.len()],
    /// A line up to its message: `{"time":…,"program":"web",…,"message":"`.
    head: Vec<u8>,
}

impl Json {
    pub(crate) fn new(speaker: &Speaker<'_>) -> Self {
        let texts = [
            String::new(),
            quoted(speaker.program),
            quoted(speaker.group),
            quoted(speaker.stream),
            speaker.pid.to_string(),
        ];
        let mut members = MEMBERS.map(|name| format!("\"{name}\":"));
        for (member, text) in members.iter_mut().zip(texts) {
            member.push_str(&text);
        }
        members[TIME].clear();
        let mut json = Self { members, head: Vec::new() };
        json.make_head();
        json
    }

    /// Sets the time of the following lines.
    pub(crate) fn set_time(&mut self, time: &str) {
        self.members[TIME] = format!("\"time\":{}", quoted(time));
        self.make_head();
    }

    fn make_head(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        head.push(b'{');
        self.write_members(0, &mut head);
        head.extend_from_slice(b",\"message\":\"");
        self.head = head;
    }

    pub(crate) fn write(&self, piece: LinePiece<'_>, out: &mut Vec<u8>) {
        let is_whole = piece.is_first && piece.is_last;
        match object(piece.bytes).filter(|_| is_whole) {
            Some(object) => self.write_merged(object, out),
            None => self.write_message(piece, out),
        }
        out.push(b'\n');
    }

    /// Of a line in several pieces all except the last are marked as partial.
    fn write_message(&self, piece: LinePiece<'_>, out: &mut Vec<u8>) {
        append(out, &self.head);
        let text = if piece.is_last { without_carriage_return(piece.bytes) } else { piece.bytes };
        match std::str::from_utf8(text) {
            Ok(_) if !needs_escapes(text) => append(out, text),
            Ok(text) => escape_into(text, out),
            Err(_) => escape_into(&String::from_utf8_lossy(text), out),
        }
        out.extend_from_slice(if piece.is_last { b"\"}" } else { b"\",\"partial\":true}" });
    }

    fn write_merged(&self, object: Object<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(object.opened.as_bytes());
        let before = out.len();
        if !object.is_empty {
            out.push(b',');
        }
        let comma = out.len();
        self.write_members(object.has, out);
        if out.len() == comma {
            out.truncate(before);
        }
        out.push(b'}');
    }

    /// Writes all members except those that are present already.
    fn write_members(&self, present: u8, out: &mut Vec<u8>) {
        let begin = out.len();
        for (index, member) in self.members.iter().enumerate() {
            if present & 1 << index != 0 || member.is_empty() {
                continue;
            }
            if out.len() > begin {
                out.push(b',');
            }
            out.extend_from_slice(member.as_bytes());
        }
    }
}

/// A line may end with CR LF.
fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A text as a JSON string.
#[must_use]
pub fn quoted(text: &str) -> String {
    // A text is always a JSON string.
    serde_json::to_string(text).unwrap_or_default()
}

/// Appends the content of a JSON string; the opening quote is already written.
fn escape_into(text: &str, out: &mut Vec<u8>) {
    out.pop();
    // Writing to a Vec can't fail.
    let _ = serde_json::to_writer(&mut *out, text);
    out.pop();
}

/// Whether any of these bytes must be escaped in a JSON string: most lines need no escapes, and are copied.
/// Checks eight bytes at a time, with a high bit for each control character, quote or backslash.
fn needs_escapes(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, rest) = text.as_chunks::<8>();
    words.iter().any(|word| {
        let word = u64::from_ne_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let (quote, backslash) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
        (control | is_zero(quote) | is_zero(backslash)) & HIGH_BITS != 0
    }) || rest.iter().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))
}

/// A line that is a JSON object.
#[derive(Debug, PartialEq, Eq)]
struct Object<'a> {
    /// All of it except the closing brace.
    opened: &'a str,
    is_empty: bool,
    /// Which of our members it has.
    has: u8,
}

fn object(line: &[u8]) -> Option<Object<'_>> {
    let line = line.trim_ascii();
    if line.first() != Some(&b'{') {
        return None;
    }
    let opened = std::str::from_utf8(line).ok()?.strip_suffix('}')?;
    let mut reader = serde_json::Deserializer::from_slice(line);
    let MemberNames { count, ours } = reader.deserialize_map(MemberNames::default()).ok()?;
    reader.end().ok()?;
    Some(Object { opened, is_empty: count == 0, has: ours })
}

/// Examines only the names of an object's members.
#[derive(Default)]
struct MemberNames {
    count: usize,
    ours: u8,
}

impl<'de> Visitor<'de> for MemberNames {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some(is_ours) = members.next_key_seed(OurName)? {
            members.next_value::<IgnoredAny>()?;
            self.count += 1;
            self.ours |= is_ours;
        }
        Ok(self)
    }
}

/// One name: the index of ours that it is.
struct OurName;

impl<'de> DeserializeSeed<'de> for OurName {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<u8, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for OurName {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<u8, E> {
        Ok(MEMBERS.iter().position(|ours| *ours == name).map_or(0, |index| 1 << index))
    }
}
