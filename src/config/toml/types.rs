//! Third stage: values to what their options accept.
//!
//! Every option accepts a text, the one that it accepts in INI. In addition an option accepts its TOML type.
//! Any other type is an error that is reported when the option is read.

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::super::document::Written;
use super::super::options::{OptionDoc, ValueType};
use crate::python::quote;

/// A value of a type that its option does not accept.
#[derive(Debug)]
pub(super) struct WrongType {
    /// [`Written::WrongType`]
    pub(super) value: Written,
    /// The offset of the wrong item, if it is not the whole value.
    pub(super) start: Option<usize>,
}

/// The TOML type that an option accepts in addition to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NativeType {
    Nothing,
    Boolean,
    BooleanOrWord,
    Integer,
    /// An integer or a float.
    Seconds,
    Size,
    /// An integer whose digits are meant as octal.
    Octal,
    /// An integer for something that has a name as well.
    Number,
    Texts,
    Integers,
    Table,
}

impl NativeType {
    fn of(value: ValueType) -> Self {
        match value {
            ValueType::Boolean => Self::Boolean,
            ValueType::AutoRestart => Self::BooleanOrWord,
            ValueType::Integer | ValueType::Retries | ValueType::Count => Self::Integer,
            ValueType::Seconds => Self::Seconds,
            ValueType::Size => Self::Size,
            ValueType::Octal => Self::Octal,
            ValueType::Signal
            | ValueType::User
            | ValueType::Owner
            | ValueType::Address
            | ValueType::Percent
            | ValueType::Rlimit => Self::Number,
            ValueType::List
            | ValueType::Globs
            | ValueType::Command
            | ValueType::Files
            | ValueType::Dependencies
            | ValueType::Checks => Self::Texts,
            ValueType::ExitCodes | ValueType::Cpus => Self::Integers,
            ValueType::Pairs | ValueType::Roles => Self::Table,
            ValueType::Text
            | ValueType::Secret
            | ValueType::Word(_)
            | ValueType::SignalAction
            | ValueType::LogLevel
            | ValueType::LogFormat
            | ValueType::LogFile
            | ValueType::Path
            | ValueType::ControlSocket
            | ValueType::Directory
            | ValueType::Url
            | ValueType::RestartLimit
            | ValueType::Check
            | ValueType::Schedule
            | ValueType::Zone
            | ValueType::IoPriority => Self::Nothing,
        }
    }

    /// For messages, including the text form.
    fn description(self) -> &'static str {
        match self {
            Self::Nothing => "a text",
            Self::Boolean => "true or false",
            Self::BooleanOrWord => "true, false or \"unexpected\"",
            Self::Integer => "an integer",
            Self::Seconds => "a number of seconds",
            Self::Size => "an integer or a text such as \"50MB\"",
            Self::Octal => "written in octal, such as 0o22 or \"022\"",
            Self::Number => "a text or an integer",
            Self::Texts => "an array of texts or a text",
            Self::Integers => "an array of integers or a text",
            Self::Table => "a table or a text",
        }
    }
}

/// Converts a value for its option; an unknown option accepts any type. `text` is the whole file.
pub(super) fn written(
    option: Option<&OptionDoc>,
    value: &Spanned<DeValue<'_>>,
    text: &str,
) -> Result<Written, WrongType> {
    if let DeValue::String(value) = value.get_ref() {
        return Ok(Written::Text(value.to_string()));
    }
    let shown = &text[value.span()];
    let Some(option) = option else { return Ok(Written::Text(shown.to_owned())) };
    let native = NativeType::of(option.value);
    let context = ValueContext { option, text, shown };
    match (value.get_ref(), native) {
        (DeValue::Boolean(value), NativeType::Boolean | NativeType::BooleanOrWord) => {
            Ok(Written::Text(value.to_string()))
        }
        (
            DeValue::Integer(value),
            NativeType::Integer
            | NativeType::Seconds
            | NativeType::Size
            | NativeType::Number
            | NativeType::Integers,
        ) => Ok(Written::Text(decimal(value))),
        (DeValue::Float(value), NativeType::Seconds) => Ok(Written::Text(value.as_str().to_owned())),
        (DeValue::Integer(value), NativeType::Octal) if value.radix() == 8 => {
            Ok(Written::Text(value.as_str().to_owned()))
        }
        (DeValue::Array(items), NativeType::Texts | NativeType::Integers) => list(items, native, &context),
        (DeValue::Table(table), NativeType::Table) => pairs(table, &context),
        _ => Err(context.of(&quote(option.name), native.description(), value, None)),
    }
}

