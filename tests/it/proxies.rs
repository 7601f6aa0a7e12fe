//! Proxies in front: whose word counts for the address of a client, and whose does not.
//!
//! Every test comes from loopback, which is a trusted proxy in some and a stranger in others.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use hookgate::{
    config::Entrance,
    ingress::{Listener, TrustedProxies},
    telemetry::Metrics,
};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    BackEnd, Gateway,
    objects::{DEADLINE, git_repository, receiver, secret},
    tls::Line,
    wire::{Answer, Delivery},
};

const LOOPBACK: &str = "127.0.0.0/8";
const ELSEWHERE: &str = "10.0.0.0/8";
const FORWARDED: &str = "x-forwarded-for";

/// More failures than a client may make at once.
const TOO_MANY: usize = 25;

/// A gateway behind proxies in a network, or behind none that it knows of.
async fn behind(network: Option<&str>, proxy_protocol: bool) -> Gateway {
    let mut gateway = Gateway::start(BackEnd::Memory)
        .await
        .expect("it is built in");
    gateway.keep_journal().await;
    let networks = network.map(|network| network.parse().expect("a network"));
    gateway
        .enter_by(Entrance {
            trusted_proxies: networks.into_iter().collect(),
            proxy_protocol,
            ..Entrance::default()
        })
        .await;
    gateway.apply(&secret("token", "token")).await;
    gateway.apply(&git_repository("podinfo", "")).await;
    gateway
}

/// Receivers that take whoever has the path.
async fn apply_open(gateway: &Gateway, names: &[&str]) {
    for name in names {
        let yaml = receiver(name, "generic", "interval: 10m");
        gateway.apply(&yaml).await;
    }
    gateway.settled().await;
}

/// A Receiver at which a delivery without a signature fails.
async fn apply_strict(gateway: &Gateway, name: &str) {
    let yaml = receiver(name, "generic-hmac", "interval: 10m");
    gateway.apply(&yaml).await;
    gateway.settled().await;
}

/// The client of the last delivery, as the operator sees it.
async fn last_client(gateway: &Gateway) -> String {
    let answer = gateway.operator(Method::GET, "/deliveries?limit=1").await;
    let listed: Value = serde_json::from_str(&answer.body).expect("JSON");
    let client = &listed["deliveries"][0]["client"];
    client.as_str().expect("an address").to_owned()
}

async fn deliver(gateway: &Gateway, name: &str, forwarded: Option<&str>) -> Answer {
    let mut delivery = Delivery::post(&gateway.path(name).await, "{}");
    if let Some(value) = forwarded {
        delivery = delivery.with(FORWARDED, value);
    }
    gateway.send(delivery).await
}

