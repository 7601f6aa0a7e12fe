//! A delivery in a straight line: receive, locate, limit, authenticate, interpret, admit, select, trigger.
//!
//! Each phase is one call; this file only puts them in order and says what became of the delivery.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::{
    Gateway, answer,
    body::{Arrival, Received},
    outcome::{Outcome, Phase, Rejection},
};
use crate::{
    hook::{Authentic, Entry, Hook, HookTable, Selection},
    trigger::{Order, Verdict},
};

/// How long a delivery may wait for its triggers, from the end of its headers: Harbor gives up after 3 s.
const TRIGGER_CEILING: Duration = Duration::from_millis(2500);
/// How long it may wait at least, from the end of its body.
const TRIGGER_MINIMUM: Duration = Duration::from_millis(250);
/// When to send again if the API server does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is known of a delivery, for the log and the metrics; grows from phase to phase.
struct Record {
    phase: Phase,
    hook: Option<Arc<Hook>>,
    event: String,
    delivery: String,
}

/// Takes a delivery through the eight phases and answers it.
pub(super) async fn deliver(gateway: &Gateway, client: IpAddr, request: Request) -> Response {
    let mut record = Record::new();
    let end = phases(gateway, client, request, &mut record).await;
    record.keep(gateway, client, &end);
    match &end {
        Ok(outcome) => answer::accepted(outcome, &record.delivery),
        Err(rejection) => answer::rejected(rejection),
    }
}

async fn phases(
    gateway: &Gateway,
    client: IpAddr,
    request: Request,
    record: &mut Record,
) -> Result<Outcome, Rejection> {
    record.enter(Phase::Receive);
    let arrival = Arrival::receive(request)?;
    let ceiling = Instant::now() + TRIGGER_CEILING;

    record.enter(Phase::Locate);
    let hook = locate(&gateway.table, &arrival)?;
    record.hook = Some(Arc::clone(&hook));

    record.enter(Phase::Limit);
    gateway.failures.check(client, hook.receiver())?;

    record.enter(Phase::Authenticate);
    let (authentic, received) = authenticate(gateway, client, &hook, arrival).await?;
    let deadline = ceiling.max(Instant::now() + TRIGGER_MINIMUM);
    record.identify(&hook, &received);

    record.enter(Phase::Interpret);
    let event = hook.interpret(&authentic, &received.headers);
    record.event.clone_from(&event.name);

    record.enter(Phase::Admit);
    if !hook.admits(&event) {
        return Ok(Outcome::NotWanted);
    }

    record.enter(Phase::Select);
    let selection = hook.select(&event);

    record.enter(Phase::Trigger);
    let order = Order {
        receiver: hook.receiver(),
        delivery: &record.delivery,
        selectors: &selection.selectors,
    };
    Ok(trigger(gateway, order, selection, deadline).await)
}

fn locate(table: &HookTable, arrival: &Arrival) -> Result<Arc<Hook>, Rejection> {
    match table.locate(arrival.path()) {
        Some(Entry::Open(hook)) => Ok(hook),
        Some(Entry::Closed(closed)) => Err(Rejection::Closed(closed)),
        Some(Entry::Pathless(_)) | None => Err(Rejection::UnknownPath),
    }
}

/// Lets the body pass through the verifier; a failure is tried once more with the Secret as it is now.
async fn authenticate(
    gateway: &Gateway,
    client: IpAddr,
    hook: &Arc<Hook>,
    arrival: Arrival,
) -> Result<(Authentic, Received), Rejection> {
    let end = prove(gateway, hook, arrival).await;
    match &end {
        Ok(_) => gateway.failures.forgive(client, hook.receiver()),
        Err(_) => gateway.failures.charge(client, hook.receiver()),
    }
    end
}

async fn prove(
    gateway: &Gateway,
    hook: &Arc<Hook>,
    arrival: Arrival,
) -> Result<(Authentic, Received), Rejection> {
    if !hook.accepts_media_type(arrival.headers()) {
        return Err(Rejection::UnsupportedMediaType);
    }
    let mut verifier = hook.verifier(arrival.headers())?;
    let received = arrival.read(|chunk| verifier.update(chunk)).await?;
    let failure = match verifier.finish() {
        Ok(authentic) => return Ok((authentic, received)),
        Err(failure) => failure,
    };
    let (Some(body), Some(fresh)) = (received.kept(), gateway.secrets.reread(hook).await) else {
        return Err(failure.into());
    };
    let mut verifier = fresh.verifier(&received.headers)?;
    verifier.update(body);
    Ok((verifier.finish()?, received))
}

async fn trigger(
    gateway: &Gateway,
    order: Order<'_>,
    selection: &Selection,
    deadline: Instant,
) -> Outcome {
    let report = gateway.trigger.accept(order, deadline).await;
    for refusal in &selection.refusals {
        warn!(target = %refusal.target, reason = %refusal.reason, "target refused");
    }
    let refused = || {
        let known = selection
            .refusals
            .iter()
            .map(|refusal| refusal.target.clone());
        known.chain(report.refused()).collect::<Vec<_>>()
    };
    match (report.verdict(), selection.refusals.is_empty()) {
        (Verdict::Unfinished, _) => Outcome::Unfinished {
            retry_after: report.retry_after().unwrap_or(RETRY_AFTER),
        },
        (Verdict::Pending, _) => Outcome::Pending { refused: refused() },
        (Verdict::NoneAccepted, _) => Outcome::NothingAccepted { refused: refused() },
        (Verdict::AllDone, true) => Outcome::Triggered,
        (Verdict::AllDone, false) if report.entries.is_empty() => {
            Outcome::NothingAccepted { refused: refused() }
        }
        (Verdict::AllDone | Verdict::SomeDone, _) => {
            Outcome::PartlyTriggered { refused: refused() }
        }
    }
}

impl Record {
    fn new() -> Self {
        Self {
            phase: Phase::Receive,
            hook: None,
            event: String::new(),
            delivery: String::new(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        debug!(phase = phase.as_str(), "phase entered");
    }

    /// Takes over the id of a proven delivery, or makes one up.
    fn identify(&mut self, hook: &Hook, received: &Received) {
        let id = hook.delivery_id(&received.headers);
        self.delivery = id.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    }

    /// Writes the one line that a delivery has in the log, and counts it.
    fn keep(&self, gateway: &Gateway, client: IpAddr, end: &Result<Outcome, Rejection>) {
        let (namespace, name, sender) = self.hook.as_ref().map_or(("", "", ""), |hook| {
            let receiver = hook.receiver();
            let sender = hook.sender().as_str();
            (&receiver.namespace, &receiver.name, sender)
        });
        let phase = self.phase.as_str();
        match end {
            Ok(outcome) => {
                gateway
                    .metrics
                    .delivery(namespace, name, sender, outcome.as_str());
                info!(
                    receiver.namespace = namespace,
                    receiver.name = name,
                    sender,
                    event = ?self.event,
                    delivery.id = %self.delivery,
                    outcome = outcome.as_str(),
                    "delivery answered"
                );
            }
            Err(rejection) => {
                let code = answer::rejected(rejection).status().as_u16();
                gateway.metrics.refusal(phase, code);
                let reason = rejection.to_string();
                info!(receiver.namespace = namespace, receiver.name = name, %client, phase, code, reason, "delivery refused");
            }
        }
    }
}
