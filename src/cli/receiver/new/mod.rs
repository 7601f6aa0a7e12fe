//! `hookgate receiver new`: a Secret and a Receiver to apply, and what to enter at the host.
//!
//! The objects go to standard output and the form to standard error, so that the former can be piped; no cluster is
//! asked, for the path follows from the token and the names alone.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{form, token};
use crate::{
    api::{
        annotations::{SENDER, TOKEN_KEY, WATCH_ENABLED, WATCH_LABEL},
        receiver::{Receiver, ReceiverSpec, ReceiverType, ResourceReference},
        reference::LocalObjectReference,
    },
    cli::output,
    config::New,
    hook::{
        CertificateChecks, CrossNamespaceRefs, Hook, PlainIssuers, Policy, Refusal, Secrets,
        Selector, Sender, Target, Token,
    },
};

/// Prints what `args` describes.
pub(super) fn run(args: &New) -> anyhow::Result<()> {
    let sender = sender(args)?;
    let token = token::new(sender, args.token_stdin)?;
    let written = Written::of(args, sender, &token)?;
    output::write(&written.manifests)?;
    output::remark(&written.form)
}

/// What is printed.
#[derive(Debug)]
struct Written {
    manifests: String,
    form: String,
}

impl Written {
    fn of(args: &New, sender: Sender, token: &str) -> anyhow::Result<Self> {
        let name = sender.as_str();
        ensure!(
            !sender.is_vouched_for(),
            "a Receiver for `{name}` needs more than a token: begin with receivers/{name}/receiver.yaml, and its README.md"
        );
        let (receiver, hook) = compiled(args, sender)?;
        let secret_name = secret_name(args);
        let parsed = Token::new(token.as_bytes().to_vec())?;
        let secrets = Secrets::from(parsed.clone());
        let hook = hook
            .with_secrets(&secrets, Timestamp::now())
            .with_context(|| format!("a Receiver for `{name}` cannot be used with this token"))?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "labels": {WATCH_LABEL: WATCH_ENABLED},
                "name": secret_name,
                "namespace": args.namespace,
            },
            "stringData": {TOKEN_KEY: token},
        });
        let url = form::url(args.url.as_deref(), &hook.path(Some(&parsed)).reveal())?;
        Ok(Self {
            manifests: format!(
                "---\n{}---\n{}",
                serde_saphyr::to_string(&secret)?,
                serde_saphyr::to_string(&receiver)?
            ),
            form: form::write(sender, &url, token, args.events.as_deref()),
        })
    }
}

/// The sender that the flags name: by its type, by its own name, or by both.
fn sender(args: &New) -> anyhow::Result<Sender> {
    let named = |name: &str| Sender::ALL.into_iter().find(|it| it.as_str() == name);
    let name = args.sender.as_deref().or(args.type_.as_deref());
    let name = name.unwrap_or_default();
    named(name).with_context(|| {
        let known: Vec<_> = Sender::ALL.into_iter().map(Sender::as_str).collect();
        format!(
            "`{name}` is no sender that hookgate knows; those are {}",
            known.join(", ")
        )
    })
}

/// The Receiver as it is to be applied, and the hook that it will be.
fn compiled(args: &New, sender: Sender) -> anyhow::Result<(Receiver, Hook)> {
    let mut receiver = receiver(args, sender)?;
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
        plain_issuers: PlainIssuers::Allowed,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&receiver, policy)?;
    if let Some(refusal) = hook.selection().refusals.first() {
        let Refusal { target, reason } = refusal;
        bail!("{target}: {reason}; name them with `--match-labels`");
    }
    let selectors = hook.selection().selectors.iter();
    for (resource, selector) in receiver.spec.resources.iter_mut().zip(selectors) {
        let (Selector::Named(Target { kind, .. }) | Selector::Labelled { kind, .. }) = selector;
        // Flux has no default for some kinds.
        resource.api_version = Some(format!("{}/{}", kind.group, kind.version));
    }
    Ok((receiver, hook))
}

fn receiver(args: &New, sender: Sender) -> anyhow::Result<Receiver> {
    let (type_, annotation) = asked(args, sender)?;
    let spec = ReceiverSpec {
        events: events(args, sender),
        interval: None,
        oidc_providers: Vec::new(),
        resource_filter: None,
        resources: resources(args),
        secret_ref: Some(LocalObjectReference {
            name: secret_name(args),
        }),
        suspend: None,
        type_,
    };
    let mut receiver = Receiver::new(&args.name, spec);
    receiver.metadata.namespace = Some(args.namespace.clone());
    if let Some(name) = annotation {
        let annotations = receiver.annotations_mut();
        annotations.insert(SENDER.to_owned(), name.to_owned());
    }
    Ok(receiver)
}

/// The type, and the annotation where the type does not tell the sender.
fn asked(args: &New, sender: Sender) -> anyhow::Result<(ReceiverType, Option<&'static str>)> {
    let (usual, annotation) = sender.asked_by();
    let Some(text) = args
        .type_
        .as_deref()
        .filter(|text| *text != sender.as_str())
    else {
        return Ok((usual, annotation));
    };
    let type_: ReceiverType = serde_json::from_value(Value::String(text.to_owned()))
        .ok()
        .with_context(|| format!("`{text}` is no type of Receiver"))?;
    // Whether the two go together is for the compiler to say.
    Ok((type_, Some(sender.as_str())))
}

fn resources(args: &New) -> Vec<ResourceReference> {
    let labels = args.match_labels.iter();
    let labels: BTreeMap<_, _> = labels
        .map(|label| (label.key.clone(), label.value.clone()))
        .collect();
    let reference = |kind: &str, namespace: Option<&str>, name: &str| ResourceReference {
        api_version: None,
        filter: None,
        kind: kind.to_owned(),
        match_labels: (name == "*" && !labels.is_empty()).then(|| labels.clone()),
        name: name.to_owned(),
        namespace: namespace.map(ToOwned::to_owned),
    };
    let named = args.resources.iter();
    let mut named: Vec<_> = named
        .map(|it| reference(&it.kind, it.namespace.as_deref(), &it.name))
        .collect();
    if named.is_empty() {
        named.push(reference("GitRepository", None, &args.name));
    }
    named
}

fn events(args: &New, sender: Sender) -> Vec<String> {
    let usual = sender.setup().events.iter().map(ToString::to_string);
    match &args.events {
        Some(events) => events
            .iter()
            .filter(|event| !event.is_empty())
            .cloned()
            .collect(),
        None => usual.collect(),
    }
}

fn secret_name(args: &New) -> String {
    let usual = || format!("{}-token", args.name);
    args.secret.clone().unwrap_or_else(usual)
}

#[cfg(test)]
mod tests;
