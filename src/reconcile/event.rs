//! Writes events about Receivers.
//!
//! They are for people; nothing is retried, and nothing depends on them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, ObjectReference};
use kube::{Api, Client, api::PostParams};

use super::cause::cause;
use crate::api::event::{Happening, event};

/// Writes one event; a failure is logged and forgotten.
pub(super) async fn publish(client: &Client, regarding: ObjectReference, happening: &Happening) {
    let namespace = regarding.namespace.clone().unwrap_or_default();
    let event = event(regarding, happening, Timestamp::now());
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    if let Err(error) = events.create(&PostParams::default(), &event).await {
        tracing::debug!(
            error = cause(&error),
            reason = happening.reason,
            "the event could not be written"
        );
    }
}
