//! The cache of `supervisor_cache`: values under keys, in memory only.

use std::collections::BTreeMap;

use super::arguments::Arguments;
use crate::model::{Fault, FaultCode, Permission, Role};
use crate::xmlrpc::Value;

/// The maximum size of keys and values together.
pub const CACHE_BYTES_MAX: usize = 1024 * 1024;

/// A call to the cache.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheCall {
    /// Lists all keys.
    Keys,
    /// Counts the keys.
    Count,
    /// Stores a value.
    Store(String, Value),
    /// Returns a value.
    Fetch(String),
    /// Deletes a value.
    Delete(String),
    /// Deletes all values.
    Clear,
}

impl CacheCall {
    /// What it requires of the client: what other programs read from the cache, only an admin may change.
    #[must_use]
    pub fn permission(&self) -> Permission {
        match self {
            Self::Keys | Self::Count | Self::Fetch(_) => Permission::of(Role::Read, "see anything"),
            Self::Store(..) | Self::Delete(_) | Self::Clear => {
                Permission::of(Role::Admin, "change the cache")
            }
        }
    }

    pub(super) fn store(given: &Arguments<'_>) -> Result<Self, Fault> {
        Ok(Self::Store(key(given)?, given.any(1).clone()))
    }

    pub(super) fn fetch(given: &Arguments<'_>) -> Result<Self, Fault> {
        key(given).map(Self::Fetch)
    }

    pub(super) fn delete(given: &Arguments<'_>) -> Result<Self, Fault> {
        key(given).map(Self::Delete)
    }
}

fn key(given: &Arguments<'_>) -> Result<String, Fault> {
    let key = given.text(0).ok().filter(|key| !key.is_empty());
    let refused = || Fault::about(FaultCode::BadName, "Cache key must be a non-empty string");
    key.map(str::to_owned).ok_or_else(refused)
}

/// The values that clients have stored.
#[derive(Debug, Default)]
pub struct Cache {
    entries: BTreeMap<String, Value>,
    bytes: usize,
}

impl Cache {
    /// Performs a call.
    ///
    /// # Errors
    ///
    /// BAD_NAME for an unknown key, FAILED for a value that does not fit.
    pub fn answer(&mut self, call: CacheCall) -> Result<Value, Fault> {
        match call {
            CacheCall::Keys => Ok(Value::Array(self.entries.keys().map(|key| key.as_str().into()).collect())),
            CacheCall::Count => Ok(i64::try_from(self.entries.len()).unwrap_or(i64::MAX).into()),
            CacheCall::Store(key, value) => self.store(key, value),
            CacheCall::Fetch(key) => self.entries.get(&key).cloned().ok_or(Fault::bare(FaultCode::BadName)),
            CacheCall::Delete(key) => {
                self.delete(&key);
                Ok(true.into())
            }
            CacheCall::Clear => {
                *self = Self::default();
                Ok(true.into())
            }
        }
    }

    fn store(&mut self, key: String, value: Value) -> Result<Value, Fault> {
        let replaced = self.entries.get(&key).map_or(0, |old| entry_bytes(&key, old));
        let bytes = (self.bytes - replaced).saturating_add(entry_bytes(&key, &value));
        if bytes > CACHE_BYTES_MAX {
            let text = format!("the cache can hold {CACHE_BYTES_MAX} bytes");
            return Err(Fault::about(FaultCode::Failed, text));
        }
        self.entries.insert(key, value);
        self.bytes = bytes;
        Ok(true.into())
    }

    fn delete(&mut self, key: &str) {
        if let Some(value) = self.entries.remove(key) {
            self.bytes -= entry_bytes(key, &value);
        }
    }
}

fn entry_bytes(key: &str, value: &Value) -> usize {
    key.len().saturating_add(value.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: FaultCode, outcome: Result<Value, Fault>) {
        assert_eq!(outcome.unwrap_err().code, code);
    }

    #[test]
    fn values_are_kept_under_their_keys() {
        let mut cache = Cache::default();
        for (key, value) in [("b", "two"), ("a", "one"), ("b", "three")] {
            assert_eq!(cache.answer(CacheCall::Store(key.to_owned(), value.into())), Ok(true.into()));
        }
        let keys = Value::Array(vec!["a".into(), "b".into()]);
        assert_eq!(cache.answer(CacheCall::Keys), Ok(keys));
        assert_eq!(cache.answer(CacheCall::Count), Ok(2.into()));
        assert_eq!(cache.answer(CacheCall::Fetch("b".to_owned())), Ok("three".into()));
        assert_eq!(cache.answer(CacheCall::Delete("b".to_owned())), Ok(true.into()));
        assert_eq!(cache.answer(CacheCall::Delete("b".to_owned())), Ok(true.into()));
        refused(FaultCode::BadName, cache.answer(CacheCall::Fetch("b".to_owned())));
        assert_eq!(cache.answer(CacheCall::Clear), Ok(true.into()));
        assert_eq!((cache.answer(CacheCall::Count), cache.bytes), (Ok(0.into()), 0));
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = Cache::default();
        let half = "x".repeat(CACHE_BYTES_MAX / 2);
        assert!(cache.answer(CacheCall::Store("a".to_owned(), half.as_str().into())).is_ok());
        refused(FaultCode::Failed, cache.answer(CacheCall::Store("b".to_owned(), half.as_str().into())));
        // Replacing a value doesn't need room for both.
        assert!(cache.answer(CacheCall::Store("a".to_owned(), half.as_str().into())).is_ok());
        assert!(cache.answer(CacheCall::Delete("a".to_owned())).is_ok());
        assert!(cache.answer(CacheCall::Store("b".to_owned(), half.as_str().into())).is_ok());
    }
}
