//! Which objects carry the labels that a Receiver asks for: answered from watched metadata, without a request.
//!
//! There is one watch for each kind in use, and none for the others; named targets need none unless they have a filter.
//! Nothing is patched here.

mod index;
mod view;
mod watch;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};

use kube::Client;
use tokio::{
    sync::{
        Notify,
        watch::{Receiver, Sender},
    },
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use self::view::{Doubt, View};
use super::{
    denied::Access,
    failure::{Failure, Verb},
    request::check_names,
};
use crate::hook::{Detail, HookTable, Selector, Target, TargetKind};

/// How many watches there may be at once; Receivers can name any API version.
const MAX_WATCHES: usize = 256;

/// How far one watch reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchScope {
    /// One watch shows a kind in all namespaces.
    Cluster,
    /// One watch shows a kind in one namespace, which is all that a Role allows.
    Namespace,
}

/// The objects of every kind in use; clones share the watches.
#[derive(Clone)]
pub struct Targets(Arc<Shared>);

struct Shared {
    client: Client,
    table: HookTable,
    scope: WatchScope,
    views: Sender<Views>,
    /// Told whenever a list is complete or fails, or an object comes, goes or has other labels.
    news: Sender<()>,
}

/// What is known of each kind in use.
type Views = BTreeMap<Watched, Shown>;

/// The watches that run.
#[derive(Default)]
struct Watches {
    tasks: JoinSet<()>,
    running: BTreeMap<Watched, Running>,
}

struct Running {
    task: AbortHandle,
    shown: Shown,
}

/// What a watch knows, and how much of each object.
#[derive(Clone)]
struct Shown {
    view: Receiver<View>,
    detail: Detail,
}

/// What one watch shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    kind: TargetKind,
    /// Absent for all of them.
    namespace: Option<String>,
}

impl Targets {
    /// Makes targets of the kinds that open hooks in `table` select by labels or filter; they are watched by [`Targets::run`].
    #[must_use]
    pub fn new(client: Client, table: HookTable, scope: WatchScope) -> Self {
        Self(Arc::new(Shared {
            client,
            table,
            scope,
            views: Sender::default(),
            news: Sender::default(),
        }))
    }

    /// The objects that a selector selects; waits until `deadline` when the first list of their kind is not complete.
    pub(super) async fn select(
        &self,
        selector: &Selector,
        deadline: Instant,
    ) -> Result<Vec<Target>, Failure> {
        check_names(selector)?;
        let (kind, namespace, labels) = match selector {
            Selector::Named(target) => return Ok(vec![target.clone()]),
            Selector::Labelled {
                kind,
                namespace,
                labels,
            } => (kind, namespace, labels),
        };
        let watched = self.0.scope.watched(kind, namespace);
        let known = timeout_at(deadline, self.0.known(&watched, Detail::Labels)).await;
        let Some(view) = known.unwrap_or_else(|_| self.0.view(&watched)) else {
            return Err(Failure::timed_out(Verb::Watch, selector));
        };
        let names = view.borrow().index(selector)?.select(namespace, labels);
        Ok(targets(kind, namespace, names))
    }

    /// The same objects, each with its metadata in JSON; a name that no object has is a failure.
    pub(super) async fn candidates(
        &self,
        selector: &Selector,
        deadline: Instant,
    ) -> Result<Vec<(Target, Arc<str>)>, Failure> {
        check_names(selector)?;
        let (kind, namespace) = place(selector);
        let watched = self.0.scope.watched(kind, namespace);
        let known = timeout_at(deadline, self.0.known(&watched, Detail::Metadata)).await;
        let Ok(Some(view)) = known else {
            return Err(Failure::timed_out(Verb::Watch, selector));
        };
        let targets = self.select(selector, deadline).await?;
        let view = view.borrow();
        let index = view.index(selector)?;
        let with_metadata = |target: Target| {
            let metadata = index.metadata(namespace, &target.name);
            metadata.map(|metadata| (target, metadata))
        };
        let candidates: Vec<_> = targets.into_iter().filter_map(with_metadata).collect();
        match selector {
            Selector::Named(_) if candidates.is_empty() => Err(Failure::missing(selector)),
            _ => Ok(candidates),
        }
    }

