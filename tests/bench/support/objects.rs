//! The Receivers of a bench and the objects they trigger, made and read through the API.
//!
//! All Receivers share one Secret, so that one signature serves for all; their paths differ by their names.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hookgate::{
    api::{annotations::REQUESTED_AT, git_repository::GitRepository, receiver::Receiver},
    hook::{HookPath, Token},
};
use http::Uri;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const NAMESPACE: &str = "default";
/// The token of all Receivers; nothing that it protects outlives the bench.
pub(crate) const TOKEN: &str = "a token that signs everything in a bench";
/// How many objects are created at a time.
const AT_ONCE: usize = 16;

/// How many Receivers there are, and how many objects they trigger between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// How many Receivers, at least one.
    pub(crate) receivers: usize,
    /// How many objects, at least one.
    pub(crate) objects: usize,
}

impl Layout {
    /// The objects that a Receiver triggers; each object belongs to somebody.
    pub(crate) fn targets(self, receiver: usize) -> Vec<usize> {
        if receiver >= self.objects {
            return vec![receiver % self.objects];
        }
        (receiver..self.objects).step_by(self.receivers).collect()
    }

    /// Makes the Secret, the Receivers and the objects.
    pub(crate) async fn create(self, client: &Client) -> anyhow::Result<()> {
        let secret = json!({
            "metadata": {"name": "bench", "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
            "stringData": {"token": TOKEN},
        });
        create::<Secret>(client, [secret]).await?;
        let sources = (0..self.objects).map(|number| {
            json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "metadata": {"name": object_name(number)},
                "spec": {"interval": "1h", "url": "https://example.org/bench"},
            })
        });
        create::<GitRepository>(client, sources).await?;
        let receivers = (0..self.receivers).map(|number| {
            let named = |object| json!({"kind": "GitRepository", "name": object_name(object)});
            let targets: Vec<Value> = self.targets(number).into_iter().map(named).collect();
            json!({
                "apiVersion": "notification.toolkit.fluxcd.io/v1",
                "kind": "Receiver",
                "metadata": {"name": receiver_name(number)},
                "spec": {
                    "type": "github",
                    "events": ["push"],
                    "secretRef": {"name": "bench"},
                    "resources": targets,
                },
            })
        });
        create::<Receiver>(client, receivers).await
    }
}

async fn create<K>(client: &Client, objects: impl IntoIterator<Item = Value>) -> anyhow::Result<()>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let creating = stream::iter(objects).map(|object| {
        let api = api.clone();
        async move {
            let object = serde_json::from_value(object)?;
            api.create(&PostParams::default(), &object).await?;
            anyhow::Ok(())
        }
    });
    creating.buffer_unordered(AT_ONCE).try_collect().await
}

/// When each object was triggered last, by the number of the object; those that never were are left out.
pub(crate) async fn annotated(client: &Client) -> anyhow::Result<BTreeMap<usize, Timestamp>> {
    let sources: Api<GitRepository> = Api::namespaced(client.clone(), NAMESPACE);
    let listed = sources.list(&ListParams::default()).await?;
    ensure!(!listed.items.is_empty(), "the objects are gone");
    let mut times = BTreeMap::new();
    for source in listed {
        if let Some(time) = source.annotations().get(REQUESTED_AT) {
            let name = source.name_any();
            let number = name.strip_prefix("object-").context("another object")?;
            times.insert(number.parse()?, time.parse()?);
        }
    }
    Ok(times)
}

/// The path of a Receiver, known before its status is written.
pub(crate) fn path(receiver: usize) -> anyhow::Result<Uri> {
    let token = Token::new(TOKEN.into())?;
    let path = HookPath::derive(Some(&token), &receiver_name(receiver), NAMESPACE);
    Ok(path.reveal().parse()?)
}

fn object_name(number: usize) -> String {
    format!("object-{number}")
}

fn receiver_name(number: usize) -> String {
    format!("receiver-{number}")
}
