//! What an answer of the API server means for a target: worth another try or not, and in which words.
//!
//! Pure; the words are for the sender and the operator, and carry nothing of the request but names.

use std::time::Duration;

use kube::core::Status;

use super::report::Outcome;
use crate::hook::{Selector, TargetKind};

/// Why a request to the API server did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It will not work until somebody changes something, and then it is another request.
    Refused {
        /// What to tell.
        reason: String,
    },
    /// The same request will work once somebody grants it.
    Forbidden {
        /// What to tell.
        reason: String,
    },
    /// It may work another time.
    Transient {
        /// Whose fault it seems to be.
        fault: Fault,
        /// What to tell.
        reason: String,
        /// How long the API server asks to wait.
        retry_after: Option<Duration>,
    },
}

/// What a failure that may pass says of the API server as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is there, and wants fewer requests.
    Busy,
    /// It is not there, or cannot serve.
    Away,
    /// Nothing: this request failed.
    Request,
}

/// What is asked of the API server, as RBAC calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Patch one object.
    Patch,
    /// Read an object by its name.
    List,
    /// List and watch the metadata of objects.
    Watch,
}

impl Failure {
    /// The object is not there, as far as the watches show.
    pub(super) fn missing(selector: &Selector) -> Self {
        Self::Refused {
            reason: format!(
                "`{selector}` does not exist: create it, or correct it in `spec.resources`"
            ),
        }
    }

    /// Judges an answer that is not a success.
    pub(super) fn from_status(
        verb: Verb,
        selector: &Selector,
        status: &Status,
        retry_after: Option<Duration>,
    ) -> Self {
        let (subject, kind) = (selector, kind_of(selector));
        let (grants, verb, resource) = (verb.grants(), verb.as_str(), resource(kind));
        let reason = match status.code {
            403 => {
                return Self::Forbidden {
                    reason: format!(
                        "not allowed to {verb} `{subject}`: grant {grants} on `{resource}` to the service account of hookgate"
                    ),
                };
            }
            404 if names_an_object(status) => return Self::missing(selector),
            404 => format!(
                "the cluster does not serve `{resource}` in version `{}`: install its CustomResourceDefinition, or set `apiVersion` in `spec.resources`",
                kind.version
            ),
            405 => format!("the cluster does not support `{verb}` on `{resource}`"),
            400 | 406 | 415 | 422 => {
                format!(
                    "the API server refuses to {verb} `{subject}`: {}",
                    status.message
                )
            }
            429 => {
                return Self::Transient {
                    fault: Fault::Busy,
                    reason: format!("the API server is too busy to {verb} `{subject}`"),
                    retry_after,
                };
            }
            code => {
                return Self::Transient {
                    fault: if matches!(code, 502..=504) {
                        Fault::Away
                    } else {
                        Fault::Request
                    },
                    reason: format!("the API server answered {code} to {verb} `{subject}`"),
                    retry_after,
                };
            }
        };
        Self::Refused { reason }
    }

    /// What to tell.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Refused { reason }
            | Self::Forbidden { reason }
            | Self::Transient { reason, .. } => reason,
        }
    }

    /// The API server could not be reached, or the connection broke.
    pub(super) fn unreachable(verb: Verb, selector: &Selector) -> Self {
        Self::Transient {
            fault: Fault::Away,
            reason: format!(
                "the API server could not be reached to {} `{}`",
                verb.as_str(),
                selector
            ),
            retry_after: None,
        }
    }

    /// The API server did not answer in time.
    pub(super) fn timed_out(verb: Verb, selector: &Selector) -> Self {
        Self::Transient {
            fault: Fault::Away,
            reason: format!(
                "the API server took too long to {} `{}`",
                verb.as_str(),
                selector
            ),
            retry_after: None,
        }
    }

    /// Receivers select objects of more kinds than are watched.
    pub(super) fn too_many_kinds(selector: &Selector) -> Self {
        let TargetKind { kind, version, .. } = kind_of(selector);
        Self::Refused {
            reason: format!(
                "Receivers select objects of too many kinds and API versions for `{kind}` in `{version}` to be watched: leave out `apiVersion` in `spec.resources`"
            ),
        }
    }

    /// A name, namespace or label cannot exist in Kubernetes, and must not become part of a URL.
    pub(super) fn unspeakable(selector: &Selector, text: &str) -> Self {
        let kind = &kind_of(selector).kind;
        Self::Refused {
            reason: format!(
                "`{text}` of a `{kind}` is not a name that Kubernetes accepts: correct it in `spec.resources`"
            ),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { reason } | Failure::Forbidden { reason } => Self::Refused { reason },
            Failure::Transient {
                reason,
                retry_after,
                ..
            } => Self::Unfinished {
                reason,
                retry_after,
            },
        }
    }
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }

    /// What to grant, so that it is allowed.
    fn grants(self) -> &'static str {
        match self {
            Self::Patch => "`patch`",
            Self::List => "`list`",
            Self::Watch => "`list` and `watch`",
        }
    }
}

