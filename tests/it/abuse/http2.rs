//! What HTTP/2 adds to the ways of keeping a port busy: frames that cost their sender nothing.
//!
//! Each flood ends the connection, or costs what it brings and no more; a connection that asks for nothing ends at the
//! deadline for heads like any other.

#[path = "../../properties/frames.rs"]
mod frames;

use std::iter::repeat_n;

use hookgate::hook::Sender;
use http::HeaderMap;

use self::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame, head,
};
use super::port::{Caller, Port, signed, unsigned};
use crate::support::wire::Delivery;

const PRIORITY: u8 = 2;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// More frames than any connection may need.
const MANY: usize = 20_000;

async fn call(port: &Port) -> Caller {
    let mut caller = port.call();
    caller.send(PREFACE).await;
    caller.send(&frame(SETTINGS, 0, 0, &[])).await;
    caller
}

fn opening(delivery: &Delivery) -> Vec<u8> {
    let fields = |headers: &HeaderMap| {
        let named = headers.iter().filter(|(name, _)| *name != "host");
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = value.to_str().expect("text").to_owned();
            (name.as_str().to_owned(), value)
        };
        named.map(text).collect::<Vec<_>>()
    };
    let own = fields(&delivery.headers);
    let mut all = vec![
        (":method", delivery.method.as_str()),
        (":scheme", "http"),
        (":authority", "hook"),
        (":path", &delivery.path),
    ];
    all.extend(own.iter().map(|(name, value)| (&**name, &**value)));
    head(&all)
}

/// Sends a frame over and over, reading nothing, and tells how many were taken and how the connection ended.
async fn flood(mut caller: Caller, frames: impl Iterator<Item = Vec<u8>>) -> Flood {
    let mut taken = 0;
    let mut is_stopped = false;
    for frame in frames {
        if !caller.send_reading(&frame).await {
            is_stopped = true;
            break;
        }
        taken += frame.len();
    }
    let read = caller.has_read();
    let (rest, after) = caller.end_bytes().await;
    Flood {
        taken,
        answered: read + rest.len(),
        is_stopped,
        after,
    }
}

/// How a flood ended.
#[derive(Debug)]
struct Flood {
    /// How many bytes were taken.
    taken: usize,
    /// How many were answered.
    answered: usize,
    /// Whether the port closed the connection before the flood was over.
    is_stopped: bool,
    /// How many seconds after the start the connection was closed.
    after: u64,
}

#[tokio::test(start_paused = true)]
async fn a_head_that_goes_on_and_on_ends_the_connection() {
    let mut caller = call(&Port::open()).await;
    caller
        .send(&frame(
            HEADERS,
            END_STREAM,
            1,
            &opening(&unsigned(Sender::Github, b"")),
        ))
        .await;
    let more = frame(CONTINUATION, 0, 1, &head(&[("a", &"b".repeat(1000))]));
    let flood = flood(caller, repeat_n(more, MANY)).await;
    assert!(flood.is_stopped && flood.taken < 1024 * 1024, "{flood:?}");

    let mut caller = call(&Port::open()).await;
    caller
        .send(&frame(
            HEADERS,
            END_STREAM,
            1,
            &opening(&unsigned(Sender::Github, b"")),
        ))
        .await;
    let empty = frame(CONTINUATION, 0, 1, &[]);
    let flood = self::flood(caller, repeat_n(empty, MANY)).await;
    assert!(flood.is_stopped, "{flood:?}");
}

/// RUSTSEC-2026-0258.
#[tokio::test(start_paused = true)]
async fn empty_pieces_of_a_body_end_the_connection() {
    let mut caller = call(&Port::open()).await;
    let opening = opening(&signed(Sender::Github, b"{}"));
    caller.send(&frame(HEADERS, END_HEADERS, 1, &opening)).await;
    let empty = frame(DATA, 0, 1, &[]);
    let flood = flood(caller, repeat_n(empty, MANY)).await;
    assert!(flood.is_stopped || flood.after <= 30, "{flood:?}");
}

