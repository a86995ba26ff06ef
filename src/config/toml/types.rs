//! Third stage: a value into what its option takes.
//!
//! Every option takes a text: the one that it takes in INI. Beside it an option takes what its type
//! is in TOML. All else is unfit, and is told where the option is read.

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::super::document::Written;
use super::super::options::{OptionDoc, ValueType};
use crate::python::quote;

/// A value that its option does not take.
#[derive(Debug)]
pub(super) struct Unfit {
    /// [`Written::Unfit`]
    pub(super) value: Written,
    /// The byte where the item stands that is to blame, if it is not the whole value.
    pub(super) start: Option<usize>,
}

/// What an option takes beside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Boolean,
    BooleanOrWord,
    Integer,
    /// An integer or a float.
    Seconds,
    Size,
    /// A number whose digits are meant as octal ones.
    Octal,
    /// A number that stands for something that has a name as well.
    Number,
    Texts,
    Integers,
    Table,
}

impl Beside {
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
            | ValueType::Percent => Self::Number,
            ValueType::List
            | ValueType::Globs
            | ValueType::Command
            | ValueType::Files
            | ValueType::Dependencies
            | ValueType::Checks => Self::Texts,
            ValueType::ExitCodes => Self::Integers,
            ValueType::Pairs => Self::Table,
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
            | ValueType::Zone => Self::Nothing,
        }
    }

    /// For messages, with the text.
    fn told(self) -> &'static str {
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

/// Takes a value for its option; one that nobody knows may have any. `text` is the whole file.
pub(super) fn written(
    option: Option<&OptionDoc>,
    value: &Spanned<DeValue<'_>>,
    text: &str,
) -> Result<Written, Unfit> {
    if let DeValue::String(value) = value.get_ref() {
        return Ok(Written::Text(value.to_string()));
    }
    let shown = &text[value.span()];
    let Some(option) = option else { return Ok(Written::Text(shown.to_owned())) };
    let beside = Beside::of(option.value);
    let unfit = ValueContext { option, text, shown };
    match (value.get_ref(), beside) {
        (DeValue::Boolean(value), Beside::Boolean | Beside::BooleanOrWord) => {
            Ok(Written::Text(value.to_string()))
        }
        (
            DeValue::Integer(value),
            Beside::Integer | Beside::Seconds | Beside::Size | Beside::Number | Beside::Integers,
        ) => Ok(Written::Text(decimal(value))),
        (DeValue::Float(value), Beside::Seconds) => Ok(Written::Text(value.as_str().to_owned())),
        (DeValue::Integer(value), Beside::Octal) if value.radix() == 8 => {
            Ok(Written::Text(value.as_str().to_owned()))
        }
        (DeValue::Array(items), Beside::Texts | Beside::Integers) => list(items, beside, &unfit),
        (DeValue::Table(table), Beside::Table) => pairs(table, &unfit),
        _ => Err(unfit.of(&quote(option.name), beside.told(), value, None)),
    }
}

fn list(items: &DeArray<'_>, beside: Beside, unfit: &ValueContext<'_>) -> Result<Written, Unfit> {
    let item = |item: &Spanned<DeValue<'_>>| match (item.get_ref(), beside) {
        (DeValue::String(text), Beside::Texts) => Ok(text.to_string()),
        (DeValue::Integer(value), Beside::Integers) => Ok(decimal(value)),
        _ => {
            let what = format!("each item of {}", quote(unfit.option.name));
            let expected = if beside == Beside::Integers { "an integer" } else { "a text" };
            Err(unfit.of(&what, expected, item, Some(item.span().start)))
        }
    };
    items.iter().map(item).collect::<Result<_, _>>().map(Written::List)
}

/// Environment variables. Numbers are taken as they are written.
fn pairs(table: &DeTable<'_>, unfit: &ValueContext<'_>) -> Result<Written, Unfit> {
    let mut found = Vec::new();
    for (key, value) in table {
        let (name, start) = (key.get_ref(), key.span().start);
        if name.is_empty() || name.contains(['=', '\0']) {
            let message =
                format!("{} can not hold a variable called {}", quote(unfit.option.name), quote(name));
            return Err(unfit.told(message, start));
        }
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Integer(value) => value.to_string(),
            DeValue::Float(value) => value.as_str().to_owned(),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let what = format!("{} in {}", quote(name), quote(unfit.option.name));
                return Err(unfit.of(&what, "a text, a number, true or false", value, Some(start)));
            }
        };
        found.push((start, (name.to_string(), text)));
    }
    found.sort_by_key(|(start, _)| *start);
    Ok(Written::Pairs(found.into_iter().map(|(_, pair)| pair).collect()))
}

/// As INI has it. What is too large stays as it is written, for the reader to refuse.
fn decimal(value: &DeInteger<'_>) -> String {
    let number = i64::from_str_radix(value.as_str(), value.radix());
    number.map_or_else(|_| value.to_string(), |number| number.to_string())
}

/// What all messages about one value need.
struct ValueContext<'v> {
    option: &'v OptionDoc,
    /// The whole file.
    text: &'v str,
    /// The value as it is written there.
    shown: &'v str,
}

impl ValueContext<'_> {
    /// `what` must be `expected` and is `value`, which stands at `start` if that is not the whole.
    fn of(&self, what: &str, expected: &str, value: &Spanned<DeValue<'_>>, start: Option<usize>) -> Unfit {
        let found = self.named(value);
        let message = format!("{what} must be {expected}, not {found}");
        let value = Written::Unfit { shown: self.shown.to_owned(), message };
        Unfit { value, start }
    }

    fn told(&self, message: String, start: usize) -> Unfit {
        Unfit { value: Written::Unfit { shown: self.shown.to_owned(), message }, start: Some(start) }
    }

    /// A value with its type; one that is a secret does not show.
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
