//! What a Receiver asks of the certificate of a client, and whether a client has it.
//!
//! A certificate adds to the credential of a sender and never replaces it. Whether one can be trusted is found out
//! where TLS ends; here it is names.

use super::{Hook, problem::Problem};
use crate::api::annotations::CLIENT_CERTIFICATE;

/// Any certificate that one of the gateway's authorities signed will do.
const REQUIRED: &str = "required";
/// How many names a Receiver may allow.
const MAX_NAMES: usize = 16;
/// The longest name, in bytes; what DNS allows (RFC 1035, 2.3.4).
const MAX_NAME_BYTES: usize = 253;
/// How many names of a certificate are told to the operator.
const MAX_TOLD: usize = 4;

/// Whether the gateways may check client certificates, as far as a controller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateChecks {
    /// A gateway may.
    Possible,
    /// The gateway is this process, and it does not.
    Impossible,
}

/// Which certificates a Receiver lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CertificateRule {
    Any,
    For(Vec<String>),
}

/// What is known of the certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientIdentity {
    /// The listener asks no client for one.
    NotAskedFor,
    /// The client has none.
    Absent,
    /// It cannot be trusted.
    Untrusted {
        /// Why.
        reason: String,
    },
    /// An authority vouches for it.
    Proven {
        /// The DNS names and URIs that it is for.
        names: Vec<String>,
    },
    /// It is taken for the right one, where nothing follows from it.
    Assumed,
}

/// Why the certificate of a client is refused: for the operator, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCertificate {
    /// The listener asks no client for one.
    #[error(
        "annotation {CLIENT_CERTIFICATE} asks for a client certificate, which this gateway asks of nobody: let hookgate run with `--client-ca-file` where TLS ends; behind a proxy that ends TLS, let the proxy check certificates and remove the annotation"
    )]
    NotAskedFor,
    /// The client has none.
    #[error("the client showed no certificate")]
    Absent,
    /// It cannot be trusted.
    #[error("the client certificate cannot be trusted: {reason}")]
    Untrusted {
        /// Why.
        reason: String,
    },
    /// It is for other names than the Receiver allows.
    #[error(
        "the client certificate is for {names}, and annotation {CLIENT_CERTIFICATE} allows none of that"
    )]
    OtherNames {
        /// Some of the names that it is for.
        names: String,
    },
}

impl CertificateRule {
    /// What the annotation of a Receiver asks for; a problem when it is not understood, or cannot be had.
    pub(super) fn compile(text: &str, checks: CertificateChecks) -> Result<Self, Problem> {
        let rule = Self::parse(text).ok_or_else(|| Problem::InvalidCertificateRule {
            text: text.to_owned(),
        })?;
        match checks {
            CertificateChecks::Possible => Ok(rule),
            CertificateChecks::Impossible => Err(Problem::UncheckedCertificate),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == REQUIRED {
            return Some(Self::Any);
        }
        let names = text.split(',').map(|name| canonical(name.trim()));
        let names: Vec<_> = names.take(MAX_NAMES + 1).collect::<Option<_>>()?;
        (names.len() <= MAX_NAMES).then_some(Self::For(names))
    }

    fn allows(&self, names: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::For(allowed) => {
                let mut names = names.iter().filter_map(|name| canonical(name));
                names.any(|name| allowed.contains(&name))
            }
        }
    }
}

impl Hook {
    /// Whether a client may go on to its credential; what its certificate tells is only asked if the Receiver cares.
    pub fn check_certificate(
        &self,
        identity: impl FnOnce() -> ClientIdentity,
    ) -> Result<(), RefusedCertificate> {
        let Some(rule) = &self.settings.certificate else {
            return Ok(());
        };
        match identity() {
            ClientIdentity::Proven { names } if !rule.allows(&names) => {
                Err(RefusedCertificate::OtherNames {
                    names: told(&names),
                })
            }
            ClientIdentity::Proven { .. } | ClientIdentity::Assumed => Ok(()),
            ClientIdentity::Untrusted { reason } => Err(RefusedCertificate::Untrusted { reason }),
            ClientIdentity::Absent => Err(RefusedCertificate::Absent),
            ClientIdentity::NotAskedFor => Err(RefusedCertificate::NotAskedFor),
        }
    }

    /// Whether the Receiver asks for the certificate of a client.
    #[must_use]
    pub fn asks_for_certificate(&self) -> bool {
        self.settings.certificate.is_some()
    }
}

/// A DNS name in lower case, or a URI as it is; nothing for what is neither, or stands for several names.
fn canonical(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES || name == REQUIRED {
        return None;
    }
    match name.split_once(':') {
        Some((scheme, rest)) => {
            let is_uri = is_scheme(scheme) && !rest.is_empty();
            (is_uri && rest.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
        }
        None => name
            .split('.')
            .all(is_label)
            .then(|| name.to_ascii_lowercase()),
    }
}

/// RFC 3986, 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// RFC 1123, 2.1.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn told(names: &[String]) -> String {
    if names.is_empty() {
        return "no DNS name or URI".to_owned();
    }
    let some = names.iter().take(MAX_TOLD);
    let some = some.map(|name| {
        format!(
            "{:?}",
            name.chars().take(MAX_NAME_BYTES).collect::<String>()
        )
    });
    some.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Option<CertificateRule> {
        CertificateRule::compile(text, CertificateChecks::Possible).ok()
    }

    fn allows(text: &str, names: &[&str]) -> bool {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        rule(text).unwrap().allows(&names)
    }

    #[test]
    fn any_certificate_will_do_where_one_is_required() {
        assert!(allows("required", &["gitlab.example.com"]));
        assert!(allows(" required ", &[]));
    }

    #[test]
    fn a_certificate_must_be_for_a_name_that_is_allowed() {
        let text = "gitlab.example.com, spiffe://example.com/ci/Runner";
        assert!(allows(text, &["GitLab.example.com"]));
        assert!(allows(text, &["other", "spiffe://example.com/ci/Runner"]));
        for other in [
            "example.com",
            "a.gitlab.example.com",
            "*.example.com",
            "gitlab.example.com.",
            "spiffe://example.com/ci/runner",
            "spiffe://example.com/ci/Runner/2",
        ] {
            assert!(!allows(text, &[other]), "{other}");
        }
        assert!(!allows(text, &[]));
    }

    #[test]
    fn what_names_nobody_or_several_is_refused() {
        let many = vec!["a.example.com"; MAX_NAMES + 1].join(",");
        let long = format!("{}.example.com", "a.".repeat(130));
        for text in [
            "",
            ",",
            "a.example.com,",
            "*.example.com",
            "*",
            "required, a.example.com",
            "a b",
            "-a.example.com",
            "a..example.com",
            "a@example.com",
            ":x",
            "urn:",
            "1a:x",
            "spiffe://example.com/a b",
            &many,
            &long,
        ] {
            assert_eq!(rule(text), None, "{text:?}");
        }
        assert!(rule(&vec!["a.example.com"; MAX_NAMES].join(",")).is_some());
    }

    #[test]
    fn what_can_never_be_checked_is_a_problem_of_the_receiver() {
        let compiled = CertificateRule::compile("required", CertificateChecks::Impossible);
        assert_eq!(compiled, Err(Problem::UncheckedCertificate));
    }

    #[test]
    fn few_names_are_told_and_none_as_it_is() {
        let names: Vec<_> = (0..9).map(|index| format!("{index}\n")).collect();
        assert_eq!(told(&names), r#""0\n", "1\n", "2\n", "3\n""#);
        assert!(told(&[]).starts_with("no DNS name"));
    }
}
