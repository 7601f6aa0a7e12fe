//! Which hook a path leads to: filled by the Receiver controller, read by the ingress without a lock.
//!
//! It holds what it is given; compiling Receivers and reading Secrets happens elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Hook,
    lookup::Lookup,
    path::HookPath,
    receiver_ref::ReceiverRef,
    selection::{Selector, TargetKind},
};
use crate::api::denied::DeniedTargets;

/// What a path leads to.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A hook that takes deliveries.
    Open(Arc<Hook>),
    /// A Receiver that takes none at the moment.
    Closed(Closed),
    /// A hook that no path leads to, for its token is not known; what it triggers may be missed meanwhile.
    Pathless(Arc<Hook>),
}

impl Entry {
    /// The hook of a Receiver that is valid and not suspended.
    #[must_use]
    pub fn hook(&self) -> Option<&Arc<Hook>> {
        match self {
            Self::Open(hook) | Self::Pathless(hook) => Some(hook),
            Self::Closed(_) => None,
        }
    }
}

/// Why a Receiver takes no deliveries at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its user suspended it.
    Suspended,
    /// It is not ready.
    NotReady,
}

/// One Receiver as the table knows it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The path that its deliveries arrive at; absent while its token is not known.
    pub path: Option<HookPath>,
    /// When the Receiver was created, in seconds since 1970; of two with one path the older wins.
    pub created: i64,
    /// What the path leads to.
    pub entry: Entry,
    /// The targets that the gateway may not trigger, as the Receiver says.
    pub denied: Option<Arc<DeniedTargets>>,
}

/// The paths of all Receivers; clones share one table.
#[derive(Clone, Default)]
pub struct HookTable(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// All that deliveries look at.
    lookup: Lookup,
    books: Mutex<Books>,
    observers: Mutex<Vec<Observer>>,
}

/// What is called after each change.
type Observer = Box<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct Books {
    listings: HashMap<Arc<ReceiverRef>, Listing>,
    claims: HashMap<HookPath, Claims>,
    /// Paths that may lead to something else than the lookup says.
    changed: Vec<HookPath>,
}

/// The Receivers that ask for one path, the rightful one first.
type Claims = BTreeMap<(i64, Arc<ReceiverRef>), Entry>;

