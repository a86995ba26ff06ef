//! The protocol's types.

use std::borrow::Cow;

/// A parameter or a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `int`, `i4`. Wider than the protocol's 32 bits; encoding caps it.
    Int(i64),
    /// `boolean`
    Bool(bool),
    /// `double`
    Double(f64),
    /// `string`, or a value without a type.
    String(String),
    /// `dateTime.iso8601`, as written.
    DateTime(String),
    /// `base64`, decoded.
    Base64(Vec<u8>),
    /// `array`
    Array(Vec<Value>),
    /// `struct`, with its members in order. The names of ours are static, since an answer about many
    /// processes has thousands of them.
    Struct(Vec<(Cow<'static, str>, Value)>),
}

impl Value {
    /// A struct with these members, in this order.
    #[must_use]
    pub fn members<const N: usize>(members: [(&'static str, Value); N]) -> Self {
        Self::Struct(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// The text of a `string`, or of a `base64` that is UTF-8: clients send either for text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Base64(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number of an `int`.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a `boolean`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The items of an `array`.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The approximate size in memory and on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const EACH: usize = size_of::<Value>();
        const EACH_NAME: usize = size_of::<Cow<'static, str>>();
        EACH + match self {
            Self::Int(_) | Self::Bool(_) | Self::Double(_) => 0,
            Self::String(text) | Self::DateTime(text) => text.len(),
            Self::Base64(bytes) => bytes.len(),
            Self::Array(items) => items.iter().map(Self::bytes).sum(),
            Self::Struct(members) => {
                members.iter().map(|(name, value)| EACH_NAME + name.len() + value.bytes()).sum()
            }
        }
    }

    /// A member of a `struct`. Of several with one name the last counts, as in Python.
    #[must_use]
    pub fn get(&self, member: &str) -> Option<&Self> {
        match self {
            Self::Struct(members) => members.iter().rfind(|(name, _)| name == member).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}
