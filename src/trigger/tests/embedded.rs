//! Triggering objects of the embedded control plane.
//!
//! How requests fail is tested with a script; here nothing is in the way.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, ResourceExt,
    api::PostParams,
    runtime::{conditions::is_crd_established, wait::await_condition},
};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    api::git_repository::GitRepository,
    cluster::{Embedded, Options, Storage},
    hook::{self, CertificateChecks, CrossNamespaceRefs, Hook, Listing, PlainIssuers, Policy},
};

#[tokio::test]
async fn objects_of_a_cluster_are_annotated_by_name_and_by_label() {
    let client = cluster().await;
    let (by_label, by_none) = (labelled("shop"), labelled("none"));
    let own = |kind: TargetKind, name: &str| {
        let namespace = "default".to_owned();
        let name = name.to_owned();
        Selector::Named(Target {
            kind,
            namespace,
            name,
        })
    };
    let unserved = TargetKind {
        kind: "Bucket".to_owned(),
        plural: "buckets".to_owned(),
        ..target("").kind
    };
    let named = |name| own(target("").kind, name);
    let selectors = [
        named("web"),
        named("gone"),
        own(unserved, "logs"),
        by_label,
        by_none.clone(),
    ];
    let targets = Targets::new(client.clone(), table(), WatchScope::Cluster);
    let watching = tokio::spawn(targets.clone().run(CancellationToken::new()));
    let trigger = Trigger::new(
        client.clone(),
        targets,
        Journal::off(),
        plenty(),
        Metrics::new(),
    );
    let dispatcher = trigger.clone();
    let dispatching = tokio::spawn(async move { dispatcher.dispatch().await });
    let report = accept(&trigger, &selectors).await;
    trigger.end();
    dispatching.await.unwrap();
    let lines: Vec<_> = report.entries.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0], "GitRepository/default/web: done");
    assert!(lines[1].contains("does not exist"), "{}", lines[1]);
    assert!(
        lines[2].contains("does not serve `buckets."),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3], "GitRepository/default/api: done");
    assert_eq!(report.entries[4].outcome, Outcome::NothingSelected);
    assert_eq!(report.entries[4].subject, Subject::Selection(by_none));
    for (entry, name) in [(0, "web"), (3, "api")] {
        let Outcome::Done { requested_at } = &report.entries[entry].outcome else {
            panic!("{report:?}");
        };
        let stored = repositories(&client).get(name).await.unwrap();
        assert_eq!(stored.annotations().get(REQUESTED_AT), Some(requested_at));
    }
    watching.abort();
}

fn labelled(app: &str) -> Selector {
    Selector::Labelled {
        kind: target("").kind,
        namespace: "default".to_owned(),
        labels: [("app".to_owned(), app.to_owned())].into(),
    }
}

/// A table with one open hook that selects repositories by labels.
fn table() -> HookTable {
    let table = HookTable::default();
    let resources = json!([{"kind": "GitRepository", "name": "*", "matchLabels": {}}]);
    publish(&table, "ci", &resources);
    table
}

/// Opens a hook of the namespace `default` for these resources.
pub(in crate::trigger) fn publish(table: &HookTable, name: &str, resources: &Value) {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "github", "secretRef": {"name": "hook"}, "resources": resources},
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Allowed,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap();
    let listing = Listing {
        paths: vec![hook.path(None).into()],
        created: 0,
        entry: hook::Entry::Open(Arc::new(hook.clone())),
        denied: None,
    };
    table.publish(hook.receiver(), &listing);
}

/// A cluster with the definitions, and the repositories `web` and, with `app: shop`, `api` in the namespace `default`.
pub(in crate::trigger) async fn cluster() -> kube::Client {
    let options = Options {
        storage: Storage::Memory,
    };
    let client = Embedded::open(&options).unwrap().client();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crate::api::crds::all() {
        let name = definition.name_any();
        let params = PostParams::default();
        definitions.create(&params, &definition).await.unwrap();
        let established = await_condition(definitions.clone(), &name, is_crd_established());
        established.await.unwrap();
    }
    for (name, labels) in [("web", json!({})), ("api", json!({"app": "shop"}))] {
        let repository = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": name, "labels": labels},
            "spec": {"url": "https://example.com/app.git", "interval": "1h"},
        });
        let repository = serde_json::from_value(repository).unwrap();
        let (repositories, params) = (repositories(&client), PostParams::default());
        repositories.create(&params, &repository).await.unwrap();
    }
    client
}

/// The API server behind `client`, which answers some requests with the status that `refusal` gives and nothing else.
pub(in crate::trigger) fn refusing(
    client: kube::Client,
    refusal: impl Fn(&Request<Body>) -> Option<u16> + Send + 'static,
) -> kube::Client {
    let service = service_fn(move |request: Request<Body>| {
        let (client, refusal) = (client.clone(), refusal(&request));
        async move {
            let Some(code) = refusal else {
                return Ok(client.send(request).await?);
            };
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "code": code, "status": "Failure"});
            let body = Body::from(status.to_string().into_bytes());
            Ok::<_, BoxError>(Response::builder().status(code).body(body)?)
        }
    });
    kube::Client::new(service, "default")
}

pub(in crate::trigger) fn repositories(client: &kube::Client) -> Api<GitRepository> {
    Api::namespaced(client.clone(), "default")
}