impl HookTable {
    /// Finds what a path leads to; the path must be exactly as it was handed out.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<Entry> {
        self.0.lookup.find(&HookPath::parse(path)?)
    }

    /// Lists a Receiver, in place of what was known of it.
    pub fn publish(&self, receiver: &ReceiverRef, listing: &Listing) {
        self.change(|table| {
            table.withdraw(receiver);
            table.publish(Arc::new(receiver.clone()), listing.clone());
        });
    }

    /// Forgets a Receiver.
    pub fn withdraw(&self, receiver: &ReceiverRef) {
        self.change(|table| table.withdraw(receiver));
    }

    /// Puts `hook` in the place of the hook of the same Receiver, if that still is `current`.
    pub fn replace(&self, current: &Arc<Hook>, hook: &Arc<Hook>) {
        self.change(|table| {
            if let Some(listing) = table.listings.get(&current.receiver).cloned()
                && matches!(&listing.entry, Entry::Open(open) if Arc::ptr_eq(open, current))
            {
                table.withdraw(&current.receiver);
                let listing = Listing {
                    entry: Entry::Open(Arc::clone(hook)),
                    ..listing
                };
                table.publish(Arc::new(current.receiver.clone()), listing);
            }
        });
    }

    /// What is known of a Receiver.
    #[must_use]
    pub fn listing(&self, receiver: &ReceiverRef) -> Option<Listing> {
        self.books().listings.get(receiver).cloned()
    }

    /// The other Receivers that ask for the path of this one, the rightful owner of the path first.
    #[must_use]
    pub fn rivals(&self, receiver: &ReceiverRef) -> Vec<ReceiverRef> {
        let books = self.books();
        let claims = books
            .listings
            .get(receiver)
            .and_then(|listing| books.claims.get(&listing.path?));
        let claimants = claims
            .into_iter()
            .flatten()
            .map(|((_, claimant), _)| claimant);
        claimants
            .filter(|claimant| ***claimant != *receiver)
            .map(|claimant| ReceiverRef::clone(claimant))
            .collect()
    }

    /// The hooks of all Receivers that are valid and not suspended, with what their Receivers say of denied targets.
    #[must_use]
    pub fn hooks(&self) -> Vec<(Arc<Hook>, Option<Arc<DeniedTargets>>)> {
        let books = self.books();
        let hooks = books.listings.values().filter_map(|listing| {
            let hook = listing.entry.hook()?;
            Some((Arc::clone(hook), listing.denied.clone()))
        });
        hooks.collect()
    }

    /// The kinds, each with a namespace, of which hooks select objects by labels.
    #[must_use]
    pub fn labelled(&self) -> BTreeSet<(TargetKind, String)> {
        let books = self.books();
        let hooks = books
            .listings
            .values()
            .filter_map(|listing| listing.entry.hook());
        let selectors = hooks.flat_map(|hook| &hook.selection.selectors);
        let labelled = selectors.filter_map(|selector| match selector {
            Selector::Labelled {
                kind, namespace, ..
            } => Some((kind.clone(), namespace.clone())),
            Selector::Named(_) => None,
        });
        labelled.collect()
    }

    /// Calls `observer` after each change, on the thread that made it; it must not block.
    pub fn on_change(&self, observer: impl Fn() + Send + Sync + 'static) {
        let observers = self.0.observers.lock();
        let mut observers = observers.unwrap_or_else(PoisonError::into_inner);
        observers.push(Box::new(observer));
    }

    fn change(&self, change: impl FnOnce(&mut Books)) {
        let mut books = self.books();
        change(&mut books);
        for path in std::mem::take(&mut books.changed) {
            let rightful = books.claims.get(&path);
            let entry = rightful.and_then(|claims| claims.values().next());
            self.0.lookup.set(path, entry);
        }
        drop(books);
        let observers = self.0.observers.lock();
        let observers = observers.unwrap_or_else(PoisonError::into_inner);
        observers.iter().for_each(|observer| observer());
    }

    /// No delivery waits for this, except after a failure.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of Receivers listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.books().listings.len()
    }

    /// Whether no Receiver is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for HookTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HookTable").field(&*self.books()).finish()
    }
}

impl Books {
    fn publish(&mut self, receiver: Arc<ReceiverRef>, listing: Listing) {
        if let Some(path) = listing.path {
            self.changed.push(path);
            let claims = self.claims.entry(path).or_default();
            claims.insert(
                (listing.created, Arc::clone(&receiver)),
                listing.entry.clone(),
            );
        }
        self.listings.insert(receiver, listing);
    }

