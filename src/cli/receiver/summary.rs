//! What there is to say of a Receiver, from the object alone.
//!
//! Pure; an object that makes no sense has a summary too, which says so.

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};

use crate::{
    api::{
        annotations::{DENIED_TARGETS, LAST_TRIGGER},
        condition::{ConditionStatus, READY},
        denied::DeniedTargets,
        last_trigger::LastTrigger,
        receiver::{Receiver, ReceiverStatus, ResourceReference},
    },
    hook::{ReceiverRef, Sender},
};

/// What there is to say of a Receiver.
#[derive(Debug)]
pub(super) struct Summary {
    /// Its namespace and name.
    pub(super) receiver: ReceiverRef,
    /// Who sends, as the type or the annotation spells it.
    pub(super) sender: String,
    /// Whether it takes deliveries, in one word.
    pub(super) ready: &'static str,
    /// When it was made.
    pub(super) created: Option<Timestamp>,
    /// What it triggers.
    pub(super) triggers: Vec<String>,
    /// The Secret it names; empty when it names none.
    pub(super) secret: String,
    /// The events it lists.
    pub(super) events: Vec<String>,
    /// The targets that the gateway may not trigger.
    pub(super) denied: Option<DeniedTargets>,
    /// The last delivery that triggered something.
    pub(super) last: Option<LastTrigger>,
    /// What it has been found to be.
    pub(super) status: ReceiverStatus,
    /// Its fields; why they make no sense, if they do not.
    pub(super) parsed: Result<Box<Receiver>, String>,
}

impl Summary {
    /// Sums up a Receiver as it is stored.
    pub(super) fn of(object: &DynamicObject) -> Self {
        let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
        let status = object.data.get("status").cloned().unwrap_or_default();
        let status: ReceiverStatus = serde_json::from_value(status).unwrap_or_default();
        let parsed = object.clone().try_parse::<Receiver>();
        let parsed = parsed.map(Box::new).map_err(|error| error.to_string());
        let mut summary = Self {
            receiver: ReceiverRef::of(&object.metadata),
            sender: String::new(),
            ready: "False",
            created: object.creation_timestamp().map(|time| time.0),
            triggers: Vec::new(),
            secret: String::new(),
            events: Vec::new(),
            denied: annotation(DENIED_TARGETS).and_then(DeniedTargets::parse),
            last: annotation(LAST_TRIGGER).and_then(LastTrigger::parse),
            status,
            parsed,
        };
        summary.describe();
        summary
    }

    fn describe(&mut self) {
        let Ok(receiver) = &self.parsed else {
            return;
        };
        let spec = &receiver.spec;
        let sender = Sender::of(receiver).map_or(spec.type_.as_str(), Sender::as_str);
        sender.clone_into(&mut self.sender);
        self.ready = ready(receiver, &self.status);
        let own = &self.receiver.namespace;
        let triggers = spec.resources.iter();
        self.triggers = triggers.map(|resource| target(own, resource)).collect();
        let secret = spec.secret_ref.as_ref();
        self.secret = secret.map_or_else(String::new, |secret| secret.name.clone());
        self.events.clone_from(&spec.events);
    }
}

/// Whether a Receiver takes deliveries as it is now.
fn ready(receiver: &Receiver, status: &ReceiverStatus) -> &'static str {
    if receiver.metadata.deletion_timestamp.is_some() {
        return "Deleting";
    }
    if receiver.spec.is_suspended() {
        return "Suspended";
    }
    let ready = status.conditions.find(READY);
    let is_current = |seen: &Option<i64>| *seen == receiver.metadata.generation;
    match ready.map(|ready| (&ready.status, is_current(&ready.observed_generation))) {
        Some((ConditionStatus::True, true)) => "True",
        Some((ConditionStatus::False, true)) => "False",
        _ => "Unknown",
    }
}

/// A target in few words: the namespace only where it is another one, and labels behind `*`.
fn target(own_namespace: &str, resource: &ResourceReference) -> String {
    let other = resource.namespace.as_deref();
    let other = other.filter(|namespace| *namespace != own_namespace);
    let folder = other.map_or_else(String::new, |namespace| format!("{namespace}/"));
    let labels = resource.match_labels.iter().flatten();
    let labels: Vec<_> = labels
        .filter(|_| resource.name == "*")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("[{}]", labels.join(","))
    };
    format!("{}/{folder}{}{labels}", resource.kind, resource.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(more: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": "ci", "namespace": "apps", "generation": 2},
            "spec": {"type": "generic-hmac", "secretRef": {"name": "token"}, "resources": [
                {"kind": "GitRepository", "name": "web"},
                {"kind": "GitRepository", "name": "web", "namespace": "other"},
                {"kind": "Bucket", "name": "*", "matchLabels": {"app": "web", "env": "prod"}},
            ]},
        });
        json_patch::merge(&mut object, more);
        serde_json::from_value(object).unwrap()
    }

    fn ready(status: &str, generation: i64) -> Value {
        json!({"status": {"conditions": [{
            "type": "Ready", "status": status, "reason": "Succeeded", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
        }]}})
    }

    #[test]
    fn targets_are_told_in_few_words() {
        let summary = Summary::of(&object(&json!({})));
        assert_eq!(
            summary.triggers,
            [
                "GitRepository/web",
                "GitRepository/other/web",
                "Bucket/*[app=web,env=prod]"
            ]
        );
    }

    #[test]
    fn ready_is_what_holds_now() {
        for (more, expected) in [
            (json!({}), "Unknown"),
            (ready("True", 2), "True"),
            (ready("False", 2), "False"),
            (ready("True", 1), "Unknown"),
            (json!({"spec": {"suspend": true}}), "Suspended"),
            (json!({"spec": {"type": "svn"}}), "False"),
        ] {
            assert_eq!(Summary::of(&object(&more)).ready, expected, "{more}");
        }
    }

    #[test]
    fn the_annotations_of_the_gateway_are_read_and_name_the_sender() {
        let annotations = json!({"metadata": {"annotations": {
            "hookgate.dev/sender": "gitea",
            "hookgate.dev/last-trigger": r#"{"at":"2026-01-05T09:30:00Z","delivery":"1"}"#,
            "hookgate.dev/denied-targets": r#"{"GitRepository/apps/web":"patch"}"#,
        }}});
        let summary = Summary::of(&object(&annotations));
        assert_eq!(summary.sender, "gitea");
        assert_eq!(summary.last.unwrap().delivery, "1");
        assert_eq!(summary.denied.unwrap().iter().count(), 1);
    }
}
