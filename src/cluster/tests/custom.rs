//! Custom resources: definitions, schemas, status, generation.

use futures::StreamExt as _;
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{
        DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
        ValidationDirective, WatchEvent, WatchParams,
    },
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;

use super::support::{client, define, definition, definitions, from, refusal, thing, things};

#[tokio::test]
async fn defined_type_is_served_until_its_definition_goes() {
    let client = client();
    let things = things(&client);
    assert_eq!(refusal(things.list(&ListParams::default()).await).0, 404);
    define(&client).await;
    let crds: Api<DynamicObject> = Api::all_with(client.clone(), &definitions());
    let crd = crds.get("things.x.io").await.unwrap();
    assert_eq!(crd.data["status"]["conditions"][1]["type"], "Established");
    assert_eq!(crd.data["status"]["storedVersions"], json!(["v1"]));
    things
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    crds.delete("things.x.io", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        refusal(things.get("x").await),
        (
            404,
            "the server could not find the requested resource".to_owned()
        )
    );
    define(&client).await;
    assert_eq!(
        things
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );
}

#[tokio::test]
async fn wrong_definition_is_refused() {
    let crds: Api<DynamicObject> = Api::all_with(client(), &definitions());
    let mut wrong = definition();
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "banana"});
    let (code, message) = refusal(crds.create(&PostParams::default(), &from(wrong)).await);
    assert_eq!(code, 422);
    assert!(
        message.contains("spec.versions[0].schema.openAPIV3Schema.type"),
        "{message}"
    );
}

#[tokio::test]
async fn objects_are_defaulted_pruned_and_validated() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    let post = PostParams::default();
    let created = things
        .create(&post, &thing("x", &json!({"size": 1, "unknown": true})))
        .await
        .unwrap();
    assert_eq!(created.data["spec"], json!({"size": 1, "color": "red"}));
    assert_eq!(created.data["status"], json!({"observedGeneration": -1}));

    let (code, message) = refusal(
        things
            .create(&post, &thing("y", &json!({"color": "green"})))
            .await,
    );
    assert_eq!(code, 422);
    assert!(
        message.starts_with("Thing.x.io \"y\" is invalid: ["),
        "{message}"
    );
    assert!(message.contains("spec.size: Required value"), "{message}");
    assert!(
        message.contains(
            "spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\""
        ),
        "{message}"
    );
}

#[tokio::test]
async fn strict_client_hears_of_unknown_fields() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    things
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let patch = json!({"spec": {"foo": 1}});
    let (code, message) = refusal(things.patch("x", &strict, &Patch::Merge(&patch)).await);
    assert_eq!(code, 400);
    assert!(
        message.ends_with("strict decoding error: unknown field \"spec.foo\""),
        "{message}"
    );
}

#[tokio::test]
async fn status_is_written_through_its_own_door() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    things
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    let params = PatchParams::default();
    let both = json!({"spec": {"size": 2}, "status": {"ready": true}});

    let main = things
        .patch("x", &params, &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(
        (&main.data["spec"]["size"], &main.data["status"]),
        (&json!(2), &json!({"observedGeneration": -1}))
    );
    assert_eq!(main.meta().generation, Some(2));

    let both =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 3}, "status": {"ready": true}});
    let status = things
        .patch_status("x", &params, &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(status.data["spec"]["size"], 2);
    assert_eq!(status.data["status"]["ready"], true);
    assert_eq!(
        (status.meta().generation, status.labels().len()),
        (Some(2), 0)
    );
}

#[tokio::test]
async fn replacing_needs_the_version_that_was_read() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    let created = things
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    let blind = thing("x", &json!({"size": 2}));
    let (code, message) = refusal(things.replace("x", &PostParams::default(), &blind).await);
    assert_eq!(code, 422);
    assert!(
        message.contains("metadata.resourceVersion: Invalid value"),
        "{message}"
    );
    let read = DynamicObject {
        metadata: created.metadata,
        ..blind
    };
    assert_eq!(
        things
            .replace("x", &PostParams::default(), &read)
            .await
            .unwrap()
            .meta()
            .generation,
        Some(2)
    );
}

#[tokio::test]
async fn unsupported_patches_say_so() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    things
        .create(&PostParams::default(), &thing("x", &json!({"size": 1})))
        .await
        .unwrap();
    let patch = thing("x", &json!({"size": 2}));
    let apply = things
        .patch("x", &PatchParams::apply("me"), &Patch::Apply(&patch))
        .await;
    let (code, message) = refusal(apply);
    assert_eq!(code, 415);
    assert!(message.contains("server-side apply"), "{message}");
    let strategic = things
        .patch("x", &PatchParams::default(), &Patch::Strategic(&patch))
        .await;
    assert_eq!(refusal(strategic).0, 415);
}

#[tokio::test]
async fn a_watch_follows_the_definition() {
    let client = client();
    define(&client).await;
    let things = things(&client);
    let post = PostParams::default();
    let made = thing("x", &json!({"size": 1}));
    let made = things.create(&post, &made).await.unwrap();
    let revision = made.resource_version().unwrap();
    let params = WatchParams::default().disable_bookmarks();
    let mut watch = things.watch(&params, &revision).await.unwrap().boxed();

    let crds: Api<DynamicObject> = Api::all_with(client.clone(), &definitions());
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let change = json!([
        {"op": "add", "path": format!("{spec}/extra"), "value": {"type": "string", "default": "new"}},
        {"op": "remove", "path": format!("{spec}/color")},
    ]);
    let patch = Patch::<()>::Json(serde_json::from_value(change).unwrap());
    let none = PatchParams::default();
    crds.patch("things.x.io", &none, &patch).await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"size": 2}}));
    things.patch("x", &none, &patch).await.unwrap();
    let Some(Ok(WatchEvent::Modified(seen))) = watch.next().await else {
        panic!("no change is seen");
    };
    assert_eq!(seen.data["spec"], json!({"size": 2, "extra": "new"}));

    // A version that is not served any more is not watched any more.
    let mut versions = definition()["spec"]["versions"].clone();
    versions[0]["name"] = "v2".into();
    let mut old = definition()["spec"]["versions"][0].clone();
    old["served"] = false.into();
    old["storage"] = false.into();
    versions.as_array_mut().unwrap().push(old);
    let patch = Patch::Merge(json!({"spec": {"versions": versions}}));
    crds.patch("things.x.io", &none, &patch).await.unwrap();
    let v2 = GroupVersionKind::gvk("x.io", "v2", "Thing");
    let v2 = ApiResource::from_gvk_with_plural(&v2, "things");
    let v2: Api<DynamicObject> = Api::default_namespaced_with(client, &v2);
    v2.delete("x", &DeleteParams::default()).await.unwrap();
    assert!(watch.next().await.is_none());
}
