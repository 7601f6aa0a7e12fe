//! Which CDEvents are understood: the rules that hold for all, and what each type needs.

use serde_json::json;

use super::*;

/// The event that Flux must accept, and hookgate with it.
fn merged() -> Value {
    json!({
        "context": {
            "version": "0.3.0",
            "id": "5555",
            "source": "github",
            "timestamp": "2023-12-07T14:51:29.908479495Z",
            "type": "dev.cdevents.change.merged.0.2.0",
        },
        "subject": { "type": "change", "id": "5555" },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut event = merged();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[key] = value;
    event
}

fn check(event: &Value) -> Result<(), String> {
    decode(&serde_json::to_vec(event).unwrap()).map_err(|malformed| malformed.to_string())
}

#[test]
fn the_event_that_flux_accepts_is_understood() {
    assert_eq!(check(&merged()), Ok(()));
}

#[test]
fn what_every_event_needs_is_required() {
    for pointer in [
        "/context/version",
        "/context/id",
        "/context/source",
        "/context/type",
        "/subject/id",
        "/subject/type",
    ] {
        for value in [json!(""), Value::Null] {
            let problem = check(&with(pointer, value)).unwrap_err();
            let field = pointer.trim_start_matches('/').replace('/', ".");
            assert!(problem.contains(&field), "{pointer}: {problem}");
        }
    }
    assert!(check(&with("/context", Value::Null)).is_err());
    assert!(check(&with("/subject", Value::Null)).is_err());
}

#[test]
fn values_are_of_the_types_and_forms_that_the_schemas_ask_for() {
    for (pointer, value, understood) in [
        ("/context/timestamp", Value::Null, true),
        ("/context/timestamp", json!("2023-12-07T14:51:29Z"), true),
        ("/context/timestamp", json!(""), false),
        ("/context/timestamp", json!("yesterday"), false),
        ("/context/version", json!(5), false),
        ("/context/source", json!(":"), false),
        ("/context/schemaUri", json!(""), true),
        ("/context/schemaUri", json!("https://example.com/s"), false),
        (
            "/context/links",
            json!([{ "linkType": "END", "from": {} }]),
            true,
        ),
        ("/context/links", json!([{ "linkType": "LOOP" }]), false),
        ("/context/unknown", json!([1]), true),
        ("/subject/source", json!("%"), false),
        ("/subject/type", json!("branch"), false),
        ("/subject/content", json!({}), true),
        ("/subject/content", json!({ "unknown": 5 }), true),
        ("/subject/content", json!("text"), false),
        ("/customData", json!("text"), true),
        ("/customData", json!({ "any": [1] }), true),
        ("/customData", json!([]), false),
        ("/customDataContentType", json!(5), false),
        ("/unknown", json!(5), true),
    ] {
        let event = with(pointer, value);
        let checked = check(&event);
        assert_eq!(checked.is_ok(), understood, "{event}: {checked:?}");
    }
}

#[test]
fn a_body_is_one_event_and_nothing_else() {
    let event = serde_json::to_string(&merged()).unwrap();
    assert!(decode(event.as_bytes()).is_ok());
    assert!(decode(event.to_uppercase().as_bytes()).is_err());
    assert!(decode(event.replace("context", "CONTEXT").as_bytes()).is_ok());
    assert!(decode(format!("{event}{event}").as_bytes()).is_err());
    for body in ["", "[]", "null", "{}"] {
        assert!(decode(body.as_bytes()).is_err(), "{body:?}");
    }
}

/// An event of a type with this content.
fn of(type_: &str, subject: &str, content: &Value) -> Result<(), String> {
    let mut event = merged();
    event["context"]["type"] = format!("dev.cdevents.{type_}").into();
    event["subject"] = json!({ "id": "1", "type": subject, "content": content });
    check(&event)
}

/// Type, subject, and the fields of the content that must be there.
const REQUIRED: [(&str, &str, &[&str]); 21] = [
    ("artifact.packaged.0.2.0", "artifact", &["change"]),
    ("artifact.signed.0.2.0", "artifact", &["signature"]),
    ("build.finished.0.2.0", "build", &["artifactId"]),
    (
        "incident.detected.0.2.0",
        "incident",
        &["environment", "artifactId"],
    ),
    (
        "incident.reported.0.2.0",
        "incident",
        &["environment", "ticketURI", "artifactId"],
    ),
    (
        "incident.resolved.0.2.0",
        "incident",
        &["environment", "artifactId"],
    ),
    ("pipelinerun.started.0.2.0", "pipelineRun", &[]),
    ("repository.created.0.2.0", "repository", &["name", "url"]),
    (
        "service.deployed.0.2.0",
        "service",
        &["environment", "artifactId"],
    ),
    (
        "service.rolledback.0.2.0",
        "service",
        &["environment", "artifactId"],
    ),
    (
        "service.upgraded.0.2.0",
        "service",
        &["environment", "artifactId"],
    ),
    (
        "testcaserun.finished.0.2.0",
        "testCaseRun",
        &["outcome", "environment"],
    ),
    ("testcaserun.queued.0.2.0", "testCaseRun", &["environment"]),
    ("testcaserun.started.0.2.0", "testCaseRun", &["environment"]),
    ("testoutput.published.0.2.0", "testOutput", &["outputType"]),
    (
        "testsuiterun.finished.0.2.0",
        "testSuiteRun",
        &["outcome", "environment"],
    ),
    (
        "testsuiterun.queued.0.2.0",
        "testSuiteRun",
        &["environment"],
    ),
    (
        "testsuiterun.started.0.2.0",
        "testSuiteRun",
        &["environment"],
    ),
    ("ticket.closed.0.1.0", "ticket", &["uri", "resolution"]),
    ("ticket.created.0.1.0", "ticket", &["creator", "uri"]),
    ("ticket.updated.0.1.0", "ticket", &["uri"]),
];

#[test]
fn the_content_has_what_its_type_needs() {
    let environment = json!({ "id": "production", "source": "/clusters" });
    let artifact = json!("pkg:oci/podinfo@6.9.4");
    let whole = json!({
        "environment": environment,
        "artifactId": artifact,
        "change": { "id": "1" },
        "signature": "MEUC",
        "ticketURI": "https://example.com/t/1",
        "name": "podinfo",
        "url": "https://example.com/podinfo.git",
        "outcome": "pass",
        "outputType": "report",
        "uri": "/t/1",
        "resolution": "completed",
        "creator": "Mira",
    });
    for (type_, subject, required) in REQUIRED {
        assert_eq!(of(type_, subject, &whole), Ok(()), "{type_}");
        for field in whole.as_object().unwrap().keys() {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(field);
            let is_required = required.contains(&field.as_str());
            let checked = of(type_, subject, &less);
            assert_eq!(checked.is_err(), is_required, "{type_} without {field}");
        }
    }
}

#[test]
fn references_need_an_id_and_artifacts_a_package_url() {
    let deployed = |content: &Value| of("service.deployed.0.2.0", "service", content);
    for content in [
        json!({ "environment": {}, "artifactId": "pkg:oci/a" }),
        json!({ "environment": { "id": "" }, "artifactId": "pkg:oci/a" }),
        json!({ "environment": { "id": "a", "source": "%" }, "artifactId": "pkg:oci/a" }),
        json!({ "environment": { "id": "a" }, "artifactId": "podinfo" }),
    ] {
        assert!(deployed(&content).is_err(), "{content}");
    }
}

#[test]
fn events_of_a_tool_need_a_subject_of_any_type() {
    let mut event = merged();
    event["context"]["type"] = json!("dev.cdeventsx.gitlab-issue.created.0.1.0");
    event["subject"] = json!({ "id": "1", "type": "issue" });
    assert_eq!(check(&event), Ok(()));
    event["subject"]["type"] = json!("");
    assert!(check(&event).is_err());
}
