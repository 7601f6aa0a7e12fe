//! What must hold for every input: plain functions, run by the fuzz targets and replayed by `cargo test`.
//!
//! A property panics when it does not hold; it says nothing of how inputs are found.

use std::path::Path;

use bytes::Bytes;
use hookgate::{
    api::{denied::DeniedTargets, duration::Duration, receiver::Receiver},
    cli::recording::Recording,
    cluster::{Embedded, Options, Storage},
    hook::{CrossNamespaceRefs, Hook, HookPath, Policy, Sender, Token},
    ingress::Query,
    trigger::{history::Delivery, journal::Entry},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const POLICY: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
};
const YAML: &str = "application/yaml";
const TOKEN: &[u8] = b"a token that no input contains by chance";

/// Nobody is authentic without the credential: whatever the header and the body say, only the one that the token makes does.
///
/// The input is a header value, a newline, and a body.
pub fn delivery(input: &[u8]) {
    let (value, body) = split(input);
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    for sender in Sender::ALL {
        let Some(expected) = sender.sign(&token(), body) else {
            continue;
        };
        for header in [expected.header, "x-hub-signature"] {
            let authentic = is_authentic(&hook(sender), header, &value, body);
            let is_expected = value
                .as_bytes()
                .eq_ignore_ascii_case(expected.value.as_bytes());
            assert!(
                !authentic || is_expected,
                "{}: authentic without the token",
                sender.as_str()
            );
        }
        let honest =
            HeaderValue::from_str(&expected.value).expect("a credential is a header value");
        assert!(
            is_authentic(&hook(sender), expected.header, &honest, body),
            "{}: refused",
            sender.as_str()
        );
    }
}

/// A path that is accepted is written back as it was, and nothing else leads to the same hook.
pub fn hook_path(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Some(path) = HookPath::parse(text) {
        assert_eq!(path.reveal(), text);
    }
}

/// A duration survives being printed.
pub fn duration(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(duration) = text.parse::<Duration>() {
        assert_eq!(duration.to_string().parse(), Ok(duration), "{text}");
    }
}

/// Any manifest compiles to a hook or to at least one problem, and a hook without tokens admits nobody who must prove one.
pub fn receiver(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(receiver) = serde_saphyr::from_str::<Receiver>(text) else {
        return;
    };
    match Hook::compile(&receiver, POLICY) {
        Ok(hook) => {
            let Some(credential) = hook.sender().sign(&token(), b"") else {
                return;
            };
            let value =
                HeaderValue::from_str(&credential.value).expect("a credential is a header value");
            assert!(!is_authentic(&hook, credential.header, &value, b""));
        }
        Err(invalid) => assert!(!invalid.problems().is_empty()),
    }
}

/// Any file is a recorded request or an error that names the file.
pub fn recording(input: &[u8]) {
    let bytes = input.to_vec().into();
    match Recording::parse(Path::new("some.http"), &bytes) {
        Ok(recording) => assert!(input.ends_with(&recording.body)),
        Err(error) => assert!(error.to_string().contains("some.http")),
    }
}

/// Any protobuf body is an object that can be stored, or the fault of who sent it.
pub fn protobuf(input: &[u8]) {
    let media_type = "application/vnd.kubernetes.protobuf";
    let (status, _) = post("secrets", media_type, input);
    assert!(!status.is_server_error(), "{status}");
}

/// Any YAML body is an object that can be stored, or the fault of who sent it; what is answered in YAML reads the same.
pub fn yaml(input: &[u8]) {
    let (status, answer) = post("configmaps", YAML, input);
    assert!(!status.is_server_error(), "{status}");
    if !status.is_success() {
        return;
    }
    let (status, again) = post("configmaps", YAML, &answer);
    assert!(status.is_success(), "{status}");
    let said = |answer: &[u8]| {
        let text = str::from_utf8(answer).expect("YAML is text");
        let mut object: Value = serde_saphyr::from_str(text).expect("the answer is YAML");
        for key in ["uid", "creationTimestamp", "name"] {
            object["metadata"][key].take();
        }
        object
    };
    assert_eq!(said(&answer), said(&again));
}

/// Sends a body to a control plane that stores nothing, and wants YAML back.
fn post(resource: &str, media_type: &str, body: &[u8]) -> (StatusCode, Bytes) {
    thread_local! {
        static SERVER: (Runtime, Embedded) = (
            Runtime::new().expect("a runtime starts"),
            Embedded::open(&Options { storage: Storage::Memory }).expect("a database in memory opens"),
        );
    }
    let uri = format!("/api/v1/namespaces/default/{resource}?dryRun=All");
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::ACCEPT, YAML)
        .body(Full::new(Bytes::copy_from_slice(body)))
        .expect("the request is valid");
    SERVER.with(|(runtime, server)| {
        runtime.block_on(async {
            let answer = server.clone().oneshot(request).await;
            let answer = answer.expect("every request is answered");
            let status = answer.status();
            let body = answer.into_body().collect().await.expect("a body");
            (status, body.to_bytes())
        })
    })
}

/// What a Receiver says of denied targets is read or passed over, and what is read is written so that it is read again.
pub fn denied_targets(input: &[u8]) {
    let Some(denied) = str::from_utf8(input).ok().and_then(DeniedTargets::parse) else {
        return;
    };
    let annotation = denied.annotation().expect("there are some");
    assert_eq!(DeniedTargets::parse(&annotation), Some(denied));
}

/// A line of the journal that is read as a mark is written back as one that reads the same.
///
/// The input is a key, a newline, and a value.
pub fn journal_entry(input: &[u8]) {
    let (key, value) = split(input);
    let (Ok(key), Ok(value)) = (str::from_utf8(key), str::from_utf8(value)) else {
        return;
    };
    let entry = Entry {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    if let Ok(normal) = entry.normalised() {
        assert_eq!(normal.normalised(), Ok(normal.clone()), "{entry:?}");
    }
}

/// A row of the history that is read is written back as one that reads the same, and cutting it to its bounds does so once.
pub fn history_row(input: &[u8]) {
    let Ok(delivery) = serde_json::from_slice::<Delivery>(input) else {
        return;
    };
    let bounded = delivery.bounded();
    let written = serde_json::to_vec(&bounded).expect("a delivery is JSON");
    let read: Delivery = serde_json::from_slice(&written).expect("it reads what it writes");
    assert_eq!(read, bounded);
    assert_eq!(read.bounded(), bounded);
    assert!(
        written.len() <= 8 * bounded.weight(),
        "it is weighed too light"
    );
}

/// Any query of the operator's listener is understood, and within bounds, or refused.
pub fn deliveries_query(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(query) = Query::parse(text) {
        assert!((1..=10_000).contains(&query.limit), "{query:?}");
    }
}

fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn token() -> Token {
    Token::new(TOKEN.to_vec()).expect("the token is not blank")
}

fn hook(sender: Sender) -> Hook {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "default" },
        "spec": { "type": sender.as_str(), "secretRef": { "name": "token" }, "resources": [] },
    });
    let receiver = serde_json::from_value(receiver).expect("the manifest is valid");
    Hook::compile(&receiver, POLICY)
        .expect("the Receiver is valid")
        .with_tokens(vec![token()])
}

fn is_authentic(hook: &Hook, header: &'static str, value: &HeaderValue, body: &[u8]) -> bool {
    let headers = HeaderMap::from_iter([(HeaderName::from_static(header), value.clone())]);
    hook.verifier(&headers).is_ok_and(|mut verifier| {
        verifier.update(body);
        verifier.finish().is_ok()
    })
}
