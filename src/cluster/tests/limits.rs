//! What happens at the limits: large bodies, slow watchers, many writers, several versions of a type.

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::support::{client, config, define, definition, definitions, embedded, from, things};
use crate::cluster::Embedded;

async fn send(
    server: &Embedded,
    path: &str,
    content_type: &str,
    body: impl Into<Bytes>,
) -> (StatusCode, Vec<String>, Value) {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    let request = request.body(Full::new(body.into())).unwrap();
    let answer = server.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let warnings = parts
        .headers
        .get_all(header::WARNING)
        .iter()
        .map(|value| value.to_str().unwrap().to_owned());
    (
        parts.status,
        warnings.collect(),
        serde_json::from_slice(&body).unwrap(),
    )
}

const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let server = embedded();
    let check = async |content_type: &str, body: &str, code: u16, reason: &str| {
        let (status, _, answer) = send(&server, CONFIGS, content_type, body.to_owned()).await;
        assert_eq!(
            (status.as_u16(), answer["reason"].as_str()),
            (code, Some(reason)),
            "{answer}"
        );
        assert_eq!(
            (&answer["kind"], &answer["code"]),
            (&json!("Status"), &json!(code))
        );
    };
    let long = " ".repeat((3 << 20) + 1);
    check("application/json", &long, 413, "RequestEntityTooLarge").await;
    check(
        "application/vnd.kubernetes.protobuf",
        "k8s\0",
        400,
        "BadRequest",
    )
    .await;
    check("application/x-yaml", "a: b", 415, "UnsupportedMediaType").await;
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let versioned = r#"{"metadata": {"name": "x", "resourceVersion": "1"}}"#;
    let elsewhere = r#"{"metadata": {"name": "x", "namespace": "n"}}"#;
    for body in [
        "{",
        "[]",
        r#"{"kind": "Secret"}"#,
        elsewhere,
        versioned,
        &deep,
    ] {
        check("application/json", body, 400, "BadRequest").await;
    }
}

#[tokio::test]
async fn unknown_fields_are_warned_of() {
    let body = json!({"metadata": {"name": "x"}, "date": {"a": "b"}}).to_string();
    let (status, warnings, created) = send(&embedded(), CONFIGS, "application/json", body).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(warnings, ["299 - \"unknown field \\\"date\\\"\""]);
    assert_eq!(created.get("date"), None);
}

#[tokio::test]
async fn names_are_generated() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let object: ConfigMap = from(json!({"metadata": {"generateName": "x-"}}));
    let first = configs
        .create(&PostParams::default(), &object)
        .await
        .unwrap()
        .name_any();
    let second = configs
        .create(&PostParams::default(), &object)
        .await
        .unwrap()
        .name_any();
    assert!(
        first.starts_with("x-") && first.len() == 7 && first != second,
        "{first} {second}"
    );
}

#[tokio::test]
async fn watcher_that_falls_behind_is_told_so() {
    let server = embedded();
    let configs: Api<ConfigMap> = Api::default_namespaced(server.client());
    configs
        .create(&PostParams::default(), &config("x", "0"))
        .await
        .unwrap();
    let start = server.cluster.store.revision();
    let request = Request::get(format!("{CONFIGS}?watch=true&resourceVersion={start}"));
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let mut watch = server
        .clone()
        .oneshot(request)
        .await
        .unwrap()
        .into_body()
        .into_data_stream();
    // More than the log keeps.
    for letter in ["a", "b", "c", "d", "e"] {
        let patch = json!({"data": {"key": letter.repeat(900_000)}});
        configs
            .patch("x", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
    let line: Value = serde_json::from_slice(&watch.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(
        (&line["type"], &line["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watchers_see_every_change_of_many_writers_in_order() {
    const WRITERS: usize = 8;
    const CHANGES: usize = 20;
    let client = client();
    let configs: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let mut watches = Vec::new();
    for _ in 0..4 {
        watches.push(
            configs
                .watch(&WatchParams::default(), "0")
                .await
                .unwrap()
                .boxed(),
        );
    }
    let write = async |writer: usize| {
        let configs: Api<ConfigMap> = Api::default_namespaced(client.clone());
        for change in 0..CHANGES {
            configs
                .create(
                    &PostParams::default(),
                    &config(&format!("w{writer}-{change}"), "1"),
                )
                .await
                .unwrap();
        }
    };
    join_all((0..WRITERS).map(write)).await;
    for watch in &mut watches {
        let mut last = 0;
        for _ in 0..WRITERS * CHANGES {
            let Some(Ok(WatchEvent::Added(object))) = watch.next().await else {
                panic!("not an addition")
            };
            let version: u64 = object.resource_version().unwrap().parse().unwrap();
            assert!(version > last);
            last = version;
        }
    }
    assert_eq!(
        configs
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        WRITERS * CHANGES
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_one_of_two_changes_of_one_version_wins() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let read = configs
        .create(&PostParams::default(), &config("x", "0"))
        .await
        .unwrap();
    let replace = async |value: usize| {
        let changed = ConfigMap {
            metadata: read.metadata.clone(),
            ..config("x", &value.to_string())
        };
        configs.replace("x", &PostParams::default(), &changed).await
    };
    let results = join_all((1..=8).map(replace)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

fn old_things(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("x.io", "v1beta1", "Thing");
    Api::default_namespaced_with(
        client.clone(),
        &ApiResource::from_gvk_with_plural(&kind, "things"),
    )
}

#[tokio::test]
async fn versions_of_a_type_show_the_same_objects() {
    let client = client();
    define(&client).await;
    let mut two = definition();
    let mut old = two["spec"]["versions"][0].clone();
    old["name"] = "v1beta1".into();
    old["storage"] = false.into();
    two["spec"]["versions"].as_array_mut().unwrap().push(old);
    let crds: Api<DynamicObject> = Api::all_with(client.clone(), &definitions());
    crds.patch("things.x.io", &PatchParams::default(), &Patch::Merge(&two))
        .await
        .unwrap();

    let object = json!({"apiVersion": "x.io/v1beta1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {"size": 1}});
    let created = old_things(&client)
        .create(&PostParams::default(), &from(object))
        .await
        .unwrap();
    assert_eq!(created.types.unwrap().api_version, "x.io/v1beta1");
    let found = things(&client).get("x").await.unwrap();
    assert_eq!(found.types.as_ref().unwrap().api_version, "x.io/v1");
    let same = json!({"spec": {"size": 1}});
    let unchanged = things(&client)
        .patch("x", &PatchParams::default(), &Patch::Merge(&same))
        .await
        .unwrap();
    assert_eq!(
        (unchanged.resource_version(), unchanged.metadata.generation),
        (found.resource_version(), Some(1))
    );
}
