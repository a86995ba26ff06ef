//! The parameters of a request: the fields of its query.

use super::error::ApiError;
use crate::http::{Request, form_fields};

/// The given parameters, each of them known and given once.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters of a request for something that has these.
    pub(super) fn of(request: &Request, known: &[&str]) -> Result<Self, ApiError> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in form_fields(request.query.as_deref().unwrap_or_default()) {
            if !known.contains(&name.as_str()) {
                return Err(ApiError::bad_request(&format!("there is no parameter '{name}' here")));
            }
            if given.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::bad_request(&format!("the parameter '{name}' is given twice")));
            }
            given.push((name, value));
        }
        Ok(Self(given))
    }

    /// A number without a sign.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        number(text).map(Some).ok_or_else(|| ApiError::bad_request(&format!("'{name}' is not a number")))
    }

    /// One parameter has no meaning together with another one.
    pub(super) fn exclude(&self, name: &str, other: &str) -> Result<(), ApiError> {
        match self.text(name) {
            Some(_) => Err(ApiError::bad_request(&format!("'{name}' has no meaning with '{other}' here"))),
            None => Ok(()),
        }
    }

    /// One parameter has a meaning only with another one, which is not given.
    pub(super) fn require(&self, name: &str, other: &str) -> Result<(), ApiError> {
        match self.text(name) {
            Some(_) => Err(ApiError::bad_request(&format!("'{name}' needs '{other}'"))),
            None => Ok(()),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(ApiError::bad_request(&format!("'{name}' is neither true nor false"))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// The largest integer that every reader of JSON can represent.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Digits only: a plus sign is a blank in a query.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number <= NUMBER_MAX)
}
