//! Receivers as a controller left them, Ready and with a path, each with a Secret of its own.
//!
//! Which of them get deliveries is chosen here; what is measured is not.

use std::net::SocketAddr;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hookgate::{
    api::{git_repository::GitRepository, receiver::Receiver},
    hook::{HookPath, Token},
};
use http::{HeaderValue, Request};
use http_body_util::Full;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{payload::Template, random::Random};

const NAMESPACE: &str = "default";
/// How many Receivers are created at a time.
const AT_ONCE: usize = 16;
const BODY_BYTES: usize = 8000;
/// How many objects they trigger between them.
const OBJECTS: usize = 500;

/// How many Receivers there are.
#[derive(Clone, Copy)]
pub(crate) struct Population {
    /// Their number, at least one.
    pub(crate) receivers: usize,
}

impl Population {
    /// Makes the objects, and the Receivers with their Secrets.
    pub(crate) async fn create(self, client: &Client) -> anyhow::Result<()> {
        for number in 0..OBJECTS {
            create_object(client, number).await?;
        }
        stream::iter(0..self.receivers)
            .map(|number| create(client, number))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// So many Receivers, chosen in the same way each time.
    pub(crate) fn sample(self, size: usize) -> impl Iterator<Item = usize> {
        let mut random = Random::new(1);
        let receivers = self.receivers as u64;
        (0..size).map(move |_| usize::try_from(random.below(receivers)).unwrap_or_default())
    }

    /// A push for a Receiver.
    pub(crate) async fn delivery(
        self,
        number: usize,
        address: SocketAddr,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let payload = Template::read()
            .await?
            .payload(BODY_BYTES, &token(number)?)?;
        let host = HeaderValue::from_str(&address.to_string())?;
        let path = path(number)?.reveal().parse()?;
        payload.delivery(&host, &path, &format!("delivery-{number}"), false)
    }
}

async fn create_object(client: &Client, number: usize) -> anyhow::Result<()> {
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": object_name(number)},
        "spec": {"interval": "1h", "url": "https://example.org/bench"},
    });
    let sources: Api<GitRepository> = Api::namespaced(client.clone(), NAMESPACE);
    let source = serde_json::from_value(source)?;
    sources.create(&PostParams::default(), &source).await?;
    Ok(())
}

async fn create(client: &Client, number: usize) -> anyhow::Result<()> {
    let (name, params) = (name(number), PostParams::default());
    let secret = json!({
        "metadata": {"name": name, "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
        "stringData": {"token": secret_text(number)},
    });
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets
        .create(&params, &serde_json::from_value(secret)?)
        .await?;
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": name, "finalizers": ["finalizers.fluxcd.io"]},
        "spec": {
            "type": "github",
            "events": ["ping", "push"],
            "secretRef": {"name": name},
            "resources": [{"kind": "GitRepository", "name": object_name(number % OBJECTS)}],
        },
    });
    let receivers: Api<Receiver> = Api::namespaced(client.clone(), NAMESPACE);
    receivers
        .create(&params, &serde_json::from_value(receiver)?)
        .await?;
    let path = path(number)?.reveal();
    let status = json!({"status": {
        "observedGeneration": 1,
        "webhookPath": path,
        "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": format!("Receiver initialized for path: {path}"),
            "observedGeneration": 1,
            "lastTransitionTime": Timestamp::now().to_string(),
        }],
    }});
    receivers
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

fn name(number: usize) -> String {
    format!("receiver-{number}")
}

fn object_name(number: usize) -> String {
    format!("object-{number}")
}

fn secret_text(number: usize) -> String {
    format!("a token of Receiver {number} that is as long as others")
}

fn token(number: usize) -> anyhow::Result<Token> {
    Ok(Token::new(secret_text(number).into_bytes())?)
}

fn path(number: usize) -> anyhow::Result<HookPath> {
    Ok(HookPath::derive(
        Some(&token(number)?),
        &name(number),
        NAMESPACE,
    ))
}
