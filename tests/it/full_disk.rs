//! A data directory that is full, as the built binary meets it: a limit on the size of its files is moved while it runs.
//!
//! Other errors of a disk end in the same code and are not provoked here.

use std::path::Path;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;
use tokio::process::Command;

use crate::support::{
    binary::{Dev, Ended, data_dir, has, hookgate, run},
    objects::triggered_since,
};

/// More changes than fit into the room that is left.
const MOST_CHANGES: usize = 64;

#[tokio::test]
async fn a_full_disk_refuses_changes_and_loses_none() {
    if !has("prlimit").await {
        return;
    }
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let configs: Api<ConfigMap> = Api::default_namespaced(dev.client().await);
    let size = std::fs::metadata(data.join("cluster.redb"))
        .expect("a database")
        .len();
    limit(&dev, &(size + (1 << 20)).to_string()).await;

    let mut stored = Vec::new();
    let refused = loop {
        let name = format!("x{:02}", stored.len());
        assert!(stored.len() < MOST_CHANGES, "there is no end of room");
        match configs.create(&PostParams::default(), &config(&name)).await {
            Ok(_) => stored.push(name),
            Err(refused) => break refused,
        }
    };
    let kube::Error::Api(status) = &refused else {
        panic!("not a status: {refused}")
    };
    assert_eq!(
        (status.code, status.reason.as_str()),
        (500, "InternalError")
    );
    assert!(
        status.message.contains("written to disk"),
        "{}",
        status.message
    );
    assert_eq!(names(&configs).await, stored, "reads go on");
    let again = configs
        .create(&PostParams::default(), &config("again"))
        .await;
    assert!(again.is_err(), "there is still no room");
    assert_eq!(names(&configs).await, stored);

    limit(&dev, "unlimited").await;
    configs
        .create(&PostParams::default(), &config("y"))
        .await
        .expect("there is room");
    stored.push("y".to_owned());
    assert_eq!(names(&configs).await, stored);
    assert_eq!(dev.end("INT").await, Some(0));
    check_kept(&data, &stored).await;
}

#[tokio::test]
async fn a_full_disk_asks_to_send_again_and_what_was_accepted_is_triggered() {
    if !has("prlimit").await {
        return;
    }
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    limit(&dev, "1").await;
    let refused = push(&dev, &data).await;
    assert!(refused.stdout.contains("503"), "{refused:?}");
    assert!(refused.stdout.contains("unfinished"), "{refused:?}");

    limit(&dev, "unlimited").await;
    let before = Timestamp::now();
    let accepted = push(&dev, &data).await;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let client = dev.client().await;
    triggered_since(&client, "default", "GitRepository", "podinfo", before).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

/// Sends a recorded push.
async fn push(dev: &Dev, data: &Path) -> Ended {
    let gateway = dev.url("/hook/");
    let gateway = gateway.split("/hook/").next().expect("a URL");
    let push = "receivers/github/push.http";
    let send = ["receiver", "send", push, "--url", gateway, "--data-dir"];
    run(hookgate(send).arg(data)).await
}

/// Starts it again and expects exactly these objects.
async fn check_kept(data: &Path, stored: &[String]) {
    let dev = Dev::start(data, &[]).await;
    let configs: Api<ConfigMap> = Api::default_namespaced(dev.client().await);
    assert_eq!(names(&configs).await, stored);
    dev.end("INT").await;
}

/// Limits the size of the files that it writes, in bytes.
async fn limit(dev: &Dev, most: &str) {
    let limit = Command::new("prlimit")
        .args(["--pid", &dev.id(), &format!("--fsize={most}:unlimited")])
        .status()
        .await;
    assert!(limit.expect("it starts").success());
}

fn config(name: &str) -> ConfigMap {
    let config = json!({"metadata": {"name": name}, "data": {"key": "x".repeat(200_000)}});
    serde_json::from_value(config).expect("a ConfigMap")
}

async fn names(configs: &Api<ConfigMap>) -> Vec<String> {
    let list = configs.list(&ListParams::default()).await.expect("a list");
    list.iter().map(ResourceExt::name_any).collect()
}
