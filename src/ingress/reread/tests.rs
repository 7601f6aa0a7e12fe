//! What a Secret that is read again leads to, against the embedded API.

use k8s_openapi::{
    ByteString, api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    ResourceExt as _,
    api::PostParams,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::receiver::Receiver,
    cluster::{Embedded, Options, Storage},
    hook::{CertificateChecks, CrossNamespaceRefs, Listing, PlainIssuers, Policy, SetIdentity},
};

/// A cluster with the Receiver `web`, which names `previous` as live, and its Secret.
async fn cluster(secret: &Value) -> kube::Client {
    let options = Options {
        storage: Storage::Memory,
    };
    let client = Embedded::open(&options).unwrap().client();
    let params = PostParams::default();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crate::api::crds::all() {
        definitions.create(&params, &definition).await.unwrap();
        let name = definition.name_any();
        let established = await_condition(definitions.clone(), &name, is_crd_established());
        established.await.unwrap();
    }
    let namespace: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "apps"}})).unwrap();
    Api::all(client.clone())
        .create(&params, &namespace)
        .await
        .unwrap();
    let receivers: Api<Receiver> = Api::namespaced(client.clone(), "apps");
    let live = json!({"hookgate.dev/live-secrets": "previous"});
    receivers.create(&params, &receiver(&live)).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}, "stringData": secret,
    });
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "apps");
    secrets.create(&params, &secret).await.unwrap();
    client
}

fn receiver(annotations: &Value) -> Receiver {
    serde_json::from_value(json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
        "metadata": {"name": "web", "namespace": "apps", "annotations": annotations},
        "spec": {"type": "github", "secretRef": {"name": "hook"}, "resources": []},
    }))
    .unwrap()
}

/// The hook as it was before anything changed, listed in a table.
fn known(table: &HookTable) -> Arc<Hook> {
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&receiver(&json!({})), policy).unwrap();
    let data = [("token".to_owned(), ByteString(b"old".to_vec()))];
    let secrets = Secrets::of(data.into()).unwrap();
    let hook = Arc::new(hook.with_secrets(&secrets, Timestamp::now()).unwrap());
    let listing = Listing {
        paths: hook.sets().map(SetIdentity::path).collect(),
        created: 0,
        entry: Entry::Open(Arc::clone(&hook)),
        denied: None,
    };
    table.publish(hook.receiver(), &listing);
    hook
}

fn names(hook: &Hook) -> Vec<&str> {
    hook.sets().map(SetIdentity::name).collect()
}

#[tokio::test]
async fn an_annotation_that_was_not_seen_yet_keeps_the_old_token_live() {
    let client = cluster(&json!({"token": "new", "token.previous": "old"})).await;
    let table = HookTable::default();
    let hook = known(&table);
    let reader = SecretReader::new(client, table);
    let fresh = reader.reread(&hook).await.unwrap();
    assert_eq!(names(&fresh), ["current", "previous"]);
}

#[tokio::test]
async fn only_reads_that_find_nothing_are_counted() {
    let client = cluster(&json!({"token": "old"})).await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "apps");
    let table = HookTable::default();
    let mut hook = known(&table);
    let reader = SecretReader::new(client, table);
    let store = async |token: &str| {
        let patch = kube::api::Patch::Merge(json!({"stringData": {"token": token}}));
        secrets
            .patch("hook", &kube::api::PatchParams::default(), &patch)
            .await
            .unwrap();
    };
    for round in 0..10 {
        store(&format!("new-{round}")).await;
        hook = reader.reread(&hook).await.expect("it changed");
    }
    let started = Instant::now();
    for _ in 0..BURST {
        assert!(reader.reread(&hook).await.is_none());
    }
    let reads = reader.reads_of(hook.receiver());
    assert_eq!(reads.lock().await.take(started, 1), 0, "all are spent");
}

#[tokio::test]
async fn who_comes_late_gets_what_was_read_for_another() {
    let client = cluster(&json!({"token": "new"})).await;
    let table = HookTable::default();
    let hook = known(&table);
    let reader = SecretReader::new(client, table);
    let (one, other) = tokio::join!(reader.reread(&hook), reader.reread(&hook));
    assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
}
