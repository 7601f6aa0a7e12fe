//! What can be wrong with an expression, and with an evaluation of it, in words for its author.
//!
//! The texts that cel-go has are cel-go's; none quotes a value that an expression was evaluated with.

use std::{borrow::Cow, fmt};

use super::bounds::{MAX_COST, MAX_MADE_BYTES, Unbounded};

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncompilable {
    /// The text is none that a parser should see.
    #[error("failed to parse the CEL expression: {0}")]
    Unbounded(#[from] Unbounded),
    /// The text is not CEL, or uses names, functions or types in a way that never works.
    #[error("failed to parse the CEL expression '{expression}': {error}")]
    Wrong {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        error: SyntaxError,
    },
    /// The result is of another type than the one that is needed.
    #[error("CEL expression output type mismatch: expected bool, got {found}")]
    NotBool {
        /// The type of the result.
        found: String,
    },
    /// The engine failed, which is a defect of it.
    #[error("failed to parse the CEL expression '{expression}': the engine cannot compile it")]
    Broken {
        /// The expression.
        expression: String,
    },
}

/// What is wrong with the text of an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    line: usize,
    column: usize,
    detail: String,
}

impl SyntaxError {
    /// An error at so many bytes into the text.
    pub(super) fn new(text: &str, at: usize, detail: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            detail,
        } = self;
        write!(f, "ERROR: <input>:{line}:{column}: {detail}")
    }
}

/// Why an expression has no result for some values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unevaluable {
    /// It has none, or none yet.
    #[error("failed to evaluate the CEL expression '{expression}': {failure}")]
    Failed {
        /// The expression.
        expression: String,
        /// Why.
        failure: Failure,
    },
    /// The result should be a truth value and is not.
    #[error("failed to evaluate CEL expression as boolean: '{expression}'")]
    NotBool {
        /// The expression.
        expression: String,
    },
}

/// What ends an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An error of the expression, such as `no such key: branch`.
    #[error("{0}")]
    Error(Cow<'static, str>),
    /// It takes too long.
    #[error("it takes more than {MAX_COST} steps; compare less of the request, or without loops")]
    TooExpensive,
    /// It makes too much of what it is given.
    #[error("it makes more than {MAX_MADE_BYTES} bytes of values")]
    TooLarge,
    /// Whoever asked does not wait any longer.
    #[error("it was interrupted, because it took too long")]
    Interrupted,
    /// The engine failed, which is a defect of it.
    #[error("the engine cannot evaluate it")]
    Broken,
}

impl Failure {
    pub(super) const fn of(text: &'static str) -> Self {
        Self::Error(Cow::Borrowed(text))
    }

    pub(super) const fn no_such_overload() -> Self {
        Self::of("no such overload")
    }

    /// Whether `&&`, `||` and the loops over them may find the result without what failed.
    pub(super) fn is_absorbed(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}
