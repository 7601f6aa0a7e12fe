//! One target of one delivery: what its sender waits for, and for how long.
//!
//! It only waits; whether the sender stays or leaves, the queue and the journal do their work.

use std::{future::ready, sync::Arc};

use futures::future::{BoxFuture, FutureExt};
use tokio::{
    select,
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Shared,
    failure::Failure,
    journal::NotDurable,
    queue::{Acceptance, Start},
    report::{Entry, Outcome, Subject},
};
use crate::hook::Target;

/// A target that was accepted.
pub(super) struct Claim {
    target: Arc<Target>,
    is_above_rate: bool,
    open: Option<Open>,
}

/// What is not known yet.
struct Open {
    acceptance: Acceptance,
    patch: oneshot::Receiver<Outcome>,
    mark: BoxFuture<'static, Result<(), NotDurable>>,
    /// Until when the patch is waited for although a mark is on disk.
    patience: Option<Instant>,
}

impl Claim {
    /// A claim that a mark on disk stands for already.
    pub(super) fn settled(acceptance: Acceptance) -> Self {
        Self {
            target: acceptance.target,
            is_above_rate: acceptance.start == Start::AtRate,
            open: None,
        }
    }

    /// A claim that a patch or a mark will stand for; without a mark to write, one is on disk.
    pub(super) fn open(
        acceptance: Acceptance,
        patch: oneshot::Receiver<Outcome>,
        mark: Option<impl Future<Output = Result<(), NotDurable>> + Send + 'static>,
        patience: Option<Instant>,
    ) -> Self {
        Self {
            target: Arc::clone(&acceptance.target),
            is_above_rate: acceptance.start == Start::AtRate,
            open: Some(Open {
                acceptance,
                patch,
                mark: mark.map_or_else(|| ready(Ok(())).boxed(), FutureExt::boxed),
                patience,
            }),
        }
    }

    /// Whether the rate of its Receiver keeps the target from being triggered now.
    pub(super) fn is_above_rate(&self) -> bool {
        self.is_above_rate
    }

    /// Waits until the target is annotated, or durably going to be, or until the deadline.
    pub(super) async fn settle(self, shared: &Shared, deadline: Instant) -> Entry {
        let outcome = match self.open {
            Some(open) => open.settle(shared, deadline).await,
            None => Outcome::Pending,
        };
        Entry {
            subject: Subject::Target(self.target),
            outcome,
        }
    }
}

impl Open {
    async fn settle(mut self, shared: &Shared, deadline: Instant) -> Outcome {
        if let Some(patience) = self.patience
            && let Ok(told) = timeout_at(patience.min(deadline), &mut self.patch).await
        {
            return self.conclude(told.ok(), shared, deadline).await;
        }
        select! {
            biased;
            told = &mut self.patch => self.conclude(told.ok(), shared, deadline).await,
            written = &mut self.mark => match written {
                Ok(()) => self.pending(shared),
                Err(failure) => self.patched_in_time(shared, deadline, &failure).await,
            },
            () = sleep_until(deadline) => self.lost(shared, None),
        }
    }

    /// The patch has ended, or will not before the deadline; then a mark is as good.
    async fn conclude(
        mut self,
        told: Option<Outcome>,
        shared: &Shared,
        deadline: Instant,
    ) -> Outcome {
        match told {
            Some(Outcome::Unfinished { .. }) | None => {
                match timeout_at(deadline, &mut self.mark).await {
                    Ok(Ok(())) => self.pending(shared),
                    Ok(Err(failure)) => self.lost(shared, Some(&failure)),
                    Err(_) => self.lost(shared, None),
                }
            }
            Some(outcome) => outcome,
        }
    }

    /// Nothing can be written: only the patch counts.
    async fn patched_in_time(
        mut self,
        shared: &Shared,
        deadline: Instant,
        failure: &NotDurable,
    ) -> Outcome {
        match timeout_at(deadline, &mut self.patch).await {
            Ok(Ok(outcome)) if !matches!(outcome, Outcome::Unfinished { .. }) => outcome,
            _ => self.lost(shared, Some(failure)),
        }
    }

    fn pending(&self, shared: &Shared) -> Outcome {
        let Acceptance { target, stamp, .. } = &self.acceptance;
        shared.queue().written(target, *stamp);
        Outcome::Pending
    }

    /// Neither patched nor written in time; it is worked on nevertheless, for as long as the process lives.
    fn lost(&self, shared: &Shared, not_durable: Option<&NotDurable>) -> Outcome {
        let target = &self.acceptance.target;
        let trouble = shared.queue().trouble(target).cloned();
        let (patch, retry_after) = match trouble {
            Some(Failure::Transient {
                reason,
                retry_after,
                ..
            }) => (reason, retry_after),
            _ => (format!("`{target}` was not patched in time"), None),
        };
        let reason = match not_durable {
            Some(failure) => format!("{patch}, and {failure}"),
            None => patch,
        };
        Outcome::Unfinished {
            reason,
            retry_after,
        }
    }
}
