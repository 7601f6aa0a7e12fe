//! Tells Receivers, in an annotation, which of their targets may not be triggered and what to grant.
//!
//! What the API server says of rights and what came of patches both count. It comes last in line: nothing waits for it,
//! and it waits for everything that is due.

mod ask;
mod notices;
mod rights;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

pub(super) use self::{notices::Access, rights::Question};
use self::{
    notices::{Notices, Standing, Step},
    rights::Rights,
};
use super::{
    Shared,
    failure::{Failure, Verb, grant},
};
use crate::{
    api::denied::DeniedTargets,
    hook::{Hook, HookTable, ReceiverRef, Selector, Target},
};

/// How long to gather before looking, and between two looks whether there is room in the budget.
const PAUSE: Duration = Duration::from_secs(1);
/// About how many objects that one selection by labels selects the API server is asked, if it must be asked about each;
/// of the others a push tells.
const MAX_SELECTED: usize = 64;

/// What was seen of permissions; the queue and the watches know what is denied now.
#[derive(Debug, Default)]
pub(super) struct Denied {
    changed: Arc<Notify>,
    /// Receivers may name other targets than before.
    renamed: Arc<Notify>,
    evidence: Mutex<Evidence>,
    rights: Mutex<Rights>,
}

#[derive(Debug, Default)]
struct Evidence {
    /// The targets that some Receiver says are denied.
    told: HashSet<String>,
    /// When one of them last worked.
    worked: HashMap<String, Instant>,
}

/// What is to be written to a Receiver.
type Write = (ReceiverRef, Option<String>);

impl Denied {
    /// Takes note of what came of a patch.
    pub(super) fn note(&self, target: &Target, result: &Result<(), Failure>) {
        match result {
            Err(Failure::Forbidden { .. }) => self.changed.notify_one(),
            Err(_) => {}
            Ok(()) => {
                let mut evidence = self.evidence();
                if evidence.told.is_empty() {
                    return;
                }
                let target = target.to_string();
                if evidence.told.contains(&target) {
                    evidence.worked.insert(target, Instant::now());
                    self.changed.notify_one();
                }
            }
        }
    }

    /// What is known of a target that is told or named: what came of the last patch, or what the API server says.
    fn access(&self, target: &Target, selector: &Selector) -> Access {
        let worked = self.evidence().worked.get(&target.to_string()).copied();
        match (worked, self.rights().of(target)) {
            (Some(worked), Some((_, said))) if worked > said => Access::Granted { at: worked },
            (_, Some((false, _))) => Access::Denied {
                grant: grant(Verb::Patch, selector),
            },
            (_, Some((true, said))) => Access::Granted { at: said },
            (worked, None) => worked.map_or(Access::Unknown, |at| Access::Granted { at }),
        }
    }

