//! Events as `events.k8s.io/v1` shows them: the same objects as those of `v1`, with other names for some fields.
//!
//! Stored Events have the fields of `v1`; nothing else is stored for this view.

use serde_json::{Value, json};

use crate::cluster::{
    names,
    object::{as_map, text},
    schema::FieldError,
};

/// What fields are called in `v1` and here; all others have one name.
const NAMES: [(&str, &str); 7] = [
    ("message", "note"),
    ("involvedObject", "regarding"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];
/// Fields that only older clients set (Kubernetes refuses them here).
const DEPRECATED: [&str; 4] = ["source", "firstTimestamp", "lastTimestamp", "count"];
/// Fields that stay what they were; only the series changes.
const IMMUTABLE: [&str; 13] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];
/// The most bytes of an action, a reason or an instance (Kubernetes).
const LONGEST_WORD: usize = 128;
/// The most bytes of a note (Kubernetes).
const LONGEST_NOTE: usize = 1024;

/// Gives a stored Event the names of this view.
pub(crate) fn show(event: &mut Value) {
    rename(event, NAMES);
    as_map(event).insert("apiVersion".to_owned(), "events.k8s.io/v1".into());
}

/// Gives an Event of this view the names of stored ones.
pub(crate) fn take(event: &mut Value) {
    rename(event, NAMES.map(|(stored, shown)| (shown, stored)));
    as_map(event).insert("apiVersion".to_owned(), "v1".into());
}

/// The path of a stored field that a selector of this view means.
pub(crate) fn stored_path(path: &str) -> String {
    let (field, rest) = path.split_at(path.find('.').unwrap_or(path.len()));
    let known = NAMES.iter().find(|(_, shown)| *shown == field);
    known.map_or_else(|| path.to_owned(), |(stored, _)| format!("{stored}{rest}"))
}

/// Says what is wrong with a stored Event that came through this view, which is stricter than `v1`.
pub(crate) fn validate(event: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let mut errors = words(event);
    if live.and_then(|live| live.get("series")) != event.get("series") {
        errors.extend(series(event));
    }
    let fixed = |field: &&str| live.is_some_and(|live| live.get(field) != event.get(field));
    for field in IMMUTABLE.iter().filter(|field| fixed(field)) {
        let value = event.get(*field).unwrap_or(&Value::Null);
        errors.push(FieldError::invalid(*field, value, "field is immutable"));
    }
    if live.is_some() {
        return errors;
    }
    if text(event, &["eventTime"]).is_none() {
        errors.push(FieldError::required("eventTime", ""));
    }
    let type_ = text(event, &["type"]).unwrap_or_default();
    if !matches!(type_, "Normal" | "Warning") {
        let detail = format!("has invalid value: {type_}");
        errors.push(FieldError::invalid("type", &json!(""), detail));
    }
    for field in DEPRECATED {
        let is_set = |value: &Value| *value != json!({}) && *value != json!(0);
        if event.get(field).is_some_and(is_set) {
            errors.push(FieldError::invalid(field, &json!(""), "needs to be unset"));
        }
    }
    errors
}

fn words(event: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (field, shown, most) in [
        ("reportingComponent", "reportingController", usize::MAX),
        ("reportingInstance", "reportingInstance", LONGEST_WORD),
        ("action", "action", LONGEST_WORD),
        ("reason", "reason", LONGEST_WORD),
    ] {
        let word = text(event, &[field]).unwrap_or_default();
        if word.is_empty() {
            errors.push(FieldError::required(shown, ""));
        } else if word.len() > most {
            errors.push(too_long(shown, most));
        }
    }
    let controller = text(event, &["reportingComponent"]).filter(|name| !name.is_empty());
    if let Some((name, Err(rule))) = controller.map(|name| (name, names::qualified_name(name))) {
        errors.push(FieldError::invalid(
            "reportingController",
            &json!(name),
            rule,
        ));
    }
    if text(event, &["message"]).is_some_and(|note| note.len() > LONGEST_NOTE) {
        errors.push(too_long("note", LONGEST_NOTE));
    }
    errors
}

fn series(event: &Value) -> Vec<FieldError> {
    let Some(series) = event.get("series") else {
        return Vec::new();
    };
    let count = series
        .get("count")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let few = (count < 2)
        .then(|| FieldError::invalid("series.count", &json!(count), "should be at least 2"));
    let unseen = text(series, &["lastObservedTime"])
        .is_none()
        .then(|| FieldError::required("series.lastObservedTime", ""));
    few.into_iter().chain(unseen).collect()
}

fn too_long(field: &str, most: usize) -> FieldError {
    FieldError::invalid(
        field,
        &json!(""),
        format!("can have at most {most} characters"),
    )
}

fn rename<const N: usize>(event: &mut Value, names: [(&str, &str); N]) {
    let event = as_map(event);
    for (from, to) in names {
        if let Some(value) = event.remove(from) {
            event.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "x"},
            "message": "it went well", "involvedObject": {"name": "a"}, "reason": "Done", "action": "Do",
            "reportingComponent": "x.io/tester", "reportingInstance": "tester-1", "type": "Normal",
            "eventTime": "2026-01-01T00:00:00.000000Z",
        })
    }

    fn check(change: fn(&mut Value), live: Option<&Value>, expected: &[&str]) {
        let mut changed = event();
        change(&mut changed);
        let errors = validate(&changed, live);
        let fields: Vec<_> = errors.iter().map(FieldError::field).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn view_is_taken_back_as_it_was_shown() {
        let mut shown = event();
        shown["source"] = json!({"component": "old"});
        let stored = shown.clone();
        show(&mut shown);
        assert_eq!(shown["apiVersion"], "events.k8s.io/v1");
        assert_eq!(
            (&shown["note"], &shown["regarding"]["name"]),
            (&json!("it went well"), &json!("a"))
        );
        assert_eq!(shown["deprecatedSource"]["component"], "old");
        assert_eq!(shown.get("message"), None);
        take(&mut shown);
        assert_eq!(shown, stored);
    }

    #[test]
    fn selectors_name_the_fields_of_the_view() {
        assert_eq!(stored_path("regarding.name"), "involvedObject.name");
        assert_eq!(stored_path("reportingController"), "reportingComponent");
        assert_eq!(stored_path("metadata.name"), "metadata.name");
    }

    #[test]
    fn new_event_is_complete_and_has_nothing_deprecated() {
        check(|_| {}, None, &[]);
        check(
            |event| event["eventTime"] = Value::Null,
            None,
            &["eventTime"],
        );
        check(|event| event["type"] = "Bad".into(), None, &["type"]);
        check(|event| event["count"] = 3.into(), None, &["count"]);
        check(|event| event["source"] = json!({}), None, &[]);
        check(|event| event["reason"] = "".into(), None, &["reason"]);
        check(
            |event| event["action"] = "a".repeat(129).into(),
            None,
            &["action"],
        );
        check(
            |event| event["message"] = "a".repeat(1025).into(),
            None,
            &["note"],
        );
        check(
            |event| event["reportingComponent"] = "a b".into(),
            None,
            &["reportingController"],
        );
        check(
            |event| event["series"] = json!({"count": 1}),
            None,
            &["series.count", "series.lastObservedTime"],
        );
    }

    #[test]
    fn only_the_series_of_an_event_changes() {
        let live = event();
        let series = |event: &mut Value| {
            event["series"] =
                json!({"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"});
        };
        check(series, Some(&live), &[]);
        check(
            |event| event["message"] = "other".into(),
            Some(&live),
            &["message"],
        );
    }
}
