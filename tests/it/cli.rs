//! Bad input: one clear sentence, a non-zero exit code, and a data directory that is as it was.
//!
//! What good input does is in `dev` and `deliver`.

use std::{collections::BTreeMap, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};

use crate::support::{
    binary::{Dev, Ended, data_dir, hookgate, run},
    say,
};

/// `hookgate dev` that is expected to fail at once.
async fn dev(data: &Path, more: &[&str]) -> Ended {
    run(hookgate(["dev", "--log-level", "error", "--data-dir"])
        .arg(data)
        .args(["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"])
        .args(["--admin-listen", "127.0.0.1:0"])
        .args(["--operator-listen", "127.0.0.1:0"])
        .args(more)
        .current_dir(data.parent().expect("a folder")))
    .await
}

/// A data directory that `hookgate dev` has used.
async fn used(data: &Path) {
    let dev = Dev::start(data, &[]).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

/// Every file below a folder with its content.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.insert(
                path.display().to_string(),
                std::fs::read(&path).expect("a file"),
            );
        }
    }
    all
}

#[tokio::test]
async fn a_manifest_with_a_wrong_field_is_named() {
    let (folder, data) = data_dir();
    let receivers = folder.path().join("mine");
    std::fs::create_dir(&receivers).expect("a folder");
    let write = |text: &str| std::fs::write(receivers.join("hook.yaml"), text).expect("a manifest");
    let receiver = "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata: {name: test}\nspec:\n  type: github\n  secretRef: {name: token}\n  resources: []\n";
    let flags = ["--receivers", receivers.to_str().expect("text")];

    for (text, expected) in [
        (format!("{receiver}  eventz: [push]\n"), "spec.eventz"),
        (receiver.replace("type: github", "type: svn"), "spec.type"),
        (
            receiver.replace("kind: Receiver", "kind: Reciever"),
            "Reciever",
        ),
        (
            receiver.replace("metadata: {name: test}", "metadata: {}"),
            "metadata.name",
        ),
        ("kind: [".to_owned(), "not YAML"),
    ] {
        write(&text);
        let ended = dev(&data, &flags).await;
        let sentence = ended.sentence();
        assert!(
            sentence.contains("hook.yaml") && sentence.contains(expected),
            "{sentence}"
        );
    }
    write(&receiver.replace("name: test", "name: mended"));
    let dev = Dev::start(&data, &flags).await;
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn a_missing_receivers_folder_is_named() {
    let (_folder, data) = data_dir();
    let ended = dev(&data, &["--receivers", "/nowhere/receivers"]).await;
    assert!(
        ended.sentence().contains("`/nowhere/receivers`"),
        "{ended:?}"
    );
    assert!(!data.exists(), "nothing was made");
}

#[tokio::test]
async fn a_port_in_use_is_named_and_nothing_is_touched() {
    let (_folder, data) = data_dir();
    used(&data).await;
    let before = content(&data);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    for flag in ["--listen", "--admin-listen", "--operator-listen"] {
        let ended = run(hookgate(["dev", "--log-level", "error", "--data-dir"])
            .arg(&data)
            .args(other_ports(flag))
            .args([flag, &address]))
        .await;
        assert!(ended.sentence().contains(&address), "{ended:?}");
        assert!(
            content(&data) == before,
            "{flag}: the data directory changed"
        );
    }
    let ended = run(hookgate(["dev", "--log-level", "error", "--data-dir"])
        .arg(&data)
        .args(other_ports("--api-listen"))
        .args(["--api-listen", &address]))
    .await;
    assert!(ended.sentence().contains(&address), "{ended:?}");
    used(&data).await;
}

fn other_ports(except: &str) -> Vec<&'static str> {
    let flags = [
        "--listen",
        "--api-listen",
        "--admin-listen",
        "--operator-listen",
    ];
    flags
        .into_iter()
        .filter(|flag| *flag != except)
        .flat_map(|flag| [flag, "127.0.0.1:0"])
        .collect()
}

