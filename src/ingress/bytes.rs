//! How many bytes of bodies are in memory at once: a budget for the whole process, of which one Receiver gets a part.
//!
//! Bytes are charged as they arrive, and where there is no room for a body that is needed whole, reading pauses. What a
//! connection holds before it is read is bounded by the listener, and trees of bodies by `select`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{hook::ReceiverRef, telemetry::Metrics};

/// How many bytes all bodies may have in memory together.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How many of them may be of one Receiver.
const MAX_OF_RECEIVER: usize = MAX_BYTES / 4;
/// Bytes are charged by so many.
const GRAIN: usize = 16 * 1024;

/// The budget of the process; clones share it.
#[derive(Clone)]
pub(super) struct ByteBudget(Arc<Shared>);

struct Shared {
    books: Mutex<Books>,
    freed: Notify,
    metrics: Metrics,
}

#[derive(Default)]
struct Books {
    charged: usize,
    /// What is charged for each Receiver, but for the first grain of each body; those with small ones only are not there.
    of_receiver: HashMap<Arc<ReceiverRef>, usize>,
    /// How many bodies wait for room.
    waiting: usize,
}

/// What one body is charged, until it is dropped.
pub(super) struct Charge {
    budget: ByteBudget,
    receiver: Arc<ReceiverRef>,
    charged: usize,
}

/// A body that waits for room, until it is dropped.
struct Waiting<'b>(&'b ByteBudget);

/// Whether a body must be kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The delivery cannot go on without it, so it waits for room.
    Required,
    /// It would be of use; it takes no more than half of all that there is.
    Optional,
}