#[tokio::test(start_paused = true)]
async fn frames_that_ask_for_an_answer_get_one_each_until_the_deadline() {
    for (name, frame) in [
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 7])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(99, 0, 0, &[0; 100])),
    ] {
        let flood = flood(call(&Port::open()).await, repeat_n(frame, MANY)).await;
        assert!(
            flood.answered <= flood.taken + 1024 && flood.after <= 10,
            "{name}: {flood:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_floods_and_does_not_read_is_cut_off() {
    let mut caller = call(&Port::open()).await;
    let ping = frame(PING, 0, 0, &[0; 8]);
    while caller.try_send(&ping).await {}
    let (_, after) = caller.end_bytes().await;
    assert!(after <= 10, "{after} s");
}

/// CVE-2025-8671: the client makes the server reset, so that it does not count as the client's doing.
#[tokio::test(start_paused = true)]
async fn a_client_that_makes_the_port_reset_its_requests_is_sent_away() {
    let opening = opening(&signed(Sender::Github, b"{}"));
    let streams = (1..).step_by(2).take(MANY).map(|stream| {
        let open = frame(HEADERS, END_HEADERS, stream, &opening);
        [open, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
    });
    let flood = flood(call(&Port::open()).await, streams).await;
    assert!(flood.is_stopped, "{flood:?}");
}

/// CVE-2023-44487; over a real socket in `connections`.
#[tokio::test(start_paused = true)]
async fn requests_that_are_reset_at_once_end_the_connection() {
    let opening = opening(&signed(Sender::Github, b"{}"));
    let streams = (1..).step_by(2).take(MANY).map(|stream| {
        let open = frame(HEADERS, END_HEADERS, stream, &opening);
        [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    let flood = flood(call(&Port::open()).await, streams).await;
    assert!(flood.is_stopped, "{flood:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_unpacks_to_much_is_refused() {
    // One field of 4 kB goes into the table, and each further byte names it again (RFC 7541, 7.3).
    let large = "b".repeat(4000);
    let mut block = opening(&unsigned(Sender::Github, b""));
    block.extend([0x40, 1, b'a', 0x7f]);
    block.extend([0xa1, 0x1e]);
    block.extend(large.bytes());
    block.extend([0xbe; 8000]);
    let mut caller = call(&Port::open()).await;
    caller
        .send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
        .await;
    let (answer, after) = caller.end_bytes().await;
    assert!(
        answer.len() < 1024 && after <= 10,
        "{} bytes after {after} s",
        answer.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_window_that_stays_shut_does_not_keep_the_connection() {
    let mut caller = Port::open().call();
    caller.send(PREFACE).await;
    // SETTINGS_INITIAL_WINDOW_SIZE (4) of nothing: no byte of an answer may be sent.
    caller
        .send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]))
        .await;
    let delivery = signed(Sender::Github, b"{}");
    for stream in [1, 3, 5] {
        caller
            .send(&frame(HEADERS, END_HEADERS, stream, &opening(&delivery)))
            .await;
        caller
            .send(&frame(DATA, END_STREAM, stream, &delivery.body))
            .await;
    }
    let (_, after) = caller.end_bytes().await;
    assert!(after <= 10, "{after} s");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_holds_its_stream_until_the_deadline() {
    let mut caller = call(&Port::open()).await;
    let opening = opening(&signed(Sender::Github, b"{}"));
    for stream in (1..64).step_by(2) {
        caller
            .send(&frame(HEADERS, END_HEADERS, stream, &opening))
            .await;
    }
    let (_, after) = caller.end_bytes().await;
    assert_eq!(after, 40, "30 s for the bodies, and 10 s without a request");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_http2_ends_the_connection() {
    for (name, bytes) in [
        ("a frame too large", frame(DATA, 0, 1, &vec![0; 20_000])),
        ("data of no request", frame(DATA, 0, 1, b"{}")),
        ("a continuation of nothing", frame(CONTINUATION, 0, 1, &[])),
        (
            "a stream of the server's",
            frame(HEADERS, 5, 2, &head(&[(":method", "POST")])),
        ),
        ("settings of a request", frame(SETTINGS, 0, 1, &[])),
        ("settings cut short", frame(SETTINGS, 0, 0, &[0])),
        (
            "a window beyond its bounds",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        ),
        ("HPACK of nothing", frame(HEADERS, 5, 1, &[0xff; 16])),
        (
            "a request of HTTP/1.1",
            b"POST / HTTP/1.1\r\nHost: hook\r\n\r\n".to_vec(),
        ),
    ] {
        let mut caller = call(&Port::open()).await;
        caller.send(&bytes).await;
        let (answer, after) = caller.end_bytes().await;
        assert!(
            answer.len() < 512 && after == 0,
            "{name}: {} bytes after {after} s",
            answer.len()
        );
    }
}
