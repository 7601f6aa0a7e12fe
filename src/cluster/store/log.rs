//! What happened to the objects of one type lately, so that watches can follow.
//!
//! It is bounded in number and size; who is further behind has to list again.

use std::{
    ops::Bound,
    sync::{Arc, OnceLock},
};

use rpds::RedBlackTreeMapSync;

use crate::cluster::{object::ObjectName, record::Record};

const MOST_EVENTS: usize = 1024;
/// The most memory that one type's changes may take, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// One change of one object.
pub(crate) struct Event {
    /// The change's own resourceVersion.
    pub(crate) revision: u64,
    /// The object it happened to.
    pub(crate) name: ObjectName,
    /// The object after it; nothing when it was deleted.
    pub(crate) current: Option<Arc<Record>>,
    /// The object before it; nothing when it was created.
    pub(crate) previous: Option<Arc<Record>>,
    departed: OnceLock<Option<Arc<Record>>>,
}

impl Event {
    /// Records a change.
    pub(super) fn new(
        revision: u64,
        name: ObjectName,
        current: Option<Arc<Record>>,
        previous: Option<Arc<Record>>,
    ) -> Self {
        Self {
            revision,
            name,
            current,
            previous,
            departed: OnceLock::new(),
        }
    }

    /// The object before the change, but with the change's resourceVersion: what a `DELETED` event carries.
    pub(crate) fn departed(&self) -> Option<Arc<Record>> {
        let make = || {
            let previous = self.previous.as_ref()?;
            Some(Arc::new(previous.departed(self.revision)))
        };
        self.departed.get_or_init(make).clone()
    }

    /// What it may take, in bytes: the object before it twice, for it may have departed.
    fn size(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, |record| record.size());
        2 * previous + size_of::<Self>()
    }
}

/// A resourceVersion is older than what the log remembers, or has never been given out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired;

/// The latest changes, oldest first. A clone shares them, and costs the same however many there are.
#[derive(Clone)]
pub(super) struct Log {
    events: RedBlackTreeMapSync<u64, Arc<Event>>,
    bytes: usize,
    /// Changes up to this one are forgotten.
    start: u64,
}

impl Log {
    /// A log that knows nothing of the changes up to `start`.
    pub(super) fn new(start: u64) -> Self {
        Self {
            events: RedBlackTreeMapSync::new_sync(),
            bytes: 0,
            start,
        }
    }

    /// Appends a change and forgets the oldest ones above the limits.
    pub(super) fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.size();
        self.events.insert_mut(event.revision, event);
        while self.events.size() > MOST_EVENTS
            || (self.bytes > MOST_BYTES && self.events.size() > 1)
        {
            let Some((&oldest, event)) = self.events.first() else {
                return;
            };
            self.bytes -= event.size();
            self.start = oldest;
            self.events.remove_mut(&oldest);
        }
    }

    /// The changes after `revision`, oldest first.
    pub(super) fn after(
        &self,
        revision: u64,
    ) -> Result<impl Iterator<Item = &Arc<Event>>, Expired> {
        if revision < self.start {
            return Err(Expired);
        }
        let later = (Bound::Excluded(revision), Bound::Unbounded);
        Ok(self.events.range(later).map(|(_, event)| event))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::object::Object;

    fn created(revision: u64, text: &str) -> Arc<Event> {
        let record = Object::new(json!({"data": text}), revision).record;
        let name = ObjectName::new("default", "x");
        Arc::new(Event::new(
            revision,
            name,
            Some(Arc::clone(&record)),
            Some(record),
        ))
    }

    fn revisions(log: &Log, after: u64) -> Result<Vec<u64>, Expired> {
        Ok(log.after(after)?.map(|event| event.revision).collect())
    }

    #[test]
    fn only_later_changes_are_given() {
        let mut log = Log::new(3);
        for revision in [5, 7, 9] {
            log.push(created(revision, ""));
        }
        assert_eq!(revisions(&log, 3), Ok(vec![5, 7, 9]));
        assert_eq!(revisions(&log, 7), Ok(vec![9]));
        assert_eq!(revisions(&log, 9), Ok(vec![]));
        assert_eq!(revisions(&log, 2), Err(Expired));
    }

    #[test]
    fn number_is_bounded() {
        let mut log = Log::new(0);
        for revision in 1..=MOST_EVENTS as u64 + 2 {
            log.push(created(revision, ""));
        }
        assert_eq!(revisions(&log, 1), Err(Expired));
        assert_eq!(revisions(&log, 2).unwrap().len(), MOST_EVENTS);
    }

    #[test]
    fn size_is_bounded_but_the_last_change_stays() {
        let mut log = Log::new(0);
        let text = "x".repeat(MOST_BYTES / 2);
        log.push(created(1, &text));
        log.push(created(2, &text));
        assert_eq!(revisions(&log, 0), Err(Expired));
        assert_eq!(revisions(&log, 1), Ok(vec![2]));
    }

    #[test]
    fn deleted_object_carries_the_revision_of_its_deletion() {
        let object = Object::new(json!({"metadata": {"name": "x"}}), 4);
        let event = Event::new(9, ObjectName::new("", "x"), None, Some(object.record));
        let departed = event.departed().unwrap();
        assert_eq!(departed.revision, 9);
        assert_eq!(departed.value()["metadata"]["resourceVersion"], "9");
        assert!(Arc::ptr_eq(&departed, &event.departed().unwrap()));
    }

    #[test]
    fn clone_stays_as_it_was() {
        let mut log = Log::new(0);
        log.push(created(1, ""));
        let before = log.clone();
        log.push(created(2, ""));
        assert_eq!(revisions(&before, 0), Ok(vec![1]));
        assert_eq!(revisions(&log, 0), Ok(vec![1, 2]));
    }
}
