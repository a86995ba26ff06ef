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

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}
