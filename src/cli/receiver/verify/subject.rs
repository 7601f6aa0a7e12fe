//! The Receiver that a recorded request is judged for, with its Secret: from a cluster or from a file.
//!
//! What is wrong with either is found out by the same rules that the controller has.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Resource, ResourceExt as _,
    api::DynamicObject,
    core::{DeserializeGuard, Status},
};
use serde::de::DeserializeOwned;

use crate::{
    api::{
        annotations::{REPLAY_WINDOW, SENDER},
        receiver::Receiver,
    },
    cli::{
        connect, manifests,
        receiver::{choice, found},
        recording::Recording,
        serve::plain_issuers,
    },
    config::Verify,
    hook::{CertificateChecks, CrossNamespaceRefs, Hook, Policy, ReceiverRef, Secrets, Sender},
    reconcile::{Foresight, foresee},
};

/// The namespace of an object in a file that names none, as for `kubectl`.
const DEFAULT_NAMESPACE: &str = "default";

/// A Receiver, and what would become of it.
pub(super) struct Subject {
    /// The Receiver as it is written.
    pub(super) receiver: Receiver,
    /// What its Secret holds, as it is written.
    pub(super) secret: BTreeMap<String, ByteString>,
    /// What the controller would make of both.
    pub(super) foresight: Foresight,
    policy: Policy,
    now: Timestamp,
}

impl Subject {
    /// Finds the Receiver that `args` names, or that the request is for.
    pub(super) async fn find(
        args: &Verify,
        recording: &Recording,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let policy = Policy {
            cross_namespace_refs: if args.no_cross_namespace_refs {
                CrossNamespaceRefs::Denied
            } else {
                CrossNamespaceRefs::Allowed
            },
            plain_issuers: plain_issuers(&args.issuers),
            certificate_checks: CertificateChecks::Possible,
        };
        match &args.manifest {
            Some(file) => Self::in_file(args, file, recording, policy, now),
            None => Self::in_cluster(args, recording, policy, now).await,
        }
    }

    /// The Receiver's namespace and name.
    pub(super) fn name(&self) -> ReceiverRef {
        ReceiverRef::of(&self.receiver.metadata)
    }

    /// The hook that the Receiver would be with another Secret.
    pub(super) fn hook_with(&self, secret: BTreeMap<String, ByteString>) -> Option<Hook> {
        hook(&self.receiver, secret, (self.policy, self.now))
    }

    /// The hook that the Receiver would be for another sender.
    pub(super) fn hook_of(&self, sender: Sender) -> Option<Hook> {
        let mut receiver = self.receiver.clone();
        let (type_, annotation) = sender.asked_by();
        receiver.spec.type_ = type_;
        let annotations = receiver.annotations_mut();
        annotations.remove(SENDER);
        annotations.remove(REPLAY_WINDOW);
        annotations.extend(annotation.map(|name| (SENDER.to_owned(), name.to_owned())));
        hook(&receiver, self.secret.clone(), (self.policy, self.now))
    }

    async fn in_cluster(
        args: &Verify,
        recording: &Recording,
        policy: Policy,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let client = connect::client_of(&args.connection).await?;
        let receiver = match &args.receiver {
            Some(name) => found::receiver(&client, name).await?,
            None => {
                choice::receiver_of(&found::sound(&client).await?, &args.file, recording)?.clone()
            }
        };
        let ReceiverRef { namespace, .. } = ReceiverRef::of(&receiver.metadata);
        let secret = match &receiver.spec.secret_ref {
            Some(named) => {
                let secrets: Api<Secret> = Api::namespaced(client, &namespace);
                Some(secrets.get(&named.name).await)
            }
            None => None,
        };
        Ok(Self::of(receiver, secret, policy, now))
    }

