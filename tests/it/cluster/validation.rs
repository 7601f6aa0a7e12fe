//! What custom objects must look like, what is done to those that do not, and the words of every refusal.
//!
//! Rules in CEL are in `definitions.rs`.

use serde_json::{Value, json};

use super::{
    fixture::{Cluster, MERGE, widget},
    on_every_cluster, widgets,
};

on_every_cluster! {
    async fn objects_are_pruned_then_defaulted(cluster) {
        let spec = json!({
            "size": 1, "unknown": 1, "parts": [{"name": "x", "unknown": 1}], "labels": {"kept": "1"},
            "free": {"anything": {"at": ["all"]}},
        });
        let made = cluster.widget("a", &spec).await;
        assert_eq!(made.data["spec"], json!({
            "size": 1, "color": "red", "parts": [{"name": "x", "count": 1}], "labels": {"kept": "1"},
            "free": {"anything": {"at": ["all"]}},
        }));
        assert_eq!(made.data["status"], json!({"observedGeneration": -1}));
        let mut more = json!(widget("b", &json!({"size": 1})));
        more["unknown"] = json!(1);
        more["metadata"]["unknown"] = json!(1);
        let made = cluster.post(&cluster.widgets_path(""), &more).await.expect(201);
        assert_eq!((&made.body["unknown"], &made.body["metadata"]["unknown"]), (&Value::Null, &Value::Null));
    }

    async fn every_mistake_has_its_words(cluster) {
        for (field, value, expected) in [
            ("size", json!(0), "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
            ("size", json!(101), "spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100"),
            ("size", json!("1"), r#"spec.size: Invalid value: "string": spec.size in body must be of type integer: "string""#),
            ("color", json!("pink"), r#"spec.color: Unsupported value: "pink": supported values: "red", "green", "blue""#),
            ("code", json!("A!"), r#"spec.code: Invalid value: "A!": spec.code in body should match '^[a-z]+(-[0-9]+)?$'"#),
            ("code", json!("a"), r#"spec.code: Invalid value: "a": spec.code in body should be at least 2 chars long"#),
            ("ratio", json!(-0.5), "spec.ratio: Invalid value: -0.5: spec.ratio in body should be greater than 0"),
            ("ratio", json!(0.7), "spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5"),
            ("since", json!("yesterday"), r#"spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday""#),
            ("port", json!(true), r#"spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#),
            ("tags", json!(["a", "a"]), r#"spec.tags[1]: Duplicate value: "a""#),
            ("tags", json!("a"), r#"spec.tags: Invalid value: "string": spec.tags in body must be of type array: "string""#),
            ("labels", json!({"a": 1}), r#"spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer""#),
            ("parts", json!([]), "spec.parts: Invalid value: 0: spec.parts in body should have at least 1 items"),
            ("parts", json!([{"name": "x"}, {"name": "x"}]), r#"spec.parts[1]: Duplicate value: map[string]interface {}{"name":"x"}"#),
            ("either", json!({}), "<nil>: Invalid value: \"\": \"spec.either\" must validate one and only one schema (oneOf). Found none valid"),
            ("either", json!({"a": "1", "b": "2"}), "<nil>: Invalid value: \"\": \"spec.either\" must validate one and only one schema (oneOf). Found 2 valid alternatives"),
        ] {
            let mut spec = json!({"size": 1});
            spec[field] = value.clone();
            let answer = create(&cluster, &spec).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{value}: {}", answer.body);
            let words = answer.message().strip_prefix(r#"Widget.contract.hookgate.dev "x" is invalid: "#);
            let words = words.unwrap_or_else(|| panic!("{}", answer.body));
            assert!(words == expected || words.starts_with(&format!("[{expected},")), "{value}:\n{words}\n{expected}");
        }
    }

    async fn lengths_are_limited(cluster) {
        for (field, value, expected) in [
            ("code", json!("abcdefghijklm"), "may not be longer than 10"),
            ("tags", json!(["a", "b", "c", "d"]), "must have at most 3 items"),
            ("labels", json!({"a": "1", "b": "2", "c": "3"}), "must have at most 2 "),
        ] {
            let mut spec = json!({"size": 1});
            spec[field] = value;
            let answer = create(&cluster, &spec).await;
            let words = format!("spec.{field}: Too ");
            assert_eq!(answer.refusal(), (422, "Invalid"), "{}", answer.body);
            // Versions differ in the words after the class of the mistake.
            let is_worded = answer.message().contains(&words) || answer.message().contains(&format!("spec.{field} in body should "));
            assert!(is_worded, "{expected}: {}", answer.message());
        }
    }

    async fn all_mistakes_are_told_with_their_causes(cluster) {
        let answer = create(&cluster, &json!({"size": 0, "color": "pink"})).await;
        let mut causes = answer.causes();
        causes.sort_unstable();
        assert_eq!(causes, [
            ("FieldValueInvalid", "spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
            ("FieldValueNotSupported", "spec.color", r#"Unsupported value: "pink": supported values: "red", "green", "blue""#),
        ]);
        assert_eq!((answer.text("/details/name"), answer.text("/details/group"), answer.text("/details/kind")), ("x", "contract.hookgate.dev", "Widget"));
        assert!(answer.message().starts_with(r#"Widget.contract.hookgate.dev "x" is invalid: [spec."#), "{}", answer.message());
        let nothing = cluster.post(&cluster.widgets_path(""), &json!({"metadata": {"name": "x"}, "apiVersion": "contract.hookgate.dev/v1", "kind": "Widget"})).await;
        assert_eq!(nothing.message(), r#"Widget.contract.hookgate.dev "x" is invalid: spec: Required value"#);
    }

    async fn null_is_a_value_only_where_it_may_be(cluster) {
        let made = create(&cluster, &json!({"size": 1, "note": null})).await.expect(201);
        assert_eq!(made.body["spec"].get("note"), Some(&Value::Null));
        // What is not nullable and has a default is filled in.
        let path = cluster.widgets_path("/x");
        let replaced = json!({"op": "replace", "path": "/spec", "value": {"size": 1, "color": null}});
        let replaced = cluster.patch(&path, super::fixture::JSON_PATCH, &json!([replaced])).await.expect(200);
        assert_eq!(replaced.body["spec"]["color"], "red");
        let refused = create(&cluster, &json!({"size": null})).await;
        assert_eq!(refused.refusal(), (422, "Invalid"));
    }

    async fn embedded_objects_are_looked_at_too(cluster) {
        let wanted = json!({"size": 1, "template": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t"}, "more": 1}});
        let made = create(&cluster, &wanted).await.expect(201);
        assert_eq!(made.body["spec"]["template"]["more"], 1);
        let refused = create(&cluster, &json!({"size": 1, "template": {"metadata": {"name": "t"}}})).await;
        assert_eq!(refused.message(), r#"Widget.contract.hookgate.dev "x" is invalid: [spec.template.apiVersion: Required value: must not be empty, spec.template.kind: Required value: must not be empty]"#);
    }

    async fn the_status_is_validated_as_well(cluster) {
        create(&cluster, &json!({"size": 1})).await.expect(201);
        let path = cluster.widgets_path("/x/status");
        let wrong = cluster.patch(&path, MERGE, &json!({"status": {"conditions": [{"type": "Ready"}]}})).await;
        // Old servers leave the index out.
        let words = wrong.message().replace("[0]", "");
        assert_eq!(words, r#"Widget.contract.hookgate.dev "x" is invalid: status.conditions.status: Required value"#);
    }

    async fn names_and_labels_are_validated(cluster) {
        for name in ["Upper", "-a", "a_b", &"a".repeat(254)] {
            for (path, body) in [(cluster.configs_path(""), json!({})), (cluster.widgets_path(""), json!(widget("x", &json!({"size": 1}))))] {
                let mut body = body;
                body["metadata"]["name"] = json!(name);
                let answer = cluster.post(&path, &body).await;
                assert_eq!(answer.refusal(), (422, "Invalid"), "{name}");
                assert!(answer.message().contains("metadata.name: Invalid value: "), "{}", answer.message());
            }
        }
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        let upper = cluster.post(&cluster.configs_path(""), &json!({"metadata": {"name": "Upper"}})).await;
        let words = upper.message().replace("a DNS-1123 subdomain", "a lowercase RFC 1123 subdomain");
        assert_eq!(words, format!(r#"ConfigMap "Upper" is invalid: metadata.name: Invalid value: "Upper": {rule}"#));
        for (labels, annotations, field) in [
            (json!({"-a": "1"}), json!({}), "metadata.labels: Invalid value: \"-a\""),
            (json!({"a": "b c"}), json!({}), "metadata.labels: Invalid value: \"b c\""),
            (json!({}), json!({"a/b/c": "1"}), "metadata.annotations: Invalid value: \"a/b/c\""),
        ] {
            let body = json!({"metadata": {"name": "l", "labels": labels, "annotations": annotations}});
            let answer = cluster.post(&cluster.configs_path(""), &body).await;
            assert_eq!(answer.refusal(), (422, "Invalid"));
            assert!(answer.message().contains(field), "{field}: {}", answer.message());
        }
        let number = cluster.post(&cluster.configs_path(""), &json!({"metadata": {"name": "n", "labels": {"a": 1}}})).await;
        assert_eq!(number.refusal(), (400, "BadRequest"));
    }

    async fn data_of_built_in_types_is_validated(cluster) {
        let secrets = format!("/api/v1/namespaces/{}/secrets", cluster.namespace());
        let made = cluster.post(&secrets, &json!({"metadata": {"name": "s"}, "stringData": {"a": "b"}})).await.expect(201);
        assert_eq!((&made.body["data"], &made.body["type"], &made.body["stringData"]), (&json!({"a": "Yg=="}), &json!("Opaque"), &Value::Null));
        let path = format!("{secrets}/s");
        let typed = cluster.patch(&path, MERGE, &json!({"type": "other"})).await;
        assert_eq!(typed.refusal(), (422, "Invalid"));
        assert!(typed.message().contains("type: Invalid value: \"other\": field is immutable"), "{}", typed.message());
        for (body, field) in [
            (json!({"data": {"a b": ""}}), "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "),
            (json!({"type": "kubernetes.io/basic-auth"}), "username]: Required value"),
            (json!({"type": "kubernetes.io/tls"}), "data[tls.crt]: Required value"),
            (json!({"type": "kubernetes.io/ssh-auth"}), "ssh-privatekey]: Required value"),
            (json!({"type": "kubernetes.io/dockerconfigjson"}), "data[.dockerconfigjson]: Required value"),
        ] {
            let mut body = body;
            body["metadata"] = json!({"name": "w"});
            let answer = cluster.post(&secrets, &body).await;
            assert!(answer.status == 422 && answer.message().contains(field), "{field}: {}", answer.message());
        }
        let broken = cluster.post(&secrets, &json!({"metadata": {"name": "w"}, "data": {"a": "***"}})).await;
        assert_eq!(broken.refusal(), (400, "BadRequest"));
        let both = cluster.post(&cluster.configs_path(""), &json!({"metadata": {"name": "c"}, "data": {"a": ""}, "binaryData": {"a": ""}})).await;
        assert_eq!(both.refusal(), (422, "Invalid"));
    }

    async fn what_is_immutable_stays(cluster) {
        let body = json!({"metadata": {"name": "a"}, "data": {"a": "1"}, "immutable": true});
        cluster.post(&cluster.configs_path(""), &body).await.expect(201);
        let path = cluster.configs_path("/a");
        for patch in [json!({"data": {"a": "2"}}), json!({"immutable": false})] {
            let answer = cluster.patch(&path, MERGE, &patch).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{patch}");
            assert!(answer.message().contains("Forbidden: field is immutable when `immutable` is set"), "{}", answer.message());
        }
        cluster.patch(&path, MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    }

    #[needs(FieldValidation)]
    async fn unknown_fields_are_ignored_told_or_refused(cluster) {
        let body = json!(widget("x", &json!({"size": 1, "unknown": 1})));
        let path = |how: &str| cluster.widgets_path(&format!("?dryRun=All&fieldValidation={how}"));
        let ignored = cluster.post(&path("Ignore"), &body).await.expect(201);
        assert_eq!(ignored.warnings(), Vec::<String>::new());
        let told = cluster.post(&path("Warn"), &body).await.expect(201);
        assert_eq!(told.warnings(), [r#"unknown field "spec.unknown""#]);
        let refused = cluster.post(&path("Strict"), &body).await;
        assert_eq!(refused.refusal(), (400, "BadRequest"));
        assert!(refused.message().contains(r#"strict decoding error: unknown field "spec.unknown""#), "{}", refused.message());
        let patched = cluster.widget("y", &json!({"size": 1})).await;
        let path = cluster.widgets_path("/y?fieldValidation=Strict");
        let refused = cluster.patch(&path, MERGE, &json!({"spec": {"unknown": 1}})).await;
        assert!(refused.status >= 400, "{refused:?}");
        assert_eq!(cluster.widgets().get("y").await.expect("it is there").metadata, patched.metadata);
    }
}

/// Tries to create the widget `x`.
async fn create(cluster: &Cluster, spec: &Value) -> super::fixture::Answer {
    cluster
        .post(&cluster.widgets_path(""), &widgets::object("x", spec))
        .await
}
