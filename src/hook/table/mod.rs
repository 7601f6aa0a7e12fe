//! Which hook a path leads to: filled by the Receiver controller, read by the ingress without a lock.
//!
//! It holds what it is given; compiling Receivers and reading Secrets happens elsewhere.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::{
    Hook, SetIdentity,
    lookup::Lookup,
    path::{HookPath, LivePath},
    receiver_ref::ReceiverRef,
    selection::{Detail, TargetKind},
};
use crate::api::{denied::DeniedTargets, last_trigger::LastTrigger};

/// What a path leads to.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A hook that takes deliveries.
    Open(Arc<Hook>),
    /// A Receiver that takes none at the moment.
    Closed(Closed),
    /// A hook that no path leads to, for its token is not known; what it triggers may be missed meanwhile.
    Pathless(Arc<Hook>),
    /// A hook whose Secret was not read yet; the path is the one that its Receiver's status shows.
    Unread(Arc<Hook>),
}

impl Entry {
    /// The hook of a Receiver that is valid and not suspended.
    #[must_use]
    pub fn hook(&self) -> Option<&Arc<Hook>> {
        match self {
            Self::Open(hook) | Self::Pathless(hook) | Self::Unread(hook) => Some(hook),
            Self::Closed(_) => None,
        }
    }

    /// Whether it is this very hook, with or without what its Secret holds.
    fn is(&self, hook: &Arc<Hook>) -> bool {
        matches!(self, Self::Open(own) | Self::Unread(own) if Arc::ptr_eq(own, hook))
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

/// How many paths a Receiver can have while its controller has not seen what its Secret holds.
const MAX_PATHS: usize = 16;

/// One Receiver as the table knows it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The paths that its deliveries arrive at, that of the current token first; none while the token is not known.
    pub paths: Vec<LivePath>,
    /// When the Receiver was created, in seconds since 1970; of two with one path the older wins.
    pub created: i64,
    /// What the paths lead to.
    pub entry: Entry,
    /// The targets that the gateway may not trigger, as the Receiver says.
    pub denied: Option<Arc<DeniedTargets>>,
}

impl Listing {
    /// The path of the current token, which the Receiver's status shows.
    #[must_use]
    pub fn path(&self) -> Option<HookPath> {
        self.paths.first().map(|live| live.path)
    }
}

/// What a path leads to, and how long.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) entry: Entry,
    pub(super) until: Option<Timestamp>,
}

/// The paths of all Receivers; clones share one table.
#[derive(Clone, Default)]
pub struct HookTable(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// All that deliveries look at.
    lookup: Lookup,
    books: Mutex<Books>,
    /// The Secrets whose changes are seen at once.
    watched: Mutex<HashSet<SecretRef>>,
    observers: Mutex<Vec<Observer>>,
}

/// The namespace and the name of a Secret.
pub type SecretRef = (String, String);

/// What is called after each change.
type Observer = Box<dyn Fn() + Send + Sync>;

#[derive(Debug, Default)]
struct Books {
    listings: HashMap<Arc<ReceiverRef>, Listing>,
    claims: HashMap<HookPath, Claims>,
    /// What Receivers say of their last triggers.
    last_triggers: HashMap<ReceiverRef, LastTrigger>,
    /// Paths that may lead to something else than the lookup says.
    changed: Vec<HookPath>,
}

/// The Receivers that ask for one path, the rightful one first.
type Claims = BTreeMap<(i64, Arc<ReceiverRef>), Claim>;

impl HookTable {
    /// Finds what a path leads to that has not ended; the path must be exactly as it was handed out.
    #[must_use]
    pub fn locate(&self, path: &str, now: Timestamp) -> Option<Entry> {
        let Claim { entry, until } = self.0.lookup.find(&HookPath::parse(path)?)?;
        until.is_none_or(|until| now <= until).then_some(entry)
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
        self.change(|table| {
            table.withdraw(receiver);
            table.last_triggers.remove(receiver);
        });
    }

    /// Keeps what a Receiver says of its last trigger, which changes nothing for deliveries and wakes nobody.
    pub fn hear_last_trigger(&self, receiver: &ReceiverRef, last: Option<LastTrigger>) {
        let last_triggers = &mut self.books().last_triggers;
        match last {
            Some(last) => last_triggers.insert(receiver.clone(), last),
            None => last_triggers.remove(receiver),
        };
    }

    /// What a Receiver says of its last trigger.
    #[must_use]
    pub fn last_trigger(&self, receiver: &ReceiverRef) -> Option<LastTrigger> {
        self.books().last_triggers.get(receiver).cloned()
    }