/// Sends a delivery on a connection that begins with these bytes.
async fn deliver_after(
    gateway: &Gateway,
    opening: &[u8],
    delivery: Delivery,
) -> hyper::Result<Answer> {
    let mut stream = TcpStream::connect(gateway.authority())
        .await
        .expect("a connection");
    stream.write_all(opening).await.expect("it is open");
    Line::over(stream).await.send(delivery).await
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is() {
    let gateway = behind(Some(LOOPBACK), false).await;
    apply_open(&gateway, &["ci"]).await;
    for (forwarded, expected) in [
        (Some("198.51.100.7"), "198.51.100.7"),
        (Some("192.0.2.1, 198.51.100.7"), "198.51.100.7"),
        (Some("198.51.100.7, 127.0.0.9"), "198.51.100.7"),
        (Some("[2001:db8::7]:1234"), "2001:db8::7"),
        (Some("198.51.100.7, unknown"), "127.0.0.1"),
        (None, "127.0.0.1"),
    ] {
        assert!(deliver(&gateway, "ci", forwarded).await.status.is_success());
        assert_eq!(last_client(&gateway).await, expected, "{forwarded:?}");
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_stranger_cannot_say_who_it_is() {
    for network in [None, Some(ELSEWHERE)] {
        let gateway = behind(network, network.is_some()).await;
        apply_open(&gateway, &["ci"]).await;
        assert!(
            deliver(&gateway, "ci", Some("10.0.0.1"))
                .await
                .status
                .is_success()
        );
        assert_eq!(last_client(&gateway).await, "127.0.0.1", "{network:?}");
        let metrics = gateway.admin("/metrics").await.body;
        let sign = r#"hookgate_unnamed_proxy_signs_total{sign="untrusted-forwarded-for"} 1"#;
        assert!(metrics.contains(sign), "{metrics}");

        let delivery = Delivery::post(&gateway.path("ci").await, "{}");
        let line = b"PROXY TCP4 198.51.100.7 10.0.0.1 1 2\r\n";
        let answer = deliver_after(&gateway, line, delivery)
            .await
            .expect("an answer");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "that is no HTTP");
        gateway.end().await;
    }
}

#[tokio::test]
async fn each_client_of_a_trusted_proxy_is_limited_for_itself() {
    let gateway = behind(Some(LOOPBACK), false).await;
    apply_strict(&gateway, "strict").await;
    for _ in 0..TOO_MANY {
        deliver(&gateway, "strict", Some("198.51.100.7")).await;
    }
    let limited = deliver(&gateway, "strict", Some("198.51.100.7")).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    let spoofed = deliver(&gateway, "strict", Some("192.0.2.1, 198.51.100.7")).await;
    assert_eq!(spoofed.status, StatusCode::TOO_MANY_REQUESTS);
    let other = deliver(&gateway, "strict", Some("192.0.2.1")).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
    gateway.end().await;
}

#[tokio::test]
async fn a_stranger_is_limited_whoever_it_says_it_is() {
    let gateway = behind(None, false).await;
    apply_strict(&gateway, "strict").await;
    for index in 0..TOO_MANY {
        deliver(&gateway, "strict", Some(&format!("198.51.{index}.7"))).await;
    }
    let limited = deliver(&gateway, "strict", Some("192.0.2.1")).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    gateway.end().await;
}

#[tokio::test]
async fn limits_step_aside_where_all_clients_share_an_address() {
    let gateway = behind(None, false).await;
    apply_strict(&gateway, "strict").await;
    apply_open(&gateway, &["a", "b", "c"]).await;
    for name in ["a", "b", "c"] {
        assert!(deliver(&gateway, name, None).await.status.is_success());
    }
    for _ in 0..2 * TOO_MANY {
        let failed = deliver(&gateway, "strict", None).await;
        assert_eq!(failed.status, StatusCode::UNAUTHORIZED);
    }
    let metrics = gateway.admin("/metrics").await.body;
    let sign = r#"hookgate_unnamed_proxy_signs_total{sign="shared-address"}"#;
    assert!(metrics.contains(sign), "{metrics}");
    gateway.end().await;
}

#[tokio::test]
async fn limits_hold_where_one_receiver_is_proven() {
    let gateway = behind(None, false).await;
    apply_strict(&gateway, "strict").await;
    apply_open(&gateway, &["a"]).await;
    for _ in 0..5 {
        deliver(&gateway, "a", None).await;
    }
    for _ in 0..TOO_MANY {
        deliver(&gateway, "strict", None).await;
    }
    let limited = deliver(&gateway, "strict", None).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    gateway.end().await;
}

#[tokio::test]
async fn a_trusted_proxy_begins_with_whom_it_speaks_for() {
    let gateway = behind(Some(LOOPBACK), true).await;
    apply_open(&gateway, &["ci"]).await;
    let delivery = Delivery::post(&gateway.path("ci").await, "{}");
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let ports = [0, 1, 0, 2];
    let ipv4 = [
        &signature[..],
        &[0x21, 0x11, 0, 12, 198, 51, 100, 8, 10, 0, 0, 1],
        &ports,
    ]
    .concat();
    let local = [&signature[..], &[0x20, 0, 0, 0]].concat();
    for (opening, forwarded, expected) in [
        (
            &b"PROXY TCP4 198.51.100.7 10.0.0.1 1 2\r\n"[..],
            None,
            "198.51.100.7",
        ),
        (
            b"PROXY TCP6 2001:db8::7 fd00::1 1 2\r\n",
            None,
            "2001:db8::7",
        ),
        (b"PROXY UNKNOWN\r\n", None, "127.0.0.1"),
        (&ipv4, None, "198.51.100.8"),
        (&local, None, "127.0.0.1"),
        // Whom the proxy speaks for is a stranger, and is not believed.
        (
            b"PROXY TCP4 198.51.100.9 10.0.0.1 1 2\r\n",
            Some("192.0.2.1"),
            "198.51.100.9",
        ),
        // Or it is a proxy that is trusted, too.
        (
            b"PROXY TCP4 127.0.0.9 10.0.0.1 1 2\r\n",
            Some("192.0.2.1"),
            "192.0.2.1",
        ),
    ] {
        let delivery = match forwarded {
            Some(value) => delivery.clone().with(FORWARDED, value),
            None => delivery.clone(),
        };
        let answer = deliver_after(&gateway, opening, delivery)
            .await
            .expect("an answer");
        assert!(answer.status.is_success(), "{}", opening.escape_ascii());
        assert_eq!(
            last_client(&gateway).await,
            expected,
            "{}",
            opening.escape_ascii()
        );
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_trusted_proxy_that_does_not_begin_so_is_sent_away() {
    let gateway = behind(Some(LOOPBACK), true).await;
    apply_open(&gateway, &["ci"]).await;
    let delivery = Delivery::post(&gateway.path("ci").await, "{}");
    for opening in [
        &b""[..],
        b"PROXY TCP4 nonsense\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
    ] {
        let answer = deliver_after(&gateway, opening, delivery.clone()).await;
        assert!(answer.is_err(), "{}: {answer:?}", opening.escape_ascii());
    }
    let metrics = gateway.admin("/metrics").await.body;
    let refused = r#"hookgate_refused_connections_total{reason="proxy-header"} 3"#;
    assert!(metrics.contains(refused), "{metrics}");
    gateway.end().await;
}

/// A listener behind proxies on loopback, with little time and room.
async fn listening(deadline: Duration, room: usize) -> (SocketAddr, Metrics) {
    let metrics = Metrics::new();
    let proxies = TrustedProxies::new(vec![LOOPBACK.parse().expect("a network")]);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await;
    let listener = listener
        .expect("a free port")
        .behind(proxies.speaking_proxy_protocol())
        .with_entrance_deadline(deadline)
        .with_max_connections(room)
        .counted_by(metrics.clone());
    let address = listener.address();
    let router = Router::new().route("/", get(async || "here"));
    tokio::spawn(listener.serve(router, CancellationToken::new()));
    (address, metrics)
}

#[tokio::test]
async fn a_header_has_a_deadline() {
    let (address, metrics) = listening(Duration::from_millis(50), 4).await;
    for opening in [&b""[..], b"PROXY TCP4 198.51.100.7"] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(opening).await.expect("it is open");
        let end = timeout(DEADLINE, stream.read(&mut [0])).await;
        assert!(matches!(end, Ok(Ok(0) | Err(_))), "{end:?}");
    }
    let counted = async {
        while !metrics.encode().contains(r#"{reason="timeout"} 2"#) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, counted).await.expect("both are counted");
}

/// What the client with most connections behind a proxy holds makes room for the others of that proxy.
#[tokio::test]
async fn clients_of_a_proxy_make_room_for_each_other() {
    let (address, _) = listening(DEADLINE, 4).await;
    let come_from = async |last: u8| {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let line =
            format!("PROXY TCP4 198.51.{last}.7 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(line.as_bytes()).await.expect("it is open");
        let mut answer = [0; 512];
        let count = timeout(DEADLINE, stream.read(&mut answer)).await;
        assert!(count.expect("in time").expect("an answer") > 0);
        stream
    };
    let mut first = come_from(1).await;
    let mut many = [come_from(2).await, come_from(2).await, come_from(2).await];
    let _new = come_from(3).await;
    let [oldest, ..] = &mut many;
    let end = timeout(DEADLINE, oldest.read(&mut [0])).await;
    assert!(
        matches!(end, Ok(Ok(0) | Err(_))),
        "the oldest of the many goes: {end:?}"
    );
    let open = timeout(Duration::from_millis(20), first.read(&mut [0])).await;
    assert!(open.is_err(), "who has one keeps it: {open:?}");
}
