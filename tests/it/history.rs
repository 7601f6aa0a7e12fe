//! What became of the last deliveries, as the operator sees it, and redelivery.
//!
//! On a listener of its own, over real HTTP, and with the built binary.

use std::{path::Path, process::Stdio};

use http::{Method, StatusCode};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use crate::support::{
    BackEnd, Gateway,
    binary::{Dev, data_dir, hookgate, run},
    objects::{self, DEADLINE},
    on_every_back_end,
    wire::{Answer, Delivery},
};

const PUSH: &str = "receivers/github/push.http";
const SOURCE: &str = "GitRepository";

/// The name of the source that the catalogue's Receiver triggers.
const NAME: &str = "podinfo";

async fn list(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = gateway
        .operator(Method::GET, &format!("/deliveries{query}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let listed: Value = serde_json::from_str(&answer.body).expect("JSON");
    listed["deliveries"].as_array().expect("a list").clone()
}

/// Waits until a delivery is in some state.
async fn until(gateway: &Gateway, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let reached = async {
        loop {
            let answer = gateway
                .operator(Method::GET, &format!("/deliveries/{id}"))
                .await;
            let delivery: Value = serde_json::from_str(&answer.body).expect("JSON");
            if holds(&delivery) {
                return delivery;
            }
        }
    };
    timeout(DEADLINE, reached)
        .await
        .expect("the delivery gets there")
}

fn number(delivery: &Value) -> String {
    delivery["id"].to_string()
}

/// What a reconciler writes when it has done what the annotation asks.
async fn reconcile(gateway: &Gateway, revision: &str) {
    let at = gateway
        .annotation(SOURCE, NAME)
        .await
        .expect("it is triggered");
    let status = json!({"status": {
        "lastHandledReconcileAt": at,
        "artifact": {
            "revision": revision, "path": "a", "url": "http://a", "digest": "sha256:00",
            "lastUpdateTime": "2026-01-01T00:00:00Z",
        },
    }});
    let api = objects::of_kind(gateway.client(), gateway.namespace(), SOURCE).await;
    api.patch_status(NAME, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .expect("the status can be patched");
}

on_every_back_end! {
    async fn a_delivery_is_shown_with_the_revision_that_came_of_it(gateway) {
        gateway.keep_journal().await;
        gateway.apply_catalogue("github").await;
        let push = gateway.recorded(PUSH, "github").await;
        let path = push.path.clone();
        let signature = push.headers["x-hub-signature-256"].to_str().expect("text").to_owned();
        let id = push.headers["x-github-delivery"].to_str().expect("text").to_owned();
        assert_eq!(gateway.send(push.clone()).await.status, StatusCode::OK);
        let refused = gateway.send(push.clone().with_flipped_body_bit(9)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        gateway.send(push.with("x-github-event", "issues")).await;

        let all = list(&gateway, "").await;
        let [other, first] = &all[..] else {
            panic!("who is not proven leaves no trace: {all:#?}");
        };
        assert_eq!(first["delivery"], json!(id));
        assert_eq!(first["receiver"], json!(format!("{}/github", gateway.namespace())));
        assert_eq!(first["sender"], "github");
        assert_eq!(first["event"], "push");
        assert_eq!(first["outcome"], "triggered");
        assert_eq!(first["isRedelivery"], false);
        assert_eq!(first["client"], "127.0.0.1");
        assert!(first["headers"].to_string().contains("x-github-event"), "{first}");
        assert_eq!(first["targets"][0]["name"], NAME);
        assert_eq!(first["targets"][0]["state"], "triggered");
        assert_eq!((&other["outcome"], &other["isRedelivery"]), (&json!("not-wanted"), &json!(true)));
        let shown = json!(all).to_string();
        for secret in [&path, &signature] {
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }

        reconcile(&gateway, "main@sha1:0123").await;
        let has_revision = |delivery: &Value| delivery["targets"][0]["revision"] == "main@sha1:0123";
        until(&gateway, &number(first), has_revision).await;

        gateway.restart().await;
        let after = list(&gateway, "?limit=1000").await;
        assert_eq!(after.len(), 2);
        assert!(has_revision(&after[1]), "{after:#?}");
    }

    async fn an_operator_triggers_the_targets_of_a_delivery_again(gateway) {
        gateway.apply_catalogue("github").await;
        let push = gateway.recorded(PUSH, "github").await;
        let id = push.headers["x-github-delivery"].to_str().expect("text").to_owned();
        gateway.send(push).await;
        let before = gateway.annotation(SOURCE, NAME).await;
        let redeliver = format!("/deliveries/{id}/redeliver");
        let answer = gateway.operator(Method::POST, &redeliver).await;
        let again: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(answer.status, StatusCode::OK, "{again}");
        assert!(gateway.annotation(SOURCE, NAME).await > before);
        let all = list(&gateway, "").await;
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], again);
        assert_eq!(again["redelivers"], all[1]["id"]);
        assert_eq!(again["delivery"], json!(id));

        let unknown = gateway.operator(Method::POST, "/deliveries/999/redeliver").await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        let wanted = format!("?receiver={}/github", gateway.namespace());
        assert_eq!(list(&gateway, &wanted).await.len(), 2);
        assert_eq!(list(&gateway, "?receiver=apps/other").await.len(), 0);
        assert_eq!(list(&gateway, "?limit=1").await.len(), 1);
    }
}

#[tokio::test]
async fn web_pages_and_misunderstandings_are_refused() {
    let gateway = Gateway::start(BackEnd::Memory).await.expect("a gateway");
    let get = |path: &str| {
        let mut request = Delivery::post(path, "");
        request.method = Method::GET;
        request
    };
    let json = |path: &str| Delivery::post(path, "{}").with("content-type", "application/json");
    for (request, expected) in [
        (get("/deliveries"), 200),
        (get("/deliveries").with("host", "evil.example"), 421),
        (get("/deliveries").with("origin", "http://localhost"), 403),
        (get("/deliveries?everything"), 400),
        (get("/deliveries/1"), 404),
        (get("/"), 404),
        (get("/metrics"), 404),
        (get("/deliveries/1/redeliver"), 405),
        (Delivery::post("/deliveries/1/redeliver", "{}"), 415),
        (json("/deliveries/1/redeliver").with("origin", "null"), 403),
        (json("/deliveries/1/redeliver"), 404),
    ] {
        let asked = format!("{} {} {:?}", request.method, request.path, request.headers);
        let answer: Answer = gateway.ask_operator(request).await;
        assert_eq!(answer.status.as_u16(), expected, "{asked}: {}", answer.body);
    }
    gateway.end().await;
}

/// A `hookgate dev` and where its deliveries are shown.
struct Shown {
    dev: Dev,
    server: String,
}

impl Shown {
    async fn start(data: &Path) -> Self {
        let dev = Dev::start(data, &[]).await;
        let server = dev.operator();
        Self { dev, server }
    }

    /// `hookgate deliveries` with these arguments.
    fn deliveries(&self, more: &[&str]) -> Command {
        let args = ["deliveries"].iter().chain(more);
        hookgate(args.chain(&["--server", &self.server]))
    }

    /// Sends the recorded push as the welcome says.
    async fn push(&self, data: &Path) {
        let url = self.dev.welcome.lines().find_map(|line| {
            let words = line.trim().strip_prefix("hookgate receiver send")?;
            words
                .split_whitespace()
                .skip_while(|word| *word != "--url")
                .nth(1)
        });
        let args = [
            "receiver",
            "send",
            PUSH,
            "--url",
            url.expect("it says how"),
            "--data-dir",
        ];
        let ended = run(hookgate(args).arg(data)).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn the_command_lists_and_redelivers() {
    let (_folder, data) = data_dir();
    let shown = Shown::start(&data).await;
    let none = run(&mut shown.deliveries(&[])).await;
    assert_eq!(none.stdout, "no deliveries yet\n");
    shown.push(&data).await;
    let listed = run(&mut shown.deliveries(&[])).await;
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
    let listed = run(&mut shown.deliveries(&["-o", "json"])).await;
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let again = run(&mut shown.deliveries(&["redeliver", &number(&listed[0])])).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.starts_with("redelivered as"), "{again:?}");
    let none = run(&mut shown.deliveries(&["redeliver", "nothing"])).await;
    assert!(none.sentence().contains("no such delivery"), "{none:?}");
    let mut gone = shown.deliveries(&[]);
    shown.dev.end("INT").await;
    let gone = run(&mut gone).await;
    assert!(
        gone.sentence().contains("cannot reach a gateway"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn the_command_watches_until_the_gateway_ends() {
    let (_folder, data) = data_dir();
    let shown = Shown::start(&data).await;
    let mut watch = shown.deliveries(&["-w"]);
    let watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut watch = watch.expect("it starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let header = lines.next_line().await.expect("text").expect("a header");
    assert!(header.starts_with("ID"), "{header}");
    shown.push(&data).await;
    let line = lines.next_line().await.expect("text").expect("a delivery");
    assert!(
        line.contains("push") && line.contains("triggered"),
        "{line}"
    );
    let again = run(&mut shown.deliveries(&["redeliver", "1"])).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    let line = lines
        .next_line()
        .await
        .expect("text")
        .expect("a redelivery");
    assert!(line.contains("(again)"), "{line}");
    assert_eq!(shown.dev.end("INT").await, Some(0));
    assert_eq!(watch.wait().await.expect("it ends").code(), Some(1));
}
