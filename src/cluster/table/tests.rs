//! Tables as `kubectl` gets them, for built-in kinds and for custom resources.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::cluster::{resource::Definition, schema::Schema};

const CREATED: &str = "2024-01-01T00:00:00Z";

fn now() -> Timestamp {
    "2024-01-01T00:05:00Z".parse().expect("a time")
}

fn resource(kind: &str, origin: Origin) -> Resource {
    Resource {
        group: String::new(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: format!("{}s", kind.to_lowercase()),
        singular: kind.to_lowercase(),
        short_names: Vec::new(),
        categories: Vec::new(),
        is_namespaced: true,
        has_status: false,
        origin,
    }
}

fn custom(columns: &Value) -> Resource {
    let openapi = json!({ "type": "object" });
    let definition = Definition {
        schema: Schema::compile(&openapi).expect("is structural"),
        openapi,
        columns: serde_json::from_value(columns.clone()).expect("columns"),
    };
    resource("Thing", Origin::Custom(Arc::new(definition)))
}

fn table(resource: &Resource, object: &Value) -> Value {
    let metadata = json!({ "resourceVersion": "7" });
    Columns::of(resource).table([object], &metadata, Include::default(), now())
}

#[track_caller]
fn check(resource: &Resource, mut object: Value, headings: &str, cells: &Value) {
    object["metadata"] = json!({ "name": "a", "creationTimestamp": CREATED });
    let table = table(resource, &object);
    let definitions = table["columnDefinitions"].as_array().expect("a list");
    let names: Vec<&str> = definitions
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    assert_eq!(names.join("|"), headings);
    assert_eq!(&table["rows"][0]["cells"], cells);
}

#[track_caller]
fn check_built_in(kind: &str, object: Value, headings: &str, cells: &Value) {
    check(&resource(kind, Origin::BuiltIn), object, headings, cells);
}

#[test]
fn built_in_kinds_have_their_usual_columns() {
    check_built_in(
        "Secret",
        json!({ "type": "Opaque", "data": { "a": "", "b": "" } }),
        "Name|Type|Data|Age",
        &json!(["a", "Opaque", 2, "5m"]),
    );
    check_built_in(
        "ConfigMap",
        json!({ "data": { "a": "" }, "binaryData": { "b": "" } }),
        "Name|Data|Age",
        &json!(["a", 2, "5m"]),
    );
    check_built_in(
        "Namespace",
        json!({ "status": { "phase": "Active" } }),
        "Name|Status|Age",
        &json!(["a", "Active", "5m"]),
    );
    check_built_in(
        "Lease",
        json!({ "spec": { "holderIdentity": "me" } }),
        "Name|Holder|Age",
        &json!(["a", "me", "5m"]),
    );
    check_built_in(
        "ServiceAccount",
        json!({}),
        "Name|Secrets|Age",
        &json!(["a", 0, "5m"]),
    );
    check_built_in(
        "CustomResourceDefinition",
        json!({}),
        "Name|Created At",
        &json!(["a", CREATED]),
    );
    check_built_in("Endpoints", json!({}), "Name|Age", &json!(["a", "5m"]));
}

#[test]
fn events_read_the_same_in_both_forms() {
    let headings = "Last Seen|Type|Reason|Object|Subobject|Source|Message|First Seen|Count|Name";
    let core = json!({
        "type": "Warning", "reason": "Failed", "message": "it failed\n",
        "involvedObject": { "kind": "Receiver", "name": "r" },
        "source": { "component": "c" }, "count": 3,
        "firstTimestamp": CREATED, "lastTimestamp": "2024-01-01T00:04:00Z",
    });
    let cells = json!([
        "60s",
        "Warning",
        "Failed",
        "receiver/r",
        "",
        "c",
        "it failed",
        "5m",
        3,
        "a"
    ]);
    check_built_in("Event", core, headings, &cells);
    let new = json!({
        "type": "Warning", "reason": "Failed", "note": "it failed",
        "regarding": { "kind": "Receiver", "name": "r" },
        "reportingController": "c", "eventTime": CREATED,
        "series": { "count": 3, "lastObservedTime": "2024-01-01T00:04:00.000001Z" },
    });
    let cells = json!([
        "59s",
        "Warning",
        "Failed",
        "receiver/r",
        "",
        "c",
        "it failed",
        "5m",
        3,
        "a"
    ]);
    check_built_in("Event", new, headings, &cells);
}

#[test]
fn columns_of_definitions_are_shown_by_type() {
    let columns = json!([
        { "name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status" },
        { "name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend" },
        { "name": "Count", "type": "integer", "jsonPath": ".spec.count" },
        { "name": "Wrong", "type": "integer", "jsonPath": ".metadata.name", "priority": 1 },
        { "name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
        { "name": "Never", "type": "date", "jsonPath": ".metadata.name" },
        { "name": "List", "type": "string", "jsonPath": ".spec.list" },
    ]);
    let object = json!({
        "spec": { "suspend": false, "count": 2, "list": ["x"] },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    let cells = json!(["a", "True", false, 2, null, "5m", "<invalid>", "[\"x\"]"]);
    check(
        &custom(&columns),
        object,
        "Name|Ready|Suspended|Count|Wrong|Since|Never|List",
        &cells,
    );
    check(
        &custom(&columns),
        json!({}),
        "Name|Ready|Suspended|Count|Wrong|Since|Never|List",
        &json!(["a", null, null, null, null, "5m", "<invalid>", null]),
    );
}

#[test]
fn definitions_without_columns_show_the_age() {
    check(
        &custom(&json!([])),
        json!({}),
        "Name|Age",
        &json!(["a", "5m"]),
    );
}

#[test]
fn rows_carry_as_much_of_the_object_as_asked() {
    let resource = resource("Secret", Origin::BuiltIn);
    let object = json!({ "metadata": { "name": "a" }, "data": { "k": "djE=" } });
    let row = |include| {
        let table = Columns::of(&resource).table([&object], &json!({}), include, now());
        table["rows"][0]["object"].clone()
    };
    assert_eq!(row(Include::None), Value::Null);
    assert_eq!(row(Include::Metadata)["kind"], "PartialObjectMetadata");
    assert_eq!(row(Include::Metadata)["data"], Value::Null);
    assert_eq!(row(Include::Object), object);
    assert_eq!(Include::parse("Object"), Some(Include::Object));
    assert_eq!(Include::parse("All"), None);
}

#[test]
fn table_carries_the_metadata_of_the_list() {
    let table = table(
        &resource("Secret", Origin::BuiltIn),
        &json!({ "metadata": { "name": "a" } }),
    );
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(table["metadata"]["resourceVersion"], "7");
}
