//! What an object says of the last time it was reconciled: by which request, and to which revision.
//!
//! Pure; the fields are those of the kinds that a Receiver may name.

use jiff::Timestamp;
use serde_json::Value;

/// The fields that can name a revision, the first that is there counts: sources, then what is built from them, then images.
const REVISIONS: [&str; 6] = [
    "/status/artifact/revision",
    "/status/lastAppliedRevision",
    "/status/lastAttemptedRevision",
    "/status/lastPushCommit",
    "/status/latestRef/tag",
    "/status/lastScanResult/scanTime",
];

/// What is known of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observation {
    handled_at: Option<Timestamp>,
    revision: Option<String>,
    is_reconciling: bool,
}

impl Observation {
    /// Reads an object.
    pub(super) fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let conditions = object
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let is_reconciling = |condition: &Value| {
            condition.get("type").and_then(Value::as_str) == Some("Reconciling")
                && condition.get("status").and_then(Value::as_str) == Some("True")
        };
        Self {
            handled_at: text("/status/lastHandledReconcileAt").and_then(|at| at.parse().ok()),
            revision: REVISIONS.into_iter().find_map(text).map(str::to_owned),
            is_reconciling: conditions.is_some_and(|all| all.iter().any(is_reconciling)),
        }
    }

    /// The revision, provided that the object has been reconciled because of a request of this time or a later one.
    pub(super) fn revision_since(&self, requested_at: Timestamp) -> Option<&str> {
        let is_handled = self
            .handled_at
            .is_some_and(|handled| handled >= requested_at);
        self.revision
            .as_deref()
            .filter(|_| is_handled && !self.is_reconciling)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revision_counts_once_the_request_is_handled() {
        let at: Timestamp = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let object = |handled: &str, reconciling: &str| {
            json!({"status": {
                "lastHandledReconcileAt": handled,
                "artifact": {"revision": "main@sha1:1234"},
                "lastAppliedRevision": "other",
                "conditions": [{"type": "Reconciling", "status": reconciling}],
            }})
        };
        for (handled, reconciling, expected) in [
            ("2026-01-01T00:00:00.5Z", "False", Some("main@sha1:1234")),
            (
                "2026-01-01T00:00:00.500000000Z",
                "False",
                Some("main@sha1:1234"),
            ),
            ("2026-01-02T01:00:00+01:00", "False", Some("main@sha1:1234")),
            ("2026-01-01T00:00:00.4Z", "False", None),
            ("2026-01-02T00:00:00Z", "True", None),
            ("by hand", "False", None),
        ] {
            let observation = Observation::of(&object(handled, reconciling));
            assert_eq!(
                observation.revision_since(at),
                expected,
                "{handled} {reconciling}"
            );
        }
        assert_eq!(Observation::of(&json!({})).revision_since(at), None);
        assert_eq!(
            Observation::of(&json!({"status": []})).revision_since(at),
            None
        );
    }
}
