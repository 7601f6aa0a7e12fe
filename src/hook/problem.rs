//! What can be wrong with a Receiver, in words for its user.
//!
//! Finding it out is `compile`'s; what becomes of such a Receiver is the controller's.

use std::fmt;

use super::Sender;
use crate::{
    api::{
        annotations::{REPLAY_WINDOW, SENDER},
        receiver::ReceiverType,
    },
    cel::Uncompilable,
};

/// Everything that is wrong with a Receiver.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidReceiver(Vec<Problem>);

impl InvalidReceiver {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// Whether the first thing that Flux would find is an expression: it looks at filters before all else.
    #[must_use]
    pub fn begins_with_expression(&self) -> bool {
        let is_filter = |problem: &Problem| {
            matches!(
                problem,
                Problem::InvalidResourceFilter { .. } | Problem::InvalidFilter { .. }
            )
        };
        self.0.iter().any(is_filter)
    }

    /// The problems, in the order of the fields they are about; there is at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for InvalidReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a Receiver; the texts that Flux has are Flux's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The sender cannot be authenticated by this version.
    #[error(
        "type `{name}` is not supported by this version of hookgate; supported types are {}",
        names(Sender::types())
    )]
    UnsupportedType {
        /// The value of `spec.type`.
        name: String,
    },
    /// The annotation names no sender that a Receiver of this type can have.
    #[error("annotation {SENDER} is `{name}`, {}", choices(*.type_))]
    UnknownSender {
        /// The value of the annotation.
        name: String,
        /// The value of `spec.type`.
        type_: ReceiverType,
    },
    /// The window is not a duration, or none that makes sense.
    #[error("annotation {REPLAY_WINDOW} is `{text}`; write a duration from 1s to 24h, such as 5m")]
    InvalidWindow {
        /// The value of the annotation.
        text: String,
    },
    /// The window is set for a sender that does not sign when it sends.
    #[error(
        "annotation {REPLAY_WINDOW} has no effect: `{}` does not sign a time; remove it",
        sender.as_str()
    )]
    UselessWindow {
        /// The sender.
        sender: Sender,
    },
    /// The filter of the Receiver is not CEL, uses what there is not, or is no condition.
    #[error("invalid resourceFilter expression: {error}")]
    InvalidResourceFilter {
        /// What is wrong with it.
        error: Uncompilable,
    },
    /// The same of the filter of a reference.
    #[error(
        "invalid filter expression for resources[{index}] (kind=\"{kind}\", name=\"{name}\"): {error}"
    )]
    InvalidFilter {
        /// The position in `spec.resources`.
        index: usize,
        /// The kind as written.
        kind: String,
        /// The name as written.
        name: String,
        /// What is wrong with it.
        error: Uncompilable,
    },
    /// `generic-oidc` without a provider.
    #[error("generic-oidc receiver requires at least one oidcProvider")]
    MissingOidcProvider,
    /// Providers on another type.
    #[error("oidcProviders can only be set when type is generic-oidc")]
    UnexpectedOidcProviders,
    /// A Secret on `generic-oidc`.
    #[error("secretRef cannot be set when type is generic-oidc")]
    UnexpectedSecret,
    /// No Secret on another type.
    #[error("secretRef is required when type is not generic-oidc")]
    MissingSecret,
    /// A kind that the schema does not list.
    #[error("resources[{index}]: unknown kind `{kind}`")]
    UnknownKind {
        /// The position in `spec.resources`.
        index: usize,
        /// The kind as written.
        kind: String,
    },
}

fn names(senders: impl Iterator<Item = Sender>) -> String {
    senders.map(Sender::as_str).collect::<Vec<_>>().join(", ")
}

/// What the annotation may be on a Receiver of this type.
fn choices(type_: ReceiverType) -> String {
    let names = names(Sender::on(type_));
    let type_ = type_.as_str();
    if names.is_empty() {
        format!("but type `{type_}` has no other senders than its own; remove it")
    } else {
        format!("which is no sender on type `{type_}`; those are {names}")
    }
}
