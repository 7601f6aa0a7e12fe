//! A server with a namespace for one case, and the ways to talk to it: typed, and down to the bytes.
//!
//! It knows nothing of what the answers should be.

use std::time::Duration;

use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, api::PostParams, client::Body, core::DynamicObject};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    sync::OnceCell,
    time::{interval, timeout},
};

use super::{
    probe::Capability,
    widgets::{self, resource},
};
use crate::support::{BackEnd, back_end::Running, say};

/// How long a state may take to come about; a loaded machine needs most of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// JSON.
pub(crate) const JSON: &str = "application/json";
/// YAML.
pub(crate) const YAML: &str = "application/yaml";
/// JSON merge patch.
pub(crate) const MERGE: &str = "application/merge-patch+json";
/// JSON patch.
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
/// Strategic merge patch.
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// A server, and a namespace on it.
pub(crate) struct Cluster {
    running: Option<Running>,
    namespace: String,
    can: [OnceCell<bool>; Capability::COUNT],
}

/// What the server said to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body; null when it is neither JSON nor YAML.
    pub(crate) body: Value,
}

impl Cluster {
    /// Starts the server with the suite's own type; nothing where the back end cannot be had.
    pub(crate) async fn start(back_end: BackEnd) -> Option<Self> {
        let running = Running::open(back_end).await?;
        let cluster = Self {
            running: Some(running),
            namespace: format!("case-{}", uuid::Uuid::new_v4()),
            can: Default::default(),
        };
        cluster.create_namespace(&cluster.namespace).await;
        cluster.define(&widgets::definition()).await;
        Some(cluster)
    }

    /// Ends the server where it is of this case alone.
    pub(crate) async fn end(mut self) {
        self.running.take().expect("a back end").end().await;
    }

    /// Ends the server and starts it again on what it kept, where it keeps anything; the others just go on.
    pub(crate) async fn restart(&mut self) {
        let running = self.running.take().expect("a back end");
        self.running = Some(running.restart().await);
    }

    /// Whether the server has a capability; says so when it has not.
    pub(crate) async fn can(&self, capability: Capability) -> bool {
        let known = &self.can[capability as usize];
        let can = *known.get_or_init(|| capability.probe(self)).await;
        if !can {
            say(&format!(
                "this server has no {capability:?}: a case that needs it is not checked"
            ));
        }
        can
    }

    /// The namespace of the case.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The server behind the case.
    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("a back end")
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> Client {
        self.running().client().clone()
    }

