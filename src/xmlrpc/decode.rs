//! Decodes bytes to values.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;

use super::Value;
use super::document::{DEPTH_MAX, DecodeError, Token, XmlDocument, is_blank};

/// A method name and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// As written, including dots; never empty.
    pub method: String,
    /// In order.
    pub params: Vec<Value>,
}

/// Decodes a request. `params` may be missing.
///
/// # Errors
///
/// If the bytes are not an XML-RPC call. The reference answers such requests with HTTP status 400.
pub fn decode_call(xml: &[u8]) -> Result<Call, DecodeError> {
    let mut document = XmlDocument::new(xml)?;
    let mut call = Call { method: String::new(), params: Vec::new() };
    document.open("methodCall")?;
    while let Some(tag) = document.child()? {
        match tag {
            "methodName" => call.method = document.text()?.into_owned(),
            "params" => call.params = params(&mut document)?,
            _ => return Err(DecodeError::Unexpected(tag)),
        }
    }
    document.end()?;
    if call.method.is_empty() { Err(DecodeError::NoMethodName) } else { Ok(call) }
}

/// Decodes a reply: its value, or the code and text of its fault.
///
/// # Errors
///
/// If the bytes are not an XML-RPC reply.
pub fn decode_response(xml: &[u8]) -> Result<Result<Value, (i32, String)>, DecodeError> {
    let mut document = XmlDocument::new(xml)?;
    document.open("methodResponse")?;
    let answer = match document.child()? {
        Some("params") => Ok(only(params(&mut document)?)?),
        Some("fault") => Err(fault(&mut document)?),
        Some(tag) => return Err(DecodeError::Unexpected(tag)),
        None => return Err(DecodeError::Unexpected("end of an element")),
    };
    document.close()?;
    document.end()?;
    Ok(answer)
}

/// The rest of `<params>`.
fn params(document: &mut XmlDocument<'_>) -> Result<Vec<Value>, DecodeError> {
    let mut params = Vec::new();
    while let Some(tag) = document.child()? {
        if tag != "param" {
            return Err(DecodeError::Unexpected(tag));
        }
        document.open("value")?;
        params.push(value(document, 1)?);
        document.close()?;
    }
    Ok(params)
}

fn only(mut params: Vec<Value>) -> Result<Value, DecodeError> {
    match params.pop() {
        Some(value) if params.is_empty() => Ok(value),
        _ => Err(DecodeError::Unexpected("number of results")),
    }
}

/// The rest of `<fault>`.
fn fault(document: &mut XmlDocument<'_>) -> Result<(i32, String), DecodeError> {
    document.open("value")?;
    let fault = value(document, 1)?;
    document.close()?;
    let code = fault.get("faultCode").and_then(Value::as_int).and_then(|code| i32::try_from(code).ok());
    let text = fault.get("faultString").and_then(Value::as_str);
    code.zip(text.map(str::to_owned)).ok_or(DecodeError::BadValue("fault"))
}

/// The rest of `<value>`: one element for the type, or only text, which is a string.
///
/// Recurses into nested values, at most [`DEPTH_MAX`] deep.
fn value(document: &mut XmlDocument<'_>, depth: usize) -> Result<Value, DecodeError> {
    if depth > DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    let mut bare = Cow::Borrowed("");
    loop {
        match document.token()? {
            Token::Text(piece) => bare += piece,
            Token::Close => return Ok(Value::String(bare.into_owned())),
            Token::Open(kind) if is_blank(&bare) => {
                let value = typed(document, kind, depth)?;
                document.close()?;
                return Ok(value);
            }
            Token::Open(_) => return Err(DecodeError::Unexpected("text")),
            Token::End => return Err(DecodeError::Unexpected("end")),
        }
    }
}

/// The rest of the element for the type.
fn typed(document: &mut XmlDocument<'_>, kind: &'static str, depth: usize) -> Result<Value, DecodeError> {
    match kind {
        "string" => Ok(Value::String(document.text()?.into_owned())),
        "int" | "i4" | "i8" => parsed(document, kind).map(Value::Int),
        "double" => parsed(document, kind).map(Value::Double),
        // Supervisor takes `1` for true and anything else for false.
        "boolean" => Ok(Value::Bool(document.text()? == "1")),
        "dateTime.iso8601" => Ok(Value::DateTime(document.text()?.trim().to_owned())),
        "base64" => base64(&document.text()?).map(Value::Base64),
        "array" => array(document, depth).map(Value::Array),
        "struct" => members(document, depth).map(Value::Struct),
        _ => Err(DecodeError::Unexpected(kind)),
    }
}

fn parsed<T: std::str::FromStr>(
    document: &mut XmlDocument<'_>,
    kind: &'static str,
) -> Result<T, DecodeError> {
    document.text()?.trim().parse().map_err(|_| DecodeError::BadValue(kind))
}

/// Encoders split it into lines.
fn base64(text: &str) -> Result<Vec<u8>, DecodeError> {
    let packed: String = text.split_ascii_whitespace().collect();
    STANDARD_PAD_INDIFFERENT.decode(packed).map_err(|_| DecodeError::BadValue("base64"))
}

/// The rest of `<array>`.
fn array(document: &mut XmlDocument<'_>, depth: usize) -> Result<Vec<Value>, DecodeError> {
    let mut items = Vec::new();
    document.open("data")?;
    while let Some(tag) = document.child()? {
        if tag != "value" {
            return Err(DecodeError::Unexpected(tag));
        }
        items.push(value(document, depth + 1)?);
    }
    document.close()?;
    Ok(items)
}

/// The rest of `<struct>`.
fn members(
    document: &mut XmlDocument<'_>,
    depth: usize,
) -> Result<Vec<(Cow<'static, str>, Value)>, DecodeError> {
    let mut members = Vec::new();
    while let Some(tag) = document.child()? {
        if tag != "member" {
            return Err(DecodeError::Unexpected(tag));
        }
        document.open("name")?;
        let name = document.text()?.into_owned();
        document.open("value")?;
        members.push((name.into(), value(document, depth + 1)?));
        document.close()?;
    }
    Ok(members)
}
