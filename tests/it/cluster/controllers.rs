//! What controllers are made of, as `kube` has it: controllers, finalizers, leases, events, conditions.
//!
//! hookgate's own controllers are shown in the tests outside this suite.

use std::sync::Arc;

use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Event};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
    runtime::{
        Controller, WatchStreamExt as _,
        controller::Action,
        events::{Event as News, EventType, Recorder, Reporter},
        finalizer::{self, finalizer},
        reflector,
        wait::{await_condition, conditions},
        watcher,
    },
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::{
    fixture::{DEADLINE, MERGE, from, refused},
    on_every_cluster, widgets,
};

const FINALIZER: &str = "contract.hookgate.dev/cleanup";

on_every_cluster! {
    async fn a_controller_sees_an_object_through(cluster) {
        let (told, mut heard) = unbounded_channel();
        let context = Arc::new(Context { widgets: cluster.widgets(), told });
        let controller = Controller::new_with(cluster.widgets(), watcher::Config::default(), widgets::resource())
            .run(reconcile, |_, _, _| Action::requeue(std::time::Duration::from_millis(100)), context)
            .for_each(|_| std::future::ready(()));
        let running = tokio::spawn(controller);

        let made = cluster.widget("a", &json!({"size": 1})).await;
        assert_eq!(hear(&mut heard).await, "applied a 1");
        let path = cluster.widgets_path("/a");
        let ready = cluster.until(&path, |answer| answer.body["status"]["observedGeneration"] == 1).await;
        assert_eq!(ready.body["metadata"]["finalizers"], json!([FINALIZER]));
        cluster.patch(&path, MERGE, &json!({"spec": {"size": 2}})).await.expect(200);
        while hear(&mut heard).await != "applied a 2" {}
        cluster.until(&path, |answer| answer.body["status"]["observedGeneration"] == 2).await;
        cluster.widgets().delete("a", &DeleteParams::default()).await.expect("deleted");
        while hear(&mut heard).await != "cleaned a up" {}
        let uid = made.uid().expect("a uid");
        let gone = await_condition(cluster.widgets(), "a", conditions::is_deleted(&uid));
        timeout(DEADLINE, gone).await.expect("in time").expect("gone");
        running.abort();
    }

    async fn a_quiet_controller_is_left_alone(cluster) {
        let (told, mut heard) = unbounded_channel();
        let context = Arc::new(Context { widgets: cluster.widgets(), told });
        let controller = Controller::new_with(cluster.widgets(), watcher::Config::default(), widgets::resource())
            .run(reconcile, |_, _, _| Action::requeue(std::time::Duration::from_millis(100)), context)
            .for_each(|_| std::future::ready(()));
        let running = tokio::spawn(controller);
        cluster.widget("a", &json!({"size": 1})).await;
        cluster.until(&cluster.widgets_path("/a"), |answer| answer.body["status"]["observedGeneration"] == 1).await;
        cluster.widget("b", &json!({"size": 1})).await;
        cluster.until(&cluster.widgets_path("/b"), |answer| answer.body["status"]["observedGeneration"] == 1).await;
        running.abort();
        let mut runs = 0;
        while let Ok(run) = heard.try_recv() {
            runs += usize::from(run.starts_with("applied a"));
        }
        assert!(runs <= 4, "a status that says the same must not wake the controller: {runs} runs");
    }

    async fn a_lease_is_taken_by_one_of_two(cluster) {
        let leases: Api<Lease> = Api::namespaced(cluster.client(), cluster.namespace());
        let lease = |holder: &str| -> Lease {
            from(json!({
                "metadata": {"name": "leader"},
                "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 0,
                    "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.123456Z"},
            }))
        };
        let params = PostParams::default();
        let first = leases.create(&params, &lease("one")).await.expect("created");
        assert_eq!(refused(leases.create(&params, &lease("two")).await).0, 409);
        assert_eq!(json!(first)["spec"]["renewTime"], "2026-01-01T00:00:00.123456Z", "microseconds are kept");

        let take = |holder: &str| {
            let mut taken = first.clone();
            let spec = taken.spec.as_mut().expect("a spec");
            spec.holder_identity = Some(holder.to_owned());
            spec.lease_transitions = Some(1);
            taken
        };
        let (two, three) = (take("two"), take("three"));
        let (two, three) = tokio::join!(leases.replace("leader", &params, &two), leases.replace("leader", &params, &three));
        let (winner, loser) = if two.is_ok() { ("two", three) } else { ("three", two) };
        assert_eq!(refused(loser).0, 409);
        let held = leases.get("leader").await.expect("it is there");
        assert_eq!(held.spec.expect("a spec").holder_identity.as_deref(), Some(winner));

        let mut unconditional = lease("four");
        unconditional.metadata.resource_version = None;
        let (status, reason, message) = refused(leases.replace("leader", &params, &unconditional).await);
        assert_eq!((status, reason.as_str()), (422, "Invalid"));
        assert!(message.contains("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"), "{message}");
    }

    async fn a_recorder_writes_events_that_both_apis_show(cluster) {
        let widget = cluster.widget("a", &json!({"size": 1})).await;
        let reporter = Reporter { controller: "contract.hookgate.dev/tester".to_owned(), instance: Some("tester-1".to_owned()) };
        let recorder = Recorder::new(cluster.client(), reporter);
        let news = News {
            type_: EventType::Normal, reason: "Made".to_owned(), note: Some("it went well".to_owned()),
            action: "Making".to_owned(), secondary: None,
        };
        let about = widget.object_ref(&widgets::resource());
        recorder.publish(&news, &about).await.expect("published");
        let path = format!("/namespaces/{}/events", cluster.namespace());
        let (core, view) = (format!("/api/v1{path}"), format!("/apis/events.k8s.io/v1{path}"));
        let shown = cluster.get(&core).await.expect(200);
        let event = &shown.body["items"][0];
        assert_eq!((&event["message"], &event["involvedObject"]["name"]), (&json!("it went well"), &json!("a")));
        assert_eq!((&event["reportingComponent"], &event["reportingInstance"]), (&json!("contract.hookgate.dev/tester"), &json!("tester-1")));
        assert_eq!(event["action"], "Making");
        let shown = cluster.get(&view).await.expect(200);
        assert_eq!(shown.text("/kind"), "EventList");
        let event = &shown.body["items"][0];
        assert_eq!((&event["note"], &event["regarding"]["uid"]), (&json!("it went well"), &json!(widget.uid())));
        assert_eq!(event["message"], Value::Null);

        // The same again is counted, not written anew.
        recorder.publish(&news, &about).await.expect("published");
        let shown = cluster.get(&view).await.expect(200);
        assert_eq!(shown.names().len(), 1);
        assert!(shown.body["items"][0]["series"]["count"].as_i64() >= Some(1), "{}", shown.body);
        let selected = format!("{core}?fieldSelector=involvedObject.name%3Da%2Creason%3DMade%2Ctype%3DNormal");
        assert_eq!(cluster.get(&selected).await.expect(200).names().len(), 1);
        let selected = format!("{view}?fieldSelector=regarding.name%3Da");
        assert!(matches!(cluster.get(&selected).await.status, 200 | 400));
    }

    async fn events_of_the_core_api_are_shown_by_the_other(cluster) {
        let events: Api<Event> = Api::namespaced(cluster.client(), cluster.namespace());
        let event: Event = from(json!({
            "metadata": {"name": "e"}, "reason": "Made", "message": "it went well", "type": "Warning", "count": 3,
            "involvedObject": {"kind": "Widget", "name": "a", "namespace": cluster.namespace()},
            "source": {"component": "tester", "host": "h"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:01Z",
        }));
        events.create(&PostParams::default(), &event).await.expect("created");
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events/e", cluster.namespace());
        let shown = cluster.get(&path).await.expect(200);
        for (pointer, expected) in [
            ("/note", json!("it went well")), ("/regarding/name", json!("a")), ("/deprecatedCount", json!(3)),
            ("/deprecatedSource", json!({"component": "tester", "host": "h"})),
            ("/deprecatedFirstTimestamp", json!("2026-01-01T00:00:00Z")), ("/deprecatedLastTimestamp", json!("2026-01-01T00:00:01Z")),
            ("/type", json!("Warning")), ("/reason", json!("Made")),
        ] {
            assert_eq!(shown.body.pointer(pointer), Some(&expected), "{pointer}: {}", shown.body);
        }
        let elsewhere = json!({"metadata": {"name": "f"}, "involvedObject": {"namespace": "default"}});
        let path = format!("/api/v1/namespaces/{}/events", cluster.namespace());
        assert_eq!(cluster.post(&path, &elsewhere).await.refusal(), (422, "Invalid"));
    }

    async fn a_store_is_filled_and_kept(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let writer = reflector::store::Writer::new(widgets::resource());
        let store = writer.as_reader();
        let stream = reflector(writer, watcher(cluster.widgets(), watcher::Config::default())).applied_objects();
        let running = tokio::spawn(async move { pin_mut!(stream); while stream.next().await.is_some() {} });
        timeout(DEADLINE, store.wait_until_ready()).await.expect("in time").expect("ready");
        assert_eq!(store.state().len(), 1);
        cluster.widgets().delete("a", &DeleteParams::default()).await.expect("deleted");
        cluster.widget("b", &json!({"size": 1})).await;
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        let names = || store.state().iter().map(|widget| widget.name_any()).collect::<Vec<_>>();
        let kept = async { while names() != ["b"] { ticks.tick().await; } };
        timeout(DEADLINE, kept).await.expect("the store follows");
        running.abort();
    }

    #[needs(Collection)]
    async fn dependents_go_with_their_owner(cluster) {
        let owner = cluster.config("owner", "1").await;
        let reference = owner.controller_owner_ref(&()).expect("a reference");
        let body = json!({"metadata": {"name": "owned", "ownerReferences": [reference]}});
        cluster.post(&cluster.configs_path(""), &body).await.expect(201);
        cluster.configs().delete("owner", &DeleteParams::background()).await.expect("deleted");
        cluster.until(&cluster.configs_path("/owned"), |answer| answer.status == 404).await;
    }

    #[needs(Collection)]
    async fn orphans_stay(cluster) {
        let owner = cluster.config("owner", "1").await;
        let reference = owner.controller_owner_ref(&()).expect("a reference");
        let body = json!({"metadata": {"name": "owned", "ownerReferences": [reference]}});
        cluster.post(&cluster.configs_path(""), &body).await.expect(201);
        cluster.delete(&cluster.configs_path("/owner"), &json!({"propagationPolicy": "Orphan"})).await.expect(200);
        cluster.until(&cluster.configs_path("/owner"), |answer| answer.status == 404).await;
        let orphan = cluster.get(&cluster.configs_path("/owned")).await.expect(200);
        assert_eq!(orphan.body["metadata"]["ownerReferences"], Value::Null);
    }

    #[needs(Collection)]
    async fn a_namespace_goes_with_all_that_is_in_it(cluster) {
        let name = format!("{}-2", cluster.namespace());
        cluster.create_namespace(&name).await;
        let path = format!("/api/v1/namespaces/{name}");
        cluster.post(&format!("{path}/configmaps"), &json!({"metadata": {"name": "a"}})).await.expect(201);
        let held = json!({"metadata": {"name": "held", "finalizers": [FINALIZER]}});
        cluster.post(&format!("{path}/configmaps"), &held).await.expect(201);
        cluster.delete(&path, &Value::Null).await.expect(200);
        let going = cluster.get(&path).await.expect(200);
        assert_eq!(going.text("/status/phase"), "Terminating");
        cluster.until(&format!("{path}/configmaps/a"), |answer| answer.status == 404).await;
        let late = cluster.post(&format!("{path}/configmaps"), &json!({"metadata": {"name": "late"}})).await;
        assert_eq!(late.refusal(), (403, "Forbidden"));
        assert!(late.message().contains(&format!("unable to create new content in namespace {name} because it is being terminated")), "{}", late.message());
        cluster.patch(&format!("{path}/configmaps/held"), MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
        cluster.until(&path, |answer| answer.status == 404).await;
    }
}

struct Context {
    widgets: Api<DynamicObject>,
    told: UnboundedSender<String>,
}

async fn reconcile(
    widget: Arc<DynamicObject>,
    context: Arc<Context>,
) -> Result<Action, finalizer::Error<kube::Error>> {
    finalizer(
        &context.widgets,
        FINALIZER,
        widget,
        async |event| match event {
            finalizer::Event::Apply(widget) => {
                let generation = widget.metadata.generation.unwrap_or_default();
                let _ = context
                    .told
                    .send(format!("applied {} {generation}", widget.name_any()));
                let status = Patch::Merge(json!({"status": {"observedGeneration": generation}}));
                let params = PatchParams::default();
                context
                    .widgets
                    .patch_status(&widget.name_any(), &params, &status)
                    .await?;
                Ok(Action::await_change())
            }
            finalizer::Event::Cleanup(widget) => {
                let _ = context
                    .told
                    .send(format!("cleaned {} up", widget.name_any()));
                Ok(Action::await_change())
            }
        },
    )
    .await
}

async fn hear(heard: &mut UnboundedReceiver<String>) -> String {
    timeout(DEADLINE, heard.recv())
        .await
        .expect("in time")
        .expect("news")
}
