//! Receivers whose targets are forbidden for a while: what is written to them, and when.
//!
//! The API server is a script, with the embedded control plane behind it where objects are selected; what it does with
//! the annotation is shown by the tests of the controller.

use std::num::NonZeroU32;

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::{
    api::{Patch, PatchParams},
    client::Body,
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

use super::*;
use crate::{
    api::annotations::DENIED_TARGETS,
    hook::{Entry, Listing},
    telemetry::Metrics,
    trigger::{
        Budget, Journal, Order, Rate, Report, Targets, Trigger, WatchScope,
        tests::embedded::{cluster, publish, repositories},
    },
};

/// An API server that forbids targets, and keeps what is written to Receivers.
#[derive(Clone)]
struct Server {
    forbids: watch::Sender<bool>,
    /// What it says when it is asked; nothing when it does not answer.
    says: watch::Sender<Option<bool>>,
    /// What has the objects, if there are any.
    objects: Option<kube::Client>,
    /// When each annotation was written, and its value.
    written: watch::Sender<Vec<(Instant, Option<String>)>>,
}

impl Server {
    fn new(objects: Option<kube::Client>) -> Self {
        Self {
            forbids: watch::Sender::new(true),
            says: watch::Sender::new(None),
            objects,
            written: watch::Sender::default(),
        }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let asked = request.uri().path().to_owned();
        let is_receiver = asked.ends_with("/receivers/ci");
        let is_review = asked.ends_with("/selfsubjectaccessreviews");
        if let Some(objects) = self.objects.filter(|_| request.method() == Method::GET) {
            return Ok(objects.send(request).await?);
        }
        let patch = request.into_body().collect().await?.to_bytes();
        if is_receiver {
            let patch: Value = serde_json::from_slice(&patch)?;
            let value = &patch["metadata"]["annotations"][DENIED_TARGETS];
            let write = (Instant::now(), value.as_str().map(ToOwned::to_owned));
            self.written.send_modify(|written| written.push(write));
        }
        if is_review && let Some(is_allowed) = *self.says.borrow() {
            let review = json!({"status": {"allowed": is_allowed}});
            let body = Body::from(review.to_string().into_bytes());
            return Ok(Response::new(body));
        }
        let code = if *self.forbids.borrow() && !is_receiver {
            403
        } else {
            200
        };
        let body = Body::from(json!({"code": code}).to_string().into_bytes());
        Ok(Response::builder().status(code).body(body)?)
    }

    /// The annotation of this write, the first being 0.
    async fn written(&self, index: usize) -> (Instant, Option<String>) {
        let mut written = self.written.subscribe();
        let written = written.wait_for(|written| written.len() > index).await;
        written.unwrap()[index].clone()
    }
}

struct Bench {
    server: Server,
    table: HookTable,
    trigger: Trigger,
}

impl Bench {
    /// One Receiver with one target, which is forbidden.
    fn new() -> Self {
        Self::with(&json!([{"kind": "GitRepository", "name": "web"}]))
    }

    fn with(resources: &Value) -> Self {
        Self::of(Server::new(None), resources)
    }

    fn of(server: Server, resources: &Value) -> Self {
        let wire = server.clone();
        let service = service_fn(move |request| wire.clone().answer(request));
        let client = kube::Client::new(service, "default");
        let table = HookTable::default();
        publish(&table, "ci", resources);
        let targets = Targets::new(client.clone(), table.clone(), WatchScope::Cluster);
        tokio::spawn(targets.clone().run(CancellationToken::new()));
        let budget = Budget::new(Rate {
            interval: Duration::from_millis(20),
            burst: NonZeroU32::new(300).unwrap(),
        });
        let trigger = Trigger::new(client, targets, Journal::off(), budget, Metrics::new());
        let (dispatching, telling, told) = (trigger.clone(), trigger.clone(), table.clone());
        tokio::spawn(async move { dispatching.dispatch().await });
        tokio::spawn(async move { telling.tell_denied(&told).await });
        Self {
            server,
            table,
            trigger,
        }
    }

    async fn push(&self) -> Report {
        let (hook, _) = self.table.hooks().remove(0);
        let order = Order {
            receiver: hook.receiver(),
            delivery: "1",
            selectors: &hook.selection().selectors,
            rate: None,
        };
        let deadline = Instant::now() + Duration::from_secs(2);
        self.trigger.accept(order, deadline).await
    }

    /// What the controller does when it sees the annotation.
    fn show(&self, annotation: Option<&str>) {
        let (hook, _) = self.table.hooks().remove(0);
        let listing = Listing {
            paths: vec![hook.path(None).into()],
            created: 0,
            entry: Entry::Open(Arc::clone(&hook)),
            denied: annotation.and_then(DeniedTargets::parse).map(Arc::new),
        };
        self.table.publish(hook.receiver(), &listing);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_target_is_told_until_it_works() {
    let bench = Bench::new();
    bench.push().await;
    let (first, annotation) = bench.server.written(0).await;
    let annotation = annotation.unwrap();
    assert_eq!(
        annotation,
        r#"{"GitRepository/default/web":"patch on gitrepositories.source.toolkit.fluxcd.io"}"#
    );
    bench.show(Some(&annotation));
    bench.push().await;
    bench.server.forbids.send_replace(false);
    bench.push().await;
    let (second, annotation) = bench.server.written(1).await;
    assert_eq!(annotation, None);
    assert!(
        second - first >= Duration::from_mins(1),
        "{:?}",
        second - first
    );
    bench.show(None);
    bench.push().await;
    sleep_until(second + Duration::from_hours(1)).await;
    assert_eq!(bench.server.written.borrow().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_another_gateway_told_stays_until_it_works_here() {
    let bench = Bench::new();
    bench.server.forbids.send_replace(false);
    bench.push().await;
    bench.show(Some(r#"{"GitRepository/default/web":"patch"}"#));
    sleep_until(Instant::now() + Duration::from_hours(1)).await;
    assert!(bench.server.written.borrow().is_empty());
    bench.push().await;
    assert_eq!(bench.server.written(0).await.1, None);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_watched_is_told_without_a_push() {
    let labelled = json!([{"kind": "GitRepository", "name": "*", "matchLabels": {"app": "web"}}]);
    let bench = Bench::with(&labelled);
    let (_, annotation) = bench.server.written(0).await;
    let expected = json!({
        "GitRepository/default/*": "list and watch on gitrepositories.source.toolkit.fluxcd.io"
    });
    assert_eq!(annotation.unwrap(), expected.to_string());
}

#[tokio::test]
async fn what_comes_to_be_selected_and_may_not_be_patched_is_told_without_a_push() {
    let labelled = json!([{"kind": "GitRepository", "name": "*", "matchLabels": {"app": "web"}}]);
    let cluster = cluster().await;
    let server = Server::new(Some(cluster.clone()));
    server.says.send_replace(Some(false));
    let bench = Bench::of(server, &labelled);
    let labels = json!({"metadata": {"labels": {"app": "web"}}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(labels));
    let labelled = repositories(&cluster).patch("web", &params, &patch).await;
    labelled.unwrap();
    let told = timeout(Duration::from_secs(30), bench.server.written(0)).await;
    let (_, annotation) = told.expect("nobody pushes");
    let expected = json!({
        "GitRepository/default/web": "patch on gitrepositories.source.toolkit.fluxcd.io"
    });
    assert_eq!(annotation.unwrap(), expected.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_may_not_be_patched_is_told_without_a_push_until_it_may() {
    let bench = Bench::new();
    bench.server.says.send_replace(Some(false));
    let (first, annotation) = bench.server.written(0).await;
    let annotation = annotation.unwrap();
    assert_eq!(
        annotation,
        r#"{"GitRepository/default/web":"patch on gitrepositories.source.toolkit.fluxcd.io"}"#
    );
    bench.show(Some(&annotation));
    bench.server.says.send_replace(Some(true));
    let (second, annotation) = bench.server.written(1).await;
    assert_eq!(annotation, None);
    assert!(second - first < Duration::from_mins(6));
    bench.show(None);
    sleep_until(second + Duration::from_hours(3)).await;
    assert_eq!(bench.server.written.borrow().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_push_shows_counts_more_than_what_was_said_before() {
    let bench = Bench::new();
    bench.server.says.send_replace(Some(true));
    bench.push().await;
    let (_, annotation) = bench.server.written(0).await;
    assert!(annotation.is_some(), "it is forbidden all the same");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_a_filter_looks_at_and_may_not_be_watched_is_told_with_the_target() {
    let filtered = json!([{"kind": "GitRepository", "name": "web", "filter": "true"}]);
    let bench = Bench::with(&filtered);
    let (_, annotation) = bench.server.written(0).await;
    let expected = json!({
        "GitRepository/default/web": "list and watch on gitrepositories.source.toolkit.fluxcd.io"
    });
    assert_eq!(annotation.unwrap(), expected.to_string());
}
