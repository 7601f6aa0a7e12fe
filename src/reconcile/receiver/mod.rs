//! The Receiver controller: every replica keeps its table of hooks, the leader keeps the status.
//!
//! It serves no delivery; the ingress reads the table that is filled here.

mod act;
mod context;
mod decide;
mod foresight;
mod load;
mod options;
mod record;
mod roster;
mod status;
mod watch;

pub use foresight::{Foresight, foresee};
pub use options::{ReceiverOptions, ReceiverStatusWriting, Scope};

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex},
};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use kube::{
    Client, Resource,
    runtime::{
        applier,
        controller::{Action, Config},
        reflector::{self, Store},
    },
};
use tokio::{sync::watch as value, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{
    context::Context,
    decide::{Outcome, decide},
    watch::{Guarded, object_ref},
};
use crate::{
    hook::{HookTable, ReceiverRef},
    telemetry::Metrics,
};

/// Reconciles all Receivers of a scope.
pub struct ReceiverController {
    context: Arc<Context>,
    nudges: mpsc::UnboundedReceiver<ReceiverRef>,
}

impl ReceiverController {
    /// Makes a controller that fills `table`, and writes while `leading` is true; see [`super::leader`].
    #[must_use]
    pub fn new(
        client: Client,
        table: HookTable,
        metrics: Metrics,
        leading: value::Receiver<bool>,
        options: ReceiverOptions,
    ) -> Self {
        let (nudge, nudges) = mpsc::unbounded();
        let context = Context {
            client,
            table,
            metrics,
            leading,
            options,
            roster: Mutex::default(),
            is_listed: value::Sender::new(false),
            synced: value::Sender::new(false),
            nudge,
        };
        Self {
            context: Arc::new(context),
            nudges,
        }
    }

    /// Becomes true, and stays so, when every Receiver of the first list is in the table.
    #[must_use]
    pub fn synced(&self) -> value::Receiver<bool> {
        self.context.synced.subscribe()
    }

    /// Reconciles until `shutdown`, and ends what it is at.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { context, nudges } = self;
        let (store, writer) = reflector::store();
        let options = &context.options;
        let due = stream::select_all([
            watch::receivers(Arc::clone(&context), writer, &options.scope).boxed(),
            due_by_secret(&context, &store),
            watch::leadership(context.leading.clone(), store.clone()).boxed(),
            nudges.boxed(),
        ]);
        let queue = due
            .map(|receiver| Ok::<_, Infallible>(object_ref(&receiver)))
            .take_until(shutdown.clone().cancelled_owned());
        let stillborn = told_to_end_before_the_first_list(store.clone(), shutdown);
        let believing = Arc::clone(&context);
        let believing = async move { believing.believe().await };
        let config = Config::default().concurrency(options.concurrency);
        let on_error = |_: Arc<Guarded>, error: &Infallible, _: Arc<Context>| match *error {};
        let reconcile = |object, context| reconcile(object, context).boxed();
        let reconciling = applier(reconcile, on_error, context, store, queue, config)
            .for_each(|_| std::future::ready(()));
        tokio::select! {
            () = reconciling => {}
            () = stillborn => {}
            () = believing.then(|()| std::future::pending()) => {}
        }
    }
}

/// The machinery waits for its first list even when it is told to end; nothing is at work until then.
async fn told_to_end_before_the_first_list(store: Store<Guarded>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    if store.wait_until_ready().now_or_never().is_some() {
        std::future::pending::<()>().await;
    }
}

fn due_by_secret(
    context: &Arc<Context>,
    store: &Store<Guarded>,
) -> BoxStream<'static, ReceiverRef> {
    let options = &context.options;
    match &options.secret_selector {
        Some(selector) => {
            let context = Arc::clone(context);
            watch::secrets(context, store.clone(), &options.scope, selector).boxed()
        }
        None => stream::empty().boxed(),
    }
}

/// The four steps, for one Receiver.
async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Infallible> {
    let started = Instant::now();
    let receiver = ReceiverRef::of(object.meta());

    let reading = context.load(&object).await;
    let remembered = context.roster().remembered(&receiver);
    let now = Timestamp::now();
    let mut decision = decide(&object, reading, remembered, context.options.policy, now);
    let Some(standing) = context.act(&receiver, &mut decision) else {
        return Ok(Action::await_change());
    };
    let is_recorded = context.record(&object, &decision, &standing).await;

    let ReceiverRef { namespace, name } = &receiver;
    let (metrics, took) = (&context.metrics, started.elapsed());
    metrics.reconciliation("Receiver", namespace, name, took);
    // Its end may have been seen meanwhile, and then nobody else takes away what was just counted.
    if decision.outcome == Outcome::Deleting || !context.roster().contains(&receiver) {
        metrics.forget_receiver(namespace, name);
    }
    Ok(context.next(&object, &decision, is_recorded, now))
}

impl fmt::Debug for ReceiverController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiverController")
    }
}

#[cfg(test)]
mod tests;
