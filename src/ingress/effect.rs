//! What a delivery sets off: triggers, or in a rehearsal nothing.
//!
//! The phases do not know which it is.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    hook::{MessageDigest, ReceiverRef, Selector, Target},
    trigger::{Entry, Once, Order, Report, Trigger, history::Delivery},
};

/// What a delivery sets off.
pub(super) enum Effect {
    /// Its targets are triggered, and it is kept for the operator.
    Trigger(Trigger),
    /// Nothing; it is as if every target were annotated at once.
    Nothing,
}

impl Effect {
    /// The objects that filters have to judge; see [`Trigger::candidates`].
    ///
    /// Where there is no cluster, there is one that carries what the selector says and nothing else.
    pub(super) async fn candidates(
        &self,
        selector: &Selector,
        deadline: Instant,
    ) -> Result<Vec<(Target, Arc<str>)>, Entry> {
        match self {
            Self::Trigger(trigger) => trigger.candidates(selector, deadline).await,
            Self::Nothing => Ok(vec![stand_in(selector)]),
        }
    }

    /// Marks everything selected; see [`Trigger::accept`].
    pub(super) async fn accept(&self, order: Order<'_>, deadline: Instant) -> Report {
        match self {
            Self::Trigger(trigger) => trigger.accept(order, deadline).await,
            Self::Nothing => Report::of_success(order.selectors),
        }
    }

    /// Whether the Receiver has had a delivery of this id lately.
    pub(super) fn recognise(&self, receiver: &ReceiverRef, delivery: &str) -> bool {
        match self {
            Self::Trigger(trigger) => trigger.recognise(receiver, delivery),
            Self::Nothing => false,
        }
    }

    /// Lets one of all deliveries go on that bring what was signed only once; see [`Trigger::once`]. In a rehearsal it is
    /// not known whether it was there before.
    pub(super) async fn once(
        &self,
        receiver: &ReceiverRef,
        message: &MessageDigest,
        deadline: Instant,
    ) -> Option<Once> {
        match self {
            Self::Trigger(trigger) => Some(trigger.once(receiver, message, deadline).await),
            Self::Nothing => None,
        }
    }

    /// Keeps a delivery for the operator.
    pub(super) fn record(&self, delivery: Delivery, report: &Report) {
        match self {
            Self::Trigger(trigger) => drop(trigger.record(delivery, report)),
            Self::Nothing => {}
        }
    }
}

/// An object as a selector describes it.
fn stand_in(selector: &Selector) -> (Target, Arc<str>) {
    let (target, labels) = match selector {
        Selector::Named(target) => (target.clone(), None),
        Selector::Labelled {
            kind,
            namespace,
            labels,
        } => {
            let target = Target {
                kind: kind.clone(),
                namespace: namespace.clone(),
                name: "*".to_owned(),
            };
            (target, Some(labels))
        }
    };
    let mut metadata = json!({ "name": target.name, "namespace": target.namespace });
    if let (Some(labels), Some(metadata)) = (labels, metadata.as_object_mut()) {
        metadata.insert("labels".to_owned(), json!(labels));
    }
    (target, metadata.to_string().into())
}
