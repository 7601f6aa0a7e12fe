//! `hookgate run` as a process of its own: when it is ready, and how it ends.
//!
//! The API is the embedded one over HTTPS, which can be taken away; what a gateway does meanwhile is tested elsewhere.

use std::{path::Path, process::Stdio, time::Duration};

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, Command},
    time::{Instant, timeout},
};

use crate::support::{
    BackEnd, Gateway,
    binary::hookgate,
    objects::{git_repository, receiver, secret},
    wire::{Answer, Delivery},
};

/// How long it may take to start; a loaded machine needs most of it.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long Kubernetes waits between SIGTERM and SIGKILL, unless told otherwise.
const GRACE_PERIOD: Duration = Duration::from_secs(30);

/// A running `hookgate run`.
struct Run {
    process: Child,
    lines: Lines<BufReader<ChildStderr>>,
    gateway: Option<String>,
    admin: String,
}

impl Run {
    /// Starts it and waits until it is ready.
    async fn start(kubeconfig: &Path, namespace: &str, role: &str) -> Self {
        let mut process = hookgate(["run", "--role", role, "--kubeconfig"])
            .arg(kubeconfig)
            .args(["--receiverAddr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
            .args(["--metrics-addr=127.0.0.1:0", "--log-encoding=json"])
            .arg("--operator-addr=127.0.0.1:0")
            .args([
                "--runtime-namespace",
                namespace,
                "--watch-all-namespaces=false",
            ])
            .args([
                "--leader-election-lease-duration=4s",
                "--leader-election-renew-deadline=3s",
            ])
            .args(["--leader-election-retry-period=500ms", "--journal-dir"])
            .arg(kubeconfig.with_file_name(format!("journal-{role}")))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut run = Self {
            process,
            lines,
            gateway: None,
            admin: String::new(),
        };
        let serving = timeout(DEADLINE, run.says("serving"))
            .await
            .expect("it serves in time");
        let address = |field: &str| {
            let text = serving[field].as_str().unwrap_or_default();
            let start = text.find("127.0.0.1")?;
            text.get(start..)?
                .split([')', ',', ']'])
                .next()
                .map(ToOwned::to_owned)
        };
        (run.gateway, run.admin) = (address("gateway"), address("admin").expect("an address"));
        let ready = async {
            while run.probe().await.status != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, ready).await.expect("it is ready in time");
        run
    }

    /// Waits for a message in the log.
    async fn says(&mut self, message: &str) -> Value {
        while let Some(line) = self.lines.next_line().await.expect("text") {
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            if line["message"] == message {
                return line;
            }
        }
        panic!("it ended without saying `{message}`");
    }

    async fn probe(&self) -> Answer {
        let mut request = Delivery::post("/readyz", "");
        request.method = Method::GET;
        request.send(&self.admin).await
    }

    /// Sends SIGTERM, and says how it ended and how long that took.
    async fn terminate(mut self) -> (Option<i32>, Duration) {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", "TERM", &id])
            .status()
            .await;
        assert!(sent.expect("kill is there").success());
        let asked = Instant::now();
        (self.ended().await, asked.elapsed())
    }

    async fn ended(&mut self) -> Option<i32> {
        let rest = async {
            while let Ok(Some(_)) = self.lines.next_line().await {}
            self.process.wait().await
        };
        let ended = timeout(GRACE_PERIOD * 2, rest).await.expect("it ends");
        ended.expect("it can be waited for").code()
    }
}

/// A Receiver `ci` on the embedded API over HTTPS; gives the path of its hook.
async fn api() -> (Gateway, String) {
    let gw = Gateway::start(BackEnd::Https)
        .await
        .expect("it is built in");
    gw.apply(&secret("token", "t0ken")).await;
    gw.apply(&git_repository("podinfo", "")).await;
    gw.apply(&receiver("ci", "generic", "interval: 10m")).await;
    gw.settled().await;
    let path = gw.path("ci").await;
    (gw, path)
}

/// Takes the API away, and accepts connections in its place without ever answering.
async fn fall_silent(gw: Gateway) -> TcpListener {
    let address = gw.api_address();
    gw.end().await;
    TcpListener::bind(address)
        .await
        .expect("the port is free again")
}

#[tokio::test]
async fn a_process_ends_within_the_grace_period_with_and_without_the_api() {
    let (gw, path) = api().await;
    let kubeconfig = gw.kubeconfig();
    let run = Run::start(&kubeconfig, gw.namespace(), "all").await;
    let gateway = run.gateway.clone().expect("a gateway");
    let before = Timestamp::now();
    let answer = Delivery::post(&path, "").send(&gateway).await;
    // The sweep of a new journal may have been there a moment before.
    assert!(answer.status.is_success(), "{}", answer.body);
    gw.triggered_since("GitRepository", "podinfo", before).await;
    let (code, took) = run.terminate().await;
    assert_eq!(code, Some(0));
    assert!(
        took < Duration::from_secs(10),
        "nothing was left to do: {took:?}"
    );

    let run = Run::start(&kubeconfig, gw.namespace(), "all").await;
    let gateway = run.gateway.clone().expect("a gateway");
    let _silence = fall_silent(gw).await;
    let answer = Delivery::post(&path, "").send(&gateway).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(
        run.probe().await.status,
        StatusCode::OK,
        "an outage takes nothing down"
    );
    let (code, took) = run.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < GRACE_PERIOD, "{took:?}");
}

#[tokio::test]
async fn only_a_process_without_a_gateway_ends_with_its_leadership() {
    let (gw, path) = api().await;
    let kubeconfig = gw.kubeconfig();
    let mut reconcilers = Run::start(&kubeconfig, gw.namespace(), "reconcilers").await;
    assert_eq!(reconcilers.gateway, None);
    timeout(DEADLINE, reconcilers.says("this replica leads"))
        .await
        .expect("it leads in time");
    let gateway = Run::start(&kubeconfig, gw.namespace(), "gateway").await;
    let _silence = fall_silent(gw).await;
    assert_eq!(reconcilers.ended().await, Some(1));
    let answer = Delivery::post(&path, "").send(gateway.gateway.as_deref().expect("a gateway"));
    assert_eq!(answer.await.status, StatusCode::ACCEPTED);
    assert_eq!(gateway.terminate().await.0, Some(0));
}