#[tokio::test]
async fn an_unusable_data_directory_is_named() {
    let (folder, data) = data_dir();
    std::fs::write(&data, "a file").expect("a file");
    let ended = dev(&data, &[]).await;
    assert!(
        ended.sentence().contains(data.to_str().expect("text")),
        "{ended:?}"
    );
    assert_eq!(std::fs::read_to_string(&data).expect("a file"), "a file");

    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).expect("a folder");
    for name in [
        "hookgate.redb",
        "cluster.redb",
        "data.redb",
        "objects.redb",
        "database.redb",
    ] {
        std::fs::write(foreign.join(name), b"not a database").expect("a file");
    }
    let before = content(&foreign);
    let ended = dev(&foreign, &[]).await;
    assert!(
        ended.sentence().contains(foreign.to_str().expect("text")),
        "{ended:?}"
    );
    let after = content(&foreign);
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes)),
        "{after:?}"
    );
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_read_is_named() {
    let (_folder, data) = data_dir();
    used(&data).await;
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o000)).expect("a mode");
    if std::fs::read_dir(&data).is_ok() {
        say("the tests run as root, whom no mode keeps out: this behaviour is not tested here");
        return;
    }
    let ended = dev(&data, &[]).await;
    assert!(
        ended.sentence().contains(data.to_str().expect("text")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_broken_kubeconfig_is_named() {
    let (folder, _) = data_dir();
    let kubeconfig = folder.path().join("kubeconfig");
    for (text, expected) in [
        ("users: [{name: a, user: {token: s3cret", "kubeconfig"),
        ("current-context: nowhere\n", "nowhere"),
    ] {
        std::fs::write(&kubeconfig, text).expect("a file");
        let ended = run(hookgate(["run", "--kubeconfig"]).arg(&kubeconfig)).await;
        let sentence = ended.sentence();
        assert!(
            sentence.contains(kubeconfig.to_str().expect("text")),
            "{sentence}"
        );
        assert!(sentence.contains(expected), "{sentence}");
        assert!(!sentence.contains("s3cret"), "{sentence}");
    }
    let missing = run(&mut hookgate([
        "run",
        "--kubeconfig",
        "/nowhere/kubeconfig",
    ]))
    .await;
    assert!(
        missing.sentence().contains("`/nowhere/kubeconfig`"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_named() {
    let (folder, _) = data_dir();
    let kubeconfig = folder.path().join("kubeconfig");
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("an address");
    let text = format!(
        "clusters: [{{name: a, cluster: {{server: 'https://{free}'}}}}]\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\nusers: [{{name: a, user: {{}}}}]\ncurrent-context: a\n"
    );
    std::fs::write(&kubeconfig, text).expect("a file");
    let ports = [
        "--receiverAddr",
        "127.0.0.1:0",
        "--health-addr",
        "127.0.0.1:0",
        "--metrics-addr",
        "127.0.0.1:0",
        "--operator-addr",
        "127.0.0.1:0",
    ];
    let ended = run(hookgate(["run", "--log-level", "error", "--kubeconfig"])
        .arg(&kubeconfig)
        .args(ports))
    .await;
    assert!(ended.sentence().contains("does not answer"), "{ended:?}");
}

#[tokio::test]
async fn bad_flags_are_refused_by_name() {
    for (args, expected) in [
        (vec!["dev", "--listen", "9292"], "--listen"),
        (vec!["run", "--role", "everything"], "--role"),
        (
            vec!["receiver", "send", "x.http", "--receiver", "github"],
            "--receiver",
        ),
        (vec!["sprint"], "sprint"),
    ] {
        let ended = run(&mut hookgate(args.clone())).await;
        assert_eq!(ended.code, Some(2), "{args:?}");
        assert!(
            ended.stderr.contains(expected),
            "{args:?}: {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_damaged_recording_is_named_with_its_line() {
    let (folder, _) = data_dir();
    let file = folder.path().join("push.http");
    std::fs::write(&file, "POST /hook/0 HTTP/1.1\nno header\n\n").expect("a file");
    let ended = run(hookgate(["receiver", "send"]).arg(&file)).await;
    let sentence = ended.sentence();
    assert!(sentence.contains("push.http`, line 2"), "{sentence}");
}

#[tokio::test]
async fn sending_to_a_gateway_that_is_not_there_fails() {
    let (_folder, data) = data_dir();
    let dev = Dev::start(&data, &[]).await;
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("an address");
    let url = format!("http://{free}");
    let send = |more: [&str; 2]| {
        let mut command = hookgate([
            "receiver",
            "send",
            "receivers/github/push.http",
            "--data-dir",
        ]);
        command.arg(&data).args(more);
        command
    };
    let ended = run(&mut send(["--url", &url])).await;
    assert!(ended.sentence().contains(&free.to_string()), "{ended:?}");
    let ended = run(&mut send(["--receiver", "default/nobody"])).await;
    assert!(ended.sentence().contains("`default/nobody`"), "{ended:?}");
    let refused = dev.hook("default/gitlab");
    let ended = run(&mut send(["--url", &refused])).await;
    assert!(ended.sentence().contains("401"), "{ended:?}");
    assert!(ended.stdout.starts_with("401"), "{ended:?}");
    assert_eq!(dev.end("INT").await, Some(0));
}

#[tokio::test]
async fn the_definitions_are_one_yaml_stream() {
    let ended = run(&mut hookgate(["crds"])).await;
    assert_eq!(ended.code, Some(0));
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&ended.stdout).expect("YAML");
    let names: Vec<_> = documents
        .iter()
        .map(|crd| crd["spec"]["names"]["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(names, ["GitRepository", "Kustomization", "Receiver"]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_as_it_is() {
    use redb::{ReadableDatabase as _, ReadableTable as _};

    let (_folder, data) = data_dir();
    used(&data).await;
    let file = data.join("cluster.redb");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    let database = redb::Database::open(&file).expect("the database");
    let write = database.begin_write().expect("a transaction");
    write
        .open_table(meta)
        .expect("a table")
        .insert("format", 99)
        .expect("a format");
    write.commit().expect("it is written");
    drop(database);
    let stored = || {
        let database = redb::Database::open(&file).expect("the database");
        let read = database.begin_read().expect("a transaction");
        let objects = redb::TableDefinition::<&str, &[u8]>::new("objects");
        let objects = read.open_table(objects).expect("a table");
        let entries = objects.iter().expect("entries").map(|entry| {
            let (path, json) = entry.expect("an entry");
            (path.value().to_owned(), json.value().to_vec())
        });
        let format = read
            .open_table(meta)
            .expect("a table")
            .get("format")
            .expect("a format");
        (
            format.map(|value| value.value()),
            entries.collect::<Vec<_>>(),
        )
    };
    let before = stored();

    let ended = dev(&data, &[]).await;

    let sentence = ended.sentence();
    assert!(
        sentence.contains("newer version") && sentence.contains("99"),
        "{sentence}"
    );
    assert!(stored() == before, "what is stored changed");
}