    /// Puts `hook` in the place of the hook of the same Receiver, if that still is `current`, and adds its paths.
    ///
    /// The paths that there are stay, for they are for the controller to take away; but of many the oldest go, and so
    /// does the one of a status, which may be older than the Secret.
    pub fn replace(&self, current: &Arc<Hook>, hook: &Arc<Hook>) {
        self.change(|table| {
            if let Some(listing) = table.listings.get(&current.receiver).cloned()
                && listing.entry.is(current)
            {
                table.withdraw(&current.receiver);
                let known = match listing.entry {
                    Entry::Unread(_) => &[][..],
                    _ => &listing.paths,
                };
                let (first, others) = known.split_at(known.len().min(1));
                let new = hook.sets().map(SetIdentity::path);
                let paths = first
                    .iter()
                    .copied()
                    .chain(new)
                    .chain(others.iter().copied());
                let mut paths = LivePath::merge(paths);
                paths.truncate(MAX_PATHS);
                let listing = Listing {
                    paths,
                    entry: Entry::Open(Arc::clone(hook)),
                    ..listing
                };
                table.publish(current.shared_receiver(), listing);
            }
        });
    }

    /// What is known of a Receiver.
    #[must_use]
    pub fn listing(&self, receiver: &ReceiverRef) -> Option<Listing> {
        self.books().listings.get(receiver).cloned()
    }

    /// The other Receivers than this one that ask for a path, the rightful owner of the path first.
    #[must_use]
    pub fn rivals(&self, receiver: &ReceiverRef, path: &HookPath) -> Vec<ReceiverRef> {
        let books = self.books();
        let claims = books.claims.get(path).into_iter().flatten();
        claims
            .map(|((_, claimant), _)| claimant)
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

    /// A Secret is watched from now on.
    pub fn watch_secret(&self, secret: SecretRef) {
        self.watched().insert(secret);
    }

    /// A Secret is no longer watched.
    pub fn unwatch_secret(&self, secret: &SecretRef) {
        self.watched().remove(secret);
    }

    /// These Secrets are watched and no others.
    pub fn watch_secrets(&self, secrets: HashSet<SecretRef>) {
        *self.watched() = secrets;
    }

    /// The hooks whose Secrets may have changed unseen, at most `limit` of them: those after `last` in the order of
    /// their Receivers, and then from the beginning. It looks at all Receivers.
    #[must_use]
    pub fn unwatched(&self, last: Option<&ReceiverRef>, limit: u32) -> Vec<Arc<Hook>> {
        let watched = self.watched();
        let books = self.books();
        let is_unwatched = |hook: &Hook| {
            let namespace = &hook.receiver.namespace;
            let secret = hook.secret.clone();
            secret.is_some_and(|secret| !watched.contains(&(namespace.clone(), secret)))
        };
        let entries = books.listings.values().map(|listing| &listing.entry);
        let unseen = entries.filter_map(|entry| match entry {
            Entry::Open(hook) => is_unwatched(hook).then_some(hook),
            Entry::Unread(hook) => Some(hook),
            Entry::Closed(_) | Entry::Pathless(_) => None,
        });
        let mut hooks: Vec<_> = unseen.cloned().collect();
        drop((books, watched));
        hooks.sort_unstable_by(|a, b| a.receiver.cmp(&b.receiver));
        let done = hooks.partition_point(|hook| last.is_some_and(|last| *hook.receiver <= *last));
        hooks.rotate_left(done);
        hooks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        hooks
    }

    /// The kinds, each with a namespace, of which hooks must know objects, and how much of them.
    #[must_use]
    pub fn details(&self) -> BTreeMap<(TargetKind, String), Detail> {
        let books = self.books();
        let hooks = books
            .listings
            .values()
            .filter_map(|listing| listing.entry.hook());
        let mut details = BTreeMap::new();
        for (kind, namespace, detail) in hooks.flat_map(|hook| hook.details()) {
            let known = details.entry((kind, namespace)).or_insert(detail);
            *known = detail.max(*known);
        }
        details
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
            let claim = rightful.and_then(|claims| claims.values().next());
            self.0.lookup.set(path, claim);
        }
        drop(books);
        let observers = self.0.observers.lock();
        let observers = observers.unwrap_or_else(PoisonError::into_inner);
        observers.iter().for_each(|observer| observer());
    }

    fn watched(&self) -> MutexGuard<'_, HashSet<SecretRef>> {
        let watched = self.0.watched.lock();
        watched.unwrap_or_else(PoisonError::into_inner)
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
        for LivePath { path, until } in listing.paths.iter().copied() {
            self.changed.push(path);
            let claims = self.claims.entry(path).or_default();
            let claim = Claim {
                entry: listing.entry.clone(),
                until,
            };
            claims.insert((listing.created, Arc::clone(&receiver)), claim);
        }
        self.listings.insert(receiver, listing);
    }

    fn withdraw(&mut self, receiver: &ReceiverRef) {
        let Some((receiver, listing)) = self.listings.remove_entry(receiver) else {
            return;
        };
        let key = (listing.created, receiver);
        for LivePath { path, .. } in listing.paths {
            let Some(claims) = self.claims.get_mut(&path) else {
                continue;
            };
            self.changed.push(path);
            claims.remove(&key);
            if claims.is_empty() {
                self.claims.remove(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests;
