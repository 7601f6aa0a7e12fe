//! Tells the owner of a Receiver, in an Event, of deliveries that only its host or its filters can mend.
//!
//! It is for people: an event now and then, and no delivery waits for one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, api::PostParams};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::receiver::metadata;
use crate::{
    api::event::{Happening, Severity, event, of_receiver},
    hook::{MAX_INTERPRETED_BYTES, ReceiverRef, RefusedCertificate},
};

/// The shortest time between two events about one Receiver.
const INTERVAL: Duration = Duration::from_mins(10);
/// How many Receivers may be told of in that time.
const MAX_TOLD: usize = 256;
/// How long writing one may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Not in Flux, where such a delivery is an error in the log.
const BODY_TOO_LARGE: &str = "BodyTooLarge";
/// Not in Flux, which asks for no certificates.
const CERTIFICATE_NOT_CHECKED: &str = "ClientCertificateNotChecked";

pub(super) struct Complaints {
    client: Option<kube::Client>,
    told: Mutex<HashMap<ReceiverRef, Instant>>,
}

impl Complaints {
    pub(super) fn new(client: kube::Client) -> Self {
        Self {
            client: Some(client),
            told: Mutex::default(),
        }
    }

    /// Where there is no cluster to tell.
    pub(super) fn to_nobody() -> Self {
        Self {
            client: None,
            told: Mutex::default(),
        }
    }

    /// A proven delivery was too large to be understood.
    pub(super) fn too_large(&self, receiver: &ReceiverRef) {
        let message = format!(
            "a delivery was larger than {MAX_INTERPRETED_BYTES} bytes, which is too large to be understood, and triggered nothing: let the host send less, or look at it with no filter"
        );
        self.tell(receiver, BODY_TOO_LARGE, message);
    }

    /// A delivery was refused because nobody can check what the Receiver asks for.
    pub(super) fn unchecked_certificate(&self, receiver: &ReceiverRef) {
        let message = format!(
            "a delivery was refused: {}",
            RefusedCertificate::NotAskedFor
        );
        self.tell(receiver, CERTIFICATE_NOT_CHECKED, message);
    }

    fn tell(&self, receiver: &ReceiverRef, reason: &'static str, message: String) {
        if let Some(client) = self.client.clone()
            && self.is_due(receiver, Instant::now())
        {
            let receiver = receiver.clone();
            tokio::spawn(async move {
                let written = timeout(DEADLINE, write(client, &receiver, reason, message)).await;
                if let Ok(Err(error)) = written {
                    debug!(%receiver, %error, "the event could not be written");
                }
            });
        }
    }

    fn is_due(&self, receiver: &ReceiverRef, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < INTERVAL);
        let is_due = !told.contains_key(receiver) && told.len() < MAX_TOLD;
        if is_due {
            told.insert(receiver.clone(), now);
        }
        is_due
    }
}

async fn write(
    client: kube::Client,
    receiver: &ReceiverRef,
    reason: &'static str,
    message: String,
) -> kube::Result<()> {
    let Some(metadata) = metadata(client.clone(), receiver).await? else {
        return Ok(());
    };
    let happening = Happening {
        severity: Severity::Warning,
        reason,
        message,
    };
    let events: Api<Event> = Api::namespaced(client, &receiver.namespace);
    let event = event(of_receiver(&metadata), &happening, Timestamp::now());
    events
        .create(&PostParams::default(), &event)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn each_receiver_is_told_of_now_and_then_and_not_too_many_are() {
        let complaints = Complaints::to_nobody();
        let now = Instant::now();
        assert!(complaints.is_due(&receiver("web"), now));
        assert!(!complaints.is_due(&receiver("web"), now + INTERVAL / 2));
        assert!(complaints.is_due(&receiver("web"), now + INTERVAL));
        let told = (0..2 * MAX_TOLD)
            .filter(|index| complaints.is_due(&receiver(&format!("r-{index}")), now + INTERVAL));
        assert_eq!(told.count(), MAX_TOLD - 1);
        assert!(complaints.is_due(&receiver("late"), now + 2 * INTERVAL));
    }
}
