//! Structural schemas of custom resources: prune, default, validate.
//!
//! Pure functions of JSON values; storage and HTTP are elsewhere.

/// A compiled structural schema.
#[derive(Debug)]
pub(crate) struct Schema {}
