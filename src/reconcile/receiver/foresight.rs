//! What the controller would make of a Receiver and its Secret, for an operator who asks.
//!
//! The same rules as for one that is reconciled; nothing is written anywhere.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::core::{DeserializeGuard, ObjectMeta};

use super::{
    decide::{Outcome, decide},
    load::{Reading, interpret},
};
use crate::{
    api::{live_secrets::LiveSets, receiver::Receiver},
    hook::{Listing, Policy, ReceiverRef},
};

/// What would become of a Receiver.
#[derive(Debug)]
pub struct Foresight {
    /// What a gateway would list; nothing when the Receiver would have no path.
    pub listing: Option<Listing>,
    /// Why it would take no deliveries, if it would take none.
    pub problem: Option<String>,
}

/// Says what would become of a Receiver at `now`, given what reading the Secret that it names came to.
#[must_use]
pub fn foresee(
    object: &DeserializeGuard<Receiver>,
    secret: Option<Result<Secret, kube::Error>>,
    policy: Policy,
    now: Timestamp,
) -> Foresight {
    let named = object.0.as_ref().ok();
    let named = named.and_then(|receiver| receiver.spec.secret_ref.as_ref());
    let reading = match (named, secret) {
        (Some(named), Some(answer)) => {
            let metadata = kube::Resource::meta(object);
            let ReceiverRef { namespace, .. } = ReceiverRef::of(metadata);
            with_names(interpret(&namespace, &named.name, answer), metadata)
        }
        _ => Reading::NotNamed,
    };
    let decision = decide(object, reading, None, policy, now);
    let problem = match decision.outcome {
        Outcome::Ready { .. } => None,
        Outcome::Deleting => Some("it is being deleted".to_owned()),
        Outcome::Suspended => Some("its user suspended it, with `spec.suspend`".to_owned()),
        Outcome::Stalled { problems, .. } => Some(problems),
        Outcome::TokenNotFound { message, .. } => Some(message),
    };
    Foresight {
        listing: decision.listing,
        problem,
    }
}

/// What was read, with the names that the Receiver has for secrets that are live beside the current ones.
fn with_names(reading: Reading, metadata: &ObjectMeta) -> Reading {
    match reading {
        Reading::Found {
            secrets, version, ..
        } => Reading::Found {
            secrets,
            version,
            named: LiveSets::of(metadata),
        },
        other => other,
    }
}
