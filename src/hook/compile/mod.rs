//! From a Receiver to a [`Hook`]: everything that can be known before a delivery comes.
//!
//! All mistakes of a Receiver are reported at once; the Secret is not looked at here.

mod providers;
mod settings;

use std::sync::Arc;

use super::{
    Hook, Sender,
    certificate::CertificateChecks,
    filter::Filters,
    problem::{InvalidReceiver, Problem},
    receiver_ref::ReceiverRef,
    selection::{Refusal, Selection, Selector, Target, TargetKind},
};
pub(super) use settings::Settings;

use crate::api::{
    live_secrets::LiveSets,
    receiver::{Receiver, ReceiverSpec, ReceiverType, ResourceReference},
};

/// What an operator allows Receivers to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether a Receiver may name objects outside its namespace.
    pub cross_namespace_refs: CrossNamespaceRefs,
    /// Whether keys of issuers may be fetched without TLS.
    pub plain_issuers: PlainIssuers,
    /// Whether client certificates can be checked.
    pub certificate_checks: CertificateChecks,
}

/// Whether references may leave the namespace of the object that makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type says what is allowed or denied")]
pub enum CrossNamespaceRefs {
    Allowed,
    Denied,
}

/// Whether the URL of an issuer may begin with `http://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type says what is allowed or denied")]
pub enum PlainIssuers {
    Allowed,
    Denied,
}

impl Hook {
    /// Compiles a Receiver into a hook that has no keys yet and so admits nobody who must prove one.
    pub fn compile(receiver: &Receiver, policy: Policy) -> Result<Self, InvalidReceiver> {
        let identity = ReceiverRef::of(&receiver.metadata);
        let spec = &receiver.spec;
        let mut problems = Vec::new();
        let sender = Sender::of(receiver);
        let sender = sender.map_err(|problem| problems.push(problem)).ok();
        let settings = Settings::of(receiver, sender, policy, &mut problems);
        check_fields(spec, &mut problems);
        let providers = match spec.type_ {
            ReceiverType::GenericOidc => {
                providers::compile(&spec.oidc_providers, policy, &mut problems)
            }
            _ => Vec::new(),
        };
        let mut filters = Filters::compile(spec, &mut problems);
        let (selection, resources) =
            select(&identity.namespace, &spec.resources, policy, &mut problems);
        filters.resources = resources;
        match sender {
            Some(sender) if problems.is_empty() => Ok(Self {
                receiver: Arc::new(identity),
                sender,
                secret: spec.secret_ref.as_ref().map(|secret| secret.name.clone()),
                named: LiveSets::of(&receiver.metadata),
                keys: Vec::new(),
                set_problems: Vec::new(),
                settings,
                providers,
                events: spec.events.clone(),
                selection,
                filters: filters.into(),
            }),
            _ => Err(InvalidReceiver::new(problems)),
        }
    }
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

/// What the references select, and the position in `spec.resources` of each selector.
fn select(
    namespace: &str,
    resources: &[ResourceReference],
    policy: Policy,
    problems: &mut Vec<Problem>,
) -> (Selection, Vec<usize>) {
    let (mut selection, mut positions) = (Selection::default(), Vec::new());
    for (index, resource) in resources.iter().enumerate() {
        let Some(kind) = TargetKind::of(resource) else {
            problems.push(Problem::UnknownKind {
                index,
                kind: resource.kind.clone(),
            });
            continue;
        };
        match resolve(namespace, resource, kind, policy) {
            Ok(selector) => {
                selection.selectors.push(selector);
                positions.push(index);
            }
            Err(refusal) => selection.refusals.push(refusal),
        }
    }
    (selection, positions)
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
mod tests;