impl ByteBudget {
    /// A budget of which nothing is charged; what is, is shown in `metrics`.
    pub(super) fn new(metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            books: Mutex::default(),
            freed: Notify::new(),
            metrics,
        }))
    }

    /// Begins to charge for a body.
    pub(super) fn open(&self, receiver: Arc<ReceiverRef>) -> Charge {
        Charge {
            budget: self.clone(),
            receiver,
            charged: 0,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = self.books();
        let result = change(&mut books);
        self.0.metrics.body_bytes(books.charged);
        result
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// Charges for a body of `bytes` in all; says whether it may be kept. Waits for room if it must be.
    pub(super) async fn cover(&mut self, bytes: usize, need: Need) -> bool {
        let wanted = bytes.next_multiple_of(GRAIN);
        if wanted <= self.charged || self.grow(wanted, need) {
            return true;
        }
        if need == Need::Required {
            self.wait(wanted).await;
        }
        need == Need::Required
    }

    async fn wait(&mut self, wanted: usize) {
        let budget = self.budget.clone();
        let _waiting = Waiting::in_line(&budget);
        loop {
            let freed = budget.0.freed.notified();
            tokio::pin!(freed);
            // From here on nothing that is freed goes unnoticed.
            freed.as_mut().enable();
            if self.grow(wanted, Need::Required) {
                return;
            }
            freed.await;
        }
    }

    /// Gives everything back.
    pub(super) fn release(&mut self) {
        let charged = std::mem::take(&mut self.charged);
        if charged == 0 {
            return;
        }
        let is_awaited = self.budget.change(|books| {
            books.free(&self.receiver, charged);
            books.waiting > 0
        });
        if is_awaited {
            self.budget.0.freed.notify_waiters();
        }
    }

    fn grow(&mut self, wanted: usize, need: Need) -> bool {
        let is_covered = self
            .budget
            .change(|books| books.charge(&self.receiver, self.charged, wanted, need));
        if is_covered {
            self.charged = wanted;
        }
        is_covered
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

impl<'b> Waiting<'b> {
    fn in_line(budget: &'b ByteBudget) -> Self {
        budget.books().waiting += 1;
        Self(budget)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.books().waiting -= 1;
    }
}

impl Books {
    /// Charges a body `to` bytes in place of `from`, if there is room.
    fn charge(&mut self, receiver: &Arc<ReceiverRef>, from: usize, to: usize, need: Need) -> bool {
        let limit = match need {
            Need::Required => MAX_BYTES,
            Need::Optional => MAX_BYTES / 2,
        };
        let more = to.saturating_sub(from);
        let large = beyond_first(to).saturating_sub(beyond_first(from));
        let of_receiver = || self.of_receiver.get(receiver).copied().unwrap_or_default();
        if self.charged + more > limit || (large > 0 && of_receiver() + large > MAX_OF_RECEIVER) {
            return false;
        }
        self.charged += more;
        if large > 0 {
            *self.of_receiver.entry(Arc::clone(receiver)).or_default() += large;
        }
        true
    }

    fn free(&mut self, receiver: &ReceiverRef, bytes: usize) {
        self.charged = self.charged.saturating_sub(bytes);
        let large = beyond_first(bytes);
        if large == 0 {
            return;
        }
        if let Some(charged) = self.of_receiver.get_mut(receiver) {
            *charged = charged.saturating_sub(large);
            if *charged == 0 {
                self.of_receiver.remove(receiver);
            }
        }
    }
}

/// What of a body's bytes counts for its Receiver.
fn beyond_first(bytes: usize) -> usize {
    bytes.saturating_sub(GRAIN)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn receiver(name: &str) -> Arc<ReceiverRef> {
        Arc::new(ReceiverRef {
            namespace: "default".to_owned(),
            name: name.to_owned(),
        })
    }

    fn budget() -> ByteBudget {
        ByteBudget::new(Metrics::new())
    }

    fn charged(budget: &ByteBudget) -> usize {
        budget.books().charged
    }

    fn cover(charge: &mut Charge, bytes: usize, need: Need) -> Option<bool> {
        charge.cover(bytes, need).now_or_never()
    }

    #[test]
    fn a_body_is_charged_as_it_grows_and_until_it_is_gone() {
        let budget = budget();
        let mut charge = budget.open(receiver("a"));
        assert_eq!(charged(&budget), 0, "nothing has arrived");
        for (bytes, expected) in [(1, GRAIN), (GRAIN, GRAIN), (GRAIN + 1, 2 * GRAIN)] {
            assert_eq!(cover(&mut charge, bytes, Need::Required), Some(true));
            assert_eq!(charged(&budget), expected);
        }
        drop(charge);
        assert_eq!(charged(&budget), 0);
        assert!(budget.books().of_receiver.is_empty());
    }

    #[test]
    fn one_receiver_leaves_room_for_the_others() {
        let budget = budget();
        let of = |name: &str| budget.open(receiver(name));
        let mut greedy: Vec<_> = (0..10).map(|_| of("greedy")).collect();
        for charge in &mut greedy {
            cover(charge, 3 * MIB, Need::Required);
        }
        assert!(charged(&budget) <= MAX_OF_RECEIVER + 10 * GRAIN);
        assert_eq!(
            cover(&mut of("modest"), 3 * MIB, Need::Required),
            Some(true)
        );
    }

    #[tokio::test]
    async fn what_is_required_waits_for_room_and_what_is_optional_does_without() {
        let budget = budget();
        let mut charges = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let mut charge = budget.open(receiver(name));
            assert!(charge.cover(MAX_OF_RECEIVER, Need::Required).await);
            charges.push(charge);
        }
        let mut next = budget.open(receiver("e"));
        assert_eq!(cover(&mut next, 1, Need::Optional), Some(false));
        assert_eq!(cover(&mut next, 1, Need::Required), None);
        let freeing = async {
            charges.pop();
        };
        let (is_covered, ()) = tokio::join!(next.cover(1, Need::Required), freeing);
        assert!(is_covered);
        assert_eq!(
            cover(&mut next, GRAIN + 1, Need::Optional),
            Some(false),
            "more than half is taken"
        );
    }
}
