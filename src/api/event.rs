//! Events: what `kubectl describe` shows to have happened to an object.
//!
//! They are for people; who writes them, and when, is not known here.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{Resource as _, api::ObjectMeta};

use super::receiver::Receiver;

/// The component that Flux users filter events of Receivers by.
const SOURCE: &str = "notification-controller";
const REPORTER: &str = "hookgate";
/// The API server refuses longer messages.
const MAX_MESSAGE_BYTES: usize = 1024;

/// One thing that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Whether somebody should look at it.
    pub severity: Severity,
    /// A word in `CamelCase` for programs.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Names a Receiver as what an event is about.
#[must_use]
pub fn of_receiver(metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(Receiver::api_version(&()).into_owned()),
        kind: Some(Receiver::kind(&()).into_owned()),
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        resource_version: metadata.resource_version.clone(),
        uid: metadata.uid.clone(),
        field_path: None,
    }
}

/// The event that tells of a thing that has just happened.
#[must_use]
pub fn event(regarding: ObjectReference, happening: &Happening, now: Timestamp) -> Event {
    let name = regarding.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{name}.{:x}", now.as_nanosecond())),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(
            match happening.severity {
                Severity::Normal => "Normal",
                Severity::Warning => "Warning",
            }
            .to_owned(),
        ),
        reason: Some(happening.reason.to_owned()),
        message: Some(shortened(&happening.message)),
        involved_object: regarding,
        source: Some(EventSource {
            component: Some(SOURCE.to_owned()),
            host: None,
        }),
        reporting_component: Some(REPORTER.to_owned()),
        reporting_instance: Some(REPORTER.to_owned()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE_BYTES - "...".len());
    format!("{}...", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_to_what_the_api_server_accepts() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ä".repeat(1000));
        assert!(long.len() <= MAX_MESSAGE_BYTES && long.ends_with("ä..."));
    }

    #[test]
    fn two_events_of_one_object_have_two_names() {
        let regarding = ObjectReference {
            name: Some("web".to_owned()),
            namespace: Some("apps".to_owned()),
            ..ObjectReference::default()
        };
        let happening = Happening {
            severity: Severity::Warning,
            reason: "Failed",
            message: "no".to_owned(),
        };
        let name = |nanosecond| {
            let now = Timestamp::from_nanosecond(nanosecond).unwrap();
            event(regarding.clone(), &happening, now).metadata.name
        };
        assert_eq!(name(255).unwrap(), "web.ff");
        assert_ne!(name(255), name(256));
    }
}
