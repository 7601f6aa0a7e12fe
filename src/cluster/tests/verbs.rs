//! Creating, reading, changing and deleting built-in objects.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, Resource as _, ResourceExt,
    api::{
        DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
        WatchEvent, WatchParams,
    },
};
use serde_json::json;

use super::support::{client, config, define, embedded, from, refusal, thing, things};
use crate::cluster::{Embedded, Options, Storage};

#[tokio::test]
async fn secret_lives_a_life() {
    let secrets: Api<Secret> = Api::default_namespaced(client());
    let created = secrets
        .create(
            &PostParams::default(),
            &from(json!({"metadata": {"name": "s"}, "stringData": {"token": "t"}})),
        )
        .await
        .unwrap();
    assert_eq!(created.type_.as_deref(), Some("Opaque"));
    assert_eq!(created.data.as_ref().unwrap()["token"].0, b"t");
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());

    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    let patched = secrets
        .patch("s", &PatchParams::default(), &Patch::Merge(&labels))
        .await
        .unwrap();
    assert_ne!(patched.resource_version(), created.resource_version());
    let again = secrets
        .patch("s", &PatchParams::default(), &Patch::Merge(&labels))
        .await
        .unwrap();
    assert_eq!(
        again.resource_version(),
        patched.resource_version(),
        "a change of nothing is none"
    );

    assert_eq!(secrets.get("s").await.unwrap(), patched);
    let gone = secrets
        .delete("s", &DeleteParams::default())
        .await
        .unwrap()
        .right()
        .unwrap();
    assert!(gone.is_success());
    assert_eq!(
        refusal(secrets.get("s").await),
        (404, "secrets \"s\" not found".to_owned())
    );
}

#[tokio::test]
async fn what_cannot_be_created_is_refused() {
    let client = client();
    let configs: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let post = PostParams::default();
    configs.create(&post, &config("x", "1")).await.unwrap();
    assert_eq!(
        refusal(configs.create(&post, &config("x", "1")).await),
        (409, "configmaps \"x\" already exists".to_owned())
    );
    assert_eq!(
        refusal(configs.create(&post, &config("X", "1")).await).0,
        422
    );
    let elsewhere: Api<ConfigMap> = Api::namespaced(client, "nowhere");
    let missing = (404, "namespaces \"nowhere\" not found".to_owned());
    assert_eq!(
        refusal(elsewhere.create(&post, &config("x", "1")).await),
        missing
    );
}

#[tokio::test]
async fn stale_change_is_refused() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let post = PostParams::default();
    let first = configs.create(&post, &config("x", "1")).await.unwrap();
    let mut second = first.clone();
    second.data = config("x", "2").data;
    configs.replace("x", &post, &second).await.unwrap();
    let (code, message) = refusal(configs.replace("x", &post, &second).await);
    assert_eq!(code, 409);
    assert!(message.starts_with(
        "Operation cannot be fulfilled on configmaps \"x\": the object has been modified"
    ));
    configs
        .replace("x", &post, &config("x", "3"))
        .await
        .unwrap();

    let preconditions = Preconditions {
        uid: first.uid(),
        resource_version: first.resource_version(),
    };
    let stale = DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    assert_eq!(refusal(configs.delete("x", &stale).await).0, 409);
}

#[tokio::test]
async fn list_comes_in_pages_of_one_moment() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let post = PostParams::default();
    for name in ["a", "b", "c", "d", "e"] {
        configs.create(&post, &config(name, "1")).await.unwrap();
    }
    let page = configs.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(page.metadata.remaining_item_count, Some(3));
    configs.delete("c", &DeleteParams::default()).await.unwrap();
    configs.create(&post, &config("f", "1")).await.unwrap();

    let mut names: Vec<String> = page.iter().map(ResourceExt::name_any).collect();
    let mut next = page.metadata.continue_.clone();
    while let Some(token) = next.filter(|token| !token.is_empty()) {
        let page = configs
            .list(&ListParams::default().limit(2).continue_token(&token))
            .await
            .unwrap();
        names.extend(page.iter().map(ResourceExt::name_any));
        next = page.metadata.continue_;
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn selectors_choose() {
    let client = client();
    let configs: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for (name, color) in [("a", "red"), ("b", "blue")] {
        let object = json!({"metadata": {"name": name, "labels": {"color": color}}});
        configs
            .create(&PostParams::default(), &from(object))
            .await
            .unwrap();
    }
    let names = async |params: ListParams| -> Vec<String> {
        configs
            .list(&params)
            .await
            .unwrap()
            .iter()
            .map(ResourceExt::name_any)
            .collect()
    };
    assert_eq!(
        names(ListParams::default().labels("color in (red,green)")).await,
        ["a"]
    );
    assert_eq!(
        names(ListParams::default().fields("metadata.name=b")).await,
        ["b"]
    );
    let (code, message) = refusal(
        configs
            .list(&ListParams::default().fields("data.x=b"))
            .await,
    );
    assert_eq!(
        (code, message.as_str()),
        (400, "field label not supported: data.x")
    );
}

#[tokio::test]
async fn metadata_can_be_read_alone() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("x", "1"))
        .await
        .unwrap();
    assert_eq!(configs.get_metadata("x").await.unwrap().name_any(), "x");
    let list = configs.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    assert_eq!(
        list.items[0].types.as_ref().unwrap().kind,
        "PartialObjectMetadata"
    );
}

