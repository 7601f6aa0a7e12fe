//! What was accepted, and what must have come of it: the last accepted delivery of each Receiver, by when it was sent.
//!
//! Times are those of the clock of this machine, which sender and gateway share.

use std::{collections::BTreeMap, sync::Mutex};

use jiff::Timestamp;

/// For each Receiver, by its number, the delivery that was sent last of those answered 2xx.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<usize, Timestamp>>);

/// An object that was not triggered although a delivery for it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The number of the object.
    pub(crate) object: usize,
    /// When the delivery was sent.
    pub(crate) sent: Timestamp,
    /// What its annotation says.
    pub(crate) annotated: Option<Timestamp>,
}

impl Ledger {
    /// Notes that a delivery to a Receiver was accepted.
    pub(crate) fn accept(&self, receiver: usize, sent: Timestamp) {
        let mut accepted = self.accepted();
        let last = accepted.entry(receiver).or_insert(sent);
        *last = sent.max(*last);
    }

    /// What has not come about yet: annotations older than what was accepted for their objects.
    pub(crate) fn missing(
        &self,
        targets: impl Fn(usize) -> Vec<usize>,
        annotated: &BTreeMap<usize, Timestamp>,
    ) -> Vec<Lost> {
        let mut wanted: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (receiver, sent) in self.accepted().iter() {
            for object in targets(*receiver) {
                let last = wanted.entry(object).or_insert(*sent);
                *last = (*sent).max(*last);
            }
        }
        let lost = wanted.into_iter().map(|(object, sent)| Lost {
            object,
            sent,
            annotated: annotated.get(&object).copied(),
        });
        lost.filter(|lost| lost.annotated.is_none_or(|annotated| annotated < lost.sent))
            .collect()
    }

    fn accepted(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Timestamp>> {
        let accepted = self.0.lock();
        accepted.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (object, sent) = (self.object, self.sent);
        write!(f, "object {object}: a delivery of {sent} was accepted, ")?;
        match self.annotated {
            Some(annotated) => write!(f, "the object was triggered last at {annotated}"),
            None => f.write_str("the object was never triggered"),
        }
    }
}
