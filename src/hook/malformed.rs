//! Why the body of a proven delivery cannot be understood.
//!
//! It names fields and positions, never what a body says.

/// A body that is not what its sender sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}