fn list(items: &DeArray<'_>, native: NativeType, context: &ValueContext<'_>) -> Result<Written, WrongType> {
    let item = |item: &Spanned<DeValue<'_>>| match (item.get_ref(), native) {
        (DeValue::String(text), NativeType::Texts) => Ok(text.to_string()),
        (DeValue::Integer(value), NativeType::Integers) => Ok(decimal(value)),
        _ => {
            let what = format!("each item of {}", quote(context.option.name));
            let expected = if native == NativeType::Integers { "an integer" } else { "a text" };
            Err(context.of(&what, expected, item, Some(item.span().start)))
        }
    };
    items.iter().map(item).collect::<Result<_, _>>().map(Written::List)
}

/// Environment variables. Numbers keep their spelling.
fn pairs(table: &DeTable<'_>, context: &ValueContext<'_>) -> Result<Written, WrongType> {
    let mut found = Vec::new();
    for (key, value) in table {
        let (name, start) = (key.get_ref(), key.span().start);
        if name.is_empty() || name.contains(['=', '\0']) {
            let message =
                format!("{} can not hold a variable called {}", quote(context.option.name), quote(name));
            return Err(context.at(message, start));
        }
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Integer(value) => value.to_string(),
            DeValue::Float(value) => value.as_str().to_owned(),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let what = format!("{} in {}", quote(name), quote(context.option.name));
                return Err(context.of(&what, "a text, a number, true or false", value, Some(start)));
            }
        };
        found.push((start, (name.to_string(), text)));
    }
    found.sort_by_cached_key(|(start, _)| *start);
    Ok(Written::Pairs(found.into_iter().map(|(_, pair)| pair).collect()))
}

/// A decimal number, as INI has it. A number that is too large keeps its spelling, and the reader rejects it.
fn decimal(value: &DeInteger<'_>) -> String {
    let number = i64::from_str_radix(value.as_str(), value.radix());
    number.map_or_else(|_| value.to_string(), |number| number.to_string())
}

/// The context of messages about one value.
struct ValueContext<'v> {
    option: &'v OptionDoc,
    /// The whole file.
    text: &'v str,
    /// The value as written.
    shown: &'v str,
}

impl ValueContext<'_> {
    /// `what` must be `expected` but is `value`, which is at `start` if it is not the whole value.
    fn of(
        &self,
        what: &str,
        expected: &str,
        value: &Spanned<DeValue<'_>>,
        start: Option<usize>,
    ) -> WrongType {
        let found = self.named(value);
        let message = format!("{what} must be {expected}, not {found}");
        let value = Written::WrongType { shown: self.shown.to_owned(), message };
        WrongType { value, start }
    }

    fn at(&self, message: String, start: usize) -> WrongType {
        WrongType { value: Written::WrongType { shown: self.shown.to_owned(), message }, start: Some(start) }
    }

    /// A value with its type; a secret value is omitted.
    fn named(&self, value: &Spanned<DeValue<'_>>) -> String {
        let (article, name) = match value.get_ref() {
            DeValue::String(_) => ("a", "text"),
            DeValue::Integer(_) => ("an", "integer"),
            DeValue::Float(_) => ("a", "float"),
            DeValue::Boolean(_) => ("a", "boolean"),
            DeValue::Datetime(_) => ("a", "date-time"),
            DeValue::Array(_) => return "an array".to_owned(),
            DeValue::Table(_) => return "a table".to_owned(),
        };
        if self.option.value == ValueType::Secret {
            return format!("{article} {name}");
        }
        format!("the {name} {}", &self.text[value.span()])
    }
}
