//! Connections that are held, reset, or speak HTTP/2.
//!
//! The listener is the real one, with a small room and a router that tells who waits.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use bytes::Bytes;
use hookgate::ingress::Listener;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const ROOM: usize = 4;
/// How long anything may take that is not meant to wait for a deadline.
const SOON: Duration = Duration::from_secs(5);

async fn listening() -> SocketAddr {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await;
    let listener = listener.expect("a free port").with_max_connections(ROOM);
    let address = listener.address();
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/never", get(std::future::pending::<()>));
    tokio::spawn(listener.serve(router, CancellationToken::new()));
    address
}

async fn answer_on(stream: &mut TcpStream) -> String {
    let request = b"GET / HTTP/1.1\r\nHost: hook\r\n\r\n";
    stream.write_all(request).await.expect("it is open");
    let mut answer = vec![0; 512];
    let count = timeout(SOON, stream.read(&mut answer)).await;
    let count = count.expect("an answer in time").expect("an answer");
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(
        timeout(SOON, stream.read(&mut [0])).await,
        Ok(Ok(0) | Err(_))
    )
}

#[tokio::test]
async fn silent_connections_make_room_for_those_that_speak() {
    let address = listening().await;
    let mut silent = Vec::new();
    for _ in 0..ROOM {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let mut kept = Vec::new();
    for silent in &mut silent {
        let mut honest = TcpStream::connect(address).await.expect("a connection");
        let answer = answer_on(&mut honest).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(is_closed(silent).await, "the longest silent one goes");
        kept.push(honest);
    }
}

#[tokio::test]
async fn connections_that_are_answered_stay() {
    let address = listening().await;
    let mut busy = Vec::new();
    for _ in 1..ROOM {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET /never HTTP/1.1\r\nHost: hook\r\n\r\n";
        stream.write_all(request).await.expect("it is open");
        busy.push(stream);
    }
    for _ in 0..ROOM {
        let mut honest = TcpStream::connect(address).await.expect("a connection");
        answer_on(&mut honest).await;
    }
    for stream in &mut busy {
        let nothing = timeout(Duration::from_millis(50), stream.read(&mut [0])).await;
        assert!(nothing.is_err(), "it is still open: {nothing:?}");
    }
}

#[tokio::test]
async fn http2_is_spoken_too() {
    let address = listening().await;
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::get(format!("http://{address}/"));
        let request = request.body(Empty::new()).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

/// CVE-2023-44487.
#[tokio::test]
async fn a_client_that_resets_its_requests_at_once_is_sent_away() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const END_STREAM_AND_HEADERS: u8 = 5;
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        [&head, payload].concat()
    };
    // `GET http://h/` in HPACK, of the static table but for the authority.
    let get = [0x82, 0x86, 0x84, 0x41, 1, b'h'];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for stream in (1..2001).step_by(2) {
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, &get));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut stream = TcpStream::connect(listening().await)
        .await
        .expect("a connection");
    stream.write_all(&bytes).await.expect("it is open");
    let mut rest = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "it is closed in time");
}

#[tokio::test]
async fn a_connection_that_is_reset_within_a_body_is_over() {
    let address = listening().await;
    for _ in 0..2 * ROOM {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"POST / HTTP/1.1\r\nHost: hook\r\nContent-Length: 9\r\n\r\nbod";
        stream.write_all(request).await.expect("it is open");
        stream.set_zero_linger().expect("a socket");
    }
    let mut honest = TcpStream::connect(address).await.expect("a connection");
    let answer = answer_on(&mut honest).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
