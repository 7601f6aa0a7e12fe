//! `hookgate dev` and `hookgate demo` as a user sees them, with plain `kubectl`, `curl` and `openssl`.
//!
//! A test that needs a tool which is not installed says so and does nothing.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Output};

use jiff::Timestamp;
use tokio::process::Command;

use crate::support::{
    binary::{Dev, data_dir, has, hookgate, run},
    objects::{REQUESTED_AT, triggered_since},
};

/// Written for Flux, without a word of hookgate.
const FLUX: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: apps}
---
apiVersion: v1
kind: Secret
metadata: {name: webhook-token, namespace: apps}
type: Opaque
stringData: {token: s3cret-of-the-test}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: webapp, namespace: apps}
spec: {interval: 5m, url: https://example.com/webapp.git}
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: github-receiver, namespace: apps}
spec:
  type: github
  events: [ping, push]
  secretRef: {name: webhook-token}
  resources:
    - {apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, name: webapp}
";

#[tokio::test]
async fn demo_shows_a_push_on_its_way() {
    let (folder, _) = data_dir();
    let ended = run(hookgate(["demo"]).current_dir(folder.path())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for phase in [
        "receive",
        "locate",
        "limit",
        "authenticate",
        "interpret",
        "admit",
        "select",
        "trigger",
    ] {
        assert!(ended.stdout.contains(phase), "{phase}: {}", ended.stdout);
    }
    assert!(ended.stdout.contains(REQUESTED_AT), "{}", ended.stdout);
    assert!(ended.stdout.contains("401"), "{}", ended.stdout);
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "the demo leaves nothing behind");
}

#[tokio::test]
async fn what_was_written_for_flux_works_with_plain_tools() {
    if !(has("kubectl").await && has("curl").await && has("openssl").await) {
        return;
    }
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let manifests = data.join("flux.yaml");
    std::fs::write(&manifests, FLUX).expect("a manifest");

    kubectl(&dev, &["apply", "-f", path(&manifests)]).await;
    kubectl(
        &dev,
        &[
            "-n",
            "apps",
            "wait",
            "receiver/github-receiver",
            "--for=condition=Ready",
            "--timeout=30s",
        ],
    )
    .await;
    let hook = kubectl(
        &dev,
        &[
            "-n",
            "apps",
            "get",
            "receiver",
            "github-receiver",
            "-o",
            "jsonpath={.status.webhookPath}",
        ],
    )
    .await;
    let url = format!(
        "{}{hook}",
        dev.url("/hook/").split("/hook/").next().expect("a URL")
    );

    let body = data.join("body.json");
    std::fs::write(&body, r#"{"ref":"refs/heads/main"}"#).expect("a body");
    let signature = signature(&body).await;

    assert_eq!(curl(&url, &body, &flipped(&signature)).await, "401");
    assert_eq!(curl(&flipped(&url), &body, &signature).await, "404");
    assert_eq!(requested_at(&dev).await, "");
    let before = Timestamp::now();
    let answer = curl(&url, &body, &signature).await;
    assert!(["200", "202"].contains(&answer.as_str()), "{answer}");
    let client = dev.client().await;
    triggered_since(&client, "apps", "GitRepository", "webapp", before).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn dev_keeps_its_state_and_ends_cleanly() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let hook = dev.hook("default/github");
    assert!(hook.contains("/hook/"), "{}", dev.welcome);
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&dev.kubeconfig), 0o600);
    send(&data, &dev).await;
    assert_eq!(dev.end("INT").await, Some(0));

    let dev = Dev::start(&data, &[]).await;
    assert_eq!(
        dev.hook("default/github").split("/hook/").nth(1),
        hook.split("/hook/").nth(1)
    );
    send(&data, &dev).await;
    assert_eq!(dev.end("TERM").await, Some(0));
}

