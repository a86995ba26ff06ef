//! Parameters of a call, checked against what its method takes.

use crate::model::{Fault, FaultCode, LogLevel, Namespec, Reading, Signal, SignalRequest, Wait};
use crate::xmlrpc::Value;

use super::methods::Param;

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

/// As many parameters as the method takes.
pub(super) struct Arguments<'a> {
    given: &'a [Value],
    taken: &'static [Param],
}

impl<'a> Arguments<'a> {
    /// Parameters that are optional may be missing at the end.
    pub(super) fn of(given: &'a [Value], taken: &'static [Param]) -> Result<Self, Fault> {
        let required = taken.iter().filter(|param| !param.optional).count();
        if (required..=taken.len()).contains(&given.len()) {
            Ok(Self { given, taken })
        } else {
            Err(Fault::bare(FaultCode::IncorrectParameters))
        }
    }

    /// Whatever it is; it is there.
    pub(super) fn any(&self, place: usize) -> &'a Value {
        const NOTHING: &Value = &Value::Array(Vec::new());
        self.given.get(place).unwrap_or(NOTHING)
    }

    pub(super) fn text(&self, place: usize) -> Result<&'a str, Fault> {
        self.given.get(place).and_then(Value::as_str).ok_or_else(|| self.mistyped(place))
    }

    /// A text, or what Python would print for a number or a truth.
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

    /// A number, or whatever else Python makes one of: a text that is one, a fraction, a truth.
    pub(super) fn number(&self, place: usize) -> Result<i64, Fault> {
        let number = self.given.get(place).and_then(|value| match value {
            Value::Int(number) => Some(*number),
            Value::Bool(truth) => Some(i64::from(*truth)),
            Value::Double(number) => number.is_finite().then_some(*number as i64),
            other => other.as_str()?.trim().parse().ok(),
        });
        number.ok_or_else(|| self.mistyped(place))
    }

    pub(super) fn range(&self, place: usize) -> Result<Reading, Fault> {
        Ok(Reading::Range { offset: self.number(place)?, length: self.number(place + 1)? })
    }

    pub(super) fn tail(&self, place: usize) -> Result<Reading, Fault> {
        Ok(Reading::Tail { offset: self.number(place)?, length: self.number(place + 1)? })
    }

    /// Supervisor takes whatever Python holds for true; scripts send 0 and 1.
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

    /// A number, or a text that is a number or a name.
    pub(super) fn signal(&self, place: usize) -> Result<SignalRequest, Fault> {
        match self.given.get(place) {
            Some(Value::Int(number)) => Ok(Signal::from_number(*number).ok_or(number.to_string())),
            _ => self.text(place).map(|text| named_signal(text).ok_or(text.to_owned())),
        }
    }

    /// A level of the log by its name in four letters or its number in Supervisor; INFO unless given.
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

    /// The reference answers this with an internal error, so the words are ours.
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