/// What to grant so that this is allowed, such as `patch on gitrepositories.source.toolkit.fluxcd.io`.
pub(super) fn grant(verb: Verb, selector: &Selector) -> String {
    let verbs = verb.grants().replace('`', "");
    format!("{verbs} on {}", resource(kind_of(selector)))
}

/// The kind of what is selected.
pub(super) fn kind_of(selector: &Selector) -> &TargetKind {
    match selector {
        Selector::Named(target) => &target.kind,
        Selector::Labelled { kind, .. } => kind,
    }
}

fn resource(kind: &TargetKind) -> String {
    if kind.group.is_empty() {
        kind.plural.clone()
    } else {
        format!("{}.{}", kind.plural, kind.group)
    }
}

/// The API server names the object when the kind exists, and says nothing when it does not.
fn names_an_object(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| !details.name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::tests::target;

    fn selector() -> Selector {
        Selector::Named(target("web"))
    }

    fn status(code: u16, object: &str) -> Status {
        Status {
            code,
            message: "some words".to_owned(),
            details: serde_json::from_value(serde_json::json!({ "name": object })).ok(),
            ..Status::default()
        }
    }

    fn check_refused(code: u16, object: &str, words: &str) {
        let failure = Failure::from_status(Verb::Patch, &selector(), &status(code, object), None);
        let Failure::Refused { reason } = failure else {
            panic!("{code} is refused: {failure:?}");
        };
        assert!(reason.contains(words), "{code}: {reason}");
    }

    #[test]
    fn what_will_never_work_is_refused_with_what_to_do() {
        check_refused(404, "web", "`GitRepository/apps/web` does not exist");
        check_refused(
            404,
            "",
            "does not serve `gitrepositories.source.toolkit.fluxcd.io`",
        );
        check_refused(405, "", "does not support `patch`");
        check_refused(422, "web", "some words");
        check_refused(400, "", "some words");
    }

    #[test]
    fn what_is_forbidden_says_what_to_grant() {
        for (verb, words) in [
            (Verb::Patch, "grant `patch` on `gitrepositories.source"),
            (
                Verb::Watch,
                "grant `list` and `watch` on `gitrepositories.source",
            ),
        ] {
            let failure = Failure::from_status(verb, &selector(), &status(403, "web"), None);
            let Failure::Forbidden { reason } = failure else {
                panic!("{failure:?}");
            };
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn what_may_work_later_is_worth_another_try() {
        let wait = Some(Duration::from_secs(3));
        for (code, expected) in [
            (401, Fault::Request),
            (408, Fault::Request),
            (409, Fault::Request),
            (410, Fault::Request),
            (429, Fault::Busy),
            (500, Fault::Request),
            (502, Fault::Away),
            (503, Fault::Away),
            (504, Fault::Away),
        ] {
            let failure = Failure::from_status(Verb::Watch, &selector(), &status(code, ""), wait);
            let Failure::Transient {
                fault, retry_after, ..
            } = failure
            else {
                panic!("{code} may work later: {failure:?}");
            };
            assert_eq!((fault, retry_after), (expected, wait), "{code}");
        }
    }
}
