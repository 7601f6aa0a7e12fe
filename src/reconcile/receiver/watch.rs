//! What causes a Receiver to be reconciled: its own changes, its Secret's, and a change of leadership.
//!
//! It only says which Receivers are due; what is done with them is up to the four steps.

use std::{collections::HashMap, sync::Arc};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher::{self, watcher},
    },
};
use tokio::sync::watch;

use super::{Scope, context::Context};
use crate::{
    api::receiver::Receiver,
    hook::{ReceiverRef, SecretRef},
    reconcile::cause::cause,
};

/// A Receiver, or what could be read of a malformed one.
pub(super) type Guarded = DeserializeGuard<Receiver>;

/// Receivers that changed in a way that matters; also keeps the store and the roster.
pub(super) fn receivers(
    context: Arc<Context>,
    writer: Writer<Guarded>,
    scope: &Scope,
) -> impl Stream<Item = ReceiverRef> + Send + use<> {
    let api: Api<Guarded> = scope.api(&context.client);
    // Nobody here reads who manages which field, and it is the larger part of an object.
    let events = watcher(api, watcher::Config::default())
        .modify(|object| object.meta_mut().managed_fields = None);
    reflector::reflector(writer, events)
        .default_backoff()
        .flat_map(move |event| {
            let due = match event {
                Ok(event) => context.follow(&event),
                Err(error) => {
                    tracing::warn!(error = cause(&error), "cannot watch Receivers");
                    Vec::new()
                }
            };
            stream::iter(due)
        })
}

/// Receivers whose Secret changed, for Secrets that `selector` selects; also tells the table which these are.
pub(super) fn secrets(
    context: Arc<Context>,
    store: Store<Guarded>,
    scope: &Scope,
    selector: &str,
) -> impl Stream<Item = ReceiverRef> + Send + use<> {
    let api: Api<WatchedSecret> = scope.api(&context.client);
    let config = watcher::Config::default().labels(selector);
    let mut listed = Listed::new();
    watcher(api, config)
        .default_backoff()
        .flat_map(move |event| {
            let due = match event {
                Ok(event) => follow(&context, &store, &event, &mut listed),
                Err(error) => {
                    tracing::warn!(
                        error = cause(&error),
                        "cannot watch Secrets: their changes are seen at the interval only"
                    );
                    Vec::new()
                }
            };
            stream::iter(due)
        })
}

type WatchedSecret = PartialObjectMeta<Secret>;

/// The versions of the Secrets of a list.
type Listed = HashMap<SecretRef, Option<String>>;

/// Tells the table which Secrets are watched; says which Receivers have not read theirs as it is now.
fn follow(
    context: &Context,
    store: &Store<Guarded>,
    event: &watcher::Event<WatchedSecret>,
    listed: &mut Listed,
) -> Vec<ReceiverRef> {
    let of = |secret: &WatchedSecret| -> SecretRef {
        (secret.namespace().unwrap_or_default(), secret.name_any())
    };
    let table = &context.table;
    match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::InitApply(secret) => {
            listed.insert(of(secret), secret.metadata.resource_version.clone());
        }
        watcher::Event::InitDone => {
            let listed = std::mem::take(listed);
            let due = unread(context, store, &listed);
            table.watch_secrets(listed.into_keys().collect());
            return due;
        }
        watcher::Event::Apply(secret) => {
            table.watch_secret(of(secret));
            let version = secret.metadata.resource_version.clone();
            return unread(context, store, &[(of(secret), version)].into());
        }
        watcher::Event::Delete(secret) => {
            table.unwatch_secret(&of(secret));
            return unread(context, store, &[(of(secret), None)].into());
        }
    }
    Vec::new()
}

/// The Receivers that name one of these Secrets and have not read that version of it; without a version, all of them.
fn unread(context: &Context, store: &Store<Guarded>, secrets: &Listed) -> Vec<ReceiverRef> {
    let all = store.state();
    let naming = all.iter().filter_map(|object| {
        let receiver = object.0.as_ref().ok()?;
        let namespace = receiver.namespace().unwrap_or_default();
        let secret = (namespace, receiver.spec.secret_ref.as_ref()?.name.clone());
        Some((ReceiverRef::of(&receiver.metadata), secrets.get(&secret)?))
    });
    let roster = context.roster();
    naming
        .filter(|(receiver, version)| !roster.has_read(receiver, version.as_deref()))
        .map(|(receiver, _)| receiver)
        .collect()
}

/// All Receivers, each time this replica becomes the leader.
pub(super) fn leadership(
    leading: watch::Receiver<bool>,
    store: Store<Guarded>,
) -> impl Stream<Item = ReceiverRef> + Send {
    stream::unfold(leading, |mut leading| async move {
        leading.changed().await.ok()?;
        let is_leading = *leading.borrow_and_update();
        Some((is_leading, leading))
    })
    .filter(|is_leading| std::future::ready(*is_leading))
    .flat_map(move |_| {
        let all = store.state();
        stream::iter(all.into_iter().map(|object| ReceiverRef::of(object.meta())))
    })
}

/// How the machinery of `kube` names a Receiver.
pub(super) fn object_ref(receiver: &ReceiverRef) -> ObjectRef<Guarded> {
    ObjectRef::new(&receiver.name).within(&receiver.namespace)
}

impl Scope {
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}
