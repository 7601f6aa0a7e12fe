//! What can be wrong with a Receiver, in words for its user.
//!
//! Finding it out is `compile`'s; what becomes of such a Receiver is the controller's.

use std::fmt;

use super::Sender;
use crate::{
    api::{
        annotations::{CLIENT_CERTIFICATE, RATE, REPLAY_WINDOW, REPLAYS, SENDER},
        clients::InvalidNetworks,
        rate::InvalidRate,
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

    /// Whether the first thing that Flux would find is an expression: it looks at filters before all else, and at providers last.
    #[must_use]
    pub fn begins_with_expression(&self) -> bool {
        let is_filter = |problem: &Problem| {
            matches!(
                problem,
                Problem::InvalidResourceFilter { .. } | Problem::InvalidFilter { .. }
            )
        };
        self.0.iter().any(is_filter) || self.0.iter().all(Problem::is_in_provider_expression)
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
    /// The annotation says neither that a certificate is required nor whom it may be for.
    #[error(
        "annotation {CLIENT_CERTIFICATE} is `{text}`; write `required`, or at most 16 names that the certificate may be for, comma-separated, each a DNS name without a wildcard or a URI, such as gitlab.example.com or spiffe://example.com/gitlab"
    )]
    InvalidCertificateRule {
        /// The value of the annotation.
        text: String,
    },
    /// A certificate is asked for where none can be checked.
    #[error(
        "annotation {CLIENT_CERTIFICATE} asks for a client certificate, which this gateway cannot check: let hookgate run with --tls-cert-file, --tls-key-file and --client-ca-file; behind a proxy that ends TLS, let the proxy check certificates and remove the annotation"
    )]
    UncheckedCertificate,
    /// The networks that deliveries may come from are not written as such.
    #[error(transparent)]
    InvalidClients(InvalidNetworks),
    /// The rate is not one.
    #[error("annotation {RATE} is `{text}`; {invalid}")]
    InvalidRate {
        /// The value of the annotation.
        text: String,
        /// How one is written.
        invalid: InvalidRate,
    },
    /// Replays are neither to trigger nor to be refused.
    #[error("annotation {REPLAYS} is `{text}`; write `refuse`, or `trigger`, as it is without")]
    InvalidReplays {
        /// The value of the annotation.
        text: String,
    },
    /// Replays are to be refused for a sender whose deliveries cannot be told apart.
    #[error(
        "annotation {REPLAYS} has no effect: `{}` signs nothing that tells one delivery from another; remove it",
        sender.as_str()
    )]
    UselessReplays {
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
    /// A mistake in an entry of `spec.oidcProviders`.
    #[error("oidcProviders[{index}]{}: {problem}", named(issuer.as_deref()))]
    Provider {
        /// The position in `spec.oidcProviders`.
        index: usize,
        /// The URL of the issuer, unless that is what is wrong.
        issuer: Option<String>,
        /// What is wrong.
        problem: Box<ProviderProblem>,
    },
    /// A kind that the schema does not list.
    #[error("resources[{index}]: unknown kind `{kind}`")]
    UnknownKind {
        /// The position in `spec.resources`.
        index: usize,
        /// The kind as written.
        kind: String,
    },
}

/// One thing that is wrong with an entry of `spec.oidcProviders`; the texts that Flux has are Flux's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderProblem {
    /// The URL is empty.
    #[error("issuerURL is required")]
    MissingUrl,
    /// The URL is of another scheme.
    #[error("issuerURL \"{url}\" must start with http:// or https://")]
    NotHttp {
        /// The URL.
        url: String,
    },
    /// The URL cannot be fetched from.
    #[error(
        "issuerURL \"{url}\" must be a host with or without a path, and have no user name, query or fragment"
    )]
    NotAnAddress {
        /// The URL.
        url: String,
    },
    /// The keys would be fetched without TLS, so that anybody on the way could put in another.
    #[error(
        "issuerURL \"{url}\" is not https; serve the issuer over https, or let hookgate run with --oidc-allow-http"
    )]
    Plain {
        /// The URL.
        url: String,
    },
    /// Another entry has the same URL.
    #[error("duplicate issuerURL \"{url}\"")]
    DuplicateUrl {
        /// The URL.
        url: String,
    },
    /// Whatever the issuer signs would do.
    #[error(
        "at least one validation is required; without validations any caller able to obtain a token from this issuer can trigger the Receiver"
    )]
    NoValidations,
    /// A variable has no name.
    #[error("variables[{index}]: name is required")]
    UnnamedVariable {
        /// The position in `variables`.
        index: usize,
    },
    /// A variable has no expression.
    #[error("variables[{index}] (name=\"{name}\"): expression is required")]
    EmptyVariable {
        /// The position in `variables`.
        index: usize,
        /// The name.
        name: String,
    },
    /// A validation has no expression.
    #[error("validations[{index}]: expression is required")]
    EmptyValidation {
        /// The position in `validations`.
        index: usize,
    },
    /// The expression of a variable is not CEL, or uses what there is not.
    #[error("invalid expression for variable \"{name}\": {error}")]
    InvalidVariable {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: Uncompilable,
    },
    /// The expression of a validation is not CEL, uses what there is not, or is no condition.
    #[error("invalid expression for validation \"{message}\": {error}")]
    InvalidValidation {
        /// The message.
        message: String,
        /// What is wrong with it.
        error: Uncompilable,
    },
    /// A validation has no message.
    #[error("validations[{index}]: message is required")]
    NoMessage {
        /// The position in `validations`.
        index: usize,
    },
}

impl ProviderProblem {
    /// Whether the mistake is in an expression.
    fn is_in_expression(&self) -> bool {
        matches!(
            self,
            Self::InvalidVariable { .. } | Self::InvalidValidation { .. }
        )
    }
}

impl Problem {
    /// Whether the mistake is in an expression of a provider, which Flux looks at after all else.
    fn is_in_provider_expression(&self) -> bool {
        matches!(self, Self::Provider { problem, .. } if problem.is_in_expression())
    }
}

/// What names a provider besides its position.
fn named(issuer: Option<&str>) -> String {
    issuer.map_or_else(String::new, |issuer| format!(" (issuerURL=\"{issuer}\")"))
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
