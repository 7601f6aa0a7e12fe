//! What a token claims, and the ways to look at it.
//!
//! Which claims must be there, and what they must say, differs between senders and is theirs to decide.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a token claims: an object of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::hook) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// A claim; `null` counts as none.
    pub(in crate::hook) fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A claim that is a string.
    pub(in crate::hook) fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.as_str()
    }

    /// Whether the token is for this audience, alone or among others.
    pub(in crate::hook) fn is_for(&self, audience: &str) -> bool {
        match self.find("aud") {
            Some(Value::String(only)) => only == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// A time, in seconds since 1970 and rounded towards that, which may be written with a fraction.
    pub(in crate::hook) fn seconds(&self, name: &str) -> Option<i64> {
        let number = self.find(name)?.as_number()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a time beyond what fits is as far away as it can be"
        )]
        let truncated = |seconds: f64| seconds as i64;
        number.as_i64().or_else(|| number.as_f64().map(truncated))
    }

    /// Everything that is claimed.
    pub(in crate::hook) fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Whether a time in seconds lies before `now`, by however little.
pub(in crate::hook) fn is_before(seconds: i64, now: Timestamp) -> bool {
    i128::from(seconds) * 1_000_000_000 < now.as_nanosecond()
}
