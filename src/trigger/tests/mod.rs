//! How triggers behave when the API server is slow, busy, broken or says no.
//!
//! The API server here is a script on the wire, because a real one does not fail on request.

pub(in crate::trigger) mod embedded;

use std::{collections::VecDeque, future::Future};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

use super::*;
use crate::hook::{HookTable, TargetKind};

const PATCHES_AHEAD: usize = 10_000;

/// An API server that answers from a script, and 200 when that is over.
#[derive(Clone)]
struct Server(Arc<Script>);

struct Script {
    /// `METHOD path?query` of each request, as soon as it arrives.
    seen: watch::Sender<Vec<String>>,
    in_flight: watch::Sender<usize>,
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
            gate: Semaphore::new(permits),
            answers: Mutex::new(answers.into_iter().collect()),
        }))
    }

    fn trigger(&self) -> Trigger {
        let server = self.clone();
        let service = service_fn(move |request| server.clone().answer(request));
        let client = kube::Client::new(service, "default");
        let targets = Targets::new(client.clone(), HookTable::default(), WatchScope::Cluster);
        Trigger::new(client, targets, Metrics::new())
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let line = format!("{} {}", request.method(), request.uri());
        self.0.seen.send_modify(|seen| seen.push(line));
        self.0.in_flight.send_modify(|count| *count += 1);
        self.0.gate.acquire().await?.forget();
        self.0.in_flight.send_modify(|count| *count -= 1);
        let answer = self.0.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| status(200, json!({})));
        let mut response = Response::builder().status(answer.code);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        Ok(response.body(Body::from(answer.body.to_string().into_bytes()))?)
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

fn target(name: &str) -> Target {
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

fn spawn_trigger(trigger: &Trigger, name: &str) -> tokio::task::JoinHandle<Report> {
    let (trigger, selector) = (trigger.clone(), named(name));
    tokio::spawn(async move { trigger.trigger(&[selector], soon()).await })
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
        let report = server.trigger().trigger(&[named("web")], soon()).await;
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
        let first = spawn_trigger(&trigger, "web");
        server.sees(1).await;
        let others: Vec<_> = (0..1000).map(|_| spawn_trigger(&trigger, "web")).collect();
        let waiting = || trigger.0.slots()[&target("web")].progress.receiver_count();
        until(|| waiting() == 1001).await;
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
fn an_idle_target_takes_no_memory() {
    run(async {
        let server = Server::new(PATCHES_AHEAD, [status(500, json!({}))]);
        let trigger = server.trigger();
        trigger.trigger(&[named("web"), named("api")], soon()).await;
        trigger.drain().await;
        assert!(trigger.0.slots().is_empty());
    });
}

#[test]
fn a_caller_who_leaves_does_not_stop_the_work() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let caller = spawn_trigger(&trigger, "web");
        server.sees(1).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        server.open();
        trigger.drain().await;
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
        let report = trigger.trigger(&[named("web")], deadline).await;
        assert_eq!(Instant::now().duration_since(deadline).as_millis(), 0);
        assert_eq!(report.verdict(), Verdict::Unfinished);
        assert_eq!(
            report.entries[0].to_string(),
            "GitRepository/apps/web: `GitRepository/apps/web` was not patched in time"
        );
    });
}

#[test]
fn a_connection_that_hangs_does_not_hold_the_target() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let report = trigger.trigger(&[named("web")], soon()).await;
        assert_eq!(report.verdict(), Verdict::Unfinished);
        trigger.drain().await;
        assert!(trigger.0.slots().is_empty());
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
        let report = server.trigger().trigger(&[named("web")], soon()).await;
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
        let report = server.trigger().trigger(&[named("web")], soon()).await;
        assert_eq!(report.verdict(), Verdict::Unfinished);
        assert_eq!(report.retry_after(), Some(Duration::from_secs(25)));
        assert!(before.elapsed() < Duration::from_secs(1));
        assert_eq!(server.seen().len(), 1);
    });
}

#[test]
fn a_broken_api_server_is_asked_twice() {
    run(async {
        let answers = [status(503, json!({})), status(500, json!({}))];
        let server = Server::new(PATCHES_AHEAD, answers);
        let report = server.trigger().trigger(&[named("web")], soon()).await;
        assert_eq!(report.verdict(), Verdict::Unfinished);
        assert_eq!(server.seen().len(), 2);
    });
}

#[test]
fn one_bad_target_does_not_stop_the_others() {
    run(async {
        let missing = json!({"kind": "Status", "code": 404, "details": {"name": "gone"}});
        let server = Server::new(PATCHES_AHEAD, [status(404, missing)]);
        let selectors = [named("gone"), named("web"), named("../x"), named("web")];
        let report = server.trigger().trigger(&selectors, soon()).await;
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
fn no_more_than_thirty_two_requests_are_in_flight() {
    run(async {
        let server = Server::new(0, []);
        let trigger = server.trigger();
        let selectors: Vec<_> = (0..100).map(|i| named(&format!("web-{i}"))).collect();
        let work = tokio::spawn(async move { trigger.trigger(&selectors, soon()).await });
        server.sees(MAX_IN_FLIGHT).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*server.0.in_flight.borrow(), MAX_IN_FLIGHT);
        server.open();
        assert_eq!(work.await.unwrap().entries.len(), 100);
    });
}
