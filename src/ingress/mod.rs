//! HTTP in: the listener, the eight phases of a delivery, probes and metrics.
//!
//! What a delivery means is `hook`'s to say, and what it sets off is `trigger`'s; nothing here decides either.

mod admin;
mod answer;
mod body;
mod bytes;
mod caller;
mod complaint;
mod connections;
mod crowd;
mod deliver;
mod effect;
mod headers;
mod issuers;
mod limit;
mod listener;
mod once;
mod operator;
mod outcome;
mod proxies;
mod readiness;
mod reads;
mod receiver;
mod rehearsal;
mod reread;
mod search;
mod select;
mod tls;
mod uses;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderValue, StatusCode, Version, header::CONNECTION};
use http_body::Body as _;
use tower_http::catch_panic::CatchPanicLayer;

pub use self::{
    admin::admin_router,
    issuers::{IssuerSettings, Issuers},
    listener::{BindError, Listener, Peer, serve_stream},
    operator::{InvalidQuery, Query, operator_router},
    outcome::{Outcome, Phase},
    proxies::{MalformedHeader, ProxyHeader, TrustedProxies},
    readiness::{Gate, Readiness},
    rehearsal::Rehearsal,
    tls::{InvalidTlsFile, Tls, TlsFiles},
    uses::{LiveSecretUses, SecretUse, SecretUses},
};
use self::{
    bytes::ByteBudget, caller::Caller, complaint::Complaints, crowd::Crowd, effect::Effect,
    limit::FailureLimit, reread::SecretReader, search::Search, select::Filtering,
};
use crate::{api::rate::Rate, hook::HookTable, telemetry::Metrics, trigger::Trigger};

/// Everything a delivery needs on its way; one per process.
pub struct Gateway {
    table: HookTable,
    trigger: Effect,
    metrics: Metrics,
    failures: FailureLimit,
    crowd: Crowd,
    bytes: ByteBudget,
    secrets: SecretReader,
    search: Search,
    uses: SecretUses,
    filtering: Filtering,
    complaints: Complaints,
    issuers: Issuers,
    /// That of Receivers which do not say.
    rate: Rate,
}

impl Gateway {
    /// Brings together the hooks, what they trigger, a client that may read the Secrets of Receivers, and issuers' keys.
    #[must_use]
    pub fn new(
        table: HookTable,
        trigger: Trigger,
        client: kube::Client,
        issuers: Issuers,
        metrics: Metrics,
        uses: SecretUses,
    ) -> Self {
        Self {
            complaints: Complaints::new(client.clone()),
            secrets: SecretReader::new(client, table.clone()),
            search: Search::new(table.clone()),
            table,
            trigger: Effect::Trigger(trigger),
            crowd: Crowd::new(false, metrics.clone()),
            bytes: ByteBudget::new(metrics.clone()),
            metrics,
            failures: FailureLimit::default(),
            uses,
            filtering: Filtering::default(),
            issuers,
            rate: Rate::OF_RECEIVERS,
        }
    }

    /// The same behind these proxies: an address that they give is that of one client.
    #[must_use]
    pub fn behind(self, proxies: &TrustedProxies) -> Self {
        let crowd = Crowd::new(proxies.are_named(), self.metrics.clone());
        Self { crowd, ..self }
    }

    /// The same with another rate for Receivers that do not say.
    #[must_use]
    pub fn with_rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// The routes of the exposed listener: `POST /hook/…` and nothing else.
    pub fn into_router(self) -> Router {
        Router::new()
            .route("/hook/{*digest}", post(handle))
            .fallback(async || StatusCode::NOT_FOUND)
            .with_state(Arc::new(self))
            .layer(CatchPanicLayer::custom(|_| {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }))
    }
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let started = Instant::now();
    let _inflight = gateway.metrics.request_started();
    let method = request.method().clone();
    let client = Caller::of(&request).address;
    let version = request.version();
    let mut response = deliver::deliver(&gateway, client, request).await;
    if response.status() == StatusCode::BAD_REQUEST && version < Version::HTTP_2 {
        // Who writes a request like this may mean another end of it.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    gateway.metrics.request_answered(
        method.as_str(),
        response.status().as_u16(),
        started.elapsed(),
        bytes,
    );
    response
}
