//! Heads and framings that no sender makes.
//!
//! Each ends in the status that RFC 9112 or `DESIGN.md` gives it, and where the end of a request is not certain the
//! connection ends with it.

use hookgate::hook::Sender;

use super::port::{Port, head, path, raw, signed, unsigned};

const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

/// A request to a Receiver's path with these fields and nothing else.
fn post(fields: &str) -> String {
    format!("POST {} HTTP/1.1\r\n{fields}\r\n", path(Sender::Github))
}

async fn each_ends(cases: &[(&str, String, &str)]) {
    let port = Port::open();
    for (case, bytes, end) in cases {
        assert_eq!(port.say(bytes).await, *end, "{case}");
    }
}

fn with_host(fields: &str) -> String {
    post(&format!(
        "Host: hook\r\nContent-Type: application/json\r\n{fields}"
    ))
}

#[tokio::test]
async fn a_signed_delivery_is_taken_and_its_connection_kept() {
    let port = Port::open();
    let delivery = signed(Sender::Github, BODY);
    assert_eq!(port.say(raw(&delivery)).await, "200 open");
    let thrice = raw(&delivery).repeat(3);
    assert_eq!(port.say(thrice).await, "200 200 200 open");
}

#[tokio::test]
async fn heads_are_bounded() {
    let many = |count: usize| with_host(&"a: b\r\n".repeat(count));
    let long = |bytes: usize| with_host(&format!("a: {}\r\n", "b".repeat(bytes)));
    let target = |start: &str, bytes: usize| {
        let rest = "a".repeat(bytes);
        format!("POST {start}{rest} HTTP/1.1\r\nHost: hook\r\n\r\n")
    };
    let method = "A".repeat(500);
    each_ends(&[
        ("a hundred fields", many(98), "401 open"),
        ("a hundred and one fields", many(99), "431 closed"),
        ("ten thousand fields", many(10_000), "431 closed"),
        ("a field of 500 kB", long(500_000), "431 closed"),
        ("a target of 60 kB", target("/", 60_000), "404 open"),
        ("a target of 70 kB", target("/", 70_000), "431 closed"),
        ("a hook of 8 kB", target("/hook/", 8000), "414 open"),
        ("a hook of 60 kB", target("/hook/", 60_000), "414 open"),
        (
            "a method of 500 bytes",
            format!("{method} / HTTP/1.1\r\nHost: hook\r\n\r\n"),
            "404 open",
        ),
        (
            "a method of 500 bytes at a hook",
            post("Host: hook\r\n").replace("POST", &method),
            "405 open",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_is_declared_too_large_is_refused_before_it_comes() {
    each_ends(&[
        (
            "one byte too many",
            with_host("Content-Length: 26214401\r\n"),
            "413 closed",
        ),
        (
            "2^64 - 1",
            with_host("Content-Length: 18446744073709551615\r\n"),
            "431 closed",
        ),
        (
            "2^64",
            with_host("Content-Length: 18446744073709551616\r\n"),
            "400 closed",
        ),
        (
            "nobody is told to continue",
            with_host("Content-Length: 26214401\r\nExpect: 100-continue\r\n"),
            "413 closed",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_length_is_one_number() {
    let with_length = |length: &str| with_host(&format!("Content-Length: {length}\r\n")) + "{}";
    each_ends(&[
        ("a sign", with_length("+2"), "400 closed"),
        ("negative", with_length("-2"), "400 closed"),
        ("hexadecimal", with_length("0x2"), "400 closed"),
        ("a list", with_length("2, 2"), "400 closed"),
        ("nothing", with_length(""), "400 closed"),
        (
            "two that differ",
            with_length("2\r\nContent-Length: 3"),
            "400 closed",
        ),
        ("less than there is", with_length("1"), "401 400 closed"),
    ])
    .await;
}

/// RFC 9112, 6.3: transfer coding overrides length, and who sends both may be smuggling.
#[tokio::test]
async fn where_length_and_transfer_coding_meet_the_connection_is_closed() {
    let port = Port::open();
    let chunked = [b"19\r\n", BODY, b"\r\n0\r\n\r\n"].concat();
    for framing in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 35",
    ] {
        let head = head(&signed(Sender::Github, BODY), framing);
        let said = port.say([head, chunked.clone()].concat()).await;
        assert_eq!(said, "200 closed", "{framing}");
    }
}

#[tokio::test]
async fn a_transfer_coding_is_chunked_once_and_nothing_else() {
    let port = Port::open();
    let chunked = [b"19;a=b\r\n", BODY, b"\r\n0\r\na: b\r\n\r\n"].concat();
    for (codings, end) in [
        ("chunked", "200 open"),
        ("Chunked", "200 open"),
        ("chunked\r\ntransfer-encoding: chunked", "400 closed"),
        ("chunked, chunked", "400 closed"),
        ("identity\r\ntransfer-encoding: chunked", "400 closed"),
        ("chunked\r\ntransfer-encoding: identity", "400 closed"),
        ("gzip, chunked", "400 closed"),
        ("identity", "400 closed"),
        ("xchunked", "400 closed"),
        ("chunked, identity", "400 closed"),
    ] {
        let head = head(
            &signed(Sender::Github, BODY),
            &format!("transfer-encoding: {codings}"),
        );
        let said = port.say([head, chunked.clone()].concat()).await;
        assert_eq!(said, end, "{codings}");
    }
    let old = head(&signed(Sender::Github, BODY), "transfer-encoding: chunked");
    let old = String::from_utf8(old)
        .expect("text")
        .replace("HTTP/1.1", "HTTP/1.0");
    let said = port.say([old.into_bytes(), chunked].concat()).await;
    assert_eq!(said, "400 closed", "HTTP/1.0 knows no transfer coding");
}

#[tokio::test]
async fn chunks_that_are_none_end_the_connection() {
    let port = Port::open();
    for chunks in [
        "x\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}",
        "fffffffffffffffff\r\n",
        "2\r\n{}x0\r\n\r\n",
        "2 2\r\n{}\r\n",
    ] {
        let head = head(&signed(Sender::Github, b"{}"), "transfer-encoding: chunked");
        let said = port.say([&head, chunks.as_bytes()].concat()).await;
        assert_eq!(said, "400 closed", "{chunks}");
    }
}

#[tokio::test]
async fn lines_are_those_of_http() {
    each_ends(&[
        (
            "a space before the colon",
            with_host("a : b\r\n"),
            "400 closed",
        ),
        ("a folded line", with_host("a: b\r\n c\r\n"), "400 closed"),
        (
            "a carriage return alone",
            with_host("a: b\rc: d\r\n"),
            "400 closed",
        ),
        ("NUL", with_host("a: \0\r\n"), "400 closed"),
        ("no name", with_host(": b\r\n"), "400 closed"),
        ("no colon", with_host("a\r\n"), "400 closed"),
        (
            "a space in the target",
            "POST /a b HTTP/1.1\r\nHost: hook\r\n\r\n".to_owned(),
            "400 closed",
        ),
        // RFC 9112, 2.2: a recipient may take a line feed alone for the end of a line.
        (
            "line feeds alone",
            with_host("a: b\r\n").replace("\r\n", "\n"),
            "401 open",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let signed = |change: &dyn Fn(String) -> String| {
        let bytes = String::from_utf8(raw(&signed(Sender::Github, BODY))).expect("text");
        change(bytes)
    };
    let absolute = |host: &str| {
        let path = path(Sender::Github);
        signed(&|bytes| bytes.replace(&path, &format!("http://{host}{path}")))
    };
    each_ends(&[
        (
            "none",
            signed(&|bytes| bytes.replace("host: hook\r\n", "")),
            "400 closed",
        ),
        (
            "two",
            signed(&|bytes| bytes.replace("host: hook", "host: hook\r\nhost: hook")),
            "400 closed",
        ),
        ("in the target", absolute("hook"), "400 closed"),
        ("another in the target", absolute("other"), "400 closed"),
        (
            "with a user in the target",
            absolute("user:password@hook"),
            "400 closed",
        ),
    ])
    .await;
}

#[tokio::test]
async fn only_requests_of_http_1_that_post_are_served() {
    let line = |line: &str| format!("{line}\r\nHost: hook\r\n\r\n");
    let hook = path(Sender::Github);
    each_ends(&[
        ("HTTP/0.9", "GET /\r\n".to_owned(), "400 closed"),
        (
            "HTTP/1.0 is closed after its answer",
            with_host("").replace("HTTP/1.1", "HTTP/1.0"),
            "401 closed",
        ),
        ("HTTP/9.9", line("POST / HTTP/9.9"), "400 closed"),
        ("no version", line("POST /"), "400 closed"),
        ("GET", line(&format!("GET {hook} HTTP/1.1")), "405 open"),
        ("TRACE", line(&format!("TRACE {hook} HTTP/1.1")), "405 open"),
        (
            "OPTIONS",
            line(&format!("OPTIONS {hook} HTTP/1.1")),
            "405 open",
        ),
        ("OPTIONS of all", line("OPTIONS * HTTP/1.1"), "404 open"),
        ("CONNECT", line("CONNECT hook:443 HTTP/1.1"), "404 open"),
        (
            "a handshake of TLS",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
            "400 closed",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_not_told_to_continue() {
    let port = Port::open();
    for (delivery, status) in [
        (unsigned(Sender::Github, BODY), 401),
        (unsigned(Sender::Github, BODY).to("/hook/0123"), 404),
        (
            signed(Sender::Github, BODY).with("content-encoding", "gzip"),
            415,
        ),
    ] {
        let mut caller = port.call();
        let head = head(&delivery, "content-length: 25\r\nexpect: 100-continue");
        caller.send(&head).await;
        assert_eq!(caller.end().await, (vec![status], 0));
    }
    let delivery = signed(Sender::Github, BODY).with("expect", "100-continue");
    assert_eq!(port.say(raw(&delivery)).await, "100 200 open");
}

#[tokio::test]
async fn an_upgrade_is_not_made() {
    let fields =
        "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n";
    let socket = "Upgrade: websocket\r\nConnection: upgrade\r\n";
    each_ends(&[
        ("h2c", with_host(fields), "401 open"),
        ("a web socket", with_host(socket), "401 open"),
    ])
    .await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_answered_in_their_order() {
    let port = Port::open();
    let (good, bad) = (raw(&signed(Sender::Github, BODY)), with_host(""));
    let pair = [good, bad.into_bytes()].concat();
    let said = port.say(pair.repeat(500)).await;
    // The client fails too often, which is told to it, and what is signed is believed all the same.
    let mut words = said.split(' ');
    for _ in 0..500 {
        assert_eq!(words.next(), Some("200"), "{said}");
        assert_eq!(words.next(), Some("401"), "{said}");
    }
    assert_eq!(words.next(), Some("open"));
}
