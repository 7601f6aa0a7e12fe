//! How triggers behave when the API server is slow, busy, broken or says no.
//!
//! The API server here is a script on the wire, because a real one does not fail on request.

mod durable;
pub(in crate::trigger) mod embedded;

use std::{collections::VecDeque, future::Future, num::NonZeroU32};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tower::{BoxError, service_fn};

use super::{queue::MAX_IN_FLIGHT, *};
use crate::{
    api::annotations::REQUESTED_AT,
    hook::{HookTable, TargetKind},
};

const PATCHES_AHEAD: usize = 10_000;

/// An API server that answers from a script, and 200 when that is over.
#[derive(Clone)]
struct Server(Arc<Script>);

struct Script {
    /// `METHOD path?query` of each request, as soon as it arrives.
    seen: watch::Sender<Vec<String>>,
    in_flight: watch::Sender<usize>,
    /// The values that the patches wrote.
    annotations: Mutex<Vec<String>>,
    /// One permit lets one request be answered.
    gate: Semaphore,
    answers: Mutex<VecDeque<Answer>>,
}

struct Answer {
    code: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Value,
}

impl Server {
    fn new(permits: usize, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self(Arc::new(Script {
            seen: watch::Sender::default(),
            in_flight: watch::Sender::default(),
            annotations: Mutex::default(),
            gate: Semaphore::new(permits),
            answers: Mutex::new(answers.into_iter().collect()),
        }))
    }

    /// A trigger without a journal, and with a budget that is never in the way.
    fn trigger(&self) -> Trigger {
        self.trigger_with(Journal::off(), &plenty())
    }

    fn trigger_with(&self, opened: Opened, budget: &Budget) -> Trigger {
        self.dispatching(opened, budget).0
    }

    fn dispatching(&self, opened: Opened, budget: &Budget) -> (Trigger, JoinHandle<()>) {
        let trigger = self.idle(opened, budget);
        let dispatcher = trigger.clone();
        let dispatching = tokio::spawn(async move { dispatcher.dispatch().await });
        (trigger, dispatching)
    }

    /// A trigger that sends nothing yet.
    fn idle(&self, opened: Opened, budget: &Budget) -> Trigger {
        let client = self.client();
        let targets = Targets::new(client.clone(), HookTable::default(), WatchScope::Cluster);
        Trigger::new(client, targets, opened, budget.clone(), Metrics::new())
    }

    fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = service_fn(move |request| server.clone().answer(request));
        kube::Client::new(service, "default")
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let line = format!("{} {}", request.method(), request.uri());
        self.0.seen.send_modify(|seen| seen.push(line));
        self.0.in_flight.send_modify(|count| *count += 1);
        self.0.gate.acquire().await?.forget();
        self.0.in_flight.send_modify(|count| *count -= 1);
        let answer = self.0.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| status(200, json!({})));
        if answer.code == 200 {
            self.annotate(request).await?;
        }
        let mut response = Response::builder().status(answer.code);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        Ok(response.body(Body::from(answer.body.to_string().into_bytes()))?)
    }

    async fn annotate(&self, request: Request<Body>) -> Result<(), BoxError> {
        let bytes = request.into_body().collect().await?.to_bytes();
        let patch: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(value) = patch["metadata"]["annotations"][REQUESTED_AT].as_str() {
            let mut annotations = self.0.annotations.lock().unwrap();
            annotations.push(value.to_owned());
        }
        Ok(())
    }

    fn annotations(&self) -> Vec<String> {
        self.0.annotations.lock().unwrap().clone()
    }

    async fn sees(&self, count: usize) {
        let mut seen = self.0.seen.subscribe();
        seen.wait_for(|seen| seen.len() >= count).await.unwrap();
    }

    fn seen(&self) -> Vec<String> {
        self.0.seen.borrow().clone()
    }

    fn open(&self) {
        self.0.gate.add_permits(PATCHES_AHEAD);
    }
}

fn status(code: u16, body: Value) -> Answer {
    Answer {
        code,
        headers: vec![],
        body,
    }
}

/// A repository in the namespace `apps`.
pub(in crate::trigger) fn target(name: &str) -> Target {
    Target {
        kind: TargetKind {
            group: "source.toolkit.fluxcd.io".to_owned(),
            version: "v1".to_owned(),
            kind: "GitRepository".to_owned(),
            plural: "gitrepositories".to_owned(),
        },
        namespace: "apps".to_owned(),
        name: name.to_owned(),
    }
}

