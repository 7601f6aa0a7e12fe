//! The operator's listener: probes and metrics.
//!
//! It is not for the open internet and shows neither hook paths nor deliveries.

use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};

use super::readiness::Readiness;
use crate::telemetry::{self, Metrics};

/// The routes `/healthz`, `/readyz` and `/metrics`.
pub fn admin_router(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(&readiness)))
        .route(
            "/metrics",
            get(async move || ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], metrics.encode())),
        )
}

fn ready(readiness: &Readiness) -> Response {
    match &readiness.waiting_for()[..] {
        [] => "ok\n".into_response(),
        waiting => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("waiting for: {}\n", waiting.join(", ")),
        )
            .into_response(),
    }
}
