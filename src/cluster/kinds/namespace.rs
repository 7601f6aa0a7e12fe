//! Namespaces: their phase, and those that are always there.
//!
//! What is in a going namespace is removed elsewhere.

use serde_json::{Value, json};

use crate::cluster::object::{as_map, member_mut, metadata_mut, text};

/// The namespaces that exist from the start.
pub(crate) const INITIAL: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Whether a namespace may be deleted.
pub(crate) fn is_deletable(name: &str) -> bool {
    !["default", "kube-system", "kube-public"].contains(&name)
}

/// Fills in the phase, the finalizer and the label that every namespace has.
pub(super) fn prepare(value: &mut Value, live: Option<&Value>) {
    let name = text(value, &["metadata", "name"])
        .unwrap_or_default()
        .to_owned();
    let labels = metadata_mut(value)
        .entry("labels")
        .or_insert_with(|| json!({}));
    as_map(labels).insert("kubernetes.io/metadata.name".to_owned(), name.into());
    match live {
        None => {
            member_mut(value, "spec").insert("finalizers".to_owned(), json!(["kubernetes"]));
            member_mut(value, "status").insert("phase".to_owned(), "Active".into());
        }
        Some(live) => {
            let spec = live.get("spec").cloned().unwrap_or_default();
            as_map(value).insert("spec".to_owned(), spec);
        }
    }
}

/// Marks a namespace as going.
pub(crate) fn terminate(value: &mut Value) {
    member_mut(value, "status").insert("phase".to_owned(), "Terminating".into());
}

/// Whether a namespace is going.
pub(crate) fn is_terminating(value: &Value) -> bool {
    text(value, &["metadata", "deletionTimestamp"]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_namespace_is_active_and_labelled() {
        let mut value = json!({"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {}});
        prepare(&mut value, None);
        let labels = json!({"a": "b", "kubernetes.io/metadata.name": "x"});
        assert_eq!(value["metadata"]["labels"], labels);
        assert_eq!(value["status"]["phase"], "Active");
        assert_eq!(value["spec"]["finalizers"], json!(["kubernetes"]));
    }
}
