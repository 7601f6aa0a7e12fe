//! Bodies that no sender sends, to senders whose bodies are read and to those whose are not.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookgate::{cli::recording::Recording, hook::Sender};
use serde_json::{Value, json};

use super::port::{Port, head, raw, signed};
use crate::support::wire::Delivery;

const LIMIT: usize = 25 * 1024 * 1024;
/// The largest body that is read and not only checked.
const INTERPRETED: usize = 3 * 1024 * 1024;
/// How long any body may take that is there at once; a loaded machine needs most of it.
const SOON: Duration = Duration::from_secs(20);

/// The senders whose bodies are read whatever the Receiver wants.
const READING: [Sender; 5] = [
    Sender::Acr,
    Sender::Cdevents,
    Sender::Dockerhub,
    Sender::Nexus,
    Sender::Quay,
];

/// What a body comes to when its sender is proven.
async fn status(port: &Port, sender: Sender, body: &[u8]) -> u16 {
    port.status(&signed(sender, body)).await
}

async fn push(sender: Sender) -> Vec<u8> {
    let file = format!("receivers/{}/push.http", sender.as_str());
    Delivery::recorded(&file).await.body.to_vec()
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let port = Port::open();
    assert_eq!(status(&port, Sender::Github, b"").await, 200);
    let largest = vec![b' '; LIMIT];
    let delivery = signed(Sender::Github, &largest);
    assert_eq!(port.say(raw(&delivery)).await, "200 open");
    let head = head(&delivery, "transfer-encoding: chunked");
    let chunk = |size: usize| format!("{size:x}\r\n").into_bytes();
    let exact = [&head, &chunk(LIMIT), &*largest, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(port.say(exact).await, "200 open");
    let more = [&head, &chunk(LIMIT + 1), &*largest, b" \r\n0\r\n\r\n"].concat();
    assert!(port.say(more).await.starts_with("413"));
}

#[tokio::test]
async fn encodings_are_refused_whether_they_are_used_or_not() {
    let port = Port::open();
    for (encoding, expected) in [
        ("identity", 200),
        ("gzip", 415),
        ("GZIP", 415),
        ("deflate", 415),
        ("br", 415),
        ("zstd", 415),
        ("identity, gzip", 415),
        ("gzip, identity", 415),
        ("", 415),
    ] {
        let delivery = signed(Sender::Github, b"{}").with("content-encoding", encoding);
        assert_eq!(port.status(&delivery).await, expected, "{encoding:?}");
    }
    let mut twice = signed(Sender::Github, b"{}").with("content-encoding", "identity");
    twice
        .headers
        .append("content-encoding", "gzip".parse().expect("a value"));
    assert_eq!(port.status(&twice).await, 415);
}

#[tokio::test]
async fn media_types_are_those_of_the_sender() {
    let port = Port::open();
    for (media_type, expected) in [
        ("application/json", 200),
        // Nothing is decoded where nothing is read.
        ("application/json; charset=utf-16", 200),
        ("APPLICATION/JSON", 200),
        ("application/x-www-form-urlencoded", 200),
        ("application/jsonp", 415),
        ("text/json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ] {
        let delivery = signed(Sender::Github, b"{}").with("content-type", media_type);
        assert_eq!(port.status(&delivery).await, expected, "{media_type:?}");
    }
}

#[tokio::test]
async fn a_form_with_more_than_its_payload_is_not_signed() {
    let port = Port::open();
    for form in [
        "payload=%7B%7D&payload=%7B%7D",
        "payload=%7B%7D&a=b",
        "a=b",
        "payload",
        "payload=%7",
    ] {
        let form = signed(Sender::Gitea, form.as_bytes());
        let form = form.with("content-type", "application/x-www-form-urlencoded");
        assert_eq!(port.status(&form).await, 401, "{form:?}");
    }
}

#[tokio::test]
async fn texts_are_those_of_json() {
    let port = Port::open();
    let with_tag = |tag: &[u8]| {
        let (start, end) = (
            br#"{"a":0,"push_data":{"tag":""#,
            br#""},"repository":{"repo_url":"r"}}"#,
        );
        [start.as_slice(), tag, end].concat()
    };
    let with_other = |other: &[u8]| [br#"{"a":"#, other, br#","push_data":{"tag":"t"}}"#].concat();
    for (case, body, expected) in [
        ("a text", with_tag(b"6.4.0"), 200),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf".as_slice(), b"{}"].concat(),
            400,
        ),
        ("another encoding", b"{\0}\0".to_vec(), 400),
        // As in Go, bytes that are no text are replaced.
        ("no text, asked for", with_tag(b"\xff\xfe"), 200),
        ("no text, not asked for", with_other(b"\"\xff\""), 200),
        ("half a pair, asked for", with_tag(br"\ud800"), 400),
        (
            "half a pair, not asked for",
            with_other(br#""\ud800""#),
            200,
        ),
        ("an escaped NUL", with_tag(br"\u0000"), 200),
        ("NUL", with_tag(b"\0"), 400),
        ("a line end", with_tag(b"\n"), 400),
        ("an escaped line end", with_tag(br"\n\u001b[31m"), 200),
        ("a path", with_tag(b"../../%2e%2e/(a|b)*"), 200),
        ("a text of 1 MB", with_tag(&vec![b'a'; 1 << 20]), 200),
    ] {
        assert_eq!(
            status(&port, Sender::Dockerhub, &body).await,
            expected,
            "{case}"
        );
    }
}

#[tokio::test]
async fn numbers_names_and_what_follows_are_those_of_go() {
    let port = Port::open();
    let digits = |count: usize| format!(r#"{{"a":{}}}"#, "7".repeat(count));
    for (case, body, expected) in [
        ("a number of 100 kB", digits(100_000), 200),
        ("a large exponent", r#"{"a":1e999999}"#.to_owned(), 200),
        ("minus nothing", r#"{"a":-0}"#.to_owned(), 200),
        ("no number", r#"{"a":NaN}"#.to_owned(), 400),
        ("infinity", r#"{"a":-Infinity}"#.to_owned(), 400),
        (
            "a field twice",
            r#"{"push_data":{"tag":"a"},"push_data":{"tag":"b"}}"#.to_owned(),
            200,
        ),
        (
            "a wrong one, then a right one",
            r#"{"push_data":{"tag":1},"push_data":{"tag":"b"}}"#.to_owned(),
            400,
        ),
        (
            "another case",
            r#"{"PUSH_DATA":{"Tag":"a"}}"#.to_owned(),
            200,
        ),
        (
            "a wrong one in another case",
            r#"{"PUSH_DATA":{"Tag":1}}"#.to_owned(),
            400,
        ),
        ("two values", "{} {}".to_owned(), 200),
        ("garbage behind it", "{}x".to_owned(), 200),
        ("nothing", String::new(), 400),
        ("white space", " \n".to_owned(), 400),
        ("null", "null".to_owned(), 200),
        ("an array", "[]".to_owned(), 400),
    ] {
        let status = status(&port, Sender::Dockerhub, body.as_bytes()).await;
        assert_eq!(status, expected, "{case}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_anywhere_is_not_understood() {
    let port = Port::open();
    for sender in READING {
        let body = push(sender).await;
        let body = body.trim_ascii();
        for end in 0..body.len() {
            let status = status(&port, sender, &body[..end]).await;
            assert_eq!(status, 400, "{}: {end} bytes", sender.as_str());
        }
        assert_eq!(status(&port, sender, body).await, 200);
    }
}

/// Every value of every sender's push in turn becomes something else, or goes away.
#[tokio::test]
async fn any_value_may_be_missing_or_of_another_type() {
    let port = Port::open();
    let others = [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!([[null]]),
        json!(true),
    ];
    for sender in READING {
        let body: Value = serde_json::from_slice(&push(sender).await).expect("JSON");
        for place in places(&body) {
            let mut changed: Vec<Value> = others
                .iter()
                .map(|other| with(&body, &place, Some(other)))
                .collect();
            changed.push(with(&body, &place, None));
            for changed in changed {
                let status = status(&port, sender, changed.to_string().as_bytes()).await;
                assert!(
                    matches!(status, 200 | 400),
                    "{}: {status} for {changed}",
                    sender.as_str()
                );
            }
        }
    }
}

#[tokio::test]
async fn depth_and_length_cost_no_more_than_their_bytes() {
    let port = Port::open();
    let deep = |open: &str, close: &str| {
        let count = 1_000_000.min(INTERPRETED / 2 / (open.len() + close.len()));
        format!(r#"{{"a":{}0{}}}"#, open.repeat(count), close.repeat(count))
    };
    let long = |item: &str| {
        let items = item.repeat((INTERPRETED - 100) / item.len());
        format!(r#"{{"a":[{}]}}"#, items.trim_end_matches(','))
    };
    let names = (0..INTERPRETED / 16).map(|name| format!("\"{name:x}\":0,"));
    let names: String = names.collect();
    for (case, body, expected) in [
        ("arrays in arrays", deep("[", "]"), 200),
        ("arrays in arrays, not closed", deep("[", ""), 400),
        ("objects in objects", deep(r#"{"a":"#, "}"), 200),
        ("objects in objects, not closed", deep(r#"{"a":"#, ""), 400),
        ("arrays at the start", "[".repeat(INTERPRETED), 400),
        ("numbers", long("0,"), 200),
        ("arrays", long("[],"), 200),
        ("names", format!("{{{names}\"a\":0}}"), 200),
        ("tags", long("0,").replace("\"a\"", "\"updated_tags\""), 400),
    ] {
        let started = Instant::now();
        let status = status(&port, Sender::Quay, body.as_bytes()).await;
        assert_eq!(status, expected, "{case}");
        assert!(
            started.elapsed() < SOON,
            "{case} took {:?}",
            started.elapsed()
        );
    }
    let too_large = vec![b' '; INTERPRETED + 1];
    assert_eq!(status(&port, Sender::Quay, &too_large).await, 413);
    let unread = "[],".repeat(LIMIT / 3);
    assert_eq!(
        status(&port, Sender::Github, unread.as_bytes()).await,
        200,
        "it only passes by"
    );
}

#[tokio::test]
async fn a_push_of_a_hundred_thousand_commits_is_a_push() {
    let port = Port::open();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers/github/push.http");
    let recording = Recording::read(&file).await.expect("a recording");
    let mut push: Value = serde_json::from_slice(&recording.body).expect("JSON");
    let commit = json!({ "id": "0".repeat(40), "message": "a commit", "added": [] });
    push["commits"] = Value::Array(vec![commit; 100_000]);
    let body = Bytes::from(push.to_string());
    assert_eq!(status(&port, Sender::Github, &body).await, 200);
}

/// Where the values of a document are, as pointers of RFC 6901.
fn places(document: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let inner: Vec<(String, &Value)> = match document {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, value)| (index.to_string(), value))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let name = name.replace('~', "~0").replace('/', "~1");
        places.extend(
            self::places(value)
                .iter()
                .map(|rest| format!("/{name}{rest}")),
        );
    }
    places
}

/// A document with another value at a place, or without that place.
fn with(document: &Value, place: &str, other: Option<&Value>) -> Value {
    let mut changed = document.clone();
    let (parent, name) = place.rsplit_once('/').unwrap_or_default();
    match (other, changed.pointer_mut(parent)) {
        (Some(other), _) => *changed.pointer_mut(place).expect("a place") = other.clone(),
        (None, Some(Value::Object(fields))) => drop(fields.remove(name)),
        (None, Some(Value::Array(items))) if !name.is_empty() => {
            items.remove(name.parse().expect("an index"));
        }
        (None, _) => changed = Value::Null,
    }
    changed
}
