//! Forgetting old Events: when one is created, and when someone looks for Events.
//!
//! There is no timer, so that an idle process stays idle.

use jiff::Timestamp;

use super::Write;
use crate::cluster::{builtin, kinds::event, object::Key, status::Failure, store::Transaction};

/// The most old Events that go at once.
const MOST_FORGOTTEN: usize = 100;

impl Write<'_> {
    /// Whether this is about Events and some of them are too old to be shown.
    pub(crate) fn has_old_events(&self) -> bool {
        let now = Timestamp::now();
        let is_old = || {
            let events = self.cluster.store.snapshot(&builtin::events()).objects;
            events
                .values()
                .any(|known| event::is_expired(&known.value, now))
        };
        self.is(&builtin::events()) && is_old()
    }

    /// Removes old Events, a bounded number of them.
    pub(crate) fn expire(self) -> Result<(), Failure> {
        let mut transaction = self.cluster.store.begin()?;
        self.forget_old_events(&mut transaction);
        self.commit(transaction)?;
        Ok(())
    }

    /// Removes old Events when this is about Events, a bounded number of them.
    pub(super) fn forget_old_events(&self, transaction: &mut Transaction<'_>) {
        if !self.is(&builtin::events()) {
            return;
        }
        let now = Timestamp::now();
        let events = transaction.objects(&builtin::events());
        let old = events
            .range(None, None)
            .filter(|(_, known)| event::is_expired(&known.value, now));
        for (name, _) in old.take(MOST_FORGOTTEN) {
            transaction.remove(&Key {
                resource: builtin::events(),
                name: name.clone(),
            });
        }
    }
}
