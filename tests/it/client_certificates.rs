//! Receivers that ask for the certificate of a client, in front of the real gateway.
//!
//! What a name may look like is tested beside the rule.

use std::time::Duration;

use hookgate::config::{Entrance, TlsFiles};
use http::StatusCode;
use rcgen::{DnType, ExtendedKeyUsagePurpose};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::{
    BackEnd, Gateway,
    objects::{DEADLINE, events, git_repository, receiver, secret},
    path_of,
    tls::{Authority, Certificate, Line, connect, send_over_http2},
    wire::{Answer, Delivery},
};

const TOKEN: &str = "token";
const ANNOTATION: &str = "hookgate.dev/client-certificate";

/// A gateway over TLS that asks clients for certificates, with Receivers that do and do not care.
struct Scene {
    gateway: Gateway,
    servers: Authority,
    clients: Authority,
    folder: TempDir,
}

/// A Receiver of the type `generic` that asks for a certificate.
fn asking(name: &str, rule: &str) -> String {
    let named = format!("metadata: {{name: {name}}}");
    let annotated = format!("metadata: {{name: {name}, annotations: {{{ANNOTATION}: '{rule}'}}}}");
    receiver(name, "generic", "interval: 10m").replace(&named, &annotated)
}

impl Scene {
    async fn start() -> Self {
        let mut gateway = Gateway::start(BackEnd::Memory)
            .await
            .expect("it is built in");
        gateway.keep_journal().await;
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = servers.server("hooks.example.com");
        for (name, text) in [
            ("tls.crt", own.pem.as_str()),
            ("tls.key", &own.key_pem()),
            ("ca.crt", clients.pem()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let tls = TlsFiles {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
            client_authorities: Some(folder.path().join("ca.crt")),
            poll_interval: Duration::from_millis(5),
        };
        let entrance = Entrance {
            tls: Some(tls),
            ..Entrance::default()
        };
        gateway.enter_by(entrance).await;
        gateway.apply(&secret("token", TOKEN)).await;
        gateway.apply(&git_repository("podinfo", "")).await;
        gateway
            .apply(&receiver("open", "generic", "interval: 10m"))
            .await;
        gateway.apply(&asking("any", "required")).await;
        gateway
            .apply(&asking(
                "named",
                "git.example.com, spiffe://example.com/git",
            ))
            .await;
        gateway.settled().await;
        Self {
            gateway,
            servers,
            clients,
            folder,
        }
    }

    async fn line(&self, certificate: Option<&Certificate>) -> Line {
        let address = self.gateway.authority().parse().expect("an address");
        let stream = connect(address, self.servers.trusting(certificate), &["http/1.1"]).await;
        Line::over(stream.expect("a handshake")).await
    }

    /// What a delivery to a Receiver comes to, from a client with a certificate or without.
    async fn send(&self, certificate: Option<&Certificate>, receiver: &str) -> Answer {
        let mut line = self.line(certificate).await;
        line.send(self.delivery(receiver)).await.expect("an answer")
    }

    fn delivery(&self, receiver: &str) -> Delivery {
        Delivery::post(&path_of(TOKEN, receiver, self.gateway.namespace()), "{}")
    }

    /// Each Receiver in turn takes a delivery of the client, or refuses it and tells nothing.
    async fn check(&self, certificate: Option<&Certificate>, expected: &[(&str, bool)]) {
        for (receiver, is_taken) in expected {
            let answer = self.send(certificate, receiver).await;
            if *is_taken {
                assert!(answer.status.is_success(), "{receiver}: {answer:?}");
            } else {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{receiver}");
                assert_eq!(answer.body, "", "a refusal tells nothing");
            }
        }
    }
}

#[tokio::test]
async fn receivers_let_in_whom_they_ask_for() {
    let scene = Scene::start().await;
    let check = async |certificate: &Certificate, any, named| {
        let expected = [("open", true), ("any", any), ("named", named)];
        scene.check(Some(certificate), &expected).await;
    };
    scene
        .check(None, &[("open", true), ("any", false), ("named", false)])
        .await;
    let clients = &scene.clients;
    check(&clients.client(&["git.example.com"], &[]), true, true).await;
    check(
        &clients.client(&["x"], &["spiffe://example.com/git"]),
        true,
        true,
    )
    .await;
    check(&clients.client(&["other.example.com"], &[]), true, false).await;
    check(
        &clients.client(&["*.example.com"], &["https://git.example.com"]),
        true,
        false,
    )
    .await;
    let common_name = clients.spoiled("x", |params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "git.example.com");
    });
    check(&common_name, true, false).await;
    let below = clients.below("deputy").below("deputy of the deputy");
    check(&below.client(&["git.example.com"], &[]), true, true).await;
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_counts_for_nothing() {
    let scene = Scene::start().await;
    let clients = &scene.clients;
    let name = "git.example.com";
    let expired = clients.spoiled(name, |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let early = clients.spoiled(name, |params| {
        params.not_before = rcgen::date_time_ymd(2100, 1, 1);
    });
    let for_servers = clients.spoiled(name, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let stranger = Authority::new("clients").client(&[name], &[]);
    let of_the_server = scene.servers.client(&[name], &[]);
    for certificate in [&expired, &early, &for_servers, &stranger, &of_the_server] {
        let expected = [("open", true), ("any", false), ("named", false)];
        scene.check(Some(certificate), &expected).await;
    }
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_certificate_does_not_replace_the_credential() {
    let scene = Scene::start().await;
    let signed = asking("signed", "required").replace("type: generic", "type: generic-hmac");
    scene.gateway.apply(&signed).await;
    scene.gateway.settled().await;
    let certificate = scene.clients.client(&["git.example.com"], &[]);
    scene.check(Some(&certificate), &[("signed", false)]).await;
    let unknown = scene.send(Some(&certificate), "nobody").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_certificate_is_known_over_http2_too() {
    let scene = Scene::start().await;
    let address = scene.gateway.authority().parse().expect("an address");
    let certificate = scene.clients.client(&["git.example.com"], &[]);
    for (certificate, expected) in [(Some(&certificate), true), (None, false)] {
        let stream = connect(address, scene.servers.trusting(certificate), &["h2"]).await;
        let answer = send_over_http2(stream.expect("a handshake"), scene.delivery("named")).await;
        assert_eq!(answer.expect("an answer").status.is_success(), expected);
    }
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_chain_beyond_all_bounds_ends_the_handshake() {
    let scene = Scene::start().await;
    let address = scene.gateway.authority().parse().expect("an address");
    let mut deep = Authority::new("clients");
    for depth in 0..9 {
        deep = deep.below(&depth.to_string());
    }
    let large = scene.clients.spoiled("git.example.com", |params| {
        let more = (0..1000).map(|index| format!("{index}.git.example.com"));
        let more = more.map(|name| rcgen::SanType::DnsName(name.try_into().expect("ASCII")));
        params.subject_alt_names.extend(more);
    });
    for certificate in [deep.client(&["git.example.com"], &[]), large] {
        let client = scene.servers.trusting(Some(&certificate));
        let refused = match connect(address, client, &["http/1.1"]).await {
            // In TLS 1.3 a client is done before its certificate is looked at.
            Ok(stream) => Line::over(stream)
                .await
                .send(scene.delivery("open"))
                .await
                .is_err(),
            Err(_) => true,
        };
        assert!(refused, "{} certificates", certificate.chain.len());
    }
    scene.check(None, &[("open", true)]).await;
    scene.gateway.end().await;
}

#[tokio::test]
async fn authorities_that_change_count_for_open_connections_too() {
    let scene = Scene::start().await;
    let certificate = scene.clients.client(&["git.example.com"], &[]);
    let mut line = scene.line(Some(&certificate)).await;
    let answer = line.send(scene.delivery("named")).await.expect("an answer");
    assert!(answer.status.is_success());

    let others = Authority::new("others");
    std::fs::write(scene.folder.path().join("ca.crt"), others.pem()).expect("a file");
    let other = others.client(&["git.example.com"], &[]);
    let refused = async { while !scene.send(Some(&other), "named").await.status.is_success() {} };
    timeout(DEADLINE, refused)
        .await
        .expect("the new authority counts in time");
    let answer = line
        .send(scene.delivery("named"))
        .await
        .expect("it is still open");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    scene.gateway.end().await;
}

#[tokio::test]
async fn a_gateway_that_asks_nobody_says_so_and_lets_nobody_in() {
    let mut gateway = Gateway::start(BackEnd::Memory)
        .await
        .expect("it is built in");
    gateway.apply(&secret("token", TOKEN)).await;
    gateway.apply(&git_repository("podinfo", "")).await;
    gateway.apply(&asking("any", "required")).await;
    gateway.settled().await;
    assert_eq!(
        gateway.condition("any", "Ready").await,
        "False ValidationFailed"
    );
    let message = gateway.message("any").await;
    assert!(
        message.contains(ANNOTATION) && message.contains("--client-ca-file"),
        "{message}"
    );
    let delivery = Delivery::post(&path_of(TOKEN, "any", gateway.namespace()), "{}");
    let answer = gateway.send(delivery.clone()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);

    // Another writes the status: only the gateway knows.
    gateway.leave_status_alone().await;
    let refused = async {
        while gateway.send(delivery.clone()).await.status != StatusCode::UNAUTHORIZED {}
        while events(
            gateway.client(),
            gateway.namespace(),
            "any",
            "ClientCertificateNotChecked",
        )
        .await
            == 0
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, refused)
        .await
        .expect("it is told in time");
    assert_eq!(gateway.annotation("GitRepository", "podinfo").await, None);
    gateway.end().await;
}

#[tokio::test]
async fn a_rule_that_is_not_understood_is_a_condition() {
    let gateway = Gateway::start(BackEnd::Memory)
        .await
        .expect("it is built in");
    gateway.apply(&secret("token", TOKEN)).await;
    gateway.apply(&asking("wild", "*.example.com")).await;
    gateway.settled().await;
    let message = gateway.message("wild").await;
    assert!(
        message.contains("`*.example.com`") && message.contains("required"),
        "{message}"
    );
    gateway.end().await;
}
