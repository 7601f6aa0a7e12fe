//! Following the changes of a type: a position in the log, and nothing queued.
//!
//! Who reads too slowly falls behind the log and is told that its position expired.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    Cluster,
    object::GroupResource,
    options::Options,
    record::Record,
    selector::Selector,
    status::Failure,
    store::{Event, Store},
    view::View,
};

/// How often a watch tells the revision, when asked to.
const BOOKMARKS: Duration = Duration::from_mins(1);
/// How long a watch lasts when the client does not say.
const LONGEST: Duration = Duration::from_mins(30);
/// The most changes read from the log at once.
const BATCH: usize = 64;
/// Marks the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// What to follow.
pub(crate) struct Subject {
    /// The type, and how its objects are shown.
    pub(crate) view: View,
    /// Only objects of this namespace.
    pub(crate) namespace: Option<String>,
    /// Only objects that it takes; others come and go.
    pub(crate) selector: Selector,
}

impl Subject {
    fn takes(&self, object: Option<&Arc<Record>>) -> bool {
        object.is_some_and(|object| self.selector.matches(&object.attributes))
    }

    fn concerns(&self, event: &Event) -> bool {
        self.namespace
            .as_ref()
            .is_none_or(|namespace| event.name.namespace == *namespace)
            && (self.takes(event.current.as_ref()) || self.takes(event.previous.as_ref()))
    }

    fn change(&self, event: &Event) -> Option<(&'static str, Arc<Record>)> {
        match (
            self.takes(event.previous.as_ref()),
            self.takes(event.current.as_ref()),
        ) {
            (false, true) => Some(("ADDED", Arc::clone(event.current.as_ref()?))),
            (true, true) => Some(("MODIFIED", Arc::clone(event.current.as_ref()?))),
            (true, false) => Some(("DELETED", event.departed()?)),
            (false, false) => None,
        }
    }
}

/// Follows a type from where the options say; each chunk is a part of a line, never more than one line.
pub(crate) fn watch(
    cluster: &Arc<Cluster>,
    subject: Subject,
    options: &Options,
) -> Result<impl Stream<Item = Bytes> + Send + use<>, Failure> {
    let store = &cluster.store;
    let resource = subject.view.resource().group_resource();
    let changes = store
        .subscribe(&resource)
        .ok_or_else(Failure::unknown_path)?;
    let mut pending = VecDeque::new();
    let revision = match options.revision {
        Some(revision) if options.initial_events != Some(true) => revision,
        Some(revision) if revision > store.revision() => {
            return Err(Failure::too_new(revision, store.revision()));
        }
        _ => initial(store, &subject, &resource, options, &mut pending),
    };
    let mut bookmarks = interval_at(Instant::now() + BOOKMARKS, BOOKMARKS);
    bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lasting = options
        .timeout_seconds
        .map_or(LONGEST, Duration::from_secs)
        .min(Duration::from_hours(24));
    let cursor = Cursor {
        cluster: Arc::clone(cluster),
        generation: 0,
        changes,
        resource,
        subject,
        revision,
        pending,
        bookmarks: options.bookmarks.then_some(bookmarks),
        end: Instant::now() + lasting,
        is_over: false,
    };
    Ok(stream::unfold(cursor, |mut cursor| async {
        Some((cursor.next().await?, cursor))
    })
    .flat_map(stream::iter))
}

/// Prepares the objects there are as `ADDED` and returns the revision they stand for.
fn initial(
    store: &Store,
    subject: &Subject,
    resource: &GroupResource,
    options: &Options,
    pending: &mut VecDeque<Line>,
) -> u64 {
    let snapshot = store.snapshot(resource);
    if options.initial_events == Some(false) {
        return snapshot.revision;
    }
    let objects = snapshot
        .objects
        .range(subject.namespace.as_deref(), None)
        .map(|(_, object)| &object.record)
        .filter(|record| subject.takes(Some(record)));
    pending.extend(objects.map(|record| Line::Object("ADDED", Arc::clone(record))));
    if options.initial_events == Some(true) && options.bookmarks {
        pending.push_back(Line::InitialEventsEnd(snapshot.revision));
    }
    snapshot.revision
}

enum Line {
    Object(&'static str, Arc<Record>),
    Bookmark(u64),
    InitialEventsEnd(u64),
}

struct Cursor {
    cluster: Arc<Cluster>,
    /// The state of the registry that the view is of.
    generation: u64,
    changes: watch::Receiver<u64>,
    resource: GroupResource,
    subject: Subject,
    /// The changes up to this one are sent or pending.
    revision: u64,
    pending: VecDeque<Line>,
    bookmarks: Option<Interval>,
    end: Instant,
    is_over: bool,
}

impl Cursor {
    /// The chunks of the next line; nothing when the watch is over.
    async fn next(&mut self) -> Option<Vec<Bytes>> {
        loop {
            if self.is_over || Instant::now() >= self.end {
                return None;
            }
            if let Some(line) = self.pending.pop_front() {
                self.follow_definition()?;
                return Some(self.chunks(&line));
            }
            // Marked as seen before looking, so that no change between the two is missed.
            self.changes.borrow_and_update();
            if let Err(failure) = self.advance() {
                self.is_over = true;
                return Some(vec![frame("ERROR", &failure.to_value())]);
            }
            if self.pending.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Shows objects as the definition of their type says by now; nothing when this version is not served any more.
    fn follow_definition(&mut self) -> Option<()> {
        let registry = self.cluster.registry.load();
        if registry.generation() != self.generation {
            self.generation = registry.generation();
            let view = &mut self.subject.view;
            let known = view.resource();
            let served = registry.find(&known.group, &known.version, &known.plural)?;
            view.follow(served);
        }
        Some(())
    }

    fn advance(&mut self) -> Result<(), Failure> {
        let subject = &self.subject;
        let (events, reached) =
            self.cluster
                .store
                .events_after(&self.resource, self.revision, BATCH, |event| {
                    subject.concerns(event)
                })?;
        let changes = events.iter().filter_map(|event| subject.change(event));
        self.pending
            .extend(changes.map(|(kind, object)| Line::Object(kind, object)));
        self.revision = reached;
        Ok(())
    }

    /// Waits for a change or the next bookmark; nothing when the watch is over.
    async fn wait(&mut self) -> Option<()> {
        let bookmark = async {
            match &mut self.bookmarks {
                Some(interval) => interval.tick().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.changes.changed() => changed.ok(),
            _ = bookmark => {
                self.pending.push_back(Line::Bookmark(self.revision));
                Some(())
            }
            () = sleep_until(self.end) => None,
        }
    }

    fn chunks(&mut self, line: &Line) -> Vec<Bytes> {
        let view = &mut self.subject.view;
        let bookmark = |metadata: &Value| vec![frame("BOOKMARK", &view.bare(metadata))];
        match line {
            Line::Object(kind, object) => {
                let mut chunks = vec![format!("{{\"type\":\"{kind}\",\"object\":").into()];
                chunks.extend(view.chunks(object));
                view.columns_are_told();
                chunks.push(Bytes::from_static(b"}\n"));
                chunks
            }
            Line::Bookmark(revision) => bookmark(&json!({"resourceVersion": revision.to_string()})),
            Line::InitialEventsEnd(revision) => bookmark(&json!({
                "resourceVersion": revision.to_string(),
                "annotations": {INITIAL_EVENTS_END: "true"},
            })),
        }
    }
}

fn frame(kind: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({"type": kind, "object": object})).into()
}
