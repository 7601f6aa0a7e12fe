//! Watches, as `kube`'s runtime uses them.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    core::PartialObjectMeta,
    runtime::{
        finalizer::{Event, finalizer},
        watcher,
    },
};
use serde_json::json;

use super::support::{client, config};

async fn next<E: std::fmt::Debug>(
    stream: &mut (impl Stream<Item = Result<WatchEvent<ConfigMap>, E>> + Unpin),
) -> (&'static str, String, String) {
    let seen =
        |kind, object: ConfigMap| (kind, object.name_any(), object.resource_version().unwrap());
    match stream.next().await.unwrap().unwrap() {
        WatchEvent::Added(object) => seen("added", object),
        WatchEvent::Modified(object) => seen("modified", object),
        WatchEvent::Deleted(object) => seen("deleted", object),
        WatchEvent::Bookmark(bookmark) => (
            "bookmark",
            String::new(),
            bookmark.metadata.resource_version,
        ),
        WatchEvent::Error(status) => ("error", status.reason.clone(), status.code.to_string()),
    }
}

#[tokio::test]
async fn watch_from_nothing_starts_with_what_is_there() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    let mut watch = configs
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    assert_eq!(next(&mut watch).await.0, "added");
    configs.delete("a", &DeleteParams::default()).await.unwrap();
    let created = configs
        .create(&PostParams::default(), &config("b", "1"))
        .await
        .unwrap();
    let (kind, name, revision) = next(&mut watch).await;
    assert_eq!((kind, name.as_str()), ("deleted", "a"));
    let deletion: u64 = revision.parse().unwrap();
    assert_eq!(
        deletion + 1,
        created.resource_version().unwrap().parse::<u64>().unwrap()
    );
    assert_eq!(
        next(&mut watch).await,
        ("added", "b".to_owned(), created.resource_version().unwrap())
    );
}

#[tokio::test]
async fn watch_from_a_version_gives_what_came_after() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let first = configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    configs
        .create(&PostParams::default(), &config("b", "1"))
        .await
        .unwrap();
    let mut watch = configs
        .watch(&WatchParams::default(), &first.resource_version().unwrap())
        .await
        .unwrap()
        .boxed();
    assert_eq!(next(&mut watch).await.1, "b");
}

#[tokio::test]
async fn selected_object_comes_and_goes() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let params = WatchParams::default().labels("on=yes");
    let mut watch = configs.watch(&params, "0").await.unwrap().boxed();
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    for (on, expected) in [("yes", "added"), ("no", "deleted")] {
        let patch = json!({"metadata": {"labels": {"on": on}}});
        let changed = configs
            .patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        assert_eq!(
            next(&mut watch).await,
            (
                expected,
                "a".to_owned(),
                changed.resource_version().unwrap()
            )
        );
    }
}

#[tokio::test]
async fn unknown_version_is_told_in_the_stream() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let mut watch = configs
        .watch(&WatchParams::default(), "999999")
        .await
        .unwrap()
        .boxed();
    assert_eq!(
        next(&mut watch).await,
        ("error", "Expired".to_owned(), "410".to_owned())
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn quiet_watch_tells_the_version_and_ends_in_time() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let mut watch = configs
        .watch(&WatchParams::default().timeout(100), "0")
        .await
        .unwrap()
        .boxed();
    let start = tokio::time::Instant::now();
    assert_eq!(next(&mut watch).await.0, "bookmark");
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(watch.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 100);
}

#[tokio::test]
async fn watchers_of_the_runtime_follow() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    let mut names = watcher::watcher(configs.clone(), watcher::Config::default())
        .try_filter_map(async |event| {
            Ok(match event {
                watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                    Some(object.name_any())
                }
                watcher::Event::InitDone => Some("done".to_owned()),
                _ => None,
            })
        })
        .boxed();
    assert_eq!(names.try_next().await.unwrap().unwrap(), "a");
    assert_eq!(names.try_next().await.unwrap().unwrap(), "done");
    configs
        .create(&PostParams::default(), &config("b", "1"))
        .await
        .unwrap();
    assert_eq!(names.try_next().await.unwrap().unwrap(), "b");
}

#[tokio::test]
async fn streamed_list_is_ended_by_a_bookmark() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    let mut events =
        watcher::watcher(configs, watcher::Config::default().streaming_lists()).boxed();
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(watcher::Event::InitDone)) {
        seen.push(events.try_next().await.unwrap().unwrap());
    }
    assert!(
        seen.iter()
            .any(|event| matches!(event, watcher::Event::InitApply(_)))
    );
}

#[tokio::test]
async fn metadata_can_be_watched_alone() {
    let client = client();
    let configs: Api<ConfigMap> = Api::default_namespaced(client.clone());
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::default_namespaced(client);
    let mut events = watcher::watcher(metadata, watcher::Config::default()).boxed();
    loop {
        if let watcher::Event::InitApply(object) = events.try_next().await.unwrap().unwrap() {
            assert_eq!(object.name_any(), "a");
            return;
        }
    }
}

#[tokio::test]
async fn finalizers_of_the_runtime_work() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("a", "1"))
        .await
        .unwrap();
    let reconcile = async || {
        let object = Arc::new(configs.get("a").await.unwrap());
        finalizer(&configs, "x.io/hold", object, async |event| match event {
            Event::Apply(_) | Event::Cleanup(_) => {
                Ok::<_, std::io::Error>(kube::runtime::controller::Action::await_change())
            }
        })
        .await
        .unwrap();
    };
    reconcile().await;
    assert_eq!(configs.get("a").await.unwrap().finalizers(), ["x.io/hold"]);
    configs.delete("a", &DeleteParams::default()).await.unwrap();
    reconcile().await;
    assert!(configs.get_opt("a").await.unwrap().is_none());
}
