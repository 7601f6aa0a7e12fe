//! Handshakes: what is agreed on, and those that are slow, too large, too old, or none.
//!
//! rustls has no renegotiation, so there is none to refuse.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::StatusCode;
use rustls::{
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Door, ROOM, question, rest};
use crate::support::tls::{Line, connect, send_over_http2, shake_hands};

/// What a test gives a connection that is meant to take too long.
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn both_versions_of_http_are_agreed_on() {
    let door = Door::open().await;
    let trusting = || door.authority.trusting(None);

    let stream = connect(door.address, trusting(), &["h2", "http/1.1"]).await;
    let stream = stream.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let answer = send_over_http2(stream, question())
        .await
        .expect("an answer");
    assert_eq!(answer.body, "HTTP/2.0");

    for protocols in [&["http/1.1"][..], &[]] {
        let stream = connect(door.address, trusting(), protocols).await;
        let mut line = Line::over(stream.expect("a handshake")).await;
        let answer = line.send(question()).await.expect("an answer");
        assert_eq!(answer.body, "HTTP/1.1");
    }
    let other = connect(door.address, trusting(), &["imap"]).await;
    assert!(other.is_err(), "nothing else is spoken");
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_no_older_ones() {
    let door = Door::open().await;
    for version in [&TLS12, &TLS13] {
        let only = door.authority.trusting_over(&[version], None);
        let stream = connect(door.address, only, &[]).await;
        assert!(stream.is_ok(), "{version:?}: {stream:?}");
    }
    for minor in [0, 1, 2] {
        let mut stream = TcpStream::connect(door.address)
            .await
            .expect("a connection");
        stream
            .write_all(&old_client_hello(minor))
            .await
            .expect("it is open");
        let answer = rest(&mut stream).await;
        let fatal_protocol_version = Some(&[2, 70][..]);
        assert_eq!(answer.first(), Some(&0x15), "an alert: {answer:?}");
        assert_eq!(answer.get(5..7), fatal_protocol_version, "{minor}");
    }
    door.counts(r#"hookgate_refused_connections_total{reason="handshake"} 3"#)
        .await;
}

/// What a client greets with that knows no newer version than 3.`minor`: SSL 3.0, TLS 1.0 or 1.1.
fn old_client_hello(minor: u8) -> Vec<u8> {
    let (no_session, suites, no_compression) = ([0], [0, 2, 0xc0, 0x2b], [1, 0]);
    let signature_algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let body = [
        &[3, minor][..],
        &[7; 32],
        &no_session,
        &suites,
        &no_compression,
        &signature_algorithms,
    ];
    let body = body.concat();
    let length = u8::try_from(body.len()).expect("short");
    let message = [&[1, 0, 0, length][..], &body].concat();
    [&[0x16, 3, minor, 0, length + 4][..], &message].concat()
}

#[tokio::test]
async fn a_name_that_is_not_in_the_certificate_is_the_clients_to_judge() {
    let door = Door::open().await;
    for name in ["one.example.com", "127.0.0.1", "two.example.com"] {
        let stream = TcpStream::connect(door.address)
            .await
            .expect("a connection");
        let connector = TlsConnector::from(Arc::new(door.authority.trusting(None)));
        let server = ServerName::try_from(name).expect("a name");
        let shaken = connector.connect(server, stream).await;
        assert_eq!(
            shaken.is_ok(),
            name != "two.example.com",
            "{name}: {shaken:?}"
        );
    }
}

#[tokio::test]
async fn a_greeting_may_come_in_pieces() {
    let door = Door::open().await;
    let stream = TcpStream::connect(door.address)
        .await
        .expect("a connection");
    stream.set_nodelay(true).expect("an option");
    let stream = shake_hands(Dripping(stream), door.authority.trusting(None), &[]).await;
    let mut line = Line::over(stream.expect("a handshake")).await;
    assert_eq!(
        line.send(question()).await.expect("an answer").status,
        StatusCode::OK
    );
}

/// A stream that sends one byte at a time.
struct Dripping(TcpStream);

impl AsyncRead for Dripping {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Dripping {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let drop = &bytes[..bytes.len().min(1)];
        Pin::new(&mut self.0).poll_write(context, drop)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_ends_at_its_deadline() {
    let door = Door::open_for(SHORT).await;
    let half = old_client_hello(3);
    for sent in [&[][..], &half[..1], &half[..20]] {
        let mut stream = TcpStream::connect(door.address)
            .await
            .expect("a connection");
        stream.write_all(sent).await.expect("it is open");
        assert_eq!(
            rest(&mut stream).await,
            b"",
            "nobody answers half a greeting"
        );
    }
    door.counts(r#"hookgate_refused_connections_total{reason="timeout"} 3"#)
        .await;
}

#[tokio::test]
async fn a_greeting_beyond_all_bounds_is_refused() {
    let door = Door::open().await;
    let record = [
        &[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..],
        &[0; 0x4000 - 4],
    ]
    .concat();
    let mut stream = TcpStream::connect(door.address)
        .await
        .expect("a connection");
    for _ in 0..64 {
        // It ends while this is written.
        if stream.write_all(&record).await.is_err() {
            break;
        }
    }
    rest(&mut stream).await;
    door.counts(r#"hookgate_refused_connections_total{reason="handshake"} 1"#)
        .await;
}

#[tokio::test]
async fn connections_that_shake_no_hands_make_room() {
    let door = Door::open().await;
    let mut silent = Vec::new();
    for _ in 0..ROOM {
        silent.push(
            TcpStream::connect(door.address)
                .await
                .expect("a connection"),
        );
    }
    let mut kept = Vec::new();
    for silent in &mut silent {
        let (mut line, _) = door.line().await;
        assert_eq!(
            line.send(question()).await.expect("an answer").status,
            StatusCode::OK
        );
        assert_eq!(rest(silent).await, b"", "the longest silent one goes");
        kept.push(line);
    }
}

#[tokio::test]
async fn plain_http_is_told_that_it_is_wrong() {
    let door = Door::open().await;
    let mut stream = TcpStream::connect(door.address)
        .await
        .expect("a connection");
    let request = b"POST /hook/0 HTTP/1.1\r\nHost: hook\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(request).await.expect("it is open");
    let answer = String::from_utf8(rest(&mut stream).await).expect("text");
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    door.counts(r#"hookgate_refused_connections_total{reason="plain-http"} 1"#)
        .await;
}

#[tokio::test]
async fn who_only_looks_whether_anybody_listens_is_not_counted() {
    let door = Door::open().await;
    for _ in 0..3 {
        let mut probe = TcpStream::connect(door.address)
            .await
            .expect("a connection");
        probe.shutdown().await.expect("it is open");
        assert_eq!(rest(&mut probe).await, b"");
    }
    let (mut line, _) = door.line().await;
    line.send(question()).await.expect("an answer");
    let metrics = door.metrics.encode();
    assert!(
        !metrics.contains("hookgate_refused_connections_total{"),
        "{metrics}"
    );
}
