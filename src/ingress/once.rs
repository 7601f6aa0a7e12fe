//! Replays, in the phase admit: of all deliveries of what was signed once, one goes on, if the Receiver asks for that.
//!
//! What is signed is all that is looked at: whoever replays a delivery can change the rest, such as its id or its event.
//! So every delivery that is answered 2xx counts, also one that was not wanted, and no other does: its sender is to send
//! it again.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::{Gateway, answer, outcome::Outcome};
use crate::{
    hook::{Authentic, Hook},
    trigger::{Claimed, Once},
};

/// How long writing down what was signed may take at least, however long the rest took.
const MINIMUM: Duration = Duration::from_millis(250);

/// A delivery that goes on.
#[derive(Debug)]
pub(super) struct Passage(Option<Claimed>);

/// Lets a delivery go on; an outcome when it is a replay, or another of the same takes too long.
pub(super) async fn pass(
    gateway: &Gateway,
    hook: &Hook,
    authentic: &Authentic,
    deadline: Instant,
) -> Result<Passage, Outcome> {
    let Some(message) = authentic.message() else {
        return Ok(Passage(None));
    };
    let once = gateway.trigger.once(hook.receiver(), message, deadline);
    match once.await {
        Some(Once::First(claimed)) => Ok(Passage(Some(claimed))),
        Some(Once::Replayed) => Err(Outcome::Replayed),
        Some(Once::Undecided) => Err(Outcome::BUSY),
        None => Ok(Passage(None)),
    }
}

impl Passage {
    /// What becomes of the delivery: an outcome that counts is not given before it is on disk that the delivery was there.
    ///
    /// What it triggers is done or on disk by then, so that nothing is lost whichever way the writing ends.
    pub(super) async fn conclude(self, outcome: Outcome, deadline: Instant) -> Outcome {
        let Some(claimed) = self.0.filter(|_| answer::status(&outcome).is_success()) else {
            return outcome;
        };
        let deadline = deadline.max(Instant::now() + MINIMUM);
        let reason = match timeout_at(deadline, claimed.keep()).await {
            Ok(Ok(())) => return outcome,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "the journal took too long".to_owned(),
        };
        warn!(
            reason,
            "the delivery may have to be refused when it comes again, and that is not on disk"
        );
        Outcome::UNFINISHED
    }
}
