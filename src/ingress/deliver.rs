//! A delivery in a straight line: receive, locate, limit, authenticate, interpret, admit, select, trigger.
//!
//! Each phase is one call; this file only puts them in order and says what became of the delivery.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::{
    Gateway, answer,
    body::{Arrival, Keep, Received},
    caller::Caller,
    headers, once,
    outcome::{Outcome, Phase, Rejection},
    search::Search,
    select,
};
use crate::{
    hook::{
        Authentic, Closed, Entry, Hook, ReceiverRef, RefusedCertificate, Unauthentic,
        Uninterpretable, Verifier,
    },
    trigger::{Order, Report, history::Delivery},
};

/// How long a delivery may wait for its triggers, from the end of its headers: Harbor gives up after 3 s.
const TRIGGER_CEILING: Duration = Duration::from_millis(2500);
/// How long it may wait at least, from the end of its body, and again from when its filters are evaluated.
const TRIGGER_MINIMUM: Duration = Duration::from_millis(250);

/// What is known of a delivery, for the log and the metrics; grows from phase to phase.
pub(super) struct Record {
    pub(super) phase: Phase,
    received_at: Timestamp,
    hook: Option<Arc<Hook>>,
    pub(super) event: String,
    delivery: String,
    is_redelivery: bool,
    /// The name of the live secrets that proved it.
    secret: String,
    headers: Vec<(Cow<'static, str>, String)>,
    report: Report,
}

/// Takes a delivery through the eight phases and answers it.
pub(super) async fn deliver(gateway: &Gateway, client: IpAddr, request: Request) -> Response {
    let mut record = Record::at(Timestamp::now());
    let end = phases(gateway, Some(client), request, &mut record).await;
    let response = match &end {
        Ok(outcome) => answer::accepted(outcome, &record.delivery),
        Err(rejection) => answer::rejected(rejection),
    };
    record.keep(gateway, client, &end, response.status());
    response
}

/// Takes a delivery through the eight phases, as far as it gets; a client that is not known is not judged.
pub(super) async fn phases(
    gateway: &Gateway,
    client: Option<IpAddr>,
    request: Request,
    record: &mut Record,
) -> Result<Outcome, Rejection> {
    record.enter(Phase::Receive);
    let caller = Caller::of(&request);
    let arrival = Arrival::receive(request)?;
    let ceiling = Instant::now() + TRIGGER_CEILING;

    record.enter(Phase::Locate);
    let hook = locate(gateway, client, arrival.path(), record.received_at).await?;
    record.hook = Some(Arc::clone(&hook));

    record.enter(Phase::Limit);
    limit(gateway, client, &hook).await?;

    record.enter(Phase::Authenticate);
    let proof = authenticate(gateway, &caller, &hook, arrival, record).await?;
    let deadline = ceiling.max(Instant::now() + TRIGGER_MINIMUM);
    record.identify(gateway, &proof);
    let Proof {
        hook,
        authentic,
        received,
    } = proof;

    record.enter(Phase::Interpret);
    let event = match hook.interpret(&authentic, &received.headers, received.kept()) {
        Ok(event) => event,
        Err(problem) => return Ok(not_understood(gateway, &hook, problem)),
    };
    record.event.clone_from(&event.name);

    record.enter(Phase::Admit);
    let passage = match once::pass(gateway, &hook, &authentic, deadline).await {
        Ok(passage) => passage,
        Err(outcome) => return Ok(outcome),
    };
    if !hook.admits(&event) {
        return Ok(passage.conclude(Outcome::NotWanted, deadline).await);
    }

    record.enter(Phase::Select);
    let choice = match select::choose(gateway, &hook, authentic, received, deadline).await {
        Ok(choice) => choice,
        Err(outcome) => return Ok(passage.conclude(outcome, deadline).await),
    };

    record.enter(Phase::Trigger);
    let deadline = deadline.max(Instant::now() + TRIGGER_MINIMUM);
    let order = Order {
        receiver: hook.receiver(),
        delivery: &record.delivery,
        selectors: &choice.selectors,
        rate: Some(hook.rate().unwrap_or(gateway.rate)),
    };
    let mut report = gateway.trigger.accept(order, deadline).await;
    report.entries.extend(choice.entries);
    let refusals = &hook.selection().refusals;
    for refusal in refusals {
        warn!(target = %refusal.target, reason = %refusal.reason, "target refused");
    }
    let outcome = Outcome::of(&report, refusals);
    record.report = report;
    Ok(passage.conclude(outcome, deadline).await)
}

/// Only the host can mend a body that is too large, so the owner of the Receiver is told.
fn not_understood(gateway: &Gateway, hook: &Hook, problem: Uninterpretable) -> Outcome {
    if problem == Uninterpretable::TooLarge {
        gateway.complaints.too_large(hook.receiver());
    }
    Outcome::NotUnderstood(problem)
}

/// Finds the hook of the path; one that nobody knows may be that of a token that was changed unseen, and one whose
/// Secret was not read yet gets it read.
async fn locate(
    gateway: &Gateway,
    client: Option<IpAddr>,
    path: &str,
    now: Timestamp,
) -> Result<Arc<Hook>, Rejection> {
    let find = || gateway.table.locate(path, now);
    let entry = match find() {
        None => {
            search(gateway, client, path).await;
            find()
        }
        Some(Entry::Unread(hook)) => {
            gateway.secrets.reread(&hook).await;
            find()
        }
        known => known,
    };
    match entry {
        Some(Entry::Open(hook)) => Ok(hook),
        Some(Entry::Closed(closed)) => Err(Rejection::Closed(closed)),
        Some(Entry::Unread(_)) => Err(Rejection::Closed(Closed::NotReady)),
        Some(Entry::Pathless(_)) | None => Err(Rejection::UnknownPath),
    }
}

/// Searches for a path that is not known, unless its client has had many searched for in vain.
async fn search(gateway: &Gateway, client: Option<IpAddr>, path: &str) {
    if client.is_some_and(|client| !gateway.failures.may_search(client)) {
        return;
    }
    gateway.search.look_for(path, &gateway.secrets).await;
    let is_found = gateway.table.locate(path, Timestamp::now()).is_some();
    if let Some(client) = client.filter(|_| !is_found) {
        gateway.failures.charge_search(client);
    }
}

/// Refuses a client that may not send from where it is, and one that failed too often.
///
/// For the first everything is as if the path were unknown: the search for some path that is, and the answer.
async fn limit(gateway: &Gateway, client: Option<IpAddr>, hook: &Hook) -> Result<(), Rejection> {
    let Some(client) = client else {
        return Ok(());
    };
    if !hook.allows(client) {
        search(gateway, Some(client), &Search::path_of_nobody()).await;
        return Err(Rejection::ClientNotAllowed);
    }
    let limited = gateway.failures.check(client, hook.receiver());
    gateway.crowd.unless_shared(client, limited)
}

/// A delivery whose sender is proven, and the hook as it was when it was proven.
struct Proof {
    hook: Arc<Hook>,
    authentic: Authentic,
    received: Received,
}

/// Looks at the certificate if the Receiver asks for one, and lets the body pass through the verifier; a failure is tried once more with the Secret as it is now.
async fn authenticate(
    gateway: &Gateway,
    caller: &Caller,
    hook: &Arc<Hook>,
    arrival: Arrival,
    record: &Record,
) -> Result<Proof, Rejection> {
    let (receiver, now) = (hook.receiver(), record.received_at);
    let end = match hook.check_certificate(|| caller.certificate.judge(now)) {
        Ok(()) if hook.is_unsigned_ping(arrival.headers()) => return Err(Rejection::UnsignedPing),
        Ok(()) => prove(gateway, Arc::clone(hook), arrival, now).await,
        Err(RefusedCertificate::NotAskedFor) => {
            gateway.complaints.unchecked_certificate(receiver);
            return Err(Unauthentic::from(RefusedCertificate::NotAskedFor).into());
        }
        Err(refused) => Err(Unauthentic::from(refused).into()),
    };
    match &end {
        Ok(_) => {
            gateway.failures.forgive(caller.address, receiver);
            gateway.crowd.note(caller, receiver);
        }
        Err(Rejection::KeysUnavailable(_) | Rejection::Overloaded) => {}
        Err(_) => gateway.failures.charge(caller.address, receiver),
    }
    end
}

async fn prove(
    gateway: &Gateway,
    mut hook: Arc<Hook>,
    arrival: Arrival,
    now: Timestamp,
) -> Result<Proof, Rejection> {
    if !hook.accepts_media_type(arrival.headers()) {
        return Err(Rejection::UnsupportedMediaType);
    }
    let mut verifier = match verifier_for(gateway, &hook, arrival.headers(), now).await {
        Ok(verifier) => verifier,
        Err(failure) => {
            hook = gateway.secrets.reread(&hook).await.ok_or(failure)?;
            verifier_for(gateway, &hook, arrival.headers(), now).await?
        }
    };
    let charge = gateway.bytes.open(hook.shared_receiver());
    let keep = if hook.interprets_body() {
        Keep::to_interpret(charge)
    } else {
        Keep::to_check_again(charge)
    };
    let received = arrival.read(keep, |chunk| verifier.update(chunk)).await?;
    let authentic = match verifier.finish() {
        Ok(authentic) => authentic,
        Err(failure) => {
            let fresh = gateway.secrets.reread(&hook).await;
            let (Some(fresh), Some(body)) = (fresh, received.kept()) else {
                return Err(failure.into());
            };
            hook = fresh;
            let mut verifier = verifier_for(gateway, &hook, &received.headers, now).await?;
            verifier.update(body);
            verifier.finish()?
        }
    };
    Ok(Proof {
        hook,
        authentic,
        received,
    })
}

/// Finds the credential in the headers, and the keys of its issuer where it has one.
async fn verifier_for(
    gateway: &Gateway,
    hook: &Hook,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Verifier, Rejection> {
    let keys = match hook.key_request(headers, now) {
        Some(request) => Some(gateway.issuers.keys(&request).await?),
        None => None,
    };
    Ok(hook.verifier(headers, keys.as_deref(), now)?)
}

impl Record {
    /// What is known of a delivery that arrives at `received_at`: nothing else yet.
    pub(super) fn at(received_at: Timestamp) -> Self {
        Self {
            phase: Phase::Receive,
            received_at,
            hook: None,
            event: String::new(),
            delivery: String::new(),
            is_redelivery: false,
            secret: String::new(),
            headers: Vec::new(),
            report: Report::default(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        debug!(phase = phase.as_str(), "phase entered");
    }

    /// Takes over the id of a proven delivery, or makes one up, and what else may be shown of it.
    fn identify(&mut self, gateway: &Gateway, proof: &Proof) {
        let Proof {
            hook,
            authentic,
            received,
        } = proof;
        if let Some(set) = hook.set_of(authentic, received.path()) {
            set.name().clone_into(&mut self.secret);
            gateway.uses.note(hook, set, self.received_at);
        }
        match hook.delivery_id(&received.headers) {
            Some(id) => {
                id.clone_into(&mut self.delivery);
                self.is_redelivery = gateway.trigger.recognise(hook.receiver(), id);
            }
            None => self.delivery = Uuid::new_v4().to_string(),
        }
        self.headers = headers::harmless(&received.headers);
    }

    /// What the operator can look up afterwards.
    fn delivery(&mut self, hook: &Hook, client: IpAddr, outcome: &Outcome) -> Delivery {
        Delivery {
            id: 0,
            delivery: std::mem::take(&mut self.delivery),
            receiver: hook.receiver().clone(),
            sender: hook.sender().as_str().into(),
            event: std::mem::take(&mut self.event),
            received_at: self.received_at,
            outcome: outcome.as_str().into(),
            is_redelivery: self.is_redelivery,
            secret: Some(std::mem::take(&mut self.secret)).filter(|name| !name.is_empty()),
            redelivers: None,
            client: Some(client),
            headers: std::mem::take(&mut self.headers),
            targets: Vec::new(),
            more_targets: 0,
            notes: Vec::new(),
        }
    }

    /// Counts the delivery for its Receiver, if it has come that far; a Receiver that is gone has no counts.
    fn count(&self, gateway: &Gateway, outcome: &'static str) {
        let Some(hook) = &self.hook else {
            return;
        };
        let (receiver, sender) = (hook.receiver(), hook.sender().as_str());
        let ReceiverRef { namespace, name } = receiver;
        let is_there = || gateway.table.listing(receiver).is_some();
        let metrics = &gateway.metrics;
        metrics.delivery(namespace, name, sender, outcome, is_there);
    }

    /// Writes the one line that a delivery has in the log, counts it, and keeps it for the operator when its sender is proven.
    fn keep(
        &mut self,
        gateway: &Gateway,
        client: IpAddr,
        end: &Result<Outcome, Rejection>,
        status: StatusCode,
    ) {
        let (namespace, name, sender) = self.hook.as_ref().map_or(("", "", ""), |hook| {
            let receiver = hook.receiver();
            let sender = hook.sender().as_str();
            (&receiver.namespace, &receiver.name, sender)
        });
        let phase = self.phase.as_str();
        match end {
            Ok(outcome) => {
                self.count(gateway, outcome.as_str());
                info!(
                    receiver.namespace = namespace,
                    receiver.name = name,
                    sender,
                    event = self.event,
                    delivery.id = self.delivery,
                    secret = self.secret,
                    outcome = outcome.as_str(),
                    "delivery answered"
                );
                if let Some(hook) = self.hook.clone() {
                    let delivery = self.delivery(&hook, client, outcome);
                    gateway.trigger.record(delivery, &self.report);
                }
            }
            Err(rejection) => {
                let code = status.as_u16();
                gateway.metrics.refusal(phase, code);
                self.count(gateway, rejection.as_str());
                let reason = rejection.to_string();
                info!(receiver.namespace = namespace, receiver.name = name, %client, phase, code, reason, "delivery refused");
            }
        }
    }
}
