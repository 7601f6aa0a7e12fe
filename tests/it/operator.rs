//! `hookgate receiver …` with the built binary: from nothing to a Receiver that works, and what is told of it.
//!
//! How each line is worded is tested beside it.

use std::path::Path;

use kube::{ResourceExt as _, runtime::wait::await_condition};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{
    binary::{Dev, Ended, data_dir, hookgate, run},
    objects::{self, DEADLINE},
};

/// Where the gateway tells of the last trigger.
const LAST_TRIGGER: &str = "hookgate.dev/last-trigger";

/// `hookgate receiver …` at the cluster of a `hookgate dev`.
async fn receiver(data: &Path, args: &[&str]) -> Ended {
    let command = [&["receiver"], args].concat();
    run(hookgate(command).arg("--data-dir").arg(data)).await
}

/// The value of a field in a form or a description.
fn field<'t>(text: &'t str, label: &str) -> &'t str {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in {text}"))
        .trim()
}

#[tokio::test]
async fn a_new_receiver_is_applied_and_is_where_the_form_says() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let gateway = dev.url("/hook/");
    let gateway = gateway.split("/hook/").next().expect("an address");
    let new = [
        "receiver",
        "new",
        "ci",
        "--type",
        "github",
        "--resource",
        "GitRepository/podinfo",
    ];
    let new = run(hookgate(new).args(["--url", gateway])).await;
    assert_eq!(new.code, Some(0), "{new:?}");
    let client = dev.client().await;
    for object in objects::documents(&new.stdout, "default") {
        objects::apply(&client, &object)
            .await
            .expect("it can be applied");
    }
    let receivers = objects::of_kind(&client, "default", "Receiver").await;
    let has_path = |object: Option<&kube::api::DynamicObject>| {
        object.is_some_and(|object| object.data["status"]["webhookPath"].is_string())
    };
    let waiting = await_condition(receivers, "ci", has_path);
    timeout(DEADLINE, waiting)
        .await
        .expect("in time")
        .expect("a watch");

    let url = field(&new.stderr, "Payload URL");
    let shown = receiver(&data, &["show", "ci", "--server", &dev.operator()]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_eq!(url, format!("{gateway}{}", field(&shown.stdout, "Path")));
    assert!(shown.stdout.contains("has had no deliveries"), "{shown:?}");
    let push = [
        "send",
        "receivers/github/push.http",
        "--receiver",
        "default/ci",
    ];
    let sent = receiver(&data, &[&push[..], &["--url", gateway]].concat()).await;
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let shown = receiver(&data, &["show", "default/ci", "--server", &dev.operator()]).await;
    assert!(shown.stdout.contains("TARGETS"), "{shown:?}");

    let receivers = objects::of_kind(&client, "default", "Receiver").await;
    let is_told = |object: Option<&kube::api::DynamicObject>| {
        object.is_some_and(|object| object.annotations().contains_key(LAST_TRIGGER))
    };
    let waiting = await_condition(receivers, "ci", is_told);
    timeout(DEADLINE, waiting)
        .await
        .expect("in time")
        .expect("a watch");
    let shown = receiver(&data, &["show", "ci"]).await;
    assert!(
        field(&shown.stdout, "Last trigger").contains("push, delivery "),
        "{shown:?}"
    );
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn a_recorded_request_is_verified_with_and_without_a_cluster() {
    let (folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let push = "receivers/github/push.http";
    let verified = receiver(&data, &["verify", push]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.contains("8  trigger"), "{verified:?}");

    let spoiled = std::fs::read_to_string(push).expect("a recording");
    let spoiled = spoiled
        .replace("Content-Length: ", "X-Length: ")
        .replace("content-length: ", "x-length: ");
    let file = folder.path().join("push.http");
    std::fs::write(&file, spoiled + "\n").expect("a file");
    let file = file.to_str().expect("text");
    let refused = receiver(&data, &["verify", file, "--receiver", "default/github"]).await;
    assert!(
        refused.sentence().contains("stop at authenticate"),
        "{refused:?}"
    );
    assert!(
        refused.stdout.contains("without the line end behind it"),
        "{refused:?}"
    );

    assert_eq!(dev.end("INT").await, Some(0));
    let manifest = [
        "verify",
        push,
        "--manifest",
        "receivers/github/receiver.yaml",
    ];
    let offline = receiver(&data, &manifest).await;
    assert_eq!(offline.stdout, verified.stdout);
}

#[tokio::test]
async fn receivers_are_listed_as_kubectl_lists_them() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let listed = receiver(&data, &["list"]).await;
    assert!(listed.stdout.starts_with("NAME "), "{listed:?}");
    let github = listed
        .stdout
        .lines()
        .find(|line| line.starts_with("github "));
    assert!(
        github.is_some_and(|line| line.contains(" True ")),
        "{listed:?}"
    );
    assert!(!listed.stdout.contains("/hook/"), "a path is a credential");

    let everywhere = receiver(&data, &["list", "-A", "-o", "wide"]).await;
    assert!(
        everywhere.stdout.starts_with("NAMESPACE "),
        "{everywhere:?}"
    );
    assert!(
        !everywhere.stdout.contains("/hook/"),
        "a path is a credential"
    );
    assert_eq!(
        everywhere.stdout.lines().count(),
        listed.stdout.lines().count()
    );

    let json = receiver(&data, &["list", "-o", "json"]).await.stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let yaml = receiver(&data, &["list", "-o", "yaml"]).await.stdout;
    let yaml: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    assert_eq!(
        json["items"].as_array().map(Vec::len),
        yaml["items"].as_array().map(Vec::len)
    );
    let names = receiver(&data, &["list", "-o", "name"]).await.stdout;
    assert!(
        names.contains("receiver.notification.toolkit.fluxcd.io/github\n"),
        "{names}"
    );

    let nothing = receiver(&data, &["list", "-n", "nowhere"]).await;
    assert_eq!(
        (nothing.code, nothing.stdout.contains("no Receivers")),
        (Some(0), true)
    );
    let missing = receiver(&data, &["show", "nobody"]).await;
    assert!(
        missing.sentence().contains("`default/nobody`"),
        "{missing:?}"
    );
    let twice = receiver(&data, &["show", "a/ci", "-n", "b"]).await;
    assert!(twice.sentence().contains("`a/ci`"), "{twice:?}");
    assert_eq!(dev.end("INT").await, Some(0));
}
