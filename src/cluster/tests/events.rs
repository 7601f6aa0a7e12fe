//! Events in both of their views, and what becomes of old ones.

use k8s_openapi::api::{core::v1 as core, events::v1 as events};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::json;

use super::support::{client, embedded, from, refusal};
use crate::cluster::{
    Embedded, builtin,
    object::{Key, ObjectName},
};

fn put_old_event(server: &Embedded) {
    let mut transaction = server.cluster.store.begin().unwrap();
    let key = Key {
        resource: builtin::events(),
        name: ObjectName::new("default", "old"),
    };
    let old = json!({"metadata": {"name": "old", "namespace": "default", "creationTimestamp": "2020-01-01T00:00:00Z"}});
    transaction.put(&key, old);
    transaction.commit(|| (), &[]).unwrap();
}

#[tokio::test]
async fn old_events_go_when_new_ones_come() {
    let server = embedded();
    put_old_event(&server);
    let api: Api<core::Event> = Api::default_namespaced(server.client());
    let involved = json!({"kind": "Thing", "name": "x", "namespace": "default"});
    let new = json!({"metadata": {"name": "new"}, "involvedObject": involved, "reason": "Because", "message": "x"});
    api.create(&PostParams::default(), &from(new))
        .await
        .unwrap();
    let stored = server.cluster.store.snapshot(&builtin::events()).objects;
    let names: Vec<_> = stored
        .range(None, None)
        .map(|(name, _)| name.name.as_str())
        .collect();
    assert_eq!(names, ["new"]);
    let about_x = ListParams::default().fields("involvedObject.name=x,involvedObject.kind=Thing");
    assert_eq!(api.list(&about_x).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn old_events_are_not_shown() {
    let server = embedded();
    put_old_event(&server);
    let api: Api<events::Event> = Api::default_namespaced(server.client());
    assert_eq!(refusal(api.get("old").await).0, 404);
    put_old_event(&server);
    assert!(
        api.list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn recorded_events_are_shown_in_both_views() {
    let client = client();
    let recorder = Recorder::new(client.clone(), Reporter::from("x.io/tester"));
    let event = Event {
        type_: EventType::Normal,
        reason: "Because".to_owned(),
        note: Some("it went well".to_owned()),
        action: "Test".to_owned(),
        secondary: None,
    };
    let about = from(
        json!({"apiVersion": "v1", "kind": "Secret", "name": "x", "namespace": "default", "uid": "u"}),
    );
    recorder.publish(&event, &about).await.unwrap();
    recorder.publish(&event, &about).await.unwrap();

    let old: Api<core::Event> = Api::default_namespaced(client.clone());
    let about_x =
        ListParams::default().fields("involvedObject.name=x,reportingComponent=x.io/tester");
    let found = old.list(&about_x).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message.as_deref(), Some("it went well"));
    assert_eq!(found[0].series.as_ref().unwrap().count, Some(2));

    let new: Api<events::Event> = Api::default_namespaced(client);
    let about_x = ListParams::default().fields("regarding.name=x,reportingController=x.io/tester");
    let found = new.list(&about_x).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].note.as_deref(), Some("it went well"));
    assert_eq!(
        found[0].regarding.as_ref().unwrap().uid.as_deref(),
        Some("u")
    );
    let same = new.get(&found[0].name_any()).await.unwrap();
    assert_eq!(same.series.unwrap().count, 2);
}

#[tokio::test]
async fn new_view_is_strict() {
    let api: Api<events::Event> = Api::default_namespaced(client());
    let incomplete =
        json!({"metadata": {"name": "x"}, "regarding": {"namespace": "default"}, "note": "x"});
    let (code, message) = refusal(api.create(&PostParams::default(), &from(incomplete)).await);
    assert_eq!(code, 422);
    assert!(
        message.contains("reportingController: Required value"),
        "{message}"
    );
}
