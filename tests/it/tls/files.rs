//! The files of a certificate: wrong ones at the start, changed ones later, and the binary that is given them.
//!
//! What can be wrong with a file is tested beside where it is read.

use std::path::Path;

use http::StatusCode;
use tokio::time::timeout;

use super::{Door, mount, question};
use crate::support::{
    binary::{Dev, data_dir, hookgate, run},
    objects::DEADLINE,
    tls::{Authority, Line, connect},
    wire::Delivery,
};

#[tokio::test]
async fn a_new_certificate_is_shown_and_open_connections_stay() {
    let door = Door::open().await;
    let (mut old, first) = door.line().await;
    assert_eq!(
        old.send(question()).await.expect("an answer").status,
        StatusCode::OK
    );

    let second = door.authority.server("one.example.com");
    mount(door.folder.path(), "2", &second, None);
    let shown = async {
        loop {
            let (line, shown) = door.line().await;
            if shown != first {
                return (line, shown);
            }
        }
    };
    let (mut new, shown) = timeout(DEADLINE, shown).await.expect("it is shown in time");
    assert_eq!(shown, second.chain[0].to_vec());
    for line in [&mut old, &mut new] {
        assert_eq!(
            line.send(question()).await.expect("an answer").status,
            StatusCode::OK
        );
    }
    door.counts(r#"hookgate_tls_reloads_total{result="done"} 1"#)
        .await;

    let (third, other) = (
        door.authority.server("one.example.com"),
        door.authority.server("b"),
    );
    mount(door.folder.path(), "3", &third, Some(&other));
    door.counts(r#"hookgate_tls_reloads_total{result="failed"} 1"#)
        .await;
    let (mut line, shown) = door.line().await;
    assert_eq!(shown, second.chain[0].to_vec(), "the one before goes on");
    assert_eq!(
        line.send(question()).await.expect("an answer").status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_at_the_start() {
    let (folder, data) = data_dir();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.into_os_string().into_string().expect("text")
    };
    let authority = Authority::new("servers");
    let (own, other) = (authority.server("a"), authority.server("b"));
    let (certificate, key) = (write("tls.crt", &own.pem), write("tls.key", &own.key_pem()));
    let (other_key, nonsense) = (write("other.key", &other.key_pem()), write("nonsense", "x"));
    let pair = |certificate: &str, key: &str| {
        [
            format!("--tls-cert-file={certificate}"),
            format!("--tls-key-file={key}"),
        ]
        .to_vec()
    };
    let with_authorities = |file: &str| {
        let mut flags = pair(&certificate, &key);
        flags.push(format!("--client-ca-file={file}"));
        flags
    };
    let alone = |flag: &str| vec![flag.to_owned()];
    for (flags, expected) in [
        (
            pair("/nowhere/tls.crt", &key),
            ["`/nowhere/tls.crt`", "No such file"],
        ),
        (pair(&nonsense, &key), ["nonsense", "no certificate"]),
        (
            pair(&certificate, &other_key),
            ["other.key", "does not belong"],
        ),
        (with_authorities(&nonsense), ["nonsense", "no certificate"]),
        (
            alone("--tls-cert-file=a"),
            ["--tls-cert-file", "--tls-key-file"],
        ),
        (
            alone("--proxy-protocol"),
            ["--proxy-protocol", "--trusted-proxies"],
        ),
    ] {
        refuses(&data, &flags, expected).await;
    }
}

/// `hookgate dev` with these flags ends at once, and says so in a sentence with these words.
async fn refuses(data: &Path, flags: &[String], expected: [&str; 2]) {
    let free = [
        "--listen",
        "--api-listen",
        "--admin-listen",
        "--operator-listen",
    ];
    let free = free.into_iter().flat_map(|flag| [flag, "127.0.0.1:0"]);
    let mut command = hookgate(["dev", "--log-level", "error", "--data-dir"]);
    let ended = run(command.arg(data).args(free).args(flags)).await;
    let sentence = ended.sentence();
    let is_said = expected.iter().all(|part| sentence.contains(part));
    assert!(is_said, "{flags:?}: {sentence}");
}

#[tokio::test]
async fn the_binary_receives_deliveries_over_https() {
    let (folder, data) = data_dir();
    let authority = Authority::new("servers");
    let own = authority.server("hooks.example.com");
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .into_os_string()
            .into_string()
            .expect("text")
    };
    std::fs::write(path("tls.crt"), &own.pem).expect("a file");
    std::fs::write(path("tls.key"), own.key_pem()).expect("a file");
    let flags = [
        "--tls-cert-file",
        &path("tls.crt"),
        "--tls-key-file",
        &path("tls.key"),
    ];
    let dev = Dev::start(&data, &flags).await;

    let hook = dev.hook("default/github");
    let (address, digest) = hook
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or_else(|| panic!("no HTTPS in {hook}"));
    let address = address.parse().expect("an address");
    let stream = connect(address, authority.trusting(None), &["http/1.1"]).await;
    let push = Delivery::recorded("receivers/github/push.http").await;
    let push = push.to(&format!("/{digest}"));
    let answer = Line::over(stream.expect("a handshake"))
        .await
        .send(push)
        .await;
    assert_eq!(answer.expect("an answer").status, StatusCode::OK);
    assert_eq!(dev.end("TERM").await, Some(0));
}
