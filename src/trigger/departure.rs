//! What the watches say is gone: a target that waits for its next try after a failure is tried at once.
//!
//! It is the answer to that try that ends the mark, as it always is; nothing is given up here.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Shared;

/// How long to gather before looking.
const PAUSE: Duration = Duration::from_secs(1);

/// Brings forward what is gone, for ever.
pub(super) async fn run(shared: &Shared) {
    let mut news = shared.targets.news();
    while news.changed().await.is_ok() {
        sleep(PAUSE).await;
        news.mark_unchanged();
        let held = shared.queue().held();
        for target in held {
            if shared.targets.is_gone(&target) {
                tracing::info!(object = %target, "it seems to be gone: tried once more");
                shared.queue().bring_to_now(&target, Instant::now());
                shared.changed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use http::Method;
    use kube::api::DeleteParams;
    use serde_json::json;
    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        hook::{HookTable, ReceiverRef, Selector},
        telemetry::Metrics,
        trigger::{
            Order, Targets, Trigger, WatchScope,
            journal::Journal,
            tests::{
                embedded::{cluster, publish, refusing, repositories},
                plenty,
            },
        },
    };

    #[tokio::test]
    async fn a_forbidden_target_that_goes_away_is_given_up_soon() {
        let cluster = cluster().await;
        let forbids = Arc::new(AtomicBool::new(true));
        let forbidding = Arc::clone(&forbids);
        let client = refusing(cluster.clone(), move |request| {
            let is_refused = request.method() == Method::PATCH && forbidding.load(Ordering::SeqCst);
            is_refused.then_some(403)
        });
        let table = HookTable::default();
        let resources =
            json!([{"kind": "GitRepository", "name": "*", "matchLabels": {"app": "shop"}}]);
        publish(&table, "ci", &resources);
        let targets = Targets::new(client.clone(), table.clone(), WatchScope::Cluster);
        tokio::spawn(targets.clone().run(CancellationToken::new()));
        let folder = tempfile::tempdir().unwrap();
        let opened = Journal::open(folder.path()).unwrap();
        let trigger = Trigger::new(client, targets, opened, plenty(), Metrics::new());
        let (dispatching, following) = (trigger.clone(), trigger.clone());
        tokio::spawn(async move { dispatching.dispatch().await });
        tokio::spawn(async move { following.follow_departures().await });
        let selectors: Vec<Selector> = table.hooks()[0].0.selection().selectors.clone();
        let receiver = ReceiverRef {
            namespace: "default".to_owned(),
            name: "ci".to_owned(),
        };
        let order = Order {
            receiver: &receiver,
            delivery: "1",
            selectors: &selectors,
            rate: None,
        };
        trigger
            .accept(order, Instant::now() + Duration::from_secs(5))
            .await;
        assert!(!trigger.is_done(), "it may be granted later");
        forbids.store(false, Ordering::SeqCst);
        let (repositories, params) = (repositories(&cluster), DeleteParams::default());
        repositories.delete("api", &params).await.unwrap();
        let given_up = async {
            while !trigger.is_done() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), given_up)
            .await
            .expect("long before a quarter of an hour");
    }
}
