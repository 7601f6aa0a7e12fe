//! What a delivery sets off: triggers, or in a rehearsal nothing.
//!
//! The phases do not know which it is.

use tokio::time::Instant;

use crate::{
    hook::ReceiverRef,
    trigger::{Order, Report, Trigger, history::Delivery},
};

/// What a delivery sets off.
pub(super) enum Effect {
    /// Its targets are triggered, and it is kept for the operator.
    Trigger(Trigger),
    /// Nothing; it is as if every target were annotated at once.
    Nothing,
}

impl Effect {
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

    /// Keeps a delivery for the operator.
    pub(super) fn record(&self, delivery: Delivery, report: &Report) {
        match self {
            Self::Trigger(trigger) => drop(trigger.record(delivery, report)),
            Self::Nothing => {}
        }
    }
}
