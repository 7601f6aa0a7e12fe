//! The operator's listener: shows the last deliveries, and redelivers.
//!
//! It asks for no credential: whoever reaches it is the operator. So it is bound to loopback unless told otherwise,
//! and `guard` refuses what a browser sends on behalf of a page.

mod guard;
mod query;
mod redeliver;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

pub use self::query::{InvalidQuery, Query};
use super::SecretUses;
use crate::trigger::{
    Trigger,
    history::{Changes, Delivery},
};

/// How many watch at once; more are refused.
const MAX_WATCHES: usize = 16;
/// The least time between two batches of a watch, so that a busy gateway is not slowed down by who looks at it.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

struct Operator {
    trigger: Trigger,
    uses: SecretUses,
    watches: Arc<Semaphore>,
    stop: CancellationToken,
}

/// A list of deliveries, newest first.
#[derive(Serialize)]
struct Deliveries {
    deliveries: Vec<Delivery>,
}

/// Why a request is refused.
#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// The routes of the operator's listener at `address`; watches end at `stop`.
pub fn operator_router(
    trigger: Trigger,
    uses: SecretUses,
    address: SocketAddr,
    stop: CancellationToken,
) -> Router {
    let operator = Operator {
        trigger,
        uses,
        watches: Arc::new(Semaphore::new(MAX_WATCHES)),
        stop,
    };
    Router::new()
        .route("/deliveries", get(list))
        .route("/deliveries/{id}", get(show))
        .route("/deliveries/{id}/redeliver", post(redeliver::redeliver))
        .route("/secrets", get(secrets))
        .fallback(async || {
            refusal(
                StatusCode::NOT_FOUND,
                "there is nothing here; see /deliveries and /secrets",
            )
        })
        .with_state(Arc::new(operator))
        .layer(from_fn_with_state(address, guarded))
}

async fn guarded(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    match guard::check(request.method(), request.headers(), address) {
        Ok(()) => next.run(request).await,
        Err((status, reason)) => refusal(status, reason),
    }
}

async fn list(State(operator): State<Arc<Operator>>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::parse(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let history = operator.trigger.history();
    if !query.is_watch {
        let deliveries = history.last(query.receiver.as_ref(), query.limit);
        return Json(Deliveries { deliveries }).into_response();
    }
    let Ok(permit) = Arc::clone(&operator.watches).try_acquire_owned() else {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many watches: end one of them",
        );
    };
    // Subscribed first, so that nothing falls between the list and the changes.
    let changes = history.changes(query.receiver.clone());
    let mut first = history.last(query.receiver.as_ref(), query.limit);
    first.reverse();
    watch(first, changes, permit, operator.stop.clone())
}

/// When which live secret was last used; never what it is.
async fn secrets(State(operator): State<Arc<Operator>>, RawQuery(query): RawQuery) -> Response {
    match Query::parse(query.as_deref().unwrap_or_default()) {
        Ok(query) => Json(operator.uses.show(query.receiver.as_ref())).into_response(),
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn show(State(operator): State<Arc<Operator>>, Path(id): Path<String>) -> Response {
    match operator.trigger.history().find(&id) {
        Some(delivery) => Json(delivery).into_response(),
        None => unknown(),
    }
}

/// One line of JSON for each delivery that is there, and for each that comes or changes.
fn watch(
    first: Vec<Delivery>,
    changes: Changes,
    permit: OwnedSemaphorePermit,
    stop: CancellationToken,
) -> Response {
    let later = stream::unfold((changes, permit), async |(mut changes, permit)| {
        sleep(BATCH_PAUSE).await;
        Some((changes.next().await, (changes, permit)))
    });
    let batches = stream::once(async { first }).chain(later);
    let lines = batches
        .take_until(stop.cancelled_owned())
        .map(|deliveries| Ok::<_, Infallible>(lines(&deliveries)));
    (
        [(CONTENT_TYPE, "application/jsonl")],
        Body::from_stream(lines),
    )
        .into_response()
}

fn lines(deliveries: &[Delivery]) -> Bytes {
    let mut lines = Vec::new();
    for delivery in deliveries {
        // What is kept can be written as JSON; it is so on disk.
        if serde_json::to_writer(&mut lines, delivery).is_ok() {
            lines.push(b'\n');
        }
    }
    lines.into()
}

fn unknown() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "there is no such delivery, or not any more; list them at /deliveries",
    )
}

fn refusal(status: StatusCode, error: &str) -> Response {
    let error = error.to_owned();
    (status, Json(Refusal { error })).into_response()
}