    fn withdraw(&mut self, receiver: &ReceiverRef) {
        let Some((receiver, listing)) = self.listings.remove_entry(receiver) else {
            return;
        };
        if let Some(path) = listing.path
            && let Some(claims) = self.claims.get_mut(&path)
        {
            self.changed.push(path);
            claims.remove(&(listing.created, receiver));
            if claims.is_empty() {
                self.claims.remove(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "default".to_owned(),
            name: name.to_owned(),
        }
    }

    fn closed(path: HookPath, created: i64, reason: Closed) -> Listing {
        Listing {
            path: Some(path),
            created,
            entry: Entry::Closed(reason),
            denied: None,
        }
    }

    fn found(table: &HookTable, path: HookPath) -> Option<Closed> {
        match table.locate(&path.reveal())? {
            Entry::Closed(reason) => Some(reason),
            Entry::Open(_) | Entry::Pathless(_) => None,
        }
    }

    #[test]
    fn every_one_of_many_receivers_is_found_until_it_is_withdrawn() {
        let table = HookTable::default();
        let path = |number: u32| HookPath::derive(None, &number.to_string(), "default");
        for number in 0..1000 {
            let listing = closed(path(number), 1, Closed::Suspended);
            table.publish(&receiver(&number.to_string()), &listing);
        }
        for number in (0..1000).step_by(2) {
            table.withdraw(&receiver(&number.to_string()));
        }
        let is_found = |number: &u32| found(&table, path(*number)).is_some();
        let left: Vec<u32> = (0..1000).filter(is_found).collect();
        assert!(left.iter().copied().eq((1..1000).step_by(2)));
        assert_eq!(table.len(), 500);
    }

    #[test]
    fn a_changed_path_no_longer_leads_anywhere() {
        let (old, new) = (
            HookPath::derive(None, "old", ""),
            HookPath::derive(None, "new", ""),
        );
        let table = HookTable::default();
        table.publish(&receiver("a"), &closed(old, 1, Closed::Suspended));
        table.publish(&receiver("a"), &closed(new, 1, Closed::NotReady));
        assert_eq!(
            (found(&table, old), found(&table, new)),
            (None, Some(Closed::NotReady))
        );
        table.withdraw(&receiver("a"));
        assert_eq!((found(&table, new), table.len()), (None, 0));
    }

    #[test]
    fn of_two_receivers_with_one_path_the_older_wins_and_both_know() {
        let path = HookPath::derive(None, "ab", "c");
        let table = HookTable::default();
        table.publish(&receiver("young"), &closed(path, 2, Closed::NotReady));
        table.publish(&receiver("old"), &closed(path, 1, Closed::Suspended));
        assert_eq!(found(&table, path), Some(Closed::Suspended));
        assert_eq!(table.rivals(&receiver("old")), [receiver("young")]);
        assert_eq!(table.rivals(&receiver("young")), [receiver("old")]);
        table.withdraw(&receiver("old"));
        assert_eq!(found(&table, path), Some(Closed::NotReady));
        assert!(table.rivals(&receiver("young")).is_empty());
    }

    #[test]
    fn labelled_kinds_are_in_use_as_long_as_a_hook_selects_them() {
        let table = HookTable::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (observed, sizes) = (table.clone(), Arc::clone(&seen));
        table.on_change(move || sizes.lock().unwrap().push(observed.labelled().len()));
        let resources = serde_json::json!([
            {"kind": "Bucket", "name": "*", "matchLabels": {"a": "b"}},
            {"kind": "Bucket", "name": "*", "matchLabels": {}, "namespace": "apps"},
            {"kind": "GitRepository", "name": "web"},
        ]);
        let object = serde_json::from_value(serde_json::json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
            "metadata": {"name": "ci", "namespace": "default"},
            "spec": {"type": "github", "secretRef": {"name": "s"}, "resources": resources},
        }));
        let policy = crate::hook::Policy {
            cross_namespace_refs: crate::hook::CrossNamespaceRefs::Allowed,
        };
        let hook = Hook::compile(&object.unwrap(), policy).unwrap();
        let path = HookPath::derive(None, "ci", "");
        let hook = Arc::new(hook);
        let pathless = Listing {
            entry: Entry::Pathless(Arc::clone(&hook)),
            path: None,
            ..closed(path, 1, Closed::NotReady)
        };
        let open = Listing {
            entry: Entry::Open(hook),
            ..closed(path, 1, Closed::NotReady)
        };
        table.publish(&receiver("ci"), &pathless);
        assert!(table.locate(&path.reveal()).is_none());
        table.publish(&receiver("ci"), &open);
        assert!(table.locate(&path.reveal()).is_some());
        assert_eq!(table.hooks().len(), 1);
        let labelled = table.labelled();
        let labelled: Vec<_> = labelled
            .iter()
            .map(|(kind, namespace)| (kind.plural.as_str(), namespace.as_str()))
            .collect();
        assert_eq!(labelled, [("buckets", "apps"), ("buckets", "default")]);
        table.publish(&receiver("ci"), &closed(path, 1, Closed::Suspended));
        assert_eq!(*seen.lock().unwrap(), [2, 2, 0]);
        assert!(table.hooks().is_empty());
    }
}