fn named(name: &str) -> Selector {
    Selector::Named(target(name))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub(in crate::trigger) fn plenty() -> Budget {
    budget(Duration::from_micros(1), 1000)
}

fn budget(interval: Duration, burst: u32) -> Budget {
    let burst = NonZeroU32::new(burst).unwrap();
    Budget::new(Rate { interval, burst })
}

fn receiver() -> ReceiverRef {
    ReceiverRef {
        namespace: "apps".to_owned(),
        name: "ci".to_owned(),
    }
}

async fn accept_until(trigger: &Trigger, selectors: &[Selector], deadline: Instant) -> Report {
    let order = Order {
        receiver: &receiver(),
        delivery: "5d3f6a80",
        selectors,
        rate: None,
    };
    trigger.accept(order, deadline).await
}

async fn accept(trigger: &Trigger, selectors: &[Selector]) -> Report {
    accept_until(trigger, selectors, soon()).await
}

fn spawn_accept(trigger: &Trigger, name: &str) -> JoinHandle<Report> {
    let (trigger, selector) = (trigger.clone(), named(name));
    tokio::spawn(async move { accept(&trigger, &[selector]).await })
}

/// Waits until a number of targets is pending.
async fn pending(trigger: &Trigger, count: usize) {
    until(|| trigger.0.queue().load(Instant::now()).pending == count).await;
}

async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::task::yield_now().await;
    }
}

/// Runs on a clock that jumps ahead whenever nothing else can happen.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn the_patch_sets_one_annotation_and_nothing_else() {
    run(async {
        let server = Server::new(1, []);
        let report = accept(&server.trigger(), &[named("web")]).await;
        assert_eq!(report.verdict(), Verdict::AllDone);
        assert_eq!(
            server.seen(),
            [
                "PATCH /apis/source.toolkit.fluxcd.io/v1/namespaces/apps/gitrepositories/web?&fieldManager=hookgate"
            ]
        );
        let Outcome::Done { requested_at } = &report.entries[0].outcome else {
            panic!("{report:?}");
        };
        let fraction = requested_at.split_once('.').unwrap().1;
        assert_eq!(fraction.len(), "123456789Z".len(), "{requested_at}");
    });
}

#[test]
fn a_thousand_requests_during_a_patch_share_the_next_one() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let first = spawn_accept(&trigger, "web");
        server.sees(1).await;
        let others: Vec<_> = (0..1000).map(|_| spawn_accept(&trigger, "web")).collect();
        let are_waiting = || Arc::strong_count(&trigger.0) >= 1002;
        until(are_waiting).await;
        tokio::task::yield_now().await;
        server.open();
        let first = first.await.unwrap();
        for other in others {
            let other = other.await.unwrap();
            assert_eq!(other.verdict(), Verdict::AllDone);
            assert_ne!(other, first, "answered by a patch that was sent after it");
        }
        assert_eq!(server.seen().len(), 2);
    });
}

#[test]
fn the_end_waits_for_what_can_be_done_soon() {
    run(async {
        let server = Server::new(1, []);
        let (trigger, dispatching) = server.dispatching(Journal::off(), &plenty());
        accept(&trigger, &[named("web")]).await;
        let again = spawn_accept(&trigger, "web");
        pending(&trigger, 1).await;
        trigger.end();
        server.open();
        dispatching.await.unwrap();
        assert_eq!(again.await.unwrap().verdict(), Verdict::AllDone);
    });
}

#[test]
fn the_end_does_not_wait_for_an_api_server_that_is_away() {
    run(async {
        let server = Server::new(0, []);
        let (trigger, dispatching) = server.dispatching(Journal::off(), &plenty());
        let waiting = spawn_accept(&trigger, "web");
        server.sees(1).await;
        let before = Instant::now();
        trigger.end();
        dispatching.await.unwrap();
        assert!(before.elapsed() <= Duration::from_secs(10));
        waiting.abort();
    });
}

#[test]
fn a_caller_who_leaves_does_not_stop_the_work() {
    run(async {
        let server = Server::new(0, []);
        let (trigger, dispatching) = server.dispatching(Journal::off(), &plenty());
        let caller = spawn_accept(&trigger, "web");
        server.sees(1).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        server.open();
        trigger.end();
        dispatching.await.unwrap();
        let done = r#"hookgate_trigger_patches_total{result="done"} 1"#;
        assert!(trigger.0.metrics.encode().contains(done));
    });
}

#[test]
fn at_the_deadline_the_report_says_what_is_not_done() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let deadline = Instant::now() + Duration::from_millis(250);
        let report = accept_until(&trigger, &[named("web")], deadline).await;
        assert_eq!(Instant::now().duration_since(deadline).as_millis(), 0);
        assert_eq!(report.verdict(), Verdict::Unfinished);
        assert_eq!(
            report.entries[0].to_string(),
            "GitRepository/apps/web: `GitRepository/apps/web` was not patched in time, and the journal is turned off"
        );
    });
}

