//! From the end of a delivery to the response its sender gets.
//!
//! Before authentication a response has no body: there is nothing in it to learn from.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::Serialize;

use super::{
    issuers::KeysUnavailable,
    outcome::{Outcome, Rejection},
};
use crate::hook::Uninterpretable;

/// When a sender is told to come back because there is no room for its body.
const OVERLOADED_RETRY_AFTER: Duration = Duration::from_secs(1);
/// When a sender is told to come back to a Receiver that is suspended or not ready.
const CLOSED_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What a proven sender is told.
#[derive(Serialize)]
struct Told<'a> {
    outcome: &'static str,
    delivery: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    refused: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Answers a sender that is proven.
pub(super) fn accepted(outcome: &Outcome, delivery: &str) -> Response {
    let mut told = Told {
        outcome: outcome.as_str(),
        delivery,
        refused: &[],
        problem: None,
    };
    let mut retry_after = None;
    match outcome {
        Outcome::Triggered | Outcome::NotWanted | Outcome::Replayed | Outcome::FilteredOut => {}
        Outcome::NotUnderstood(problem) => told.problem = Some(problem.to_string()),
        Outcome::PartlyTriggered { refused }
        | Outcome::Pending { refused }
        | Outcome::Coalesced { refused }
        | Outcome::NothingAccepted { refused } => told.refused = refused,
        Outcome::Busy { retry_after: after } | Outcome::Unfinished { retry_after: after } => {
            retry_after = Some(*after);
        }
    }
    with_retry_after((status(outcome), Json(told)).into_response(), retry_after)
}

/// The status of an outcome.
pub(super) fn status(outcome: &Outcome) -> StatusCode {
    match outcome {
        Outcome::Triggered
        | Outcome::NotWanted
        | Outcome::Replayed
        | Outcome::FilteredOut
        | Outcome::PartlyTriggered { .. } => StatusCode::OK,
        Outcome::Pending { .. } | Outcome::Coalesced { .. } => StatusCode::ACCEPTED,
        Outcome::NotUnderstood(Uninterpretable::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::NotUnderstood(Uninterpretable::Malformed(_)) => StatusCode::BAD_REQUEST,
        Outcome::NothingAccepted { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Outcome::Busy { .. } | Outcome::Unfinished { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Answers a sender that is not.
pub(super) fn rejected(rejection: &Rejection) -> Response {
    let (status, retry_after) = match rejection {
        Rejection::Malformed(_) => (StatusCode::BAD_REQUEST, None),
        Rejection::LongTarget => (StatusCode::URI_TOO_LONG, None),
        Rejection::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        Rejection::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, None),
        Rejection::TimedOut => (StatusCode::REQUEST_TIMEOUT, None),
        Rejection::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            Some(OVERLOADED_RETRY_AFTER),
        ),
        Rejection::UnknownPath | Rejection::ClientNotAllowed => (StatusCode::NOT_FOUND, None),
        Rejection::Closed(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(CLOSED_RETRY_AFTER)),
        Rejection::TooManyFailures { retry_after } => {
            (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after))
        }
        Rejection::UnsignedPing => (StatusCode::OK, None),
        Rejection::Unauthentic(_) => (StatusCode::UNAUTHORIZED, None),
        Rejection::KeysUnavailable(KeysUnavailable { retry_after, .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(*retry_after))
        }
    };
    with_retry_after(status.into_response(), retry_after)
}

/// Adds `Retry-After` in whole seconds, at least one.
fn with_retry_after(mut response: Response, retry_after: Option<Duration>) -> Response {
    if let Some(retry_after) = retry_after {
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
