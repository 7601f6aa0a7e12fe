//! Reading `null` as absent, as the API server does for every field that is not nullable.
//!
//! Nothing is written back: what was absent or `null` stays out of what is serialised.

use serde::{Deserialize, Deserializer};

/// Reads a list or a map whose field may also say `null`.
pub(super) fn null_as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
