//! From a Receiver to a [`Hook`]: everything that can be known before a delivery comes.
//!
//! All mistakes of a Receiver are reported at once; the Secret is not looked at here.

use std::fmt;

use super::{
    Hook, Sender,
    receiver_ref::ReceiverRef,
    selection::{Refusal, Selection, Selector, Target, TargetKind},
};
use crate::api::receiver::{Receiver, ReceiverSpec, ReceiverType, ResourceReference};

/// What an operator allows Receivers to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether a Receiver may name objects outside its namespace.
    pub cross_namespace_refs: CrossNamespaceRefs,
}

/// Whether references may leave the namespace of the object that makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type says what is allowed or denied")]
pub enum CrossNamespaceRefs {
    Allowed,
    Denied,
}

/// Everything that is wrong with a Receiver.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidReceiver(Vec<Problem>);

impl InvalidReceiver {
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
        supported_types()
    )]
    UnsupportedType {
        /// The value of `spec.type`.
        name: String,
    },
    /// A CEL filter was given, which this version cannot evaluate; ignoring it would trigger too much.
    #[error("{field} is not supported by this version of hookgate; remove the expression")]
    UnsupportedFilter {
        /// The field that holds the expression.
        field: String,
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

impl Hook {
    /// Compiles a Receiver into a hook that has no tokens yet and so admits nobody who must prove one.
    pub fn compile(receiver: &Receiver, policy: Policy) -> Result<Self, InvalidReceiver> {
        let identity = ReceiverRef::of(&receiver.metadata);
        let spec = &receiver.spec;
        let mut problems = Vec::new();
        let sender = sender(spec.type_, &mut problems);
        check_fields(spec, &mut problems);
        check_filters(spec, &mut problems);
        let selection = select(&identity.namespace, &spec.resources, policy, &mut problems);
        match sender {
            Some(sender) if problems.is_empty() => Ok(Self {
                receiver: identity,
                sender,
                secret: spec.secret_ref.as_ref().map(|secret| secret.name.clone()),
                tokens: Vec::new(),
                events: spec.events.clone(),
                selection,
            }),
            _ => Err(InvalidReceiver(problems)),
        }
    }
}

fn supported_types() -> String {
    Sender::ALL.map(Sender::as_str).join(", ")
}

fn sender(type_: ReceiverType, problems: &mut Vec<Problem>) -> Option<Sender> {
    let sender = Sender::of(type_);
    if sender.is_none() {
        problems.push(Problem::UnsupportedType {
            name: type_.as_str().to_owned(),
        });
    }
    sender
}

fn check_fields(spec: &ReceiverSpec, problems: &mut Vec<Problem>) {
    let is_oidc = spec.type_ == ReceiverType::GenericOidc;
    let has_providers = !spec.oidc_providers.is_empty();
    let checks = [
        (is_oidc && !has_providers, Problem::MissingOidcProvider),
        (!is_oidc && has_providers, Problem::UnexpectedOidcProviders),
        (
            is_oidc && spec.secret_ref.is_some(),
            Problem::UnexpectedSecret,
        ),
        (
            !is_oidc && spec.secret_ref.is_none(),
            Problem::MissingSecret,
        ),
    ];
    problems.extend(
        checks
            .into_iter()
            .filter_map(|(is_wrong, problem)| is_wrong.then_some(problem)),
    );
}

fn check_filters(spec: &ReceiverSpec, problems: &mut Vec<Problem>) {
    let is_set =
        |filter: &Option<String>| filter.as_deref().is_some_and(|filter| !filter.is_empty());
    if is_set(&spec.resource_filter) {
        problems.push(Problem::UnsupportedFilter {
            field: "resourceFilter".to_owned(),
        });
    }
    for (index, _) in spec
        .resources
        .iter()
        .enumerate()
        .filter(|(_, resource)| is_set(&resource.filter))
    {
        problems.push(Problem::UnsupportedFilter {
            field: format!("resources[{index}].filter"),
        });
    }
}

fn select(
    namespace: &str,
    resources: &[ResourceReference],
    policy: Policy,
    problems: &mut Vec<Problem>,
) -> Selection {
    let mut selection = Selection::default();
    for (index, resource) in resources.iter().enumerate() {
        let Some(kind) = TargetKind::of(resource) else {
            problems.push(Problem::UnknownKind {
                index,
                kind: resource.kind.clone(),
            });
            continue;
        };
        match resolve(namespace, resource, kind, policy) {
            Ok(selector) => selection.selectors.push(selector),
            Err(refusal) => selection.refusals.push(refusal),
        }
    }
    selection
}

/// Resolves one reference; what Flux finds out at request time only is a refusal, not a problem of the Receiver.
fn resolve(
    own_namespace: &str,
    resource: &ResourceReference,
    kind: TargetKind,
    policy: Policy,
) -> Result<Selector, Refusal> {
    let namespace = resource
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(own_namespace);
    let refuse = |reason: &str| Refusal {
        target: format!("{}/{namespace}/{}", kind.kind, resource.name),
        reason: reason.to_owned(),
    };
    if namespace != own_namespace && policy.cross_namespace_refs == CrossNamespaceRefs::Denied {
        return Err(refuse("cross-namespace references are not allowed"));
    }
    let namespace = namespace.to_owned();
    match (resource.name.as_str(), &resource.match_labels) {
        ("*", Some(labels)) => Ok(Selector::Labelled {
            kind,
            namespace,
            labels: labels.clone(),
        }),
        ("*", None) => Err(refuse(
            "matchLabels field not set when using wildcard '*' as name",
        )),
        (name, _) => Ok(Selector::Named(Target {
            kind,
            namespace,
            name: name.to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ALLOWED: Policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
    };
    const DENIED: Policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
    };

    fn compile(spec: &Value, policy: Policy) -> Result<Hook, Vec<String>> {
        let receiver: Receiver = serde_json::from_value(json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": { "name": "hook", "namespace": "team" },
            "spec": spec,
        }))
        .unwrap();
        Hook::compile(&receiver, policy)
            .map_err(|invalid| invalid.problems().iter().map(ToString::to_string).collect())
    }

    fn selection(resource: &Value, policy: Policy) -> Selection {
        let spec =
            json!({ "type": "github", "secretRef": { "name": "s" }, "resources": [resource] });
        compile(&spec, policy).unwrap().selection
    }

    fn refusal(resource: &Value, policy: Policy) -> Option<String> {
        selection(resource, policy)
            .refusals
            .pop()
            .map(|refusal| format!("{}: {}", refusal.target, refusal.reason))
    }

    #[test]
    fn a_name_selects_one_object_of_the_receivers_namespace() {
        let selection = selection(&json!({ "kind": "GitRepository", "name": "app" }), ALLOWED);
        let [Selector::Named(target)] = &selection.selectors[..] else {
            panic!("{selection:?}")
        };
        assert_eq!(target.to_string(), "GitRepository/team/app");
        assert_eq!(target.kind.plural, "gitrepositories");
    }

    #[test]
    fn a_wildcard_selects_by_labels_and_no_labels_select_everything() {
        for labels in [json!({ "app": "x" }), json!({})] {
            let resource =
                json!({ "kind": "Bucket", "name": "*", "namespace": "ns", "matchLabels": labels });
            let selection = selection(&resource, ALLOWED);
            let [
                Selector::Labelled {
                    namespace,
                    labels: selected,
                    ..
                },
            ] = &selection.selectors[..]
            else {
                panic!("{selection:?}")
            };
            assert_eq!((namespace.as_str(), json!(selected)), ("ns", labels));
        }
    }

    #[test]
    fn what_can_never_be_triggered_is_refused_and_harms_nothing_else() {
        let wildcard = json!({ "kind": "Bucket", "name": "*" });
        let reason = "Bucket/team/*: matchLabels field not set when using wildcard '*' as name";
        assert_eq!(refusal(&wildcard, ALLOWED).as_deref(), Some(reason));
        let elsewhere = json!({ "kind": "Bucket", "name": "b", "namespace": "other" });
        let reason = "Bucket/other/b: cross-namespace references are not allowed";
        assert_eq!(refusal(&elsewhere, DENIED).as_deref(), Some(reason));
        assert_eq!(refusal(&elsewhere, ALLOWED), None);
        assert_eq!(
            refusal(
                &json!({ "kind": "Bucket", "name": "b", "namespace": "team" }),
                DENIED
            ),
            None
        );
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let problems = compile(
            &json!({
                "type": "harbor",
                "resourceFilter": "req.x",
                "oidcProviders": [{ "issuerURL": "https://i", "validations": [] }],
                "resources": [
                    { "kind": "Deployment", "name": "a" },
                    { "kind": "Bucket", "name": "b", "filter": "true" },
                ],
            }),
            ALLOWED,
        );
        assert_eq!(
            problems.unwrap_err(),
            [
                "type `harbor` is not supported by this version of hookgate; \
                 supported types are generic, generic-hmac, github, gitlab",
                "oidcProviders can only be set when type is generic-oidc",
                "secretRef is required when type is not generic-oidc",
                "resourceFilter is not supported by this version of hookgate; remove the expression",
                "resources[1].filter is not supported by this version of hookgate; remove the expression",
                "resources[0]: unknown kind `Deployment`",
            ]
        );
    }

    #[test]
    fn oidc_receivers_are_checked_as_flux_checks_them() {
        let problems = compile(
            &json!({ "type": "generic-oidc", "secretRef": { "name": "s" }, "resources": [] }),
            ALLOWED,
        );
        let problems = problems.unwrap_err();
        assert!(
            problems
                .contains(&"generic-oidc receiver requires at least one oidcProvider".to_owned())
        );
        assert!(problems.contains(&"secretRef cannot be set when type is generic-oidc".to_owned()));
    }

    #[test]
    fn a_hook_without_tokens_admits_nobody() {
        let hook = compile(
            &json!({ "type": "gitlab", "secretRef": { "name": "s" }, "resources": [] }),
            ALLOWED,
        );
        let headers = [("x-gitlab-token", "")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        assert!(
            hook.unwrap()
                .verifier(&headers.into_iter().collect())
                .is_err()
        );
    }
}
