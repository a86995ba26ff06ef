//! Lines as JSON objects, one a line: `{"time":…,"program":…,"group":…,"stream":…,"pid":…,"message":…}`.
//!
//! A line that is a JSON object already stays what it is, byte for byte; what it does not say of
//! itself is added behind its own members.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::lines::LinePiece;
use crate::model::Channel;

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Name of the process.
    pub program: &'a str,
    /// Its group.
    pub group: &'a str,
    /// Which of its streams.
    pub channel: Channel,
    /// Its process id.
    pub pid: i32,
}

/// Our members but for the message, in their order; a set of them is a number with a bit for each.
const MEMBERS: [&str; 5] = ["time", "program", "group", "stream", "pid"];

const TIME: usize = 0;

/// What we have to say of the lines of one stream.
#[derive(Debug)]
pub(super) struct Json {
    /// `"program":"web"`, …; the time's is filled in for each chunk.
    members: [String; MEMBERS.len()],
}

impl Json {
    pub(super) fn new(speaker: &Speaker<'_>) -> Self {
        let texts = [
            String::new(),
            quoted(speaker.program),
            quoted(speaker.group),
            quoted(speaker.channel.name()),
            speaker.pid.to_string(),
        ];
        let mut members = MEMBERS.map(|name| format!("\"{name}\":"));
        for (member, text) in members.iter_mut().zip(texts) {
            member.push_str(&text);
        }
        Self { members }
    }

    pub(super) fn write(&self, piece: LinePiece<'_>, time: Option<&str>, out: &mut Vec<u8>) {
        let is_whole = piece.is_first && piece.is_last;
        match object(piece.bytes).filter(|_| is_whole) {
            Some(object) => self.write_merged(object, time, out),
            None => self.write_message(piece, time, out),
        }
        out.push(b'\n');
    }

    /// Of a line in several pieces all but the last are marked as partial.
    fn write_message(&self, piece: LinePiece<'_>, time: Option<&str>, out: &mut Vec<u8>) {
        out.push(b'{');
        self.write_members(0, time, out);
        out.extend_from_slice(b",\"message\":");
        let text = if piece.is_last { without_carriage_return(piece.bytes) } else { piece.bytes };
        quote_into(&String::from_utf8_lossy(text), out);
        if !piece.is_last {
            out.extend_from_slice(b",\"partial\":true");
        }
        out.push(b'}');
    }

    fn write_merged(&self, object: Object<'_>, time: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(object.opened.as_bytes());
        let before = out.len();
        if !object.is_empty {
            out.push(b',');
        }
        let comma = out.len();
        self.write_members(object.says, time, out);
        if out.len() == comma {
            out.truncate(before);
        }
        out.push(b'}');
    }

    /// All but those that are said already.
    fn write_members(&self, said: u8, time: Option<&str>, out: &mut Vec<u8>) {
        let begin = out.len();
        for (index, member) in self.members.iter().enumerate() {
            let time = (index == TIME).then_some(time);
            if said & 1 << index != 0 || time == Some(None) {
                continue;
            }
            if out.len() > begin {
                out.push(b',');
            }
            out.extend_from_slice(member.as_bytes());
            if let Some(Some(time)) = time {
                quote_into(time, out);
            }
        }
    }
}

/// A line may end with CR LF.
fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// One line of the supervisor itself among those of its programs.
#[must_use]
pub(super) fn activity_object(time: &str, identifier: &str, pid: i32, level: &str, message: &str) -> String {
    let [time, identifier, level, message] = [time, identifier, level, message].map(quoted);
    format!(
        "{{\"time\":{time},\"program\":{identifier},\"level\":{level},\"pid\":{pid},\"message\":{message}}}\n"
    )
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    // A text is always a JSON string.
    serde_json::to_string(text).unwrap_or_default()
}

fn quote_into(text: &str, out: &mut Vec<u8>) {
    // A Vec takes all that is written to it.
    let _ = serde_json::to_writer(out, text);
}

/// A line that is a JSON object.
#[derive(Debug, PartialEq, Eq)]
struct Object<'a> {
    /// All of it but the brace at the end.
    opened: &'a str,
    is_empty: bool,
    /// Which of our members it has.
    says: u8,
}

fn object(line: &[u8]) -> Option<Object<'_>> {
    let line = line.trim_ascii();
    if line.first() != Some(&b'{') {
        return None;
    }
    let opened = std::str::from_utf8(line).ok()?.strip_suffix('}')?;
    let mut reader = serde_json::Deserializer::from_slice(line);
    let Names { count, ours } = reader.deserialize_map(Names::default()).ok()?;
    reader.end().ok()?;
    Some(Object { opened, is_empty: count == 0, says: ours })
}

/// Looks at the names of an object's members and at nothing else of them.
#[derive(Default)]
struct Names {
    count: usize,
    ours: u8,
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some(is_ours) = members.next_key_seed(Name)? {
            members.next_value::<IgnoredAny>()?;
            self.count += 1;
            self.ours |= is_ours;
        }
        Ok(self)
    }
}

/// One name: which of ours it is.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<u8, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<u8, E> {
        Ok(MEMBERS.iter().position(|ours| *ours == name).map_or(0, |index| 1 << index))
    }
}