    fn in_file(
        args: &Verify,
        file: &Path,
        recording: &Recording,
        policy: Policy,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let objects = manifests::read_file(file)?;
        let objects: Vec<_> = objects
            .into_iter()
            .map(|manifest| placed(manifest.object))
            .collect();
        let receivers: Vec<Receiver> = of_kind(&objects, "Receiver")?;
        let receiver = match (&args.receiver, receivers.as_slice()) {
            (Some(wanted), all) => all
                .iter()
                .find(|it| found::name_of(it) == wanted.to_string())
                .with_context(|| format!("`{}` has no Receiver `{wanted}`", file.display()))?,
            (None, [only]) => only,
            (None, []) => bail!("`{}` has no Receiver", file.display()),
            (None, several) => choice::receiver_of(several, &args.file, recording)?,
        };
        let secrets: Vec<Secret> = of_kind(&objects, "Secret")?;
        let ReceiverRef { namespace, .. } = ReceiverRef::of(&receiver.metadata);
        let secret = receiver.spec.secret_ref.as_ref().map(|named| {
            let is_named = |secret: &&Secret| {
                secret.metadata.name.as_ref() == Some(&named.name)
                    && secret.metadata.namespace.as_ref() == Some(&namespace)
            };
            let missing = format!("the file has no Secret `{namespace}/{}`", named.name);
            let found = secrets.iter().find(is_named).cloned();
            found.ok_or_else(|| not_found(&missing))
        });
        Ok(Self::of(receiver.clone(), secret, policy, now))
    }

    /// Judges a Receiver, given what reading the Secret that it names came to.
    pub(super) fn of(
        receiver: Receiver,
        secret: Option<Result<Secret, kube::Error>>,
        policy: Policy,
        now: Timestamp,
    ) -> Self {
        let secret = secret.map(|secret| secret.map(with_texts));
        let data = secret.as_ref().and_then(|secret| secret.as_ref().ok());
        let data = data.and_then(|secret| secret.data.clone());
        let object = DeserializeGuard(Ok(receiver.clone()));
        Self {
            foresight: foresee(&object, secret, policy, now),
            receiver,
            secret: data.unwrap_or_default(),
            policy,
            now,
        }
    }
}

fn hook(
    receiver: &Receiver,
    secret: BTreeMap<String, ByteString>,
    (policy, now): (Policy, Timestamp),
) -> Option<Hook> {
    let secrets = Secrets::of(secret).ok()?;
    let hook = Hook::compile(receiver, policy).ok()?;
    hook.with_secrets(&secrets, now).ok()
}

/// An object of a file, in the namespace that `kubectl` would put it in.
fn placed(mut object: DynamicObject) -> DynamicObject {
    let namespace = &mut object.metadata.namespace;
    namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
    object
}

/// The objects of one kind; what is wrong with one is told only if it holds no secret.
fn of_kind<K>(objects: &[DynamicObject], kind: &str) -> anyhow::Result<Vec<K>>
where
    K: Resource + DeserializeOwned,
{
    let is_of_kind = |object: &&DynamicObject| {
        let types = object.types.as_ref();
        types.is_some_and(|types| types.kind == kind)
    };
    let objects = objects.iter().filter(is_of_kind);
    let parsed = objects.map(|object| {
        let malformed = || format!("{kind} `{}` is malformed", object.name_any());
        let parsed = object.clone().try_parse();
        if kind == "Secret" {
            parsed.ok().with_context(malformed)
        } else {
            parsed.with_context(malformed)
        }
    });
    parsed.collect()
}

/// A Secret as the API server would store it: texts are bytes of the data.
pub(in crate::cli::receiver) fn with_texts(mut secret: Secret) -> Secret {
    let texts = secret.string_data.take().unwrap_or_default();
    let texts = texts
        .into_iter()
        .map(|(key, text)| (key, ByteString(text.into_bytes())));
    secret.data.get_or_insert_default().extend(texts);
    secret
}

fn not_found(message: &str) -> kube::Error {
    let status = Status {
        code: 404,
        message: message.to_owned(),
        ..Status::default()
    };
    kube::Error::Api(Box::new(status))
}