#[tokio::test]
async fn a_killed_dev_starts_again() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    send(&data, &dev).await;
    assert_eq!(dev.end("KILL").await, None);

    let dev = Dev::start(&data, &[]).await;
    send(&data, &dev).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn readiness_and_metrics_are_served() {
    if !has("curl").await {
        return;
    }
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let ready = dev.url("/readyz");
    assert_eq!(stdout(&tool("curl", &["-s", &ready]).await), "ok\n");
    let metrics = ready.replace("/readyz", "/metrics");
    let metrics = stdout(&tool("curl", &["-s", &metrics]).await);
    assert!(metrics.contains("gotk_"), "{metrics}");
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn a_manifest_that_changed_is_loaded_again_and_nothing_else() {
    if !has("kubectl").await {
        return;
    }
    let (folder, data) = data_dir();
    let receivers = folder.path().join("mine");
    std::fs::create_dir(&receivers).expect("a folder");
    let manifest = receivers.join("all.yaml");
    std::fs::write(&manifest, FLUX).expect("a manifest");
    let flags = ["--receivers", path(&receivers)];
    let interval = [
        "-n",
        "apps",
        "get",
        "gitrepository",
        "webapp",
        "-o",
        "jsonpath={.spec.interval}",
    ];

    let dev = Dev::start(&data, &flags).await;
    kubectl(
        &dev,
        &[
            "-n",
            "apps",
            "patch",
            "gitrepository",
            "webapp",
            "--type=merge",
            "-p",
            r#"{"spec":{"interval":"7m"}}"#,
        ],
    )
    .await;
    assert_eq!(dev.end("INT").await, Some(0));

    let dev = Dev::start(&data, &flags).await;
    assert_eq!(
        kubectl(&dev, &interval).await,
        "7m",
        "what a user changed stays"
    );
    assert_eq!(dev.end("INT").await, Some(0));

    std::fs::write(&manifest, FLUX.replace("interval: 5m", "interval: 9m")).expect("a manifest");
    let dev = Dev::start(&data, &flags).await;
    assert_eq!(
        kubectl(&dev, &interval).await,
        "9m",
        "what the manifest changed is loaded"
    );
    assert_eq!(dev.end("INT").await, Some(0));
}

/// Sends the catalogue's push to the hook of the catalogue, as the welcome says.
/// Sends a recorded push, and waits until it has triggered what it should.
async fn send(data: &Path, dev: &Dev) {
    let before = Timestamp::now();
    let gateway = dev.url("/hook/");
    let gateway = gateway.split("/hook/").next().expect("a URL");
    let ended = run(hookgate([
        "receiver",
        "send",
        "receivers/github/push.http",
        "--url",
        gateway,
    ])
    .arg("--data-dir")
    .arg(data))
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let client = dev.client().await;
    triggered_since(&client, "default", "GitRepository", "podinfo", before).await;
}

async fn kubectl(dev: &Dev, args: &[&str]) -> String {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(&dev.kubeconfig).args(args);
    let output = command.output().await.expect("kubectl starts");
    assert!(output.status.success(), "kubectl {args:?}: {output:?}");
    stdout(&output)
}

async fn requested_at(dev: &Dev) -> String {
    let template = r"jsonpath={.metadata.annotations.reconcile\.fluxcd\.io/requestedAt}";
    kubectl(
        dev,
        &[
            "-n",
            "apps",
            "get",
            "gitrepository",
            "webapp",
            "-o",
            template,
        ],
    )
    .await
}

/// The signature that `openssl` makes for the token of the manifest.
async fn signature(body: &Path) -> String {
    let output = tool(
        "openssl",
        &[
            "dgst",
            "-sha256",
            "-hmac",
            "s3cret-of-the-test",
            "-r",
            path(body),
        ],
    )
    .await;
    stdout(&output)
        .split(' ')
        .next()
        .expect("a digest")
        .to_owned()
}

/// The status that the gateway answers.
async fn curl(url: &str, body: &Path, signature: &str) -> String {
    let signature = format!("X-Hub-Signature-256: sha256={signature}");
    let body = format!("@{}", path(body));
    let output = tool(
        "curl",
        &[
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            url,
            "-H",
            "Content-Type: application/json",
            "-H",
            "X-GitHub-Event: push",
            "-H",
            &signature,
            "--data-binary",
            &body,
        ],
    )
    .await;
    stdout(&output)
}

async fn tool(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .output()
        .await
        .expect("it starts");
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The same hexadecimal text with its last digit changed.
fn flipped(text: &str) -> String {
    let (start, last) = text.split_at(text.len() - 1);
    format!("{start}{}", if last == "0" { "1" } else { "0" })
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}
