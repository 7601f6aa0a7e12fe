//! Types that come, change and go with their definitions, and the rules in them.
//!
//! What is done to the objects of one type is in `validation.rs`.

use serde_json::{Value, json};

use super::{
    fixture::{Answer, JSON_PATCH, MERGE},
    on_every_cluster,
};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema";

on_every_cluster! {
    async fn a_type_comes_and_goes_with_its_definition(cluster) {
        let group = group();
        let answer = cluster.post(DEFINITIONS, &gadgets(&group)).await.expect(201);
        assert_eq!(answer.body["spec"]["conversion"], json!({"strategy": "None"}), "what is left out is filled in");
        assert_eq!(answer.body["spec"]["names"]["singular"], "gadget");
        assert_eq!(answer.body["spec"]["names"]["listKind"], "GadgetList");
        let path = format!("{DEFINITIONS}/gadgets.{group}");
        let is_true = |body: &Value, kind: &str| {
            let conditions = body["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        let served = cluster.until(&path, |answer| is_true(&answer.body, "Established") && is_true(&answer.body, "NamesAccepted")).await;
        assert_eq!(served.body["status"]["storedVersions"], json!(["v1"]));
        assert_eq!(served.body["status"]["acceptedNames"]["kind"], "Gadget");
        let gadgets = format!("/apis/{group}/v1/gadgets");
        cluster.until(&gadgets, |answer| answer.status == 200).await;
        cluster.post(&gadgets, &gadget(&group, "a", &json!({"size": 1}))).await.expect(201);

        cluster.delete(&path, &Value::Null).await.expect(200);
        cluster.until(&path, |answer| answer.status == 404).await;
        cluster.until(&gadgets, |answer| answer.status == 404).await;
        // The same definition again begins with nothing.
        cluster.define(&self::gadgets(&group)).await;
        assert_eq!(cluster.get(&gadgets).await.names(), Vec::<&str>::new());
        cluster.delete(&path, &Value::Null).await.expect(200);
    }

    async fn types_of_the_whole_cluster_have_no_namespace(cluster) {
        let group = group();
        cluster.define(&gadgets(&group)).await;
        let made = cluster.post(&format!("/apis/{group}/v1/gadgets"), &gadget(&group, "a", &json!({}))).await.expect(201);
        assert_eq!(made.body["metadata"]["namespace"], Value::Null);
        let wrong = format!("/apis/{group}/v1/namespaces/{}/gadgets", cluster.namespace());
        assert_eq!(cluster.get(&wrong).await.status, 404);
        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
    }

    async fn a_type_is_found_by_discovery(cluster) {
        let group = group();
        cluster.define(&gadgets(&group)).await;
        let found = cluster.until(&format!("/apis/{group}"), |answer| answer.status == 200).await;
        assert_eq!(found.text("/kind"), "APIGroup");
        assert_eq!(found.body["versions"], json!([{"groupVersion": format!("{group}/v1"), "version": "v1"}]));
        assert_eq!(found.text("/preferredVersion/version"), "v1");
        let groups = cluster.get("/apis").await.expect(200);
        assert!(groups.body["groups"].as_array().expect("groups").iter().any(|known| known["name"] == group.as_str()));
        let list = cluster.until(&format!("/apis/{group}/v1"), |answer| answer.status == 200).await;
        let resources = list.body["resources"].as_array().expect("resources");
        assert_eq!((list.text("/kind"), list.text("/groupVersion")), ("APIResourceList", format!("{group}/v1").as_str()));
        let main = &resources[0];
        assert_eq!((&main["name"], &main["singularName"], &main["namespaced"], &main["kind"]), (&json!("gadgets"), &json!("gadget"), &json!(false), &json!("Gadget")));
        let mut verbs: Vec<&str> = main["verbs"].as_array().expect("verbs").iter().filter_map(Value::as_str).collect();
        verbs.sort_unstable();
        assert_eq!(verbs, ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
        assert_eq!(resources.len(), 1, "it has no status");
        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
    }

    async fn built_in_types_are_found_by_discovery(cluster) {
        let core = cluster.get("/api/v1").await.expect(200);
        let resources = core.body["resources"].as_array().expect("resources");
        for (name, namespaced, kind, short) in [
            ("configmaps", true, "ConfigMap", json!(["cm"])), ("secrets", true, "Secret", Value::Null),
            ("namespaces", false, "Namespace", json!(["ns"])), ("events", true, "Event", json!(["ev"])),
            ("serviceaccounts", true, "ServiceAccount", json!(["sa"])),
        ] {
            let found = resources.iter().find(|resource| resource["name"] == name).expect(name);
            assert_eq!((&found["namespaced"], &found["kind"], &found["shortNames"]), (&json!(namespaced), &json!(kind), &short));
        }
        let known = kube::discovery::Discovery::new(cluster.client()).run().await.expect("discovery");
        assert!(known.has_group("coordination.k8s.io") && known.has_group("contract.hookgate.dev"));
    }

    #[needs(AggregatedDiscovery)]
    async fn aggregated_discovery_finds_the_same(cluster) {
        let known = kube::discovery::Discovery::new(cluster.client()).run_aggregated().await.expect("discovery");
        let group = known.get("contract.hookgate.dev").expect("the group");
        let (resource, capabilities) = group.recommended_kind("Widget").expect("the kind");
        assert_eq!(resource.plural, "widgets");
        assert!(capabilities.subresources.iter().any(|(sub, _)| sub.plural == "status"));
        assert!(known.has_group("apiextensions.k8s.io"));
    }

    #[needs(OpenApiV3)]
    async fn open_api_tells_of_every_field(cluster) {
        let index = cluster.get("/openapi/v3").await.expect(200);
        let address = index.body["paths"]["apis/contract.hookgate.dev/v1"]["serverRelativeURL"].as_str().expect("an address");
        let document = cluster.get(address).await.expect(200);
        let schemas = document.body["components"]["schemas"].as_object().expect("schemas");
        let widget = schemas.values().find(|schema| schema["x-kubernetes-group-version-kind"][0]["kind"] == "Widget");
        let spec = &widget.expect("the schema")["properties"]["spec"]["properties"];
        assert_eq!((&spec["size"]["type"], &spec["size"]["description"]), (&json!("integer"), &json!("How big it is.")));
    }

    async fn a_changed_definition_counts_for_what_comes(cluster) {
        let group = group();
        cluster.define(&gadgets(&group)).await;
        let gadgets = format!("/apis/{group}/v1/gadgets");
        cluster.post(&gadgets, &gadget(&group, "a", &json!({"size": 9}))).await.expect(201);
        let object = format!("{DEFINITIONS}/gadgets.{group}");
        let patch = json!([
            {"op": "add", "path": format!("{SCHEMA}/properties/spec/properties/size/maximum"), "value": 5},
            {"op": "add", "path": format!("{SCHEMA}/properties/spec/properties/extra"), "value": {"type": "string", "default": "new"}},
        ]);
        cluster.patch(&object, JSON_PATCH, &patch).await.expect(200);
        let tried = format!("{gadgets}?dryRun=All");
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        let counts = async {
            while cluster.post(&tried, &gadget(&group, "b", &json!({"size": 6}))).await.status != 422 {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(super::fixture::DEADLINE, counts).await.expect("the change counts in time");
        let made = cluster.post(&tried, &gadget(&group, "b", &json!({"size": 5}))).await.expect(201);
        assert_eq!(made.body["spec"], json!({"size": 5, "extra": "new"}));
        let kept = cluster.get(&format!("{gadgets}/a")).await.expect(200);
        assert_eq!(kept.body["spec"]["size"], 9, "what is stored stays");
        cluster.delete(&object, &Value::Null).await.expect(200);
    }

    async fn a_changed_definition_counts_for_what_is_read(cluster) {
        let group = group();
        cluster.define(&gadgets(&group)).await;
        let gadgets = format!("/apis/{group}/v1/gadgets");
        let old = gadget(&group, "", &json!({"size": 9, "limit": 1}));
        let mut made = Vec::new();
        for name in ["a", "b", "c"] {
            let mut object = old.clone();
            object["metadata"]["name"] = name.into();
            made.push(cluster.post(&gadgets, &object).await.expect(201).revision());
        }
        let object = format!("{DEFINITIONS}/gadgets.{group}");
        let properties = format!("{SCHEMA}/properties/spec/properties");
        let change = json!([
            {"op": "add", "path": format!("{properties}/extra"), "value": {"type": "string", "default": "new"}},
            {"op": "add", "path": format!("{properties}/nested"), "value": {"type": "object", "default": {}, "properties": {"deep": {"type": "integer", "default": 3}}}},
            {"op": "remove", "path": format!("{properties}/limit")},
        ]);
        cluster.patch(&object, JSON_PATCH, &change).await.expect(200);
        let spec = json!({"size": 9, "extra": "new", "nested": {"deep": 3}});
        let read = cluster.until(&format!("{gadgets}/a"), |answer| answer.body["spec"] == spec).await;
        assert_eq!((read.revision(), read.generation()), (made[0], Some(1)), "nothing is written");
        let list = cluster.get(&gadgets).await.expect(200);
        assert!(list.body["items"].as_array().expect("items").iter().all(|item| item["spec"] == spec), "{}", list.body);
        cluster.restart().await;
        let again = cluster.until(&format!("{gadgets}/a"), |answer| answer.status == 200).await;
        assert_eq!(again.body["spec"], spec);

        // What is read is what patches begin with, and what is stored when anything is written.
        let test = json!([{"op": "test", "path": "/spec/nested/deep", "value": 3}]);
        cluster.patch(&format!("{gadgets}/a?dryRun=All"), JSON_PATCH, &test).await.expect(200);
        let nothing = cluster.patch(&format!("{gadgets}/b"), MERGE, &json!({})).await.expect(200);
        assert!(nothing.revision() > made[1], "the defaults are written");
        assert_eq!((&nothing.body["spec"], nothing.generation()), (&spec, Some(1)));
        let labelled = cluster.patch(&format!("{gadgets}/c"), MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
        assert_eq!((&labelled.body["spec"], labelled.generation()), (&spec, Some(1)));
        let again = cluster.patch(&format!("{gadgets}/c"), MERGE, &json!({"spec": {"extra": "other"}})).await.expect(200);
        assert_eq!((again.text("/spec/extra"), again.generation()), ("other", Some(2)));
        cluster.delete(&object, &Value::Null).await.expect(200);
    }

    async fn versions_show_one_object(cluster) {
        let group = group();
        let mut definition = gadgets(&group);
        let mut old = definition["spec"]["versions"][0].clone();
        old["name"] = json!("v1alpha1");
        old["storage"] = json!(false);
        definition["spec"]["versions"].as_array_mut().expect("versions").push(old);
        cluster.define(&definition).await;
        cluster.post(&format!("/apis/{group}/v1/gadgets"), &gadget(&group, "a", &json!({"size": 1}))).await.expect(201);
        let old = cluster.until(&format!("/apis/{group}/v1alpha1/gadgets/a"), |answer| answer.status == 200).await;
        assert_eq!(old.text("/apiVersion"), format!("{group}/v1alpha1"));
        assert_eq!(old.body["spec"]["size"], 1);
        let patched = cluster.patch(&format!("/apis/{group}/v1alpha1/gadgets/a"), MERGE, &json!({"spec": {"size": 2}})).await.expect(200);
        assert_eq!(patched.text("/apiVersion"), format!("{group}/v1alpha1"));
        assert_eq!(cluster.get(&format!("/apis/{group}/v1/gadgets/a")).await.body["spec"]["size"], 2);
        let listed = cluster.get(&format!("/apis/{group}")).await;
        assert_eq!(listed.text("/preferredVersion/version"), "v1");
        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
    }

    async fn a_wrong_definition_is_refused(cluster) {
        let group = group();
        for (pointer, value, expected) in [
            ("/metadata/name", json!("other"), r#"metadata.name: Invalid value: "other": must be spec.names.plural+"."+spec.group"#),
            ("/spec/scope", json!("Galaxy"), r#"spec.scope: Unsupported value: "Galaxy""#),
            ("/spec/versions/0/storage", json!(false), "must have exactly one version marked as storage version"),
            ("/spec/versions/0/schema", Value::Null, "schema"),
            (&format!("{SCHEMA}/type"), json!("string"), "must be object"),
            (&format!("{SCHEMA}/properties/spec/type"), Value::Null, "properties[spec].type: Required value: must not be empty for specified object fields"),
            (&format!("{SCHEMA}/properties/spec/properties/size"), json!({"type": "integer", "default": "x"}), "properties[spec].properties[size].default: Invalid value"),
            (&format!("{SCHEMA}/properties/spec/properties/size"), json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}), "uniqueItems: Forbidden: uniqueItems cannot be set to true"),
            (&format!("{SCHEMA}/properties/spec/properties/size"), json!({"type": "string", "pattern": "("}), "pattern: Invalid value: \"(\""),
        ] {
            let mut definition = gadgets(&group);
            *definition.pointer_mut(pointer).expect(pointer) = value;
            let answer = cluster.post(DEFINITIONS, &definition).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{pointer}: {}", answer.body);
            assert!(answer.message().contains(expected), "{pointer}: {}", answer.message());
        }
    }

    async fn a_definition_waits_for_names_that_are_in_use(cluster) {
        let group = group();
        cluster.define(&named(&group, &json!({"plural": "gadgets", "kind": "Gadget", "shortNames": ["g", "gg"]}))).await;
        for (names, reason, message) in [
            (json!({"plural": "g", "kind": "Five"}), "PluralConflict", r#""g" is already in use"#),
            (json!({"plural": "others", "kind": "Other", "singular": "gadget"}), "SingularConflict", r#""gadget" is already in use"#),
            (json!({"plural": "many", "kind": "Many", "shortNames": ["gg", "m", "g"]}), "ShortNamesConflict", r#"["gg" is already in use, "g" is already in use]"#),
            (json!({"plural": "lists", "kind": "GadgetList"}), "KindConflict", r#""GadgetList" is already in use"#),
            (json!({"plural": "things", "kind": "Gadget", "singular": "thing"}), "ListKindConflict", r#""GadgetList" is already in use"#),
        ] {
            cluster.post(DEFINITIONS, &named(&group, &names)).await.expect(201);
            let path = format!("{DEFINITIONS}/{}.{group}", names["plural"].as_str().expect("a plural"));
            let judged = cluster.until(&path, |answer| condition(answer, "NamesAccepted").is_some()).await;
            assert_eq!(condition(&judged, "NamesAccepted"), Some(["False", reason, message]), "{names}");
            assert_eq!(condition(&judged, "Established"), Some(["False", "NotAccepted", "not all names are accepted"]));
            let served = format!("/apis/{group}/v1/{}", names["plural"].as_str().expect("a plural"));
            assert_eq!(cluster.get(&served).await.status, 404, "{names}");
            if reason != "ListKindConflict" {
                cluster.delete(&path, &Value::Null).await.expect(200);
                cluster.until(&path, |answer| answer.status == 404).await;
            }
        }
        let things = format!("{DEFINITIONS}/things.{group}");
        let accepted = cluster.get(&things).await.body["status"]["acceptedNames"].clone();
        assert_eq!(accepted, json!({"plural": "things", "singular": "thing", "kind": ""}));
        cluster.restart().await;
        assert_eq!(cluster.get(&format!("/apis/{group}/v1/things")).await.status, 404);

        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
        let served = cluster.until(&things, |answer| condition(answer, "Established").is_some_and(|[status, ..]| status == "True")).await;
        assert_eq!(condition(&served, "NamesAccepted"), Some(["True", "NoConflicts", "no conflicts found"]));
        assert_eq!(served.body["status"]["acceptedNames"], served.body["spec"]["names"]);
        let objects = format!("/apis/{group}/v1/things");
        cluster.until(&objects, |answer| answer.status == 200).await;
        cluster.post(&objects, &json!({"metadata": {"name": "a"}, "apiVersion": format!("{group}/v1"), "kind": "Gadget"})).await.expect(201);
        cluster.delete(&things, &Value::Null).await.expect(200);
    }

    async fn a_served_definition_keeps_its_names_until_others_are_free(cluster) {
        let group = group();
        cluster.define(&named(&group, &json!({"plural": "gadgets", "kind": "Gadget", "shortNames": ["g"]}))).await;
        cluster.define(&named(&group, &json!({"plural": "things", "kind": "Thing", "shortNames": ["t"]}))).await;
        let things = format!("{DEFINITIONS}/things.{group}");
        let wanted = json!({"spec": {"names": {"shortNames": ["g"], "categories": ["all"]}}});
        cluster.patch(&things, MERGE, &wanted).await.expect(200);
        let is_accepted = |answer: &Answer, wanted| condition(answer, "NamesAccepted").is_some_and(|[status, ..]| status == wanted);
        let judged = cluster.until(&things, |answer| is_accepted(answer, "False")).await;
        assert_eq!(condition(&judged, "NamesAccepted"), Some(["False", "ShortNamesConflict", r#""g" is already in use"#]));
        assert_eq!(condition(&judged, "Established").map(|[status, ..]| status), Some("True"));
        let known = |answer: &Answer, short: &str| {
            let resources = answer.body["resources"].as_array().into_iter().flatten();
            resources.into_iter().any(|known| known["name"] == "things" && known["shortNames"] == json!([short]) && known["categories"] == json!(["all"]))
        };
        let discovered = format!("/apis/{group}/v1");
        cluster.until(&discovered, |answer| known(answer, "t")).await;

        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
        cluster.until(&things, |answer| is_accepted(answer, "True")).await;
        cluster.until(&discovered, |answer| known(answer, "g")).await;
        let changed = cluster.patch(&things, MERGE, &json!({"spec": {"names": {"kind": "Other"}}})).await;
        assert!(changed.message().ends_with(r#"spec.names.kind: Invalid value: "Other": field is immutable"#), "{}", changed.message());
        cluster.delete(&things, &Value::Null).await.expect(200);
    }

    async fn names_of_a_type_are_labels(cluster) {
        const LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
        for (names, expected) in [
            (json!({"shortNames": ["ok", "A b"]}), format!("spec.names.shortNames[1]: Invalid value: \"A b\": {LABEL}")),
            (json!({"categories": ["Q"]}), format!("spec.names.categories[0]: Invalid value: \"Q\": {LABEL}")),
            (json!({"singular": "X"}), format!("spec.names.singular: Invalid value: \"X\": {LABEL}")),
            (json!({"listKind": "a b"}), format!("spec.names.listKind: Invalid value: \"a b\": may have mixed case, but should otherwise match: {LABEL}")),
            (json!({"listKind": "Gadget"}), "spec.names.listKind: Invalid value: \"Gadget\": kind and listKind may not be the same".to_owned()),
        ] {
            let mut definition = gadgets(&group());
            json_patch::merge(&mut definition["spec"]["names"], &names);
            let answer = cluster.post(DEFINITIONS, &definition).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{names}");
            assert!(answer.message().ends_with(&format!("is invalid: {expected}")), "{}", answer.message());
        }
        let nodot = cluster.post(DEFINITIONS, &gadgets("nodot")).await;
        assert!(nodot.message().ends_with(r#"spec.group: Invalid value: "nodot": should be a domain with at least one dot"#), "{}", nodot.message());
    }

    #[needs(Rules)]
    async fn rules_refuse_in_their_words(cluster) {
        let group = group();
        cluster.define(&ruled(&group)).await;
        let gadgets = format!("/apis/{group}/v1/gadgets");
        for (spec, expected) in [
            (json!({"size": 1, "limit": 0}), r#"spec: Invalid value: "object": size is over the limit"#),
            (json!({"size": 4}), r#"spec.size: Invalid value: "integer": failed rule: self != 4 && self != 6"#),
        ] {
            let answer = cluster.post(&gadgets, &gadget(&group, "x", &spec)).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{spec}");
            assert_eq!(answer.message(), format!(r#"Gadget.{group} "x" is invalid: {expected}"#));
        }
        cluster.post(&gadgets, &gadget(&group, "x", &json!({"size": 3}))).await.expect(201);
        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
    }

    #[needs(Rules)]
    async fn rules_compare_with_what_was(cluster) {
        let group = group();
        cluster.define(&ruled(&group)).await;
        let gadgets = format!("/apis/{group}/v1/gadgets");
        cluster.post(&gadgets, &gadget(&group, "a", &json!({"size": 1, "limit": 5, "kind": "b"}))).await.expect(201);
        let path = format!("{gadgets}/a");
        let refused = cluster.patch(&path, MERGE, &json!({"spec": {"kind": "c"}})).await;
        assert_eq!(refused.refusal(), (422, "Invalid"));
        assert!(refused.message().ends_with(r#"spec.kind: Invalid value: "string": kind cannot be changed"#), "{}", refused.message());
        cluster.patch(&path, MERGE, &json!({"spec": {"size": 5}})).await.expect(200);
        let both = cluster.patch(&path, MERGE, &json!({"spec": {"size": 6, "kind": "d"}})).await;
        assert_eq!(both.causes().len(), 3, "{}", both.body);
        cluster.delete(&format!("{DEFINITIONS}/gadgets.{group}"), &Value::Null).await.expect(200);
    }

    #[needs(Rules)]
    async fn rules_know_the_fields_of_the_schema(cluster) {
        for (rule, field) in [
            ("self.nothing > 1", "nothing"), ("has(self.nothing)", "nothing"), ("oldSelf.size > 1 && oldSelf.nothing > 1", "nothing"),
            ("self.list.all(one, one.nme != '')", "nme"), ("self.map.all(key, self.map[key].nme == '')", "nme"), ("self.namespace == ''", "namespace"),
        ] {
            let mut definition = gadgets(&group());
            let spec = definition.pointer_mut(&format!("{SCHEMA}/properties/spec")).expect("a schema");
            let named = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}});
            spec["properties"]["list"] = json!({"type": "array", "maxItems": 9, "items": named});
            spec["properties"]["map"] = json!({"type": "object", "maxProperties": 9, "additionalProperties": named});
            spec["properties"]["namespace"] = json!({"type": "string"});
            let right = "self.size > 1 && self.list.all(one, one.name != '') && self.map.all(key, self.map[key].name == '') && self.__namespace__ == ''";
            spec["x-kubernetes-validations"] = json!([{"rule": right}]);
            cluster.post(&format!("{DEFINITIONS}?dryRun=All"), &definition).await.expect(201);
            definition.pointer_mut(&format!("{SCHEMA}/properties/spec")).expect("a schema")["x-kubernetes-validations"] = json!([{"rule": rule}]);
            let answer = cluster.post(DEFINITIONS, &definition).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{rule}");
            assert!(answer.message().contains(&format!("undefined field '{field}'")), "{rule}: {}", answer.message());
        }
    }

    #[needs(Rules)]
    async fn rules_that_cannot_be_read_are_refused(cluster) {
        for rule in ["self.size +", "other.size > 1"] {
            let mut definition = gadgets(&group());
            definition.pointer_mut(&format!("{SCHEMA}/properties/spec")).expect("a schema")["x-kubernetes-validations"] = json!([{"rule": rule}]);
            let answer = cluster.post(DEFINITIONS, &definition).await;
            assert_eq!(answer.refusal(), (422, "Invalid"), "{rule}");
            let field = "x-kubernetes-validations[0].rule: Invalid value: ";
            assert!(answer.message().contains(field), "{rule}: {}", answer.message());
        }
    }
}

/// A group that no other case has.
fn group() -> String {
    format!("g{}.hookgate.dev", uuid::Uuid::new_v4().simple())
}

fn gadget(group: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": format!("{group}/v1"), "kind": "Gadget", "metadata": {"name": name}, "spec": spec})
}

/// The definition of a type of the whole cluster.
fn gadgets(group: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group, "scope": "Cluster", "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer"}, "limit": {"type": "integer"}, "kind": {"type": "string"},
                    }},
                }}},
            }],
        },
    })
}

/// The definition of a type of these names.
fn named(group: &str, names: &Value) -> Value {
    let mut definition = gadgets(group);
    let plural = names["plural"].as_str().expect("a plural");
    definition["metadata"]["name"] = format!("{plural}.{group}").into();
    definition["spec"]["names"] = names.clone();
    definition
}

/// The status, reason and message of a condition.
fn condition<'a>(answer: &'a Answer, kind: &str) -> Option<[&'a str; 3]> {
    let conditions = answer.body["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|known| known["type"] == kind)?;
    Some(["status", "reason", "message"].map(|key| found[key].as_str().unwrap_or_default()))
}

/// The same with rules.
fn ruled(group: &str) -> Value {
    let mut definition = gadgets(group);
    let spec = definition
        .pointer_mut(&format!("{SCHEMA}/properties/spec"))
        .expect("a schema");
    spec["x-kubernetes-validations"] = json!([{"rule": "!has(self.limit) || self.size <= self.limit", "message": "size is over the limit"}]);
    spec["properties"]["size"]["x-kubernetes-validations"] =
        json!([{"rule": "self != 4 && self != 6"}]);
    spec["properties"]["kind"]["x-kubernetes-validations"] =
        json!([{"rule": "self == oldSelf", "message": "kind cannot be changed"}]);
    definition
}
