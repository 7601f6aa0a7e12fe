//! Redelivery: the targets of a recorded delivery are triggered again, and that is a delivery of its own.
//!
//! No request is replayed: its body is not kept, and the sender has been proven already.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Operator, refusal, unknown};
use crate::{
    hook::{Selector, Target},
    ingress::{answer, outcome::Outcome},
    trigger::{Order, history::Delivery},
};

/// How long the operator waits for the triggers.
const CEILING: Duration = Duration::from_secs(5);

pub(super) async fn redeliver(
    State(operator): State<Arc<Operator>>,
    Path(id): Path<String>,
) -> Response {
    let history = operator.trigger.history();
    let Some(delivery) = history.find(&id) else {
        return unknown();
    };
    let targets = delivery.targets.iter();
    let selectors: Vec<_> = targets
        .map(|triggered| Selector::Named(Target::clone(&triggered.target)))
        .collect();
    if selectors.is_empty() {
        return refusal(
            StatusCode::CONFLICT,
            "this delivery has no target to trigger again",
        );
    }
    let received_at = Timestamp::now();
    let order = Order {
        receiver: &delivery.receiver,
        delivery: &delivery.delivery,
        selectors: &selectors,
        rate: None,
    };
    let report = operator
        .trigger
        .accept(order, Instant::now() + CEILING)
        .await;
    let outcome = Outcome::of(&report, &[]);
    let again = Delivery {
        received_at,
        outcome: outcome.as_str().into(),
        is_redelivery: true,
        redelivers: Some(delivery.id),
        client: None,
        headers: Vec::new(),
        targets: Vec::new(),
        more_targets: delivery.more_targets,
        notes: Vec::new(),
        ..delivery
    };
    let id = operator.trigger.record(again, &report);
    tracing::info!(
        delivery = id,
        redelivers = delivery.id,
        outcome = outcome.as_str(),
        "redelivered"
    );
    let status = answer::status(&outcome);
    match history.find(&id.to_string()) {
        Some(delivery) => (status, Json(delivery)).into_response(),
        None => status.into_response(),
    }
}