#[test]
fn a_connection_that_hangs_does_not_hold_the_target() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let deadline = Instant::now() + Duration::from_secs(5);
        let report = accept_until(&trigger, &[named("web")], deadline).await;
        assert_eq!(report.verdict(), Verdict::Unfinished);
        server.sees(2).await;
        server.open();
        until(|| trigger.0.queue().load(Instant::now()).pending == 0).await;
    });
}

#[test]
fn a_busy_api_server_is_asked_again_when_it_says() {
    run(async {
        let busy = Answer {
            headers: vec![("retry-after", "3")],
            ..status(429, json!({}))
        };
        let server = Server::new(PATCHES_AHEAD, [busy]);
        let before = Instant::now();
        let report = accept(&server.trigger(), &[named("web")]).await;
        assert_eq!(report.verdict(), Verdict::AllDone);
        assert!(before.elapsed() >= Duration::from_secs(3));
        assert_eq!(server.seen().len(), 2);
    });
}

#[test]
fn a_wait_beyond_the_deadline_is_reported_at_once() {
    run(async {
        let busy = Answer {
            headers: vec![("retry-after", "25")],
            ..status(429, json!({}))
        };
        let server = Server::new(PATCHES_AHEAD, [busy]);
        let before = Instant::now();
        let report = accept(&server.trigger(), &[named("web")]).await;
        assert_eq!(report.verdict(), Verdict::Unfinished);
        assert_eq!(report.retry_after(), Some(Duration::from_secs(25)));
        assert!(before.elapsed() < Duration::from_secs(1));
        assert_eq!(server.seen().len(), 1);
    });
}

#[test]
fn a_broken_api_server_is_asked_until_it_works() {
    run(async {
        let answers = [503, 500, 504].map(|code| status(code, json!({})));
        let server = Server::new(PATCHES_AHEAD, answers);
        let report = accept(&server.trigger(), &[named("web")]).await;
        assert_eq!(report.verdict(), Verdict::AllDone);
        assert_eq!(server.seen().len(), 4);
    });
}

#[test]
fn one_bad_target_does_not_stop_the_others() {
    run(async {
        let missing = json!({"kind": "Status", "code": 404, "details": {"name": "gone"}});
        let server = Server::new(PATCHES_AHEAD, [status(404, missing)]);
        let selectors = [named("gone"), named("web"), named("../x"), named("web")];
        let report = accept(&server.trigger(), &selectors).await;
        assert_eq!(report.verdict(), Verdict::SomeDone);
        let lines: Vec<_> = report.entries.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "GitRepository/apps/gone: `GitRepository/apps/gone` does not exist: create it, or correct it in `spec.resources`",
                "GitRepository/apps/web: done",
                "GitRepository/apps/../x: `../x` of a `GitRepository` is not a name that Kubernetes accepts: correct it in `spec.resources`",
            ]
        );
        assert_eq!(
            server.seen().len(),
            2,
            "the last is never sent, the double once"
        );
    });
}

#[test]
fn no_more_than_a_handful_of_requests_are_in_flight() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let selectors: Vec<_> = (0..100).map(|i| named(&format!("web-{i}"))).collect();
        let work = tokio::spawn(async move { accept(&trigger, &selectors).await });
        server.sees(MAX_IN_FLIGHT).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*server.0.in_flight.borrow(), MAX_IN_FLIGHT);
        server.open();
        assert_eq!(work.await.unwrap().verdict(), Verdict::AllDone);
    });
}

#[test]
fn patches_keep_to_the_budget() {
    run(async {
        let server = Server::new(PATCHES_AHEAD, []);
        let budget = budget(Duration::from_millis(100), 10);
        let trigger = server.trigger_with(Journal::off(), &budget);
        budget.draw().await;
        let before = Instant::now();
        let selectors: Vec<_> = (0..29).map(|i| named(&format!("web-{i}"))).collect();
        let report = accept(&trigger, &selectors).await;
        assert_eq!(report.verdict(), Verdict::AllDone);
        assert_eq!(before.elapsed().as_millis(), 2000);
    });
}

#[test]
fn the_metrics_show_what_is_pending_and_how_much_budget_is_left() {
    run(async {
        let server = Server::new(0, []);
        let budget = budget(Duration::from_mins(1), 10);
        let trigger = server.trigger_with(Journal::off(), &budget);
        let _waiting = spawn_accept(&trigger, "web");
        server.sees(1).await;
        tokio::time::advance(Duration::from_secs(3)).await;
        let text = trigger.0.metrics.encode();
        for line in [
            "hookgate_trigger_pending_targets 1",
            "hookgate_trigger_oldest_pending_seconds 3.0",
            "hookgate_trigger_budget_tokens 9",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
    });
}
