//! The real `kubectl` against the real control plane, over HTTPS, as a user would work with it.
//!
//! Skipped with a sentence where there is no `kubectl`; CI has one.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use super::loopback;
use crate::cluster::{Embedded, Listener, Options, Storage};

const RECEIVER: &str = r"
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata:
  name: github
spec:
  type: github
  secretRef:
    name: token
  resources:
  - kind: GitRepository
    name: app
";

const SECRET: &str = r"
apiVersion: v1
kind: Secret
metadata:
  name: token
  labels:
    reconcile.fluxcd.io/watch: Enabled
stringData:
  token: first
";

const EVENT: &str = r"
apiVersion: v1
kind: Event
metadata:
  name: github.1
type: Normal
reason: Succeeded
message: it went well
source:
  component: tester
count: 1
firstTimestamp: 2024-01-01T00:00:00Z
lastTimestamp: 2024-01-01T00:00:00Z
involvedObject:
  apiVersion: notification.toolkit.fluxcd.io/v1
  kind: Receiver
  name: github
  namespace: default
  uid: UID
";

/// A control plane with the definition of Receivers, and a `kubectl` that is pointed at it.
struct Desk {
    directory: TempDir,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

/// What a command printed, and whether it went well.
#[derive(Debug)]
struct Said {
    is_ok: bool,
    out: String,
    err: String,
}

impl Desk {
    /// Nothing when this machine has no `kubectl`.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    async fn open() -> Option<Self> {
        if Command::new("kubectl")
            .args(["version", "--client"])
            .output()
            .is_err()
        {
            println!("skipped: there is no `kubectl` on this machine");
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let embedded = Embedded::open(&Options {
            storage: Storage::Memory,
        })
        .expect("opens");
        let listener = Listener::bind(loopback(), directory.path())
            .await
            .expect("binds");
        let stop = CancellationToken::new();
        let served = tokio::spawn(listener.serve(embedded, stop.clone()));
        let desk = Self {
            directory,
            stop,
            served,
        };
        let crd = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate/crds/receivers.yaml");
        desk.ok(&format!("apply -f {}", crd.display())).await;
        desk.ok("wait --for=condition=Established crd/receivers.notification.toolkit.fluxcd.io --timeout=10s").await;
        Some(desk)
    }

