//! Events and Leases: the few rules they have, and when an Event is too old to keep.
//!
//! Removing old Events is done where Events are written.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cluster::{object::text, schema::FieldError};

/// How long an Event is kept after it was last seen (Kubernetes: one hour).
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Whether an Event is too old to keep.
pub(crate) fn is_expired(event: &Value, now: Timestamp) -> bool {
    let times = [
        ["metadata", "creationTimestamp"].as_slice(),
        &["lastTimestamp"],
        &["eventTime"],
        &["series", "lastObservedTime"],
    ];
    let seen = times
        .into_iter()
        .filter_map(|path| text(event, path)?.parse::<Timestamp>().ok())
        .max();
    seen.is_some_and(|seen| now.duration_since(seen) > KEPT)
}

/// Says what is wrong with an Event.
pub(super) fn validate(value: &Value) -> Vec<FieldError> {
    let namespace = text(value, &["metadata", "namespace"]).unwrap_or_default();
    let involved = text(value, &["involvedObject", "namespace"]).unwrap_or_default();
    // Events about objects of the whole cluster are in `default` (or `kube-system`).
    let is_consistent = match involved {
        "" => matches!(namespace, "default" | "kube-system"),
        involved => involved == namespace,
    };
    if is_consistent {
        return Vec::new();
    }
    let rule = "does not match event.namespace";
    vec![FieldError::invalid(
        "involvedObject.namespace",
        &json!(involved),
        rule,
    )]
}

/// Says what is wrong with a Lease.
pub(super) fn validate_lease(value: &Value) -> Vec<FieldError> {
    let number = |field: &str| {
        value
            .get("spec")
            .and_then(|spec| spec.get(field))
            .and_then(Value::as_i64)
    };
    let duration = number("leaseDurationSeconds").filter(|duration| *duration <= 0);
    let transitions = number("leaseTransitions").filter(|transitions| *transitions < 0);
    let duration = duration.map(|found| {
        FieldError::invalid(
            "spec.leaseDurationSeconds",
            &json!(found),
            "must be greater than 0",
        )
    });
    let transitions = transitions.map(|found| {
        FieldError::invalid(
            "spec.leaseTransitions",
            &json!(found),
            "must be greater than or equal to 0",
        )
    });
    duration.into_iter().chain(transitions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(namespace: &str, involved: &str, is_valid: bool) {
        let event = json!({"metadata": {"namespace": namespace}, "involvedObject": {"namespace": involved}});
        assert_eq!(validate(&event).is_empty(), is_valid, "{event}");
    }

    #[test]
    fn event_is_where_its_object_is() {
        check("n", "n", true);
        check("n", "m", false);
        check("default", "", true);
        check("n", "", false);
    }

    #[test]
    fn event_is_kept_an_hour_after_it_was_last_seen() {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let at = |created: &str, last: &str| json!({"metadata": {"creationTimestamp": created}, "lastTimestamp": last});
        assert!(is_expired(
            &at("2026-01-01T10:00:00Z", "2026-01-01T10:59:59Z"),
            now
        ));
        assert!(!is_expired(
            &at("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"),
            now
        ));
        assert!(!is_expired(&json!({}), now));
    }

    #[test]
    fn lease_lasts() {
        assert_eq!(
            validate_lease(&json!({"spec": {"leaseDurationSeconds": 15, "leaseTransitions": 0}})),
            []
        );
        assert_eq!(
            validate_lease(&json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}}))
                .len(),
            2
        );
        assert_eq!(validate_lease(&json!({})), []);
    }
}