    /// The ConfigMaps of the namespace.
    pub(crate) fn configs(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// The custom objects of the namespace.
    pub(crate) fn widgets(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), &self.namespace, &resource())
    }

    /// Creates a ConfigMap with one entry, `key`.
    pub(crate) async fn config(&self, name: &str, value: &str) -> ConfigMap {
        self.configs()
            .create(&PostParams::default(), &config(name, value))
            .await
            .expect("the ConfigMap can be created")
    }

    /// Creates a custom object.
    pub(crate) async fn widget(&self, name: &str, spec: &Value) -> DynamicObject {
        self.widgets()
            .create(&PostParams::default(), &widget(name, spec))
            .await
            .expect("the widget can be created")
    }

    /// The path of the ConfigMaps, or of one with `/NAME`, as `rest` says.
    pub(crate) fn configs_path(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/configmaps{rest}", self.namespace)
    }

    /// The path of the custom objects, or of one with `/NAME`, as `rest` says.
    pub(crate) fn widgets_path(&self, rest: &str) -> String {
        widgets::path(&self.namespace, rest)
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.read_as(path, JSON).await
    }

    /// `GET` of a form, as `Accept` says it.
    pub(crate) async fn read_as(&self, path: &str, accept: &str) -> Answer {
        let request = Request::get(path).header("Accept", accept);
        self.request(request.body(Body::empty()).expect("a request"))
            .await
    }

    /// `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, JSON, body).await
    }

    /// `PUT` of JSON.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, JSON, body).await
    }

    /// `PATCH` of a kind.
    pub(crate) async fn patch(&self, path: &str, kind: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, kind, body).await
    }

    /// `DELETE`; with options in the body, unless they are null.
    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Answer {
        if options.is_null() {
            let request = Request::delete(path).body(Body::empty());
            return self.request(request.expect("a request")).await;
        }
        self.send(Method::DELETE, path, JSON, options).await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("Content-Type", kind);
        self.request(
            request
                .body(body.to_string().into_bytes().into())
                .expect("a request"),
        )
        .await
    }

    /// A body of any kind, with the answer in YAML.
    pub(crate) async fn send_yaml(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: &str,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("Content-Type", kind).header("Accept", YAML);
        self.request(
            request
                .body(body.to_owned().into_bytes().into())
                .expect("a request"),
        )
        .await
    }

    /// Any request.
    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let answered = timeout(DEADLINE, self.client().send(request)).await;
        let response = answered.expect("an answer in time").expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status.as_u16(),
            body: parse(&parts.headers, &body).unwrap_or_default(),
            headers: parts.headers,
        }
    }

    /// Defines a type where it is not defined yet, and waits until its objects can be listed.
    pub(crate) async fn define(&self, definition: &Value) {
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let answer = self.post(definitions, definition).await;
        assert!(matches!(answer.status, 201 | 409), "{answer:?}");
        let spec = &definition["spec"];
        let path = format!(
            "/apis/{}/{}/{}",
            spec["group"].as_str().expect("a group"),
            spec["versions"][0]["name"].as_str().expect("a version"),
            spec["names"]["plural"].as_str().expect("a plural")
        );
        self.until(&path, |answer| answer.status == 200).await;
    }

    /// Asks again until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
        let asked = async {
            let mut ticks = interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let answer = self.get(path).await;
                if is_wanted(&answer) {
                    return answer;
                }
            }
        };
        timeout(DEADLINE, asked)
            .await
            .unwrap_or_else(|_| panic!("{path} is not as wanted in time"))
    }

    /// Creates a namespace.
    pub(crate) async fn create_namespace(&self, name: &str) {
        let namespace: Namespace = from(json!({"metadata": {"name": name}}));
        Api::all(self.client())
            .create(&PostParams::default(), &namespace)
            .await
            .expect("the namespace can be created");
    }
}

impl Answer {
    /// The answer, which must have this status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The status and the reason of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.text("/reason"))
    }

    /// The message of a refusal.
    pub(crate) fn message(&self) -> &str {
        self.text("/message")
    }

    /// The resourceVersion of an object or a list.
    pub(crate) fn revision(&self) -> u64 {
        let text = self.text("/metadata/resourceVersion");
        text.parse().unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The generation of an object.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.body.pointer("/metadata/generation")?.as_i64()
    }

    /// The causes of a refusal: reason, field and message.
    pub(crate) fn causes(&self) -> Vec<(&str, &str, &str)> {
        let causes = self.body.pointer("/details/causes");
        let causes = causes.and_then(Value::as_array).into_iter().flatten();
        causes
            .map(|cause| {
                let of = |key: &str| cause[key].as_str().unwrap_or_default();
                (of("reason"), of("field"), of("message"))
            })
            .collect()
    }

    /// The texts of the warnings that came along.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.headers.get_all("Warning").iter();
        let texts = warnings.filter_map(|warning| warning.to_str().ok());
        texts
            .filter_map(|text| serde_json::from_str(text.trim_start_matches("299 - ")).ok())
            .collect()
    }

    /// The names of the items of a list.
    pub(crate) fn names(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().into_iter().flatten();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap_or_default())
            .collect()
    }

    /// Text at a JSON pointer; empty when there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let is_yaml = headers.get("Content-Type").is_some_and(|kind| kind == YAML);
    if is_yaml {
        return serde_saphyr::from_slice(body).ok();
    }
    serde_json::from_slice(body).ok()
}

/// A ConfigMap with one entry, `key`.
pub(crate) fn config(name: &str, value: &str) -> ConfigMap {
    from(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name}, "data": {"key": value},
    }))
}

/// A custom object.
pub(crate) fn widget(name: &str, spec: &Value) -> DynamicObject {
    from(widgets::object(name, spec))
}

/// A typed object from JSON.
pub(crate) fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

/// The status, reason and message of what a typed call was refused with.
pub(crate) fn refused<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String, String) {
    match result {
        Err(kube::Error::Api(status)) => {
            (status.code, status.reason.clone(), status.message.clone())
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// The version of a typed object as a number.
pub(crate) fn revision(object: &impl kube::Resource) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version.expect("a version").parse().expect("a number")
}
