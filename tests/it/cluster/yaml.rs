//! Objects in YAML, both ways.
//!
//! What is done to them is the same as in JSON, and shown elsewhere.

use http::Method;
use serde_json::{Value, json};

use super::{
    fixture::{Answer, JSON, MERGE, YAML},
    on_every_cluster,
};

on_every_cluster! {
    async fn objects_are_read_and_written_in_yaml(cluster) {
        let body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: \"yes\"\n  text: |\n    two\n    lines\n";
        let made = cluster.send_yaml(Method::POST, &cluster.configs_path(""), YAML, body).await.expect(201);
        check_yaml(&made);
        assert_eq!(made.body["data"], json!({"key": "yes", "text": "two\nlines\n"}));
        let path = cluster.configs_path("/a");
        let kept = cluster.get(&path).await.expect(200);
        assert_eq!(kept.text("/data/text"), "two\nlines\n");
        let body = "metadata: {name: a}\ndata: {key: \"1\"}\n";
        let changed = cluster.send_yaml(Method::PUT, &path, YAML, body).await.expect(200);
        assert_eq!(changed.body["data"], json!({"key": "1"}));
        let patched = cluster.send_yaml(Method::PATCH, &path, MERGE, r#"{"data": {"key": "null"}}"#).await.expect(200);
        assert_eq!(patched.text("/data/key"), "null");

        let read = cluster.read_as(&path, "text/html, application/yaml, application/json").await.expect(200);
        check_yaml(&read);
        assert_eq!(read.text("/data/key"), "null");
        let list = cluster.read_as(&cluster.configs_path("?fieldSelector=metadata.name=a"), YAML).await.expect(200);
        assert_eq!((list.text("/kind"), list.names()), ("ConfigMapList", vec!["a"]));
        let table = cluster.read_as(&path, "application/yaml;as=Table;v=v1;g=meta.k8s.io").await.expect(200);
        check_yaml(&table);
        assert_eq!((table.text("/kind"), table.text("/rows/0/cells/0")), ("Table", "a"));

        let other = cluster.send_yaml(Method::DELETE, &path, YAML, "preconditions:\n  uid: other\n").await;
        check_yaml(&other);
        assert_eq!(other.refusal(), (409, "Conflict"));
        let gone = cluster.send_yaml(Method::DELETE, &path, YAML, "{}").await.expect(200);
        assert_eq!(gone.text("/status"), "Success");
    }

    async fn custom_objects_are_read_and_written_in_yaml(cluster) {
        let body = format!("apiVersion: {}/v1\nkind: Widget\nmetadata: {{name: a}}\nspec:\n  size: 012\n  ratio: 1.5\n  parts:\n  - &part {{name: x}}\n  tags: [on the, way]\n  free: {{copy: *part, on: off}}\n", super::widgets::GROUP);
        let made = cluster.send_yaml(Method::POST, &cluster.widgets_path(""), YAML, &body).await.expect(201);
        let free = json!({"copy": {"name": "x"}, made.body["spec"]["free"].as_object().expect("a map").keys().find(|key| *key != "copy").expect("another"): false});
        let spec = json!({"size": 10, "ratio": 1.5, "color": "red", "parts": [{"name": "x", "count": 1}], "tags": ["on the", "way"], "free": free});
        assert_eq!(made.body["spec"], spec);
        let read = cluster.read_as(&cluster.widgets_path("/a"), YAML).await.expect(200);
        check_yaml(&read);
        assert_eq!(read.body["spec"], spec);
        let wrong = cluster.send_yaml(Method::POST, &cluster.widgets_path(""), YAML, &body.replace("012", "no").replace("name: a}", "name: b}")).await;
        check_yaml(&wrong);
        assert_eq!(wrong.refusal(), (422, "Invalid"));
        assert!(wrong.message().contains("spec.size in body must be of type int"), "{}", wrong.message());
    }

    async fn documents_about_types_are_written_in_yaml(cluster) {
        for path in ["/api", "/api/v1", "/apis", "/apis/coordination.k8s.io", "/apis/coordination.k8s.io/v1"] {
            let document = cluster.read_as(path, YAML).await.expect(200);
            check_yaml(&document);
            assert_eq!(document.body["kind"], cluster.get(path).await.body["kind"], "{path}");
        }
    }

    async fn a_watch_is_never_yaml(cluster) {
        let path = cluster.configs_path("?watch=true&timeoutSeconds=1");
        let refused = cluster.read_as(&path, YAML).await;
        assert_eq!(refused.refusal(), (406, "NotAcceptable"));
        assert!(refused.message().starts_with("only the following media types are accepted: application/json;stream=watch"), "{}", refused.message());
        let both = cluster.read_as(&path, "application/yaml, application/json").await;
        assert_eq!(both.status, 406, "only the first that is known counts");
    }

    async fn what_is_not_yaml_is_refused(cluster) {
        let path = cluster.configs_path("?dryRun=All");
        for (body, status) in [("metadata: {name: a", 400), ("- a", 400), ("text", 400), ("metadata: {name: a}\ndata: {key: yes}", 400), ("a: *nothing", 400)] {
            let answer = cluster.send_yaml(Method::POST, &path, YAML, body).await;
            assert_eq!(answer.refusal(), (status, "BadRequest"), "{body}: {}", answer.body);
        }
        // Of several documents the first one counts.
        cluster.send_yaml(Method::POST, &path, YAML, "metadata: {name: a}\n---\nno: {object").await.expect(201);
        let unknown = cluster.send_yaml(Method::POST, &path, "application/x-yaml", "metadata: {name: a}").await;
        assert_eq!(unknown.refusal(), (415, "UnsupportedMediaType"));
        let types = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        assert_eq!(unknown.message(), types);
        cluster.config("a", "1").await;
        let refused = cluster.send_yaml(Method::PATCH, &cluster.configs_path("/a"), YAML, "data: {key: b}").await;
        assert_eq!(refused.status, 415);
    }

    async fn aliases_do_not_explode(cluster) {
        let levels = (1..12).map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
        let bomb = format!("metadata: {{name: a}}\na0: &a0 [x]\n{}", levels.collect::<String>());
        let answer = cluster.send_yaml(Method::POST, &cluster.configs_path("?dryRun=All"), YAML, &bomb).await;
        assert_eq!(answer.refusal(), (400, "BadRequest"));
    }

    async fn of_a_field_that_is_given_twice_the_last_counts(cluster) {
        let path = cluster.configs_path("?dryRun=All");
        for (kind, body) in [(YAML, "metadata: {name: a}\ndata:\n  key: a\n  key: b\n"), (JSON, r#"{"metadata": {"name": "a"}, "data": {"key": "a", "key": "b"}}"#)] {
            let made = cluster.send_yaml(Method::POST, &path, kind, body).await.expect(201);
            assert_eq!(made.body["data"], json!({"key": "b"}));
        }
    }

    #[needs(FieldValidation)]
    async fn a_field_that_is_given_twice_is_told(cluster) {
        let path = cluster.configs_path("?dryRun=All");
        for (kind, body) in [(YAML, "metadata: {name: a}\ndata:\n  key: a\n  key: b\n"), (JSON, r#"{"metadata": {"name": "a"}, "data": {"key": "a", "key": "b"}}"#)] {
            let warned = cluster.send_yaml(Method::POST, &path, kind, body).await.expect(201);
            assert!(warned.warnings().iter().any(|warning| warning.contains("key")), "{:?}", warned.headers);
            let quiet = cluster.send_yaml(Method::POST, &format!("{path}&fieldValidation=Ignore"), kind, body).await.expect(201);
            assert_eq!(quiet.warnings(), Vec::<String>::new());
            let strict = cluster.send_yaml(Method::POST, &format!("{path}&fieldValidation=Strict"), kind, body).await;
            assert_eq!(strict.refusal(), (400, "BadRequest"));
            // The words after this differ between YAML and JSON in Kubernetes.
            assert!(strict.message().contains("strict decoding error: "), "{}", strict.message());
        }
    }
}

fn check_yaml(answer: &Answer) {
    assert_eq!(answer.headers["Content-Type"], YAML);
    assert_ne!(answer.body, Value::Null);
}