    fn rights(&self) -> MutexGuard<'_, Rights> {
        self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evidence(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the annotations of the Receivers in `table` as they should be, for ever.
pub(super) async fn run(shared: &Shared, table: &HookTable) {
    let changed = Arc::clone(&shared.denied.changed);
    let renamed = Arc::clone(&shared.denied.renamed);
    table.on_change(move || {
        changed.notify_one();
        renamed.notify_one();
    });
    tokio::join!(tell_changes(shared, table), ask::run(shared, table));
}

async fn tell_changes(shared: &Shared, table: &HookTable) {
    let mut news = shared.targets.news();
    let mut notices = Notices::default();
    let mut later = None;
    loop {
        select! {
            () = shared.denied.changed.notified() => {}
            Ok(()) = news.changed() => {}
            () = at(later) => {}
        }
        sleep(PAUSE).await;
        let (writes, next) = review(shared, table, &mut notices, Instant::now());
        later = next;
        for write in writes {
            tell(shared, write).await;
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// What is to be written now, and when to look again.
fn review(
    shared: &Shared,
    table: &HookTable,
    notices: &mut Notices,
    now: Instant,
) -> (Vec<Write>, Option<Instant>) {
    let hooks = table.hooks();
    let forbidden = shared.queue().forbidden();
    let (mut writes, mut later) = (Vec::new(), None::<Instant>);
    for (hook, told) in &hooks {
        let standing = Standing {
            receiver: hook.receiver(),
            told: told.as_deref(),
            access: access(shared, &forbidden, hook, told.as_deref()),
        };
        match notices.review(&standing, now) {
            Step::Nothing => {}
            Step::Write(annotation) => writes.push((hook.receiver().clone(), annotation)),
            Step::Later(at) => later = Some(later.map_or(at, |later| later.min(at))),
        }
    }
    notices.keep(&hooks.iter().map(|(hook, _)| hook.receiver()).collect());
    let mut evidence = shared.denied.evidence();
    evidence.told = notices.told();
    let Evidence { told, worked } = &mut *evidence;
    worked.retain(|target, _| told.contains(target));
    (writes, later)
}

/// What is known of the targets of a hook that are denied, or that its Receiver says are.
fn access(
    shared: &Shared,
    forbidden: &HashSet<Arc<Target>>,
    hook: &Hook,
    told: Option<&DeniedTargets>,
) -> BTreeMap<String, Access> {
    let mut access = BTreeMap::new();
    for (position, selector) in hook.selection().selectors.iter().enumerate() {
        let watching = shared.targets.access(selector);
        match selector {
            Selector::Named(target)
                if hook.filters(position) && matches!(watching, Access::Denied { .. }) =>
            {
                access.insert(target.to_string(), watching);
            }
            Selector::Named(target) if forbidden.contains(target) => {
                access.insert(
                    target.to_string(),
                    Access::Denied {
                        grant: grant(Verb::Patch, selector),
                    },
                );
            }
            Selector::Named(target) => {
                let known = shared.denied.access(target, selector);
                let is_denied = matches!(known, Access::Denied { .. });
                let target = target.to_string();
                if is_denied || is_told(told, &target) {
                    access.insert(target, known);
                }
            }
            Selector::Labelled { .. } => {
                selected(shared, forbidden, selector, told, &mut access);
            }
        }
    }
    access
}

/// The same for a selection by labels: the kind as a whole, and the objects.
fn selected(
    shared: &Shared,
    forbidden: &HashSet<Arc<Target>>,
    selector: &Selector,
    told: Option<&DeniedTargets>,
    access: &mut BTreeMap<String, Access>,
) {
    let Selector::Labelled {
        kind,
        namespace,
        labels,
    } = selector
    else {
        return;
    };
    let folder = format!("{}/{namespace}/", kind.kind);
    let whole = format!("{folder}*");
    let known = shared.targets.access(selector);
    if matches!(known, Access::Denied { .. }) || is_told(told, &whole) {
        access.insert(whole, known);
    }
    let known = shared.targets.known(selector).into_iter();
    let said = known.take(MAX_SELECTED).filter(|target| {
        let access = shared.denied.access(target, selector);
        matches!(access, Access::Denied { .. })
    });
    let refused = forbidden.iter().filter(|target| {
        let is_of_kind = target.kind == *kind && target.namespace == *namespace;
        is_of_kind && shared.targets.carries(target, labels)
    });
    for target in said.chain(refused.map(|target| Target::clone(target))) {
        let grant = grant(Verb::Patch, selector);
        access.insert(target.to_string(), Access::Denied { grant });
    }
    for (told, _) in told.into_iter().flat_map(DeniedTargets::iter) {
        let Some(name) = told
            .strip_prefix(&folder)
            .filter(|_| !access.contains_key(told))
        else {
            continue;
        };
        let target = Target {
            kind: kind.clone(),
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        if shared.targets.carries(&target, labels) {
            access.insert(told.to_owned(), shared.denied.access(&target, selector));
        }
    }
}

fn is_told(told: Option<&DeniedTargets>, target: &str) -> bool {
    told.is_some_and(|told| told.iter().any(|(told, _)| told == target))
}

/// Writes one annotation when nothing else is due.
async fn tell(shared: &Shared, (receiver, annotation): Write) {
    while !shared.queue().is_idle(Instant::now()) {
        sleep(PAUSE).await;
    }
    shared.budget.draw().await;
    match shared
        .requests
        .tell_denied(&receiver, annotation.as_deref())
        .await
    {
        Ok(()) => tracing::info!(%receiver, denied = annotation, "told which targets are denied"),
        Err(failure) => tracing::warn!(
            %receiver,
            reason = failure.reason(),
            "could not tell which targets are denied"
        ),
    }
}

#[cfg(test)]
mod tests;
