//! Watches: what is told, in which order, and what is told to one who comes too late.
//!
//! What controllers make of it is in `controllers.rs`.

use futures::{Stream, StreamExt as _, TryStreamExt as _, pin_mut};
use http::Request;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt as _,
    api::{PostParams, WatchEvent, WatchParams},
    client::Body,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    fixture::{Cluster, DEADLINE, MERGE, config, revision},
    on_every_cluster, widgets,
};

on_every_cluster! {
    async fn changes_are_told_in_their_order(cluster) {
        let start = cluster.config("a", "1").await;
        let changed = cluster.patch(&cluster.configs_path("/a"), MERGE, &json!({"data": {"key": "2"}})).await.expect(200);
        let b = cluster.config("b", "1").await;
        cluster.delete(&cluster.configs_path("/a"), &Value::Null).await.expect(200);
        let c = cluster.config("c", "1").await;

        let told = watch(&cluster, &cluster.configs_path(""), "", revision(&start)).await;
        pin_mut!(told);
        let mut events = Vec::new();
        for _ in 0..4 {
            events.push(next(&mut told).await);
        }
        let summary: Vec<_> = events.iter().map(|event| (event["type"].as_str(), event["object"]["metadata"]["name"].as_str())).collect();
        assert_eq!(summary, [
            (Some("MODIFIED"), Some("a")), (Some("ADDED"), Some("b")), (Some("DELETED"), Some("a")), (Some("ADDED"), Some("c")),
        ]);
        assert_eq!(version(&events[0]), changed.revision());
        assert_eq!(version(&events[1]), revision(&b));
        assert!(version(&events[2]) > revision(&b), "a deletion has a version of its own");
        assert!(version(&events[2]) < revision(&c));
        assert_eq!(events[2]["object"]["data"], json!({"key": "2"}), "the object as it was last");
        assert_eq!((&events[1]["object"]["kind"], &events[1]["object"]["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    }

    async fn a_watch_without_a_version_begins_with_what_is_there(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        cluster.widget("b", &json!({"size": 1})).await;
        for query in ["?watch=1", "?watch=1&resourceVersion=0"] {
            let told = stream(&cluster, &cluster.widgets_path(query)).await;
            pin_mut!(told);
            let mut names = Vec::new();
            for _ in 0..2 {
                let event = next(&mut told).await;
                assert_eq!(event["type"], "ADDED");
                names.push(event["object"]["metadata"]["name"].as_str().expect("a name").to_owned());
            }
            names.sort();
            assert_eq!(names, ["a", "b"], "{query}");
        }
    }

    async fn entering_and_leaving_a_selector_are_told_apart(cluster) {
        let start = cluster.widget("a", &json!({"size": 1})).await;
        let path = cluster.widgets_path("/a");
        let label = |value: Value| json!({"metadata": {"labels": {"team": value}}});
        let mut versions = Vec::new();
        for patch in [label(json!("x")), json!({"spec": {"size": 2}}), label(json!("y")), json!({"spec": {"size": 3}}), label(json!("x"))] {
            versions.push(cluster.patch(&path, MERGE, &patch).await.expect(200).revision());
        }
        cluster.delete(&path, &Value::Null).await.expect(200);
        let told = watch(&cluster, &cluster.widgets_path(""), "&labelSelector=team%3Dx", revision(&start)).await;
        pin_mut!(told);
        for (kind, at, size) in [("ADDED", Some(0), 1), ("MODIFIED", Some(1), 2), ("DELETED", Some(2), 2), ("ADDED", Some(4), 3), ("DELETED", None, 3)] {
            let event = next(&mut told).await;
            assert_eq!((event["type"].as_str(), &event["object"]["spec"]["size"]), (Some(kind), &json!(size)));
            if let Some(at) = at {
                assert_eq!(version(&event), versions[at]);
            }
        }
    }

    async fn one_object_can_be_watched_by_its_name(cluster) {
        let start = cluster.config("a", "1").await;
        cluster.config("b", "1").await;
        cluster.patch(&cluster.configs_path("/a"), MERGE, &json!({"data": {"key": "2"}})).await.expect(200);
        let told = watch(&cluster, &cluster.configs_path(""), "&fieldSelector=metadata.name%3Da", revision(&start)).await;
        pin_mut!(told);
        let event = next(&mut told).await;
        assert_eq!((event["type"].as_str(), event["object"]["metadata"]["name"].as_str()), (Some("MODIFIED"), Some("a")));
        let read = cluster.get(&cluster.configs_path("/a?watch=true")).await.expect(200);
        assert_eq!(read.text("/kind"), "ConfigMap", "as in Kubernetes");
    }

    async fn who_comes_too_late_is_told_so_in_the_stream(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        cluster.restart().await;
        let told = watch(&cluster, &cluster.widgets_path(""), "", 1).await;
        pin_mut!(told);
        let first = next(&mut told).await;
        let status = &first["object"];
        // The log of a server that has just been started, and never before, reaches back to the first change.
        if first["type"] == "ERROR" {
            assert_eq!((&status["kind"], &status["code"], &status["reason"]), (&json!("Status"), &json!(410), &json!("Expired")));
        } else {
            assert!(version(&first) > 1);
        }
    }

    async fn a_version_from_before_a_restart_is_too_old(cluster) {
        let before = cluster.config("a", "1").await;
        cluster.config("b", "1").await;
        cluster.restart().await;
        let told = watch(&cluster, &cluster.configs_path(""), "", revision(&before)).await;
        pin_mut!(told);
        let event = next(&mut told).await;
        let is_continued = event["object"]["metadata"]["name"] == "b";
        assert!(is_continued || event["object"]["code"] == 410, "{event}");
    }

    async fn a_watch_ends_when_its_time_is_up(cluster) {
        let told = stream(&cluster, &cluster.configs_path("?watch=true&timeoutSeconds=1&resourceVersion=0")).await;
        let all = timeout(DEADLINE, told.collect::<Vec<_>>()).await.expect("it ends");
        assert!(all.iter().all(|event| event["type"] == "ADDED" || event["type"] == "BOOKMARK"), "{all:?}");
    }

    async fn a_typed_watch_tells_the_same(cluster) {
        let start = cluster.config("a", "1").await;
        let events = cluster.configs().watch(&WatchParams::default(), &revision(&start).to_string()).await.expect("a watch");
        pin_mut!(events);
        cluster.config("b", "1").await;
        let event = timeout(DEADLINE, events.try_next()).await.expect("in time").expect("an event").expect("an event");
        assert!(matches!(event, WatchEvent::Added(config) if config.name_any() == "b"));
    }

    async fn tables_can_be_watched(cluster) {
        cluster.widget("a", &json!({"size": 7})).await;
        let told = stream_as(&cluster, &cluster.widgets_path("?watch=true"), "application/json;as=Table;v=v1;g=meta.k8s.io").await;
        pin_mut!(told);
        let first = next(&mut told).await;
        assert_eq!((&first["type"], &first["object"]["kind"]), (&json!("ADDED"), &json!("Table")));
        assert_eq!(first["object"]["columnDefinitions"][1]["name"], "Size");
        assert_eq!(first["object"]["rows"][0]["cells"][1], 7);
        cluster.widget("b", &json!({"size": 8})).await;
        let second = next(&mut told).await;
        assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
        assert_eq!(second["object"]["columnDefinitions"].as_array().map_or(0, Vec::len), 0, "the columns are told once");
    }

    async fn metadata_can_be_watched(cluster) {
        cluster.widget("a", &json!({"size": 7})).await;
        let accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
        let told = stream_as(&cluster, &cluster.widgets_path("?watch=true"), accept).await;
        pin_mut!(told);
        let event = next(&mut told).await;
        assert_eq!(event["object"]["kind"], "PartialObjectMetadata");
        assert_eq!(event["object"]["spec"], Value::Null);
    }

    async fn everything_of_a_type_can_be_watched(cluster) {
        let start = cluster.widget("a", &json!({"size": 1})).await;
        let other = format!("{}-2", cluster.namespace());
        cluster.create_namespace(&other).await;
        cluster.post(&widgets::path(&other, ""), &widgets::object("b", &json!({"size": 1}))).await.expect(201);
        let told = watch(&cluster, "/apis/contract.hookgate.dev/v1/widgets", "", revision(&start)).await;
        pin_mut!(told);
        loop {
            let event = next(&mut told).await;
            if event["object"]["metadata"]["namespace"] == other.as_str() {
                break assert_eq!(event["object"]["metadata"]["name"], "b");
            }
        }
    }

    async fn the_watcher_of_kube_lists_and_follows(cluster) {
        lists_and_follows(&cluster, watcher::Config::default()).await;
        lists_and_follows(&cluster, watcher::Config::default().page_size(1)).await;
    }

    #[needs(StreamingLists)]
    async fn the_watcher_of_kube_streams_its_list(cluster) {
        lists_and_follows(&cluster, watcher::Config::default().streaming_lists()).await;
    }

    #[needs(StreamingLists)]
    async fn a_streaming_list_says_where_it_ends(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        let told = stream(&cluster, &cluster.widgets_path(query)).await;
        pin_mut!(told);
        assert_eq!(next(&mut told).await["type"], "ADDED");
        let end = next(&mut told).await;
        assert_eq!(end["type"], "BOOKMARK");
        assert_eq!(end["object"]["kind"], "Widget");
        assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
        let later = cluster.widget("b", &json!({"size": 1})).await;
        assert!(version(&end) < revision(&later));
        assert_eq!(version(&next(&mut told).await), revision(&later));
    }

    #[needs(StreamingLists)]
    async fn a_streaming_list_needs_the_right_options(cluster) {
        for query in ["?watch=true&sendInitialEvents=true", "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan", "?watch=true&resourceVersionMatch=NotOlderThan"] {
            let answer = cluster.get(&cluster.widgets_path(&format!("{query}&timeoutSeconds=1"))).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{query}");
        }
    }
}

/// Shows what is there, then what comes, each once.
async fn lists_and_follows(cluster: &Cluster, how: watcher::Config) {
    let group = uuid::Uuid::new_v4().to_string();
    let create = async |name: &str| {
        let mut object = config(&format!("{name}-{group}"), "1");
        object.labels_mut().insert("group".into(), group.clone());
        let (configs, params) = (cluster.configs(), PostParams::default());
        configs.create(&params, &object).await.expect("created");
    };
    create("a").await;
    create("b").await;
    let seen = watcher(cluster.configs(), how.labels(&format!("group={group}")));
    let seen = seen.default_backoff().applied_objects();
    pin_mut!(seen);
    for name in ["a", "b", "c", "d"] {
        if matches!(name, "c" | "d") {
            create(name).await;
        }
        let next = timeout(DEADLINE, seen.try_next()).await.expect("in time");
        let next: ConfigMap = next.expect("an event").expect("an event");
        assert_eq!(next.name_any(), format!("{name}-{group}"));
    }
}

/// The events of a type from a version on.
async fn watch(
    cluster: &Cluster,
    path: &str,
    more: &str,
    from: u64,
) -> impl Stream<Item = Value> + use<> {
    let query = format!("{path}?watch=true&resourceVersion={from}{more}");
    stream(cluster, &query).await
}

async fn stream(cluster: &Cluster, path: &str) -> impl Stream<Item = Value> + use<> {
    stream_as(cluster, path, "application/json").await
}

/// The events of a watch, line by line.
async fn stream_as(
    cluster: &Cluster,
    path: &str,
    accept: &str,
) -> impl Stream<Item = Value> + use<> {
    let request = Request::get(path)
        .header("Accept", accept)
        .body(Body::empty());
    let response = cluster
        .client()
        .send(request.expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    let chunks = response.into_body().into_data_stream().boxed();
    futures::stream::unfold(
        (chunks, Vec::<u8>::new()),
        |(mut chunks, mut text)| async move {
            loop {
                if let Some(end) = text.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    return Some((
                        serde_json::from_slice(&line).expect("an event"),
                        (chunks, text),
                    ));
                }
                text.extend_from_slice(&chunks.next().await?.expect("a chunk"));
            }
        },
    )
}

async fn next(events: &mut (impl Stream<Item = Value> + Unpin)) -> Value {
    let next = timeout(DEADLINE, events.next()).await;
    next.expect("an event in time").expect("an event")
}

fn version(event: &Value) -> u64 {
    let version = event["object"]["metadata"]["resourceVersion"].as_str();
    version.expect("a version").parse().expect("a number")
}
