//! Receivers that are told of their last trigger: what is written to them, when, and what goes before.
//!
//! The API server is a script; what gateways agree on among themselves is tested in `news`.

use std::num::NonZeroU32;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

use crate::{
    api::annotations::LAST_TRIGGER,
    telemetry::Metrics,
    trigger::{
        Budget, Journal, Order, Rate, Targets, Trigger, WatchScope, tests::embedded::publish,
    },
};

use super::*;

/// What was asked of the API server: when, and the value of the annotation if it was a Receiver's.
type Asked = Vec<(Instant, Option<String>)>;

/// An API server that answers every request with the same status.
#[derive(Clone)]
struct Server {
    code: watch::Sender<u16>,
    asked: watch::Sender<Asked>,
}

impl Server {
    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let is_receiver = request.uri().path().ends_with("/receivers/ci");
        let patch = request.into_body().collect().await?.to_bytes();
        let patch: Value = serde_json::from_slice(&patch)?;
        let value = patch["metadata"]["annotations"][LAST_TRIGGER].as_str();
        assert_eq!(value.is_some(), is_receiver);
        let asked = (Instant::now(), value.map(ToOwned::to_owned));
        self.asked.send_modify(|all| all.push(asked));
        let code = if is_receiver {
            *self.code.borrow()
        } else {
            200
        };
        let body = Body::from(json!({"code": code}).to_string().into_bytes());
        Ok(Response::builder().status(code).body(body)?)
    }

    /// What has been written to the Receiver, and when.
    fn written(&self) -> Vec<(Instant, LastTrigger)> {
        let asked = self.asked.borrow();
        let written = asked.iter().filter_map(|(at, value)| {
            let last = LastTrigger::parse(value.as_deref()?)?;
            Some((*at, last))
        });
        written.collect()
    }
}

struct Bench {
    server: Server,
    table: HookTable,
    trigger: Trigger,
}

impl Bench {
    /// One Receiver with one target, and a budget that saves up so many requests.
    fn new(burst: u32) -> Self {
        let server = Server {
            code: watch::Sender::new(200),
            asked: watch::Sender::default(),
        };
        let wire = server.clone();
        let service = service_fn(move |request| wire.clone().answer(request));
        let client = kube::Client::new(service, "default");
        let table = HookTable::default();
        publish(
            &table,
            "ci",
            &json!([{"kind": "GitRepository", "name": "web"}]),
        );
        let targets = Targets::new(client.clone(), table.clone(), WatchScope::Cluster);
        tokio::spawn(targets.clone().run(CancellationToken::new()));
        let budget = Budget::new(Rate {
            interval: Duration::from_secs(10),
            burst: NonZeroU32::new(burst).unwrap(),
        });
        let trigger = Trigger::new(client, targets, Journal::off(), budget, Metrics::new());
        let (dispatching, telling, told) = (trigger.clone(), trigger.clone(), table.clone());
        tokio::spawn(async move { dispatching.dispatch().await });
        tokio::spawn(async move { telling.tell_last_triggers(&told).await });
        Self {
            server,
            table,
            trigger,
        }
    }

    /// A delivery of this id that triggers the target.
    async fn push(&self, id: &str) {
        let (hook, _) = self.table.hooks().remove(0);
        let order = Order {
            receiver: hook.receiver(),
            delivery: id,
            selectors: &hook.selection().selectors,
            rate: None,
        };
        let deadline = Instant::now() + Duration::from_secs(2);
        let report = self.trigger.accept(order, deadline).await;
        let _ = self.trigger.record(delivery(&hook, id), &report);
    }
}

fn delivery(hook: &crate::hook::Hook, id: &str) -> Delivery {
    serde_json::from_value(json!({
        "id": 0, "delivery": id, "receiver": hook.receiver().to_string(), "sender": "github",
        "event": "push", "receivedAt": Timestamp::now(), "outcome": "triggered",
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_told_and_not_again() {
    let bench = Bench::new(300);
    bench.push("1").await;
    sleep(Duration::from_hours(1)).await;
    let written = bench.server.written();
    let [(_, last)] = written.as_slice() else {
        panic!("{written:?}");
    };
    assert_eq!((last.delivery.as_str(), last.event.as_str()), ("1", "push"));
}

#[tokio::test(start_paused = true)]
async fn many_triggers_are_told_once_a_minute() {
    let bench = Bench::new(3000);
    let start = Instant::now();
    for id in 0..600 {
        bench.push(&id.to_string()).await;
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_mins(2)).await;
    let written = bench.server.written();
    assert!((10..=12).contains(&written.len()), "{}", written.len());
    assert_eq!(written.last().unwrap().1.delivery, "599");
    assert!(
        written
            .windows(2)
            .all(|pair| pair[1].0 - pair[0].0 >= Duration::from_mins(1))
    );
    assert!(written[0].0 - start < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn triggers_go_before() {
    let bench = Bench::new(4);
    for id in ["1", "2", "3"] {
        bench.push(id).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert!(
        bench.server.written().is_empty(),
        "three of four requests are spent"
    );
    sleep(Duration::from_mins(1)).await;
    assert_eq!(
        bench.server.written().len(),
        1,
        "there are requests left over"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_in_a_minute_and_a_refusal_never() {
    let bench = Bench::new(300);
    for (code, expected) in [(500, 4), (403, 1), (404, 1)] {
        bench.server.code.send_replace(code);
        bench.server.asked.send_replace(Asked::new());
        bench.push("1").await;
        sleep(Duration::from_secs(200)).await;
        assert_eq!(bench.server.written().len(), expected, "{code}");
        bench.server.code.send_replace(200);
        sleep(Duration::from_mins(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_triggered_nothing_is_not_told() {
    let bench = Bench::new(300);
    let (hook, _) = bench.table.hooks().remove(0);
    let _ = bench
        .trigger
        .record(delivery(&hook, "1"), &Report::default());
    sleep(Duration::from_mins(1)).await;
    assert!(bench.server.written().is_empty());
}