#[tokio::test]
async fn finalizer_holds_an_object() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let object = json!({"metadata": {"name": "x", "finalizers": ["x.io/hold"]}});
    configs
        .create(&PostParams::default(), &from(object))
        .await
        .unwrap();
    let going = configs
        .delete("x", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(going.meta().deletion_timestamp.is_some());
    let release: json_patch::Patch =
        from(json!([{"op": "remove", "path": "/metadata/finalizers/0"}]));
    configs
        .patch("x", &PatchParams::default(), &Patch::Json::<()>(release))
        .await
        .unwrap();
    assert!(configs.get_opt("x").await.unwrap().is_none());
}

#[tokio::test]
async fn namespace_goes_with_what_is_in_it() {
    let client = client();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let post = PostParams::default();
    namespaces
        .create(&post, &from(json!({"metadata": {"name": "n"}})))
        .await
        .unwrap();
    let configs: Api<ConfigMap> = Api::namespaced(client, "n");
    configs.create(&post, &config("plain", "1")).await.unwrap();
    let held = json!({"metadata": {"name": "held", "finalizers": ["x.io/hold"]}});
    configs.create(&post, &from(held)).await.unwrap();

    namespaces
        .delete("n", &DeleteParams::default())
        .await
        .unwrap();
    assert!(configs.get_opt("plain").await.unwrap().is_none());
    let going = namespaces.get("n").await.unwrap();
    assert_eq!(going.status.unwrap().phase.as_deref(), Some("Terminating"));
    assert_eq!(
        refusal(configs.create(&post, &config("late", "1")).await).0,
        403
    );

    let release = json!({"metadata": {"finalizers": null}});
    configs
        .patch("held", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    assert!(namespaces.get_opt("n").await.unwrap().is_none());
    assert_eq!(
        refusal(namespaces.delete("default", &DeleteParams::default()).await).0,
        403
    );
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let post = PostParams::default();
    let owner = configs.create(&post, &config("owner", "1")).await.unwrap();
    let uid = owner.uid().unwrap();
    for name in ["child", "grandchild"] {
        let reference =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid});
        configs
            .create(
                &post,
                &from(json!({"metadata": {"name": name, "ownerReferences": [reference]}})),
            )
            .await
            .unwrap();
    }
    let orphan = json!({"metadata": {"ownerReferences": null}});
    configs
        .patch(
            "grandchild",
            &PatchParams::default(),
            &Patch::Merge(&orphan),
        )
        .await
        .unwrap();
    configs
        .delete("owner", &DeleteParams::background())
        .await
        .unwrap();
    let left = configs.list(&ListParams::default()).await.unwrap();
    assert_eq!(
        left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        ["grandchild"]
    );
}

#[tokio::test]
async fn dry_run_changes_nothing() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    let post = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    configs.create(&post, &config("x", "1")).await.unwrap();
    assert!(configs.get_opt("x").await.unwrap().is_none());
    configs
        .create(&PostParams::default(), &config("x", "1"))
        .await
        .unwrap();
    configs
        .delete(
            "x",
            &DeleteParams {
                dry_run: true,
                ..DeleteParams::default()
            },
        )
        .await
        .unwrap();
    assert!(configs.get_opt("x").await.unwrap().is_some());
}

#[tokio::test]
async fn collection_is_deleted_by_selector() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    for name in ["a", "b"] {
        configs
            .create(&PostParams::default(), &config(name, "1"))
            .await
            .unwrap();
    }
    let one = ListParams::default().fields("metadata.name=a");
    configs
        .delete_collection(&DeleteParams::default(), &one)
        .await
        .unwrap();
    assert_eq!(
        configs
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

#[tokio::test]
async fn closed_control_plane_refuses_changes() {
    let embedded = embedded();
    let configs: Api<ConfigMap> = Api::default_namespaced(embedded.client());
    embedded.close();
    assert_eq!(
        refusal(
            configs
                .create(&PostParams::default(), &config("x", "1"))
                .await
        )
        .0,
        503
    );
}

#[tokio::test]
async fn strategic_patch_merges() {
    let configs: Api<ConfigMap> = Api::default_namespaced(client());
    configs
        .create(&PostParams::default(), &config("x", "1"))
        .await
        .unwrap();
    let patch =
        json!({"data": {"key": null, "other": "2"}, "metadata": {"finalizers": ["x.io/a"]}});
    let patched = configs
        .patch("x", &PatchParams::default(), &Patch::Strategic(&patch))
        .await
        .unwrap();
    assert_eq!(
        patched.data.unwrap().into_iter().collect::<Vec<_>>(),
        [("other".to_owned(), "2".to_owned())]
    );
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        storage: Storage::Directory(directory.path().to_owned()),
    };
    let first = Embedded::open(&options).unwrap();
    let client = first.client();
    define(&client).await;
    let created = things(&client)
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    let mut watch = things(&client)
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    assert!(watch.next().await.is_some());
    first.close();
    assert!(
        watch.next().await.is_none(),
        "watches end when the control plane closes"
    );

    let second = Embedded::open(&options).unwrap();
    let things = things(&second.client());
    let found = things.get("x").await.unwrap();
    assert_eq!(found, created);
    let version =
        |object: &DynamicObject| object.resource_version().unwrap().parse::<u64>().unwrap();
    let before = (version(&created) - 1).to_string();
    let mut watch = things
        .watch(&WatchParams::default(), &before)
        .await
        .unwrap()
        .boxed();
    let Some(Ok(WatchEvent::Error(status))) = watch.next().await else {
        panic!("not an error")
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    let later = things
        .create(&PostParams::default(), &thing("y", &json!({"size": 1})))
        .await
        .unwrap();
    assert!(version(&later) > version(&found));
}
