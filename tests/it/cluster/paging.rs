//! Lists: pages, versions, selectors, and the forms they come in.
//!
//! Tables are looked at through `kubectl` as well, in `kubectl.rs`.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt,
    api::{ListParams, PostParams, VersionMatch},
    core::PartialObjectMeta,
};
use serde_json::{Value, json};

use super::{
    fixture::{Cluster, config, revision},
    on_every_cluster,
};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

on_every_cluster! {
    async fn pages_show_the_moment_the_list_began(cluster) {
        for name in ["a", "b", "c", "d", "e"] {
            cluster.widget(name, &json!({"size": 1})).await;
        }
        let first = cluster.get(&cluster.widgets_path("?limit=2")).await.expect(200);
        assert_eq!(first.names(), ["a", "b"]);
        assert_eq!(first.body["metadata"]["remainingItemCount"], 3);
        cluster.delete(&cluster.widgets_path("/c"), &Value::Null).await.expect(200);
        cluster.widget("cc", &json!({"size": 1})).await;

        let mut seen: Vec<String> = first.names().into_iter().map(str::to_owned).collect();
        let mut page = first.text("/metadata/continue").to_owned();
        while !page.is_empty() {
            let next = cluster.get(&cluster.widgets_path(&format!("?limit=2&continue={page}"))).await.expect(200);
            assert_eq!(next.revision(), first.revision());
            seen.extend(next.names().into_iter().map(str::to_owned));
            next.text("/metadata/continue").clone_into(&mut page);
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
        let fresh = cluster.get(&cluster.widgets_path("")).await.expect(200);
        assert_eq!(fresh.names(), ["a", "b", "cc", "d", "e"]);
        assert!(fresh.revision() > first.revision());
    }

    async fn a_selector_hides_how_many_are_left(cluster) {
        labelled(&cluster).await;
        let page = cluster.configs().list(&ListParams::default().labels("team in (x, y)").limit(1)).await.expect("a page");
        assert_eq!(page.metadata.remaining_item_count, None);
        let token = page.metadata.continue_.expect("there is more");
        let rest = cluster.configs().list(&ListParams::default().labels("team in (x, y)").continue_token(&token)).await;
        let rest = rest.expect("a page");
        assert_eq!(rest.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["b"]);
        assert_eq!(rest.metadata.continue_.unwrap_or_default(), "");
    }

    async fn labels_select(cluster) {
        labelled(&cluster).await;
        for (selector, expected) in [
            ("team=x", vec!["a"]),
            ("team==x", vec!["a"]),
            ("team!=x,named", vec!["b", "c"]),
            ("team in (x,y)", vec!["a", "b"]),
            ("team notin (x),named", vec!["b", "c"]),
            ("!team,named", vec!["c"]),
            ("team,team!=y", vec!["a"]),
            ("team=nobody", vec![]),
            ("number>1", vec!["b"]),
            ("number<2", vec!["a"]),
        ] {
            let list = cluster.configs().list(&ListParams::default().labels(selector)).await;
            let list = list.unwrap_or_else(|error| panic!("{selector}: {error}"));
            assert_eq!(list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), expected, "{selector}");
        }
        for wrong in ["team=", "team in x", "a==b==c", "-=-"] {
            let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("labelSelector", wrong).finish();
            let answer = cluster.get(&cluster.configs_path(&format!("?{query}"))).await;
            let is_empty_value = wrong == "team=";
            assert_eq!(answer.status, if is_empty_value { 200 } else { 400 }, "{wrong}: {answer:?}");
        }
    }

    async fn fields_select(cluster) {
        labelled(&cluster).await;
        cluster.widget("a", &json!({"size": 1})).await;
        cluster.widget("b", &json!({"size": 1})).await;
        for selector in ["metadata.name=a", "metadata.name==a", "metadata.name!=b,metadata.name!=c,metadata.name!=kube-root-ca.crt"] {
            let list = cluster.configs().list(&ListParams::default().fields(selector)).await.expect(selector);
            assert_eq!(list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["a"], "{selector}");
        }
        let here = format!("metadata.namespace={},metadata.name=b", cluster.namespace());
        let list = cluster.widgets().list(&ListParams::default().fields(&here)).await.expect("a list");
        assert_eq!(list.items.len(), 1);
        let unknown = cluster.get(&cluster.widgets_path("?fieldSelector=spec.size%3D1")).await;
        assert_eq!(unknown.refusal(), (400, "BadRequest"));
        assert!(unknown.message().contains("field label not supported: spec.size"), "{}", unknown.message());
        let secrets = format!("/api/v1/namespaces/{}/secrets", cluster.namespace());
        cluster.post(&secrets, &json!({"metadata": {"name": "s"}, "type": "my/type"})).await.expect(201);
        assert_eq!(cluster.get(&format!("{secrets}?fieldSelector=type%3Dmy/type")).await.names(), ["s"]);
        assert_eq!(cluster.get("/api/v1/namespaces?fieldSelector=status.phase%3DNone").await.names(), Vec::<&str>::new());
    }

    async fn a_list_may_be_of_a_version(cluster) {
        cluster.widget("a", &json!({"size": 1})).await;
        let then = cluster.get(&cluster.widgets_path("")).await.expect(200).revision();
        cluster.widget("b", &json!({"size": 1})).await;
        let list = |version: u64, matching| {
            let params = ListParams::default().at(&version.to_string()).matching(matching);
            let widgets = cluster.widgets();
            async move { widgets.list(&params).await.expect("a list") }
        };
        let exact = list(then, VersionMatch::Exact).await;
        assert_eq!(exact.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["a"]);
        assert_eq!(exact.metadata.resource_version, Some(then.to_string()));
        let fresh = list(then, VersionMatch::NotOlderThan).await;
        assert!(fresh.metadata.resource_version.expect("a version").parse::<u64>().expect("a number") >= then);
        let any = cluster.get(&cluster.widgets_path("?resourceVersion=0")).await.expect(200);
        assert!(any.names().contains(&"a"));
        assert!(cluster.get(&cluster.widgets_path("?resourceVersion=x")).await.status >= 400);
    }

    async fn options_that_exclude_each_other_are_refused(cluster) {
        for (query, expected) in [
            ("?resourceVersionMatch=Exact", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"),
            ("?resourceVersionMatch=Exact&resourceVersion=0", r#"Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0""#),
            ("?resourceVersionMatch=Exact&resourceVersion=1&continue=x", "Forbidden: resourceVersionMatch is forbidden when continue is provided"),
            ("?resourceVersionMatch=Some&resourceVersion=1", r#"Unsupported value: "Some": supported values: "Exact", "NotOlderThan", """#),
        ] {
            let answer = cluster.get(&cluster.widgets_path(query)).await;
            assert_eq!(answer.refusal(), (422, "Invalid"));
            assert_eq!(answer.message(), format!(r#"ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {expected}"#));
        }
        let watched = cluster.get(&cluster.widgets_path("?watch=true&resourceVersionMatch=NotOlderThan&resourceVersion=1")).await;
        assert_eq!(watched.refusal(), (422, "Invalid"));
        assert!(watched.message().contains("resourceVersionMatch is forbidden for watch"), "{}", watched.message());
    }

    async fn a_foreign_continue_token_is_refused(cluster) {
        let answer = cluster.get(&cluster.widgets_path("?limit=1&continue=nonsense")).await;
        assert_eq!(answer.refusal(), (400, "BadRequest"));
        assert!(answer.message().contains("continue key is not valid"), "{}", answer.message());
    }

    async fn lists_say_what_they_hold(cluster) {
        cluster.config("a", "1").await;
        cluster.widget("a", &json!({"size": 1})).await;
        let configs = cluster.get(&cluster.configs_path("?fieldSelector=metadata.name%3Da")).await.expect(200);
        assert_eq!((configs.text("/kind"), configs.text("/apiVersion")), ("ConfigMapList", "v1"));
        assert_eq!(configs.body["items"][0]["kind"], Value::Null, "as in Kubernetes");
        let widgets = cluster.get(&cluster.widgets_path("")).await.expect(200);
        assert_eq!((widgets.text("/kind"), widgets.text("/items/0/kind")), ("WidgetList", "Widget"));
        assert_eq!(widgets.text("/items/0/apiVersion"), "contract.hookgate.dev/v1");
        let all = cluster.get("/apis/contract.hookgate.dev/v1/widgets").await.expect(200);
        let here = all.body["items"].as_array().expect("a list").iter();
        assert_eq!(here.filter(|item| item["metadata"]["namespace"] == cluster.namespace()).count(), 1);
    }

    async fn metadata_can_be_had_alone(cluster) {
        let widget = cluster.widget("a", &json!({"size": 1})).await;
        let one: PartialObjectMeta<kube::core::DynamicObject> = cluster.widgets().get_metadata("a").await.expect("metadata");
        assert_eq!(one.metadata.uid, widget.metadata.uid);
        let raw = cluster.read_as(&cluster.widgets_path("/a"), METADATA).await.expect(200);
        assert_eq!((raw.text("/kind"), raw.text("/apiVersion")), ("PartialObjectMetadata", "meta.k8s.io/v1"));
        assert_eq!(raw.body["spec"], Value::Null);
        let list = cluster.widgets().list_metadata(&ListParams::default()).await.expect("metadata");
        assert_eq!(list.items.len(), 1);
        let raw = cluster.read_as(&cluster.widgets_path(""), METADATA_LIST).await.expect(200);
        assert_eq!(raw.text("/kind"), "PartialObjectMetadataList");
        assert_eq!(raw.text("/items/0/kind"), "PartialObjectMetadata");
    }

    async fn tables_have_the_columns_of_the_definition(cluster) {
        cluster.widget("a", &json!({"size": 7, "color": "blue"})).await;
        let table = cluster.read_as(&cluster.widgets_path(""), TABLE).await.expect(200);
        assert_eq!((table.text("/kind"), table.text("/apiVersion")), ("Table", "meta.k8s.io/v1"));
        let columns: Vec<Value> = table.body["columnDefinitions"].as_array().expect("columns").iter()
            .map(|column| json!([column["name"], column["type"], column["format"], column["priority"]])).collect();
        assert_eq!(json!(columns), json!([
            ["Name", "string", "name", 0], ["Size", "integer", "", 0], ["Ready", "string", "", 0],
            ["Color", "string", "", 1], ["Age", "date", "", 0],
        ]));
        let cells = &table.body["rows"][0]["cells"];
        assert_eq!((&cells[0], &cells[1], &cells[2], &cells[3]), (&json!("a"), &json!(7), &Value::Null, &json!("blue")));
        assert_eq!(table.body["rows"][0]["object"]["kind"], "PartialObjectMetadata");
        let bare = cluster.read_as(&cluster.widgets_path("/a?includeObject=None"), TABLE).await.expect(200);
        assert_eq!(bare.body["rows"][0]["object"], Value::Null);
        let whole = cluster.read_as(&cluster.widgets_path("/a?includeObject=Object"), TABLE).await.expect(200);
        assert_eq!(whole.text("/rows/0/object/kind"), "Widget");
        let either = cluster.read_as(&cluster.widgets_path("/a"), &format!("{TABLE},application/json")).await.expect(200);
        assert_eq!(either.text("/kind"), "Table");
    }

    async fn tables_of_built_in_types_are_as_always(cluster) {
        cluster.config("a", "1").await;
        let secrets = format!("/api/v1/namespaces/{}/secrets", cluster.namespace());
        cluster.post(&secrets, &json!({"metadata": {"name": "s"}, "stringData": {"a": "1", "b": "2"}})).await.expect(201);
        let namespace = format!("/api/v1/namespaces/{}", cluster.namespace());
        for (path, columns, cells) in [
            (cluster.configs_path("/a"), json!(["Name", "Data", "Age"]), json!(["a", 1])),
            (format!("{secrets}/s"), json!(["Name", "Type", "Data", "Age"]), json!(["s", "Opaque", 2])),
            (namespace, json!(["Name", "Status", "Age"]), json!([cluster.namespace(), "Active"])),
        ] {
            let table = cluster.read_as(&path, TABLE).await.expect(200);
            let names: Vec<&Value> = table.body["columnDefinitions"].as_array().expect("columns").iter().map(|column| &column["name"]).collect();
            assert_eq!(json!(names), columns);
            let shown = table.body["rows"][0]["cells"].as_array().expect("cells");
            assert_eq!(json!(shown[..shown.len() - 1]), cells, "{path}");
        }
    }

    async fn a_form_that_is_not_there_is_not_acceptable(cluster) {
        cluster.config("a", "1").await;
        let answer = cluster.read_as(&cluster.configs_path("/a"), "text/html").await;
        assert_eq!(answer.refusal(), (406, "NotAcceptable"));
    }
}

/// ConfigMaps `a`, `b` and `c` with labels.
async fn labelled(cluster: &Cluster) {
    for (name, labels) in [
        ("a", vec![("team", "x"), ("number", "1")]),
        ("b", vec![("team", "y"), ("number", "2")]),
        ("c", vec![]),
    ] {
        let mut object: ConfigMap = config(name, "1");
        object.labels_mut().insert("named".into(), name.into());
        for (key, value) in labels {
            object.labels_mut().insert(key.into(), value.into());
        }
        let made = cluster
            .configs()
            .create(&PostParams::default(), &object)
            .await;
        assert!(revision(&made.expect("created")) > 0);
    }
}
