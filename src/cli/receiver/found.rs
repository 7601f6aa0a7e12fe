//! Finds a Receiver and its Secret in a cluster.
//!
//! Both are only read; what is made of them is for the commands.

use anyhow::Context;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};

use crate::{
    api::receiver::Receiver,
    config::ReceiverName,
    hook::{ReceiverRef, Secrets},
};

/// Receivers as they are stored, so that one that makes no sense hides no other.
pub(super) fn api(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<Receiver>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// All Receivers of a namespace, or of all.
pub(super) async fn all(
    client: &Client,
    namespace: Option<&str>,
) -> anyhow::Result<Vec<DynamicObject>> {
    let listed = api(client, namespace).list(&ListParams::default()).await;
    Ok(listed.context("cannot list Receivers")?.items)
}

/// One Receiver as it is stored.
pub(super) async fn stored(client: &Client, name: &ReceiverName) -> anyhow::Result<DynamicObject> {
    let found = api(client, Some(&name.namespace)).get_opt(&name.name).await;
    found
        .with_context(|| format!("cannot read Receiver `{name}`"))?
        .with_context(|| format!("there is no Receiver `{name}`"))
}

/// One Receiver that makes sense.
pub(super) async fn receiver(client: &Client, name: &ReceiverName) -> anyhow::Result<Receiver> {
    let stored = stored(client, name).await?;
    let parsed = stored.try_parse();
    parsed.with_context(|| format!("Receiver `{name}` is malformed"))
}

/// All Receivers that make sense.
pub(super) async fn sound(client: &Client) -> anyhow::Result<Vec<Receiver>> {
    let all = all(client, None).await?;
    let sound = all.into_iter().filter_map(|it| it.try_parse().ok());
    Ok(sound.collect())
}

/// What the Secret of a Receiver holds; nothing when it names none.
pub(super) async fn secrets(
    client: &Client,
    receiver: &Receiver,
) -> anyhow::Result<Option<Secrets>> {
    let Some(reference) = &receiver.spec.secret_ref else {
        return Ok(None);
    };
    let ReceiverRef { namespace, .. } = ReceiverRef::of(&receiver.metadata);
    let name = format!("{namespace}/{}", reference.name);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let secret = secrets.get(&reference.name).await;
    let secret = secret.with_context(|| format!("cannot read Secret `{name}`"))?;
    let secrets = Secrets::of(secret.data.unwrap_or_default())
        .with_context(|| format!("cannot use Secret `{name}`"))?;
    Ok(Some(secrets))
}

/// `namespace/name` of a Receiver.
pub(super) fn name_of(receiver: &Receiver) -> String {
    ReceiverRef::of(&receiver.metadata).to_string()
}
