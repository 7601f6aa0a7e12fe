//! Callers that take their time: each is cut off at a deadline, and nothing of it stays.
//!
//! The clock is paused and jumps to the next deadline as soon as nothing else happens.

use std::time::Duration;

use hookgate::hook::Sender;
use tokio::time::sleep;

use super::port::{Caller, Port, head, raw, signed, unsigned};

const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;
/// How long a head may take, in seconds, and a connection may stay without a request.
const HEAD: u64 = 10;
/// How long a body may take, in seconds.
const BODY_DEADLINE: u64 = 30;

/// Sends pieces one by one, with a pause after each, until the port closes the connection; then its answers, and
/// whether that was at the deadline.
async fn drip(
    mut caller: Caller,
    pieces: impl Iterator<Item = Vec<u8>>,
    pause: u64,
    deadline: u64,
) -> (Vec<u16>, bool) {
    for piece in pieces {
        if !caller.try_send(&piece).await {
            break;
        }
        sleep(Duration::from_secs(pause)).await;
    }
    let (answers, after) = caller.end().await;
    (answers, (deadline..=deadline + pause).contains(&after))
}

fn bytes(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.iter().map(|byte| vec![*byte])
}

#[tokio::test(start_paused = true)]
async fn who_sends_nothing_is_cut_off() {
    assert_eq!(Port::open().call().end().await, (vec![], HEAD));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off() {
    for part in [
        "P",
        "POST / HT",
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        let mut caller = Port::open().call();
        caller.send(part.as_bytes()).await;
        assert_eq!(caller.end().await, (vec![], HEAD), "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_off() {
    let start = std::iter::once(b"POST / HTTP/1.1\r\n".to_vec());
    let lines = start.chain(std::iter::repeat_with(|| b"a: b\r\n".to_vec()));
    let caller = Port::open().call();
    assert_eq!(drip(caller, lines, 2, HEAD).await, (vec![], true));
    let head = raw(&unsigned(Sender::Github, b""));
    let caller = Port::open().call();
    assert_eq!(drip(caller, bytes(&head), 1, HEAD).await, (vec![], true));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_told_so() {
    for framing in ["content-length: 25", "transfer-encoding: chunked"] {
        let mut caller = Port::open().call();
        caller
            .send(&head(&signed(Sender::Github, BODY), framing))
            .await;
        assert_eq!(caller.end().await, (vec![408], BODY_DEADLINE), "{framing}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_told_so() {
    let mut caller = Port::open().call();
    caller
        .send(&head(&signed(Sender::Github, BODY), "content-length: 25"))
        .await;
    let dripped = drip(caller, bytes(BODY), 2, BODY_DEADLINE).await;
    assert_eq!(dripped, (vec![408], true));

    let mut caller = Port::open().call();
    caller
        .send(&head(
            &signed(Sender::Github, BODY),
            "transfer-encoding: chunked",
        ))
        .await;
    let chunks = std::iter::repeat_with(|| b"1\r\na\r\n".to_vec());
    let dripped = drip(caller, chunks, 2, BODY_DEADLINE).await;
    assert_eq!(dripped, (vec![408], true));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_is_not_waited_for() {
    for delivery in [
        unsigned(Sender::Github, BODY),
        signed(Sender::Github, BODY).to("/hook/0123"),
    ] {
        let mut caller = Port::open().call();
        caller
            .send(&head(&delivery, "content-length: 26214400"))
            .await;
        let (answers, after) = caller.end().await;
        assert_eq!(answers.len(), 1);
        assert!(
            matches!(answers[0], 401 | 404) && after == 0,
            "{answers:?} after {after} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_without_end_are_too_large_at_the_limit() {
    let mut caller = Port::open().call();
    caller
        .send(&head(
            &signed(Sender::Github, BODY),
            "transfer-encoding: chunked",
        ))
        .await;
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while caller.try_send(&chunk).await {
        sent += 0x10000;
    }
    let most = 25 * 1024 * 1024;
    assert!(
        (most..most + 3 * 0x10000).contains(&sent),
        "{sent} bytes taken"
    );
    assert_eq!(caller.rest().await, [413]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_used_again_is_closed() {
    let mut caller = Port::open().call();
    caller.send(&raw(&signed(Sender::Github, BODY))).await;
    assert_eq!(caller.end().await, (vec![200], HEAD));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_goes_on_being_used_is_kept() {
    let port = Port::open();
    let mut caller = port.call();
    let delivery = raw(&signed(Sender::Github, BODY));
    for _ in 0..20 {
        caller.send(&delivery).await;
        sleep(Duration::from_secs(HEAD - 1)).await;
    }
    caller.finish().await;
    assert_eq!(caller.rest().await, [200; 20]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answers_is_cut_off() {
    let mut caller = Port::open().call();
    let delivery = raw(&signed(Sender::Github, BODY));
    while caller.try_send(&delivery).await {}
    let (answers, after) = caller.end().await;
    assert!(
        answers.iter().all(|status| *status == 200) && after <= HEAD,
        "{after} s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_malformed() {
    for (framing, part) in [
        ("content-length: 25", &BODY[..24]),
        ("transfer-encoding: chunked", b"19\r\n{"),
    ] {
        let mut caller = Port::open().call();
        caller
            .send(&head(&signed(Sender::Github, BODY), framing))
            .await;
        caller.send(part).await;
        caller.finish().await;
        let (answers, after) = caller.end().await;
        assert!(
            answers == [400] && after == 0,
            "{framing}: {answers:?} after {after} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_who_vanishes() {
    let whole = raw(&signed(Sender::Github, BODY));
    for count in 0..=whole.len() {
        let mut caller = Port::open().call();
        caller.send(&whole[..count]).await;
        caller.vanish().await;
    }
}
