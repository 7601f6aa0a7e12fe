//! Patches of the three kinds that change what they are sent to.
//!
//! Server-side apply is not among them.

use http::Request;
use serde_json::{Value, json};

use super::{
    fixture::{JSON_PATCH, MERGE, STRATEGIC},
    on_every_cluster,
};

on_every_cluster! {
    async fn a_merge_patch_merges_maps_and_replaces_lists(cluster) {
        let object = cluster.widgets_path("/a");
        cluster.widget("a", &json!({"size": 1, "tags": ["x", "y"], "labels": {"a": "1", "b": "2"}})).await;
        let patch = json!({"spec": {"tags": ["z"], "labels": {"a": null, "b": "3"}}});
        let patched = cluster.patch(&object, MERGE, &patch).await.expect(200);
        assert_eq!(patched.body["spec"], json!({"size": 1, "color": "red", "tags": ["z"], "labels": {"b": "3"}}));
    }

    async fn a_json_patch_is_all_or_nothing(cluster) {
        let object = cluster.configs_path("/a");
        cluster.config("a", "1").await;
        let patch = json!([
            {"op": "test", "path": "/data/key", "value": "1"},
            {"op": "copy", "from": "/data/key", "path": "/data/copied"},
            {"op": "add", "path": "/metadata/labels", "value": {}},
            {"op": "add", "path": "/metadata/labels/x.io~1y", "value": "2"},
            {"op": "replace", "path": "/data/key", "value": "3"},
            {"op": "move", "from": "/data/key", "path": "/data/moved"},
        ]);
        let patched = cluster.patch(&object, JSON_PATCH, &patch).await.expect(200);
        assert_eq!(patched.body["data"], json!({"copied": "1", "moved": "3"}));
        assert_eq!(patched.body["metadata"]["labels"], json!({"x.io/y": "2"}));
        let patch = json!([
            {"op": "remove", "path": "/data/moved"},
            {"op": "test", "path": "/data/copied", "value": "9"},
        ]);
        let failed = cluster.patch(&object, JSON_PATCH, &patch).await;
        assert_eq!(failed.refusal(), (422, "Invalid"));
        assert_eq!(cluster.get(&object).await.body["data"]["moved"], "3");
        let missing = json!([{"op": "remove", "path": "/data/none"}]);
        assert_eq!(cluster.patch(&object, JSON_PATCH, &missing).await.refusal(), (422, "Invalid"));
    }

    async fn a_test_for_null_holds_where_nothing_is(cluster) {
        let object = cluster.widgets_path("/a");
        cluster.widget("a", &json!({"size": 1})).await;
        let patch = json!([
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["contract.hookgate.dev/a"]},
        ]);
        let patched = cluster.patch(&object, JSON_PATCH, &patch).await.expect(200);
        assert_eq!(patched.body["metadata"]["finalizers"], json!(["contract.hookgate.dev/a"]));
        assert_eq!(cluster.patch(&object, JSON_PATCH, &patch).await.refusal(), (422, "Invalid"));
    }

    async fn a_json_patch_appends_and_inserts(cluster) {
        let object = cluster.widgets_path("/a");
        cluster.widget("a", &json!({"size": 1, "tags": ["b"]})).await;
        let patch = json!([
            {"op": "add", "path": "/spec/tags/-", "value": "c"},
            {"op": "add", "path": "/spec/tags/0", "value": "a"},
        ]);
        let patched = cluster.patch(&object, JSON_PATCH, &patch).await.expect(200);
        assert_eq!(patched.body["spec"]["tags"], json!(["a", "b", "c"]));
    }

    async fn a_strategic_patch_is_for_built_in_types(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let refused = cluster.patch(&cluster.widgets_path("/a"), STRATEGIC, &json!({"spec": {"size": 2}})).await;
        assert_eq!(refused.refusal(), (415, "UnsupportedMediaType"));
        let expected = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json";
        assert!(refused.message().starts_with(expected), "{}", refused.message());
    }

    async fn a_strategic_patch_merges_lists_by_key(cluster) {
        let object = format!("/api/v1/namespaces/{}/serviceaccounts", cluster.namespace());
        let made = json!({"metadata": {"name": "a"}, "secrets": [{"name": "x"}, {"name": "y"}], "imagePullSecrets": [{"name": "p"}]});
        cluster.post(&object, &made).await.expect(201);
        let object = format!("{object}/a");
        let merged = json!({"secrets": [{"name": "y", "namespace": "n"}, {"name": "z"}]});
        let merged = cluster.patch(&object, STRATEGIC, &merged).await.expect(200);
        assert_eq!(sorted(&merged.body["secrets"]), ["x", "y", "z"]);
        let removed = json!({"secrets": [{"name": "x", "$patch": "delete"}]});
        let removed = cluster.patch(&object, STRATEGIC, &removed).await.expect(200);
        assert_eq!(sorted(&removed.body["secrets"]), ["y", "z"]);
        let ordered = json!({
            "$setElementOrder/secrets": [{"name": "w"}, {"name": "z"}, {"name": "y"}],
            "secrets": [{"name": "w"}],
        });
        let ordered = cluster.patch(&object, STRATEGIC, &ordered).await.expect(200);
        assert_eq!(names(&ordered.body["secrets"]), ["w", "z", "y"]);
        let replaced = json!({"secrets": [{"$patch": "replace"}, {"name": "only"}]});
        let replaced = cluster.patch(&object, STRATEGIC, &replaced).await.expect(200);
        assert_eq!(names(&replaced.body["secrets"]), ["only"]);
        let emptied = cluster.patch(&object, STRATEGIC, &json!({"imagePullSecrets": null})).await.expect(200);
        assert_eq!(emptied.body["imagePullSecrets"], Value::Null);
    }

    async fn a_strategic_patch_replaces_and_retains_maps(cluster) {
        cluster.config("a", "1").await;
        let object = cluster.configs_path("/a");
        let merged = cluster.patch(&object, STRATEGIC, &json!({"data": {"more": "2"}})).await.expect(200);
        assert_eq!(merged.body["data"], json!({"key": "1", "more": "2"}));
        let removed = cluster.patch(&object, STRATEGIC, &json!({"data": {"key": null}})).await.expect(200);
        assert_eq!(removed.body["data"], json!({"more": "2"}));
        let replaced = json!({"data": {"$patch": "replace", "only": "3"}});
        let replaced = cluster.patch(&object, STRATEGIC, &replaced).await.expect(200);
        assert_eq!(replaced.body["data"], json!({"only": "3"}));
        let finalizers = json!({"metadata": {"finalizers": ["contract.hookgate.dev/a", "contract.hookgate.dev/b"]}});
        cluster.patch(&object, STRATEGIC, &finalizers).await.expect(200);
        let less = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["contract.hookgate.dev/a"]}});
        let less = cluster.patch(&object, STRATEGIC, &less).await.expect(200);
        assert_eq!(less.body["metadata"]["finalizers"], json!(["contract.hookgate.dev/b"]));
        let more = json!({"metadata": {"finalizers": ["contract.hookgate.dev/c"]}});
        let more = cluster.patch(&object, STRATEGIC, &more).await.expect(200);
        let mut finalizers = more.body["metadata"]["finalizers"].as_array().expect("a list").clone();
        finalizers.sort_by_key(ToString::to_string);
        assert_eq!(json!(finalizers), json!(["contract.hookgate.dev/b", "contract.hookgate.dev/c"]));
    }

    async fn a_patch_may_name_the_version_it_is_for(cluster) {
        let stale = cluster.config("a", "1").await;
        let object = cluster.configs_path("/a");
        let version = stale.metadata.resource_version.expect("a version");
        let patch = json!({"metadata": {"resourceVersion": version}, "data": {"key": "2"}});
        cluster.patch(&object, MERGE, &patch).await.expect(200);
        let late = json!({"metadata": {"resourceVersion": version}, "data": {"key": "3"}});
        assert_eq!(cluster.patch(&object, MERGE, &late).await.refusal(), (409, "Conflict"));
        let other = cluster.patch(&object, MERGE, &json!({"metadata": {"uid": "another"}})).await;
        assert_eq!(other.refusal(), (422, "Invalid"));
        assert_eq!(other.message(), r#"ConfigMap "a" is invalid: metadata.uid: Invalid value: "another": field is immutable"#);
    }

    async fn names_cannot_be_patched(cluster) {
        cluster.config("a", "1").await;
        let object = cluster.configs_path("/a");
        let renamed = cluster.patch(&object, MERGE, &json!({"metadata": {"name": "b"}})).await;
        assert_eq!(renamed.refusal(), (400, "BadRequest"));
        assert_eq!(renamed.message(), "the name of the object (b) does not match the name on the URL (a)");
        let moved = cluster.patch(&object, MERGE, &json!({"metadata": {"namespace": "default"}})).await;
        assert_eq!(moved.refusal(), (400, "BadRequest"));
    }

    async fn what_is_no_patch_is_refused(cluster) {
        cluster.config("a", "1").await;
        let object = cluster.configs_path("/a");
        for (kind, body) in [(MERGE, json!([])), (JSON_PATCH, json!({})), (JSON_PATCH, json!([{"op": "fly"}]))] {
            let answer = cluster.patch(&object, kind, &body).await;
            assert!(matches!(answer.status, 400 | 422), "{kind} {body}: {answer:?}");
        }
        let unknown = cluster.patch(&object, "application/json", &json!({})).await;
        assert_eq!(unknown.refusal(), (415, "UnsupportedMediaType"));
        let broken = Request::patch(&object).header("Content-Type", MERGE).body(b"{".to_vec().into());
        assert!(cluster.request(broken.expect("a request")).await.status >= 400);
        assert_eq!(cluster.get(&object).await.body["data"], json!({"key": "1"}));
    }

    async fn a_patch_is_validated_like_anything_else(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let object = cluster.widgets_path("/a");
        let wrong = cluster.patch(&object, MERGE, &json!({"spec": {"size": 101}})).await;
        assert_eq!(wrong.refusal(), (422, "Invalid"));
        let wrong = cluster.patch(&object, JSON_PATCH, &json!([{"op": "remove", "path": "/spec/size"}])).await;
        assert_eq!(wrong.message(), r#"Widget.contract.hookgate.dev "a" is invalid: spec.size: Required value"#);
        let pruned = cluster.patch(&object, MERGE, &json!({"spec": {"unknown": 1, "size": 2}})).await.expect(200);
        assert_eq!(pruned.body["spec"], json!({"size": 2, "color": "red"}));
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list").iter();
    items
        .map(|item| item["name"].as_str().expect("a name"))
        .collect()
}

fn sorted(list: &Value) -> Vec<&str> {
    let mut names = names(list);
    names.sort_unstable();
    names
}
