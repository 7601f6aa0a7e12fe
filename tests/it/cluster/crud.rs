//! Creating, reading, replacing and deleting single objects.
//!
//! Patches are in `patching.rs`, and what is refused because of its content in `validation.rs`.

use kube::{
    ResourceExt as _,
    api::{DeleteParams, PostParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    fixture::{MERGE, config, refused, revision, widget},
    on_every_cluster,
};

on_every_cluster! {
    async fn an_object_is_created_read_replaced_and_deleted(cluster) {
        let created = cluster.config("a", "1").await;
        assert!(created.uid().is_some() && created.creation_timestamp().is_some());
        let mut read = cluster.configs().get("a").await.expect("it is there");
        assert_eq!(read.data, created.data);

        read.data.as_mut().expect("data").insert("more".into(), "2".into());
        let replaced = cluster.configs().replace("a", &PostParams::default(), &read).await.expect("replaced");
        assert!(revision(&replaced) > revision(&created));
        assert_eq!(replaced.uid(), created.uid());
        assert_eq!(replaced.creation_timestamp(), created.creation_timestamp());

        let deleted = cluster.delete(&cluster.configs_path("/a"), &Value::Null).await.expect(200);
        assert_eq!((deleted.text("/kind"), deleted.text("/status")), ("Status", "Success"));
        assert_eq!(deleted.body["details"], json!({"name": "a", "kind": "configmaps", "uid": created.uid()}));
        let (status, reason, message) = refused(cluster.configs().get("a").await);
        assert_eq!((status, reason.as_str()), (404, "NotFound"));
        assert_eq!(message, r#"configmaps "a" not found"#);
    }

    async fn what_a_client_may_not_choose_is_chosen_for_it(cluster) {
        let mut wanted = serde_json::to_value(config("a", "1")).expect("JSON");
        let metadata = json!({
            "name": "a", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z",
            "deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5, "selfLink": "/x",
        });
        wanted["metadata"] = metadata;
        let created = cluster.post(&cluster.configs_path(""), &wanted).await.expect(201);
        let metadata = &created.body["metadata"];
        assert_ne!(metadata["uid"], "mine");
        assert_ne!(metadata["creationTimestamp"], "2001-01-01T00:00:00Z");
        for absent in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
            assert_eq!(metadata[absent], Value::Null, "{absent}");
        }
        assert_eq!(metadata["namespace"], cluster.namespace());
    }

    async fn a_name_is_taken_once(cluster) {
        cluster.config("a", "1").await;
        cluster.widget("a", &json!({"size": 1})).await;
        let again = cluster.post(&cluster.configs_path(""), &json!(config("a", "2"))).await;
        assert_eq!(again.refusal(), (409, "AlreadyExists"));
        assert_eq!(again.message(), r#"configmaps "a" already exists"#);
        assert_eq!(again.body["details"], json!({"name": "a", "kind": "configmaps"}));
        let again = cluster.post(&cluster.widgets_path(""), &json!(widget("a", &json!({"size": 2})))).await;
        assert_eq!(again.message(), r#"widgets.contract.hookgate.dev "a" already exists"#);
        let details = json!({"name": "a", "group": "contract.hookgate.dev", "kind": "widgets"});
        assert_eq!(again.body["details"], details);
    }

    async fn names_are_generated_when_asked_for(cluster) {
        let body = json!({"metadata": {"generateName": "made-"}});
        let mut names = Vec::new();
        for _ in 0..3 {
            let made = cluster.post(&cluster.configs_path(""), &body).await.expect(201);
            assert_eq!(made.text("/metadata/generateName"), "made-");
            names.push(made.text("/metadata/name").to_owned());
        }
        for name in &names {
            let suffix = name.strip_prefix("made-").expect("the prefix");
            assert!(suffix.len() == 5 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3);
        let none = cluster.post(&cluster.configs_path(""), &json!({"metadata": {}})).await;
        assert_eq!(none.refusal(), (422, "Invalid"));
        assert!(none.message().contains("name or generateName is required"), "{}", none.message());
    }

    async fn a_version_has_no_place_on_a_new_object(cluster) {
        let mut body = json!(config("a", "1"));
        body["metadata"]["resourceVersion"] = json!("1");
        let answer = cluster.post(&cluster.configs_path(""), &body).await;
        assert!(answer.message().contains("resourceVersion should not be set on objects to be created"), "{answer:?}");
        assert_eq!(cluster.get(&cluster.configs_path("/a")).await.status, 404);
    }

    async fn a_stale_version_is_a_conflict(cluster) {
        let stale = cluster.config("a", "1").await;
        let mut fresh = stale.clone();
        fresh.data.as_mut().expect("data").insert("key".into(), "2".into());
        let put = |object| { let configs = cluster.configs(); async move { configs.replace("a", &PostParams::default(), &object).await } };
        put(fresh).await.expect("replaced");
        let (status, reason, message) = refused(put(stale).await);
        assert_eq!((status, reason.as_str()), (409, "Conflict"));
        let expected = r#"Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again"#;
        assert_eq!(message, expected);
    }

    async fn another_uid_is_a_conflict(cluster) {
        for (path, mut object) in [
            (cluster.configs_path("/a"), json!(cluster.config("a", "1").await)),
            (cluster.widgets_path("/a"), json!(cluster.widget("a", &json!({"size": 1})).await)),
        ] {
            object["metadata"]["uid"] = json!("another");
            let answer = cluster.put(&path, &object).await;
            assert_eq!(answer.refusal(), (409, "Conflict"));
            assert!(answer.message().contains("UID in precondition: another, UID in object meta: "), "{}", answer.message());
        }
    }

    async fn replacing_without_a_version_is_for_built_in_types(cluster) {
        cluster.config("a", "1").await;
        cluster.put(&cluster.configs_path("/a"), &json!(config("a", "2"))).await.expect(200);
        cluster.widget("a", &json!({"size": 1})).await;
        let answer = cluster.put(&cluster.widgets_path("/a"), &json!(widget("a", &json!({"size": 2})))).await;
        assert_eq!(answer.refusal(), (422, "Invalid"));
        let expected = r#"widgets.contract.hookgate.dev "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"#;
        assert_eq!(answer.message(), expected);
    }

    async fn what_is_not_there_cannot_be_changed(cluster) {
        for answer in [
            cluster.get(&cluster.widgets_path("/a")).await,
            cluster.delete(&cluster.widgets_path("/a"), &Value::Null).await,
            cluster.patch(&cluster.widgets_path("/a"), MERGE, &json!({})).await,
        ] {
            assert_eq!(answer.refusal(), (404, "NotFound"));
            assert_eq!(answer.message(), r#"widgets.contract.hookgate.dev "a" not found"#);
        }
        let mut body = json!(widget("a", &json!({"size": 1})));
        body["metadata"]["resourceVersion"] = json!("1");
        assert_eq!(cluster.put(&cluster.widgets_path("/a"), &body).await.refusal(), (404, "NotFound"));
    }

    async fn a_namespace_must_be_there(cluster) {
        for (path, body) in [
            ("/api/v1/namespaces/nowhere/configmaps", json!(config("a", "1"))),
            ("/apis/contract.hookgate.dev/v1/namespaces/nowhere/widgets", json!(widget("a", &json!({"size": 1})))),
        ] {
            let answer = cluster.post(path, &body).await;
            assert_eq!(answer.refusal(), (404, "NotFound"));
            assert_eq!(answer.message(), r#"namespaces "nowhere" not found"#);
            assert_eq!(cluster.get(path).await.expect(200).names(), Vec::<&str>::new());
        }
    }

    async fn body_and_path_must_agree(cluster) {
        cluster.config("a", "1").await;
        let other_name = cluster.put(&cluster.configs_path("/a"), &json!(config("b", "1"))).await;
        assert_eq!(other_name.refusal(), (400, "BadRequest"));
        assert_eq!(other_name.message(), "the name of the object (b) does not match the name on the URL (a)");
        let mut elsewhere = json!(config("b", "1"));
        elsewhere["metadata"]["namespace"] = json!("default");
        let other_namespace = cluster.post(&cluster.configs_path(""), &elsewhere).await;
        assert_eq!(other_namespace.refusal(), (400, "BadRequest"));
        assert_eq!(other_namespace.message(), "the namespace of the provided object does not match the namespace sent on the request");
        let mut kind = json!(config("b", "1"));
        kind["kind"] = json!("Secret");
        assert_eq!(cluster.post(&cluster.configs_path(""), &kind).await.refusal(), (400, "BadRequest"));
        let mut version = json!(widget("b", &json!({"size": 1})));
        version["apiVersion"] = json!("contract.hookgate.dev/v2");
        assert_eq!(cluster.post(&cluster.widgets_path(""), &version).await.status, 400);
    }

    async fn what_changes_nothing_keeps_the_version(cluster) {
        let config = cluster.config("a", "1").await;
        let again = cluster.configs().replace("a", &PostParams::default(), &config).await.expect("replaced");
        assert_eq!(revision(&again), revision(&config));
        let widget = cluster.widget("a", &json!({"size": 1})).await;
        // Some servers write what they stored in other words once more, but never twice.
        let widget = cluster.widgets().replace("a", &PostParams::default(), &widget).await.expect("replaced");
        let again = cluster.widgets().replace("a", &PostParams::default(), &widget).await.expect("replaced");
        assert_eq!(revision(&again), revision(&widget));
        for path in [cluster.widgets_path("/a"), cluster.widgets_path("/a/status")] {
            let patched = cluster.patch(&path, MERGE, &json!({"metadata": {"labels": {"a": null}}})).await.expect(200);
            assert_eq!(patched.revision(), revision(&widget), "{path}");
        }
    }

    async fn a_dry_run_leaves_no_trace(cluster) {
        let path = cluster.configs_path("?dryRun=All");
        let made = cluster.post(&path, &json!(config("a", "1"))).await.expect(201);
        assert!(!made.text("/metadata/uid").is_empty());
        assert_eq!(made.text("/metadata/resourceVersion"), "");
        assert_eq!(cluster.get(&cluster.configs_path("/a")).await.status, 404);

        let kept = cluster.widget("a", &json!({"size": 1})).await;
        let path = cluster.widgets_path("/a?dryRun=All");
        let patched = cluster.patch(&path, MERGE, &json!({"spec": {"size": 2}})).await.expect(200);
        assert_eq!(patched.body["spec"]["size"], 2);
        assert_eq!(patched.revision(), revision(&kept), "nothing was stored");
        let refused = cluster.patch(&path, MERGE, &json!({"spec": {"size": 0}})).await;
        assert_eq!(refused.refusal(), (422, "Invalid"));
        cluster.delete(&path, &Value::Null).await.expect(200);
        cluster.delete(&cluster.widgets_path("/a"), &json!({"dryRun": ["All"]})).await.expect(200);
        assert_eq!(json!(cluster.widgets().get("a").await.expect("it is there")), json!(kept));
    }

    async fn options_of_changes_are_checked(cluster) {
        cluster.config("a", "1").await;
        let one = cluster.configs_path("/a");
        let dry_run = |kind: &str| format!(r#"{kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{{"some"}}: supported values: "All""#);
        let some = cluster.post(&cluster.configs_path("?dryRun=some"), &json!(config("b", "1"))).await;
        assert_eq!((some.refusal(), some.message()), ((422, "Invalid"), dry_run("CreateOptions").as_str()));
        assert_eq!(cluster.get(&cluster.configs_path("/b")).await.status, 404);
        let some = cluster.put(&format!("{one}?dryRun=some"), &json!(config("a", "2"))).await;
        assert_eq!((some.refusal(), some.message()), ((422, "Invalid"), dry_run("UpdateOptions").as_str()));
        let some = cluster.patch(&format!("{one}?dryRun=some"), MERGE, &json!({})).await;
        assert_eq!((some.refusal(), some.message()), ((422, "Invalid"), dry_run("PatchOptions").as_str()));
        for (path, options) in [(format!("{one}?dryRun=some"), Value::Null), (one.clone(), json!({"dryRun": ["some"]})), (cluster.configs_path(""), json!({"dryRun": ["some"]}))] {
            let some = cluster.delete(&path, &options).await;
            assert_eq!((some.refusal(), some.message()), ((422, "Invalid"), dry_run("DeleteOptions").as_str()));
        }
        let message = "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"some\": supported values: ";
        for (path, options) in [(format!("{one}?propagationPolicy=some"), Value::Null), (one.clone(), json!({"propagationPolicy": "some"}))] {
            let some = cluster.delete(&path, &options).await;
            assert_eq!(some.refusal(), (422, "Invalid"));
            assert!(some.message().starts_with(message), "{}", some.message());
        }
        let both = cluster.delete(&one, &json!({"propagationPolicy": "Orphan", "orphanDependents": true})).await;
        assert_eq!(both.causes(), [("FieldValueInvalid", "propagationPolicy", "Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set")]);
        assert_eq!(cluster.get(&one).await.text("/data/key"), "1");
    }

    async fn a_part_that_is_not_there_is_not_found(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let nothing = cluster.get(&cluster.widgets_path("/a/nothing")).await;
        assert_eq!(nothing.refusal(), (404, "NotFound"));
        assert_eq!(nothing.message(), "widgets.contract.hookgate.dev \"a\" not found");
        assert_eq!(nothing.body["details"], json!({"name": "a", "group": "contract.hookgate.dev", "kind": "widgets"}));
        cluster.config("a", "1").await;
        let nothing = cluster.get(&cluster.configs_path("/a/nothing")).await;
        assert_eq!((nothing.refusal(), nothing.message()), ((404, "NotFound"), "the server could not find the requested resource"));
    }

    async fn preconditions_guard_a_deletion(cluster) {
        let config = cluster.config("a", "1").await;
        let delete = |uid: Option<String>, resource_version: Option<String>| {
            let params = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
            let configs = cluster.configs();
            async move { configs.delete("a", &params).await.map(drop) }
        };
        let (status, reason, message) = refused(delete(Some("another".into()), None).await);
        assert_eq!((status, reason.as_str()), (409, "Conflict"));
        assert!(message.contains("the UID in the precondition (another) does not match the UID in record ("), "{message}");
        let (status, _, message) = refused(delete(config.uid(), Some("1".into())).await);
        assert_eq!(status, 409);
        assert!(message.contains("the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ("), "{message}");
        delete(config.uid(), config.resource_version()).await.expect("deleted");
    }

    async fn finalizers_hold_a_deletion_up(cluster) {
        let path = cluster.widgets_path("/a");
        let mut body = json!(widget("a", &json!({"size": 1})));
        body["metadata"]["finalizers"] = json!(["contract.hookgate.dev/hold"]);
        let made = cluster.post(&cluster.widgets_path(""), &body).await.expect(201);
        assert_eq!(made.generation(), Some(1));
        let going = cluster.delete(&path, &Value::Null).await.expect(200);
        assert_eq!(going.text("/kind"), "Widget");
        assert_eq!(going.generation(), Some(2));
        assert_eq!(going.body["metadata"]["deletionGracePeriodSeconds"], 0);
        let since = going.text("/metadata/deletionTimestamp").to_owned();
        assert!(!since.is_empty());
        let again = cluster.delete(&path, &Value::Null).await.expect(200);
        assert_eq!(again.text("/metadata/deletionTimestamp"), since);
        assert_eq!(again.revision(), going.revision());

        let more = cluster.patch(&path, MERGE, &json!({"metadata": {"finalizers": ["contract.hookgate.dev/hold", "contract.hookgate.dev/late"]}})).await;
        assert_eq!(more.refusal(), (422, "Invalid"));
        assert!(more.message().contains("metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"contract.hookgate.dev/late\"}"), "{}", more.message());
        let freed = cluster.patch(&path, MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
        assert_eq!(freed.text("/metadata/deletionTimestamp"), since);
        assert_eq!(cluster.get(&path).await.status, 404);
    }

    async fn the_status_is_written_apart(cluster) {
        let path = cluster.widgets_path("/a");
        let mut body = json!(widget("a", &json!({"size": 1})));
        body["status"] = json!({"observedGeneration": 5});
        let made = cluster.post(&cluster.widgets_path(""), &body).await.expect(201);
        assert_eq!(made.body["status"], json!({"observedGeneration": -1}), "the default");
        assert_eq!(made.generation(), Some(1));

        let both = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 9}, "status": {"observedGeneration": 1}});
        let status = cluster.patch(&format!("{path}/status"), MERGE, &both).await.expect(200);
        assert_eq!(status.body["spec"]["size"], 1);
        assert_eq!(status.body["status"]["observedGeneration"], 1);
        assert_eq!(status.body["metadata"]["labels"], Value::Null);
        assert_eq!(status.generation(), Some(1));

        let main = cluster.patch(&path, MERGE, &json!({"spec": {"size": 9}, "status": {"observedGeneration": 3}})).await.expect(200);
        assert_eq!(main.body["spec"]["size"], 9);
        assert_eq!(main.body["status"]["observedGeneration"], 1);
        assert_eq!(main.generation(), Some(2));
        assert_eq!(cluster.get(&format!("{path}/status")).await.expect(200).body["spec"]["size"], 9);

        let mut replaced = main.body.clone();
        replaced["spec"]["size"] = json!(4);
        replaced["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let replaced = cluster.put(&format!("{path}/status"), &replaced).await.expect(200);
        assert_eq!(replaced.body["spec"]["size"], 9);
        assert_eq!(replaced.body["status"]["conditions"][0]["type"], "Ready");
        assert_eq!(replaced.generation(), Some(2));
    }

    async fn the_generation_counts_changes_of_what_is_wanted(cluster) {
        let path = cluster.widgets_path("/a");
        cluster.widget("a", &json!({"size": 1})).await;
        let label = cluster.patch(&path, MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
        assert_eq!(label.generation(), Some(1));
        let forged = cluster.patch(&path, MERGE, &json!({"metadata": {"generation": 9, "uid": null}})).await.expect(200);
        assert_eq!(forged.generation(), Some(1));
        let spec = cluster.patch(&path, MERGE, &json!({"spec": {"size": 2}})).await.expect(200);
        assert_eq!(spec.generation(), Some(2));
    }

    async fn many_are_deleted_at_once(cluster) {
        for (name, team) in [("a", "x"), ("b", "x"), ("c", "y")] {
            let mut object = config(name, "1");
            object.labels_mut().insert("team".into(), team.into());
            cluster.configs().create(&PostParams::default(), &object).await.expect("created");
        }
        let deleted = cluster.delete(&cluster.configs_path("?labelSelector=team%3Dx"), &Value::Null).await.expect(200);
        assert_eq!(deleted.text("/kind"), "ConfigMapList");
        let dry = cluster.delete(&cluster.configs_path("?dryRun=All"), &Value::Null).await.expect(200);
        assert_eq!(dry.status, 200);
        let left = cluster.get(&cluster.configs_path("?fieldSelector=metadata.name%21%3Dkube-root-ca.crt")).await;
        assert_eq!(left.names(), ["c"]);
        for name in ["a", "b"] {
            cluster.widget(name, &json!({"size": 1})).await;
        }
        cluster.delete(&cluster.widgets_path("?fieldSelector=metadata.name%3Da"), &Value::Null).await.expect(200);
        assert_eq!(cluster.get(&cluster.widgets_path("")).await.names(), ["b"]);
    }

    async fn verbs_that_are_not_there_are_refused(cluster) {
        for (answer, status, reason) in [
            (cluster.post(&cluster.configs_path("/a"), &json!({})).await, 405, "MethodNotAllowed"),
            (cluster.get("/api/v1/nothing").await, 404, "NotFound"),
            (cluster.get("/apis/contract.hookgate.dev/v7/widgets").await, 404, ""),
            (cluster.get(&cluster.configs_path("/a/status")).await, 404, "NotFound"),
        ] {
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(reason.is_empty() || answer.text("/reason") == reason, "{answer:?}");
        }
    }

    async fn what_was_written_is_there_after_a_restart(cluster) {
        let config = cluster.config("a", "1").await;
        let widget = cluster.widget("a", &json!({"size": 7})).await;
        cluster.restart().await;
        assert_eq!(json!(cluster.configs().get("a").await.expect("it is there")), json!(config));
        assert_eq!(json!(cluster.widgets().get("a").await.expect("it is there")), json!(widget));
        let later = cluster.config("b", "1").await;
        assert!(revision(&later) > revision(&widget), "versions never go back");
    }

    async fn the_body_must_be_what_it_says(cluster) {
        let path = cluster.configs_path("");
        let broken = http::Request::post(&path).header("Content-Type", "application/json");
        let answer = cluster.request(broken.body(b"{\"a\":".to_vec().into()).expect("a request")).await;
        assert_eq!(answer.refusal(), (400, "BadRequest"));
        let other = http::Request::post(&path).header("Content-Type", "text/plain");
        let answer = cluster.request(other.body(b"{}".to_vec().into()).expect("a request")).await;
        assert_eq!(answer.refusal(), (415, "UnsupportedMediaType"));
        let text = json!({"metadata": {"name": "a"}, "data": {"a": 1}});
        assert_eq!(cluster.post(&path, &text).await.refusal(), (400, "BadRequest"));
    }
}
