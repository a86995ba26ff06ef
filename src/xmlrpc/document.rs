//! Traverses a document: elements and their text, nothing else.
//!
//! `quick-xml` splits the bytes and pairs the tags. This module checks that every tag is one of the
//! protocol's, that text occurs only where it may, and that references resolve without a DTD.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

/// The maximum nesting of values. Supervisor's maximum, the parameters of a call in a multicall, is 4.
pub const DEPTH_MAX: usize = 32;

/// All tags, including the one for wider numbers that some clients send. A document with any other tag is
/// rejected: `nil` and the like are extensions that Supervisor doesn't support either. The most frequent ones come first.
const TAGS: [&str; 20] = [
    "value",
    "member",
    "name",
    "string",
    "int",
    "struct",
    "boolean",
    "array",
    "data",
    "methodCall",
    "methodName",
    "methodResponse",
    "params",
    "param",
    "fault",
    "i4",
    "i8",
    "double",
    "dateTime.iso8601",
    "base64",
];

/// Why bytes are not a valid document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A call without a method name. Supervisor has a separate log line for it.
    NoMethodName,
    /// Not UTF-8, regardless of its declaration.
    NotUtf8,
    /// Not well-formed, near this byte.
    NotXml(u64),
    /// A DOCTYPE: it could define entities.
    Doctype,
    /// Values nest deeper than [`DEPTH_MAX`].
    TooDeep,
    /// This element is not allowed here, or another one is missing.
    Unexpected(&'static str),
    /// The text is not a valid value of this type.
    BadValue(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMethodName => f.write_str("no method name"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotXml(position) => write!(f, "not well-formed XML at byte {position}"),
            Self::Doctype => f.write_str("a DOCTYPE is not accepted"),
            Self::TooDeep => write!(f, "values nest deeper than {DEPTH_MAX}"),
            Self::Unexpected(what) => write!(f, "unexpected {what}"),
            Self::BadValue(kind) => write!(f, "not a value of type {kind}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The next part of a document.
pub(super) enum Token<'a> {
    /// A start tag, one of [`TAGS`].
    Open(&'static str),
    /// The end tag of the element that was opened last.
    Close,
    /// A piece of text: references and CDATA sections are separate pieces.
    Text(Cow<'a, str>),
    /// The end of the document.
    End,
}

/// A document that is being read.
pub(super) struct XmlDocument<'a> {
    xml: Reader<&'a [u8]>,
}

impl<'a> XmlDocument<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let text = str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
        let mut xml = Reader::from_str(text);
        xml.config_mut().expand_empty_elements = true;
        Ok(Self { xml })
    }

    /// The next token; comments and processing instructions are skipped.
    pub(super) fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        loop {
            let event = self.xml.read_event().map_err(|_| self.not_xml())?;
            return Ok(match event {
                Event::Start(tag) => Token::Open(known(tag.name().as_ref())?),
                Event::End(_) => Token::Close,
                // Control characters that XML forbids are accepted: the reference sends them unescaped if a
                // log contains them, and Python's clients do when they write to a child.
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(name) => Token::Text(self.resolve(&name)?),
                Event::Eof => Token::End,
                Event::DocType(_) => return Err(DecodeError::Doctype),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
                // The reader is configured to expand empty elements.
                Event::Empty(_) => return Err(self.not_xml()),
            });
        }
    }

    /// Enters the next child element, or leaves the current element and returns `None`.
    pub(super) fn child(&mut self) -> Result<Option<&'static str>, DecodeError> {
        loop {
            match self.token()? {
                Token::Open(tag) => return Ok(Some(tag)),
                Token::Close => return Ok(None),
                Token::Text(text) if is_blank(&text) => {}
                Token::Text(_) => return Err(DecodeError::Unexpected("text")),
                Token::End => return Err(DecodeError::Unexpected("end")),
            }
        }
    }

    /// Enters the next element, which must have this name.
    pub(super) fn open(&mut self, expected: &str) -> Result<(), DecodeError> {
        match self.child()? {
            Some(tag) if tag == expected => Ok(()),
            Some(tag) => Err(DecodeError::Unexpected(tag)),
            None => Err(DecodeError::Unexpected("end of an element")),
        }
    }

    /// Leaves the current element, which must have no more content.
    pub(super) fn close(&mut self) -> Result<(), DecodeError> {
        match self.child()? {
            None => Ok(()),
            Some(tag) => Err(DecodeError::Unexpected(tag)),
        }
    }

    /// Leaves the current element and returns its text; it must not contain elements.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.token()? {
                Token::Text(piece) => text += piece,
                Token::Close => return Ok(text),
                Token::Open(tag) => return Err(DecodeError::Unexpected(tag)),
                Token::End => return Err(DecodeError::Unexpected("end")),
            }
        }
    }

    /// After the root element: only blanks may follow.
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        loop {
            match self.token()? {
                Token::End => return Ok(()),
                Token::Text(text) if is_blank(&text) => {}
                _ => return Err(DecodeError::Unexpected("content after the end")),
            }
        }
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<Cow<'static, str>, DecodeError> {
        if let Some(character) = reference.resolve_char_ref().map_err(|_| self.not_xml())? {
            return Ok(Cow::Owned(character.to_string()));
        }
        resolve_xml_entity(reference).map(Cow::Borrowed).ok_or_else(|| self.not_xml())
    }

    fn not_xml(&self) -> DecodeError {
        DecodeError::NotXml(self.xml.buffer_position())
    }
}

/// White space as defined by XML.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

fn known(name: &str) -> Result<&'static str, DecodeError> {
    TAGS.iter().copied().find(|tag| *tag == name).ok_or(DecodeError::Unexpected("element"))
}
