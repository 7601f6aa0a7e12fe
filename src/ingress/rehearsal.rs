//! A delivery that goes through the phases to see where it would stop: the gateway's own, and nothing is triggered.
//!
//! What is found out is for the operator, who may know more than a sender.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::Request;
use http::{Method, StatusCode};
use jiff::Timestamp;

use super::{
    Gateway, Issuers, answer,
    bytes::ByteBudget,
    caller::Caller,
    complaint::Complaints,
    crowd::Crowd,
    deliver::{Record, phases},
    effect::Effect,
    limit::FailureLimit,
    outcome::{Outcome, Phase},
    reread::SecretReader,
    search::Search,
    select::Filtering,
    tls::ClientCertificate,
    uses::SecretUses,
};
use crate::{api::rate::Rate, hook::HookTable, telemetry::Metrics};

/// Where a delivery would end, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// The last phase that it would get to.
    pub phase: Phase,
    /// How it would be answered, if every target could be annotated at once.
    pub status: StatusCode,
    /// The event; empty when it does not get so far, or has no name.
    pub event: String,
    /// Why it would trigger nothing; nothing when it would.
    pub reason: Option<String>,
}

impl Gateway {
    /// A gateway for [`Gateway::rehearse`] only: it has the hooks, and no cluster.
    #[must_use]
    pub fn rehearsing(table: HookTable, issuers: Issuers) -> Self {
        let metrics = Metrics::new();
        Self {
            crowd: Crowd::new(true, metrics.clone()),
            secrets: SecretReader::reading_nothing(table.clone()),
            search: Search::new(table.clone()),
            uses: SecretUses::new(table.clone()),
            table,
            trigger: Effect::Nothing,
            bytes: ByteBudget::new(metrics.clone()),
            metrics,
            failures: FailureLimit::default(),
            filtering: Filtering::default(),
            complaints: Complaints::to_nobody(),
            issuers,
            rate: Rate::OF_RECEIVERS,
        }
    }

    /// Takes a request that arrives at `now` through the phases, and triggers nothing.
    ///
    /// Where it comes from is judged only if it is known. A client certificate is taken for right, because a recorded
    /// request has none.
    pub async fn rehearse(
        &self,
        mut request: Request,
        client: Option<IpAddr>,
        now: Timestamp,
    ) -> Rehearsal {
        let mut record = Record::at(now);
        if request.method() != Method::POST {
            return Rehearsal {
                phase: Phase::Receive,
                status: StatusCode::METHOD_NOT_ALLOWED,
                event: String::new(),
                reason: Some("only POST is served".to_owned()),
            };
        }
        request.extensions_mut().insert(Caller {
            address: client.unwrap_or(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            is_disbelieved: false,
            certificate: ClientCertificate::Assumed,
        });
        let end = phases(self, client, request, &mut record).await;
        let (status, reason) = match end {
            Ok(outcome) => (answer::status(&outcome), reason(&outcome)),
            Err(rejection) => (
                answer::rejected(&rejection).status(),
                Some(rejection.to_string()),
            ),
        };
        Rehearsal {
            phase: record.phase,
            status,
            event: record.event,
            reason,
        }
    }
}

/// Why an outcome triggers nothing.
fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::NotUnderstood(problem) => Some(problem.to_string()),
        Outcome::NotWanted => Some("the Receiver does not list the event".to_owned()),
        Outcome::Replayed => Some("it was signed and answered before".to_owned()),
        Outcome::FilteredOut => Some("the filters leave out every target".to_owned()),
        Outcome::Busy { .. } => Some("it takes too long".to_owned()),
        Outcome::NothingAccepted { refused } => {
            Some(format!("nothing can be triggered: {}", refused.join(", ")))
        }
        Outcome::Unfinished { .. } => Some("nothing could be triggered in time".to_owned()),
        Outcome::Triggered
        | Outcome::PartlyTriggered { .. }
        | Outcome::Pending { .. }
        | Outcome::Coalesced { .. } => None,
    }
}
