//! Parameters of a call, checked against the signature of its method.

use crate::model::{Fault, FaultCode, LogLevel, LogRange, Namespec, Signal, SignalRequest, Wait};
use crate::xmlrpc::Value;

use super::signature::Param;

/// The levels with Supervisor's numbers.
const LOG_LEVELS: [(LogLevel, i64); 7] = [
    (LogLevel::Critical, 50),
    (LogLevel::Error, 40),
    (LogLevel::Warn, 30),
    (LogLevel::Info, 20),
    (LogLevel::Debug, 10),
    (LogLevel::Trace, 5),
    (LogLevel::Blather, 3),
];

/// The parameters, as many as the method takes.
pub(super) struct Arguments<'a> {
    given: &'a [Value],
    taken: &'static [Param],
}

impl<'a> Arguments<'a> {
    /// Optional parameters may be missing at the end.
    pub(super) fn of(given: &'a [Value], taken: &'static [Param]) -> Result<Self, Fault> {
        let required = taken.iter().filter(|param| !param.optional).count();
        if (required..=taken.len()).contains(&given.len()) {
            Ok(Self { given, taken })
        } else {
            Err(Fault::bare(FaultCode::IncorrectParameters))
        }
    }

    /// A parameter of any type.
    pub(super) fn any(&self, place: usize) -> &'a Value {
        const NOTHING: &Value = &Value::Array(Vec::new());
        self.given.get(place).unwrap_or(NOTHING)
    }

    pub(super) fn text(&self, place: usize) -> Result<&'a str, Fault> {
        self.given.get(place).and_then(Value::as_str).ok_or_else(|| self.mistyped(place))
    }

    /// A text, or a number or boolean as Python would print it.
    pub(super) fn printed(&self, place: usize) -> Result<String, Fault> {
        match self.given.get(place) {
            Some(Value::Int(number)) => Ok(number.to_string()),
            Some(Value::Double(number)) => Ok(format!("{number:?}")),
            Some(Value::Bool(truth)) => Ok(if *truth { "True" } else { "False" }.to_owned()),
            _ => self.text(place).map(str::to_owned),
        }
    }

    pub(super) fn group(&self, place: usize) -> Result<String, Fault> {
        self.text(place).map(str::to_owned)
    }

    pub(super) fn namespec(&self, place: usize) -> Result<Namespec, Fault> {
        self.text(place).map(Namespec::split)
    }

    /// A number, or anything that Python's `int` accepts: a numeric text, a float, a boolean.
    pub(super) fn number(&self, place: usize) -> Result<i64, Fault> {
        let number = self.given.get(place).and_then(|value| match value {
            Value::Int(number) => Some(*number),
            Value::Bool(truth) => Some(i64::from(*truth)),
            Value::Double(number) => number.is_finite().then_some(*number as i64),
            other => other.as_str()?.trim().parse().ok(),
        });
        number.ok_or_else(|| self.mistyped(place))
    }

    pub(super) fn optional_number(&self, place: usize) -> Result<Option<i64>, Fault> {
        self.given.get(place).map(|_| self.number(place)).transpose()
    }

    pub(super) fn range(&self, place: usize) -> Result<LogRange, Fault> {
        Ok(LogRange::Range { offset: self.number(place)?, length: self.number(place + 1)? })
    }

    pub(super) fn tail(&self, place: usize) -> Result<LogRange, Fault> {
        Ok(LogRange::Tail { offset: self.number(place)?, length: self.number(place + 1)? })
    }

    /// Supervisor accepts any value that Python considers true; scripts send 0 and 1.
    pub(super) fn wait(&self, place: usize) -> Wait {
        let waits = match self.given.get(place) {
            None => true,
            Some(Value::Bool(truth)) => *truth,
            Some(Value::Int(number)) => *number != 0,
            Some(Value::Double(number)) => *number != 0.0,
            Some(Value::String(text) | Value::DateTime(text)) => !text.is_empty(),
            Some(Value::Base64(bytes)) => !bytes.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Struct(members)) => !members.is_empty(),
        };
        if waits { Wait::Yes } else { Wait::No }
    }

    /// A signal by number, numeric text or name.
    pub(super) fn signal(&self, place: usize) -> Result<SignalRequest, Fault> {
        match self.given.get(place) {
            Some(Value::Int(number)) => Ok(Signal::from_number(*number).ok_or(number.to_string())),
            _ => self.text(place).map(|text| named_signal(text).ok_or(text.to_owned())),
        }
    }

    /// A log level by its four-letter name or by its number in Supervisor; the default is INFO.
    pub(super) fn log_level(&self, place: usize) -> Result<LogLevel, Fault> {
        let found = match self.given.get(place) {
            None => Some(LogLevel::Info),
            Some(Value::Int(number)) => {
                LOG_LEVELS.iter().find(|(_, it)| it == number).map(|(level, _)| *level)
            }
            Some(value) => value.as_str().and_then(|name| {
                let named = LOG_LEVELS.iter().find(|(level, _)| level.tag().eq_ignore_ascii_case(name));
                named.map(|(level, _)| *level)
            }),
        };
        found.ok_or(Fault::bare(FaultCode::IncorrectParameters))
    }

    /// The reference answers with an internal error, so the text is ours.
    fn mistyped(&self, place: usize) -> Fault {
        let name = self.taken.get(place).map_or("parameter", |param| param.name);
        let kind = self.taken.get(place).map_or("value", |param| param.kind.name());
        let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
        Fault::about(FaultCode::IncorrectParameters, format!("{name} must be {article} {kind}"))
    }
}

fn named_signal(text: &str) -> Option<Signal> {
    let word = text.trim();
    word.parse().map_or_else(|_| Signal::from_name(word), Signal::from_number)
}
