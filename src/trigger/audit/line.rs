//! What a line of the audit record says.
//!
//! Pure. Nothing of the body, no credential and no path is in it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::trigger::{
    history::Delivery,
    report::{Entry, Outcome, Report, Subject},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'d> {
    timestamp: Timestamp,
    receiver: String,
    sender: &'d str,
    delivery: &'d str,
    event: &'d str,
    is_redelivery: bool,
    /// Who sent it; nothing for an operator's redelivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'d str>,
    /// The number of the delivery that an operator asked to redeliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    redelivers: Option<u64>,
    outcome: &'d str,
    targets: Vec<Triggered<'d>>,
}

#[derive(Serialize)]
struct Triggered<'d> {
    target: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'d str>,
}

/// The line of a delivery and what it triggered, with its end of line.
pub(super) fn line(delivery: &Delivery, report: &Report) -> Vec<u8> {
    let line = Line {
        timestamp: delivery.received_at,
        receiver: delivery.receiver.to_string(),
        sender: &delivery.sender,
        delivery: &delivery.delivery,
        event: &delivery.event,
        is_redelivery: delivery.is_redelivery,
        client: delivery.client,
        secret: delivery.secret.as_deref(),
        redelivers: delivery.redelivers,
        outcome: &delivery.outcome,
        targets: report.entries.iter().map(target).collect(),
    };
    // Texts, numbers and lists of them always have a form in JSON.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn target(entry: &Entry) -> Triggered<'_> {
    let (outcome, reason) = match &entry.outcome {
        Outcome::Done { .. } => ("triggered", None),
        Outcome::Pending => ("pending", None),
        Outcome::NothingSelected => ("nothing-selected", None),
        Outcome::LeftOut => ("left-out", None),
        Outcome::Refused { reason } => ("refused", Some(reason.as_str())),
        Outcome::Unfinished { reason, .. } => ("unfinished", Some(reason.as_str())),
    };
    let target = match &entry.subject {
        Subject::Target(target) => target.to_string(),
        Subject::Selection(selector) => selector.to_string(),
    };
    Triggered {
        target,
        outcome,
        reason,
    }
}