    async fn close(self) {
        self.stop.cancel();
        self.served.await.expect("ends");
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("writes");
        path
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(arguments.split_whitespace())
            .env("KUBECONFIG", self.directory.path().join("kubeconfig"))
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    async fn run(&self, arguments: &str) -> Said {
        Self::output(self.command(arguments)).await
    }

    async fn output(mut command: Command) -> Said {
        let output = spawn_blocking(move || command.output())
            .await
            .expect("runs")
            .expect("starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Said {
            is_ok: output.status.success(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Runs a command that must go well, and returns what it printed.
    async fn ok(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert!(said.is_ok, "kubectl {arguments}: {}", said.err);
        said.out
    }

    /// Runs a command that must be refused, and returns why.
    async fn refused(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert!(!said.is_ok, "kubectl {arguments} went well: {}", said.out);
        said.err
    }

    async fn apply(&self, name: &str, content: &str) -> String {
        let path = self.file(name, content);
        self.ok(&format!("apply -f {}", path.display())).await
    }
}

/// The words of each line, with single spaces between them.
fn words(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_creates_changes_and_leaves_alone() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    assert_eq!(
        desk.apply("secret.yaml", SECRET).await,
        "secret/token created\n"
    );
    assert_eq!(
        desk.apply("secret.yaml", &SECRET.replace("first", "second"))
            .await,
        "secret/token configured\n"
    );
    assert_eq!(
        desk.ok("get secret token -o jsonpath={.data.token}").await,
        "c2Vjb25k"
    );

    let receiver = "receiver.notification.toolkit.fluxcd.io/github";
    assert_eq!(
        desk.apply("receiver.yaml", RECEIVER).await,
        format!("{receiver} created\n")
    );
    assert_eq!(
        desk.apply("receiver.yaml", RECEIVER).await,
        format!("{receiver} unchanged\n")
    );
    let changed = RECEIVER.replace("name: app", "name: other");
    assert_eq!(
        desk.apply("receiver.yaml", &changed).await,
        format!("{receiver} configured\n")
    );
    let get = "get receiver github -o jsonpath={.metadata.generation},{.spec.interval},{.spec.resources[0].name}";
    assert_eq!(desk.ok(get).await, "2,10m,other");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_sends_what_is_read() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    // From 1.32 on, these bodies are protobuf.
    for (create, created) in [
        ("namespace team", "namespace/team created\n"),
        (
            "secret generic token --from-literal=token=first -n team",
            "secret/token created\n",
        ),
        (
            "configmap settings --from-literal=a= --from-literal=b=c -n team",
            "configmap/settings created\n",
        ),
        (
            "serviceaccount robot -n team",
            "serviceaccount/robot created\n",
        ),
    ] {
        assert_eq!(desk.ok(&format!("create {create}")).await, created);
    }
    let get = "get secret token -n team -o jsonpath={.type},{.data.token}";
    assert_eq!(desk.ok(get).await, "Opaque,Zmlyc3Q=");
    let get = "get configmap settings -n team -o jsonpath={.data}";
    assert_eq!(desk.ok(get).await, r#"{"a":"","b":"c"}"#);
    let error = desk.refused("create configmap settings -n team").await;
    assert!(
        error.contains(r#"configmaps "settings" already exists"#),
        "{error}"
    );
    let error = desk.refused("create secret generic UPPER -n team").await;
    assert!(
        error.contains(r#"Secret "UPPER" is invalid: metadata.name: Invalid value"#),
        "{error}"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_objects_are_refused_in_the_words_of_kubernetes() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    let path = desk.file(
        "wrong.yaml",
        &RECEIVER.replace("type: github", "type: subversion"),
    );
    let error = desk.refused(&format!("apply -f {}", path.display())).await;
    assert!(error.contains(r#"The Receiver "github" is invalid: spec.type: Unsupported value: "subversion": supported values: "generic""#), "{error}");
    let path = desk.file("unknown.yaml", &RECEIVER.replace("secretRef", "secretReff"));
    let error = desk.refused(&format!("apply -f {}", path.display())).await;
    assert!(
        error.contains(r#"unknown field "spec.secretReff""#),
        "{error}"
    );
    let error = desk.refused("get receiver nobody").await;
    assert_eq!(
        error,
        "Error from server (NotFound): receivers.notification.toolkit.fluxcd.io \"nobody\" not found\n"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_shown_in_columns_and_as_a_whole() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    desk.apply("secret.yaml", SECRET).await;
    desk.apply("receiver.yaml", RECEIVER).await;
    let table = words(&desk.ok("get receivers").await);
    assert_eq!(table[0], "NAME AGE READY STATUS");
    assert!(table[1].starts_with("github "), "{table:?}");
    let table = words(
        &desk
            .ok("get secrets,configmaps,namespaces,sa -A -o wide")
            .await,
    );
    assert!(
        table.contains(&"NAMESPACE NAME TYPE DATA AGE".to_owned()),
        "{table:?}"
    );
    assert!(
        table
            .iter()
            .any(|line| line.starts_with("default secret/token Opaque 1 ")),
        "{table:?}"
    );
    assert!(
        table
            .iter()
            .any(|line| line.starts_with("namespace/kube-system Active ")),
        "{table:?}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&desk.ok("get receivers -o json").await).expect("JSON");
    assert_eq!(json["items"][0]["kind"], "Receiver");
    assert_eq!(json["items"][0]["status"]["observedGeneration"], -1);
    let names = desk.ok("get all -o name").await;
    assert_eq!(names, "receiver.notification.toolkit.fluxcd.io/github\n");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_shows_changes_as_they_come() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    desk.apply("secret.yaml", SECRET).await;
    let mut watch = desk
        .command("get secrets -w --no-headers --request-timeout=60s")
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = BufReader::new(watch.stdout.take().expect("output"));
    let (sender, mut lines) = mpsc::unbounded_channel();
    let reading = spawn_blocking(move || {
        for line in output.lines().map_while(Result::ok) {
            drop(sender.send(words(&line).concat()));
        }
    });
    assert!(
        lines
            .recv()
            .await
            .expect("a line")
            .starts_with("token Opaque 1 ")
    );
    let two = SECRET
        .replace("name: token", "name: two")
        .replace("token: first", "a: b\n  c: d");
    desk.apply("two.yaml", &two).await;
    assert!(
        lines
            .recv()
            .await
            .expect("a line")
            .starts_with("two Opaque 2 ")
    );
    watch.kill().expect("ends");
    watch.wait().expect("ended");
    reading.await.expect("ends");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_marked_waited_for_described_and_deleted() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    desk.apply("secret.yaml", SECRET).await;
    desk.apply("receiver.yaml", RECEIVER).await;
    desk.ok("annotate receiver github reconcile.fluxcd.io/requestedAt=now")
        .await;
    desk.ok("label secret token team=a").await;
    let get = "get receiver github -o jsonpath={.metadata.annotations.reconcile\\.fluxcd\\.io/requestedAt}";
    assert_eq!(desk.ok(get).await, "now");
    assert_eq!(
        desk.ok("get secrets -l team=a -o name").await,
        "secret/token\n"
    );

    let ready = r#"{"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":"Succeeded","message":"done","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}"#;
    let wait = desk.run("wait receiver github --for=condition=Ready --timeout=30s");
    let mut patch = desk.command("patch receiver github --subresource=status --type=merge");
    patch.arg("-p").arg(ready);
    let (waited, patched) = tokio::join!(wait, Desk::output(patch));
    assert!(waited.is_ok && patched.is_ok, "{waited:?} {patched:?}");
    assert_eq!(
        words(&desk.ok("get receiver github").await)[1]
            .split(' ')
            .skip(2)
            .collect::<Vec<_>>(),
        ["True", "done"]
    );

    let uid = desk
        .ok("get receiver github -o jsonpath={.metadata.uid}")
        .await;
    desk.apply("event.yaml", &EVENT.replace("UID", &uid)).await;
    let lines = words(&desk.ok("describe receiver github").await);
    assert!(lines.contains(&"Kind: Receiver".to_owned()), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("Normal Succeeded ")
                && line.ends_with(" tester it went well")),
        "{lines:?}"
    );
    let lines = words(&desk.ok("get events").await);
    assert!(
        lines[1].ends_with(" Normal Succeeded receiver/github it went well"),
        "{lines:?}"
    );
    let text = desk.ok("describe secret token").await;
    assert!(text.contains("token:  5 bytes"), "{text}");

    desk.ok("delete receiver github").await;
    desk.ok("delete secret --all").await;
    desk.refused("get receiver github").await;
    assert_eq!(desk.ok("get secrets -o name").await, "");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_listed_and_explained() {
    let Some(desk) = Desk::open().await else {
        return;
    };
    let names = desk.ok("api-resources -o name").await;
    for name in [
        "secrets",
        "leases.coordination.k8s.io",
        "receivers.notification.toolkit.fluxcd.io",
    ] {
        assert!(names.lines().any(|line| line == name), "{names}");
    }
    let text = desk.ok("explain receiver.spec.interval").await;
    assert!(
        text.contains("How often the Receiver is reconciled"),
        "{text}"
    );
    let text = desk.ok("explain secret.data").await;
    assert!(text.contains("FIELD: data <map[string]string>"), "{text}");
    assert_eq!(desk.ok("auth can-i create secrets").await, "yes\n");
    let rules = words(&desk.ok("auth can-i --list").await);
    assert!(rules.contains(&"*.* [] [] [*]".to_owned()), "{rules:?}");
    let text = desk.ok("version").await;
    assert!(text.contains("Server Version: v1."), "{text}");
    desk.close().await;
}
