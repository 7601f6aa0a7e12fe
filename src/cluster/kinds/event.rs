//! Events and Leases: the few rules they have.
//!
//! Where they expire is not decided here.

use serde_json::{Value, json};

use crate::cluster::{object::text, schema::FieldError};

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
