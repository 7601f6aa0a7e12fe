//! What a server can do, found out by asking it.
//!
//! It never asks which server that is, nor its version.

use std::time::Duration;

use http::Request;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{fixture::Cluster, widgets};

/// How long a server may take to collect what nobody needs before it is taken for one that does not.
const COLLECTION: Duration = Duration::from_secs(5);

/// What some servers can do and others cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// CEL rules in definitions.
    Rules,
    /// Watches that begin with the objects there are.
    StreamingLists,
    /// Discovery of everything in two documents.
    AggregatedDiscovery,
    /// OpenAPI version 3.
    OpenApiV3,
    /// Refusal of unknown fields.
    FieldValidation,
    /// Dependents that go with their owner, and namespaces that go with all that is in them.
    Collection,
}

impl Capability {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// All of them, in their order.
    pub(crate) const ALL: [Self; 6] = [
        Self::Rules,
        Self::StreamingLists,
        Self::AggregatedDiscovery,
        Self::OpenApiV3,
        Self::FieldValidation,
        Self::Collection,
    ];

    /// Asks the server.
    pub(crate) async fn probe(self, cluster: &Cluster) -> bool {
        match self {
            Self::Rules => keeps_rules(cluster).await,
            Self::StreamingLists => streams_lists(cluster).await,
            Self::AggregatedDiscovery => {
                let accept = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList";
                let answer = cluster.read_as("/apis", accept).await;
                answer.text("/kind") == "APIGroupDiscoveryList"
            }
            Self::OpenApiV3 => cluster.get("/openapi/v3").await.status == 200,
            Self::FieldValidation => {
                let path = cluster.configs_path("?dryRun=All&fieldValidation=Strict");
                let unknown = json!({"metadata": {"name": "probe"}, "unknown": true});
                cluster.post(&path, &unknown).await.status == 400
            }
            Self::Collection => collects(cluster).await,
        }
    }
}

/// A server that knows no rules drops them.
async fn keeps_rules(cluster: &Cluster) -> bool {
    let mut definition = widgets::definition();
    definition["metadata"]["name"] = format!("probes.{}", widgets::GROUP).into();
    definition["spec"]["names"] = json!({"plural": "probes", "kind": "Probe"});
    let schema = "/spec/versions/0/schema/openAPIV3Schema";
    let rules = json!([{"rule": "has(self.spec)"}]);
    definition.pointer_mut(schema).expect("a schema")["x-kubernetes-validations"] = rules.clone();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All";
    let answer = cluster.post(path, &definition).await.expect(201);
    let kept = answer.body.pointer(schema).expect("a schema");
    kept["x-kubernetes-validations"] == rules
}

/// A server that does not stream lists refuses the options for it.
async fn streams_lists(cluster: &Cluster) -> bool {
    let query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
    let request = Request::get(cluster.configs_path(query)).body(Body::empty());
    let answered = cluster.client().send(request.expect("a request")).await;
    answered.expect("an answer").status() == 200
}

/// A server without controllers keeps a namespace that is deleted for ever.
async fn collects(cluster: &Cluster) -> bool {
    let name = format!("{}-probe", cluster.namespace());
    cluster.create_namespace(&name).await;
    let path = format!("/api/v1/namespaces/{name}");
    cluster.delete(&path, &Value::Null).await;
    let gone = cluster.until(&path, |answer| answer.status == 404);
    timeout(COLLECTION, gone).await.is_ok()
}