    /// What is known of the permission to watch what a selector selects by labels or with filters.
    pub(super) fn access(&self, selector: &Selector) -> Access {
        let (kind, namespace) = place(selector);
        let view = self.0.view_of(kind, namespace);
        view.map_or(Access::Unknown, |view| view.borrow().access(selector))
    }

    /// The objects that a selector names, or that are known to carry its labels; none while they are not known.
    pub(super) fn known(&self, selector: &Selector) -> Vec<Target> {
        let (kind, namespace, labels) = match selector {
            Selector::Named(target) => return vec![target.clone()],
            Selector::Labelled {
                kind,
                namespace,
                labels,
            } => (kind, namespace, labels),
        };
        let Some(view) = self.0.view_of(kind, namespace) else {
            return Vec::new();
        };
        let names = match &*view.borrow() {
            View::Synced(index, _) => index.select(namespace, labels),
            _ => Vec::new(),
        };
        targets(kind, namespace, names)
    }

    /// Whether an object is known to carry all of these labels.
    pub(super) fn carries(&self, target: &Target, labels: &BTreeMap<String, String>) -> bool {
        let Target {
            kind,
            namespace,
            name,
        } = target;
        let view = self.0.view_of(kind, namespace);
        view.is_some_and(|view| match &*view.borrow() {
            View::Synced(index, _) => index.carries(namespace, name, labels),
            _ => false,
        })
    }

    /// Whether the object, or its kind, is known not to be there; nothing is known of kinds that are not watched.
    pub(super) fn is_gone(&self, target: &Target) -> bool {
        let Target {
            kind,
            namespace,
            name,
        } = target;
        let view = self.0.view_of(kind, namespace);
        view.is_some_and(|view| match &*view.borrow() {
            View::Synced(index, _) => !index.carries(namespace, name, &BTreeMap::new()),
            View::Refused(status) => status.code == 404,
            View::Unsynced(_) | View::TooMany => false,
        })
    }

    /// Changes whenever a list is complete or fails, or an object comes, goes or has other labels.
    pub(super) fn news(&self) -> Receiver<()> {
        self.0.news.subscribe()
    }

    /// Waits until every kind in use is known, or known to be a problem.
    pub async fn settled(&self) {
        for watched in self.0.in_use().into_keys() {
            let mut views = self.0.views.subscribe();
            let is_done = |views: &Views| {
                views.contains_key(&watched) || !self.0.in_use().contains_key(&watched)
            };
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = views.wait_for(is_done).await;
            if let Some(mut view) = self.0.view(&watched) {
                // A watch that is stopped meanwhile is not waited for.
                let _ = view.wait_for(View::is_settled).await;
            }
        }
    }

    /// Watches what is in use until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        self.0.table.on_change(move || notify.notify_one());
        let mut watches = Watches::default();
        loop {
            self.0.adjust(&mut watches);
            if shutdown
                .run_until_cancelled(changed.notified())
                .await
                .is_none()
            {
                return watches.tasks.shutdown().await;
            }
        }
    }
}

impl Shared {
    fn in_use(&self) -> BTreeMap<Watched, Detail> {
        let mut in_use = BTreeMap::new();
        for ((kind, namespace), detail) in self.table.details() {
            let watched = self.scope.watched(&kind, &namespace);
            let known = in_use.entry(watched).or_insert(detail);
            *known = detail.max(*known);
        }
        in_use
    }

    fn view_of(&self, kind: &TargetKind, namespace: &str) -> Option<Receiver<View>> {
        self.view(&self.scope.watched(kind, namespace))
    }

    fn view(&self, watched: &Watched) -> Option<Receiver<View>> {
        let views = self.views.borrow();
        views.get(watched).map(|shown| shown.view.clone())
    }

    /// Waits until so much of the kind is watched and a selection of it can be answered.
    async fn known(&self, watched: &Watched, detail: Detail) -> Option<Receiver<View>> {
        let mut views = self.views.subscribe();
        let is_watched = |views: &Views| {
            let shown = views.get(watched);
            shown.is_some_and(|shown| shown.detail >= detail)
        };
        let shown = views.wait_for(is_watched).await.ok()?.get(watched)?.clone();
        let mut view = shown.view;
        // A watch that is stopped meanwhile leaves what it knew.
        let _ = view.wait_for(View::is_known).await;
        Some(view)
    }

    /// Starts and stops watches, so that those run that are in use.
    fn adjust(&self, watches: &mut Watches) {
        let mut wanted: Vec<_> = self.in_use().into_iter().collect();
        // Nobody can keep others from what they use by naming many kinds that do not exist.
        wanted.sort_by_cached_key(|(watched, _)| {
            let is_running = watches.running.contains_key(watched);
            (!watched.kind.is_default(), !is_running)
        });
        let surplus = wanted.split_off(MAX_WATCHES.min(wanted.len()));
        watches.keep(&wanted);
        for (watched, detail) in wanted {
            watches.start(self, watched, detail);
        }
        let too_many = Shown {
            view: Sender::new(View::TooMany).subscribe(),
            detail: Detail::Metadata,
        };
        let surplus = surplus
            .into_iter()
            .map(|(watched, _)| (watched, too_many.clone()));
        let views = watches.views().chain(surplus).collect();
        self.views.send_replace(views);
    }
}

impl Watches {
    /// Ends the watches that nobody needs, and those that show less than somebody needs.
    fn keep(&mut self, wanted: &[(Watched, Detail)]) {
        let wanted: BTreeMap<_, _> = wanted
            .iter()
            .map(|(watched, detail)| (watched, *detail))
            .collect();
        self.running.retain(|watched, running| {
            let wanted = wanted.get(watched);
            let is_enough = wanted.is_some_and(|detail| running.shown.detail >= *detail);
            if !is_enough {
                tracing::debug!(kind = %watched, "no longer watched in this way");
                running.task.abort();
            }
            is_enough
        });
        while self.tasks.try_join_next().is_some() {}
    }

    fn start(&mut self, shared: &Shared, watched: Watched, detail: Detail) {
        let Entry::Vacant(entry) = self.running.entry(watched) else {
            return;
        };
        let (sender, view) = tokio::sync::watch::channel(View::Unsynced(Doubt::Waiting));
        let (client, news) = (shared.client.clone(), shared.news.clone());
        let watch = watch::watch(client, entry.key().clone(), detail, sender, news);
        let task = self.tasks.spawn(watch);
        let shown = Shown { view, detail };
        entry.insert(Running { task, shown });
    }

    fn views(&self) -> impl Iterator<Item = (Watched, Shown)> {
        let running = self.running.iter();
        running.map(|(watched, running)| (watched.clone(), running.shown.clone()))
    }
}

impl WatchScope {
    fn watched(self, kind: &TargetKind, namespace: &str) -> Watched {
        Watched {
            kind: kind.clone(),
            namespace: match self {
                Self::Cluster => None,
                Self::Namespace => Some(namespace.to_owned()),
            },
        }
    }
}

fn targets(kind: &TargetKind, namespace: &str, names: Vec<Box<str>>) -> Vec<Target> {
    let target = |name: Box<str>| Target {
        kind: kind.clone(),
        namespace: namespace.to_owned(),
        name: name.into(),
    };
    names.into_iter().map(target).collect()
}

/// Where a selector selects.
fn place(selector: &Selector) -> (&TargetKind, &str) {
    match selector {
        Selector::Named(target) => (&target.kind, &target.namespace),
        Selector::Labelled {
            kind, namespace, ..
        } => (kind, namespace),
    }
}

impl fmt::Display for Watched {
    /// Writes `gitrepositories.source.toolkit.fluxcd.io/v1`, and the namespace if it is only one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TargetKind {
            group,
            version,
            plural,
            ..
        } = &self.kind;
        write!(f, "{plural}.{group}/{version}")?;
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Targets")
    }
}

#[cfg(test)]
mod tests;
