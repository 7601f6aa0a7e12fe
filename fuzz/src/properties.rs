//! What must hold for every input: plain functions, run by the fuzz targets and replayed by `cargo test`.
//!
//! A property panics when it does not hold; it says nothing of how inputs are found.

mod credentials;
mod issuers;
mod limits;
mod proxies;
pub mod wire;

use std::{
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hookgate::{
    api::{
        denied::DeniedTargets, duration::Duration as Span, last_trigger::LastTrigger,
        live_secrets::LiveSets, receiver::Receiver,
    },
    cel::{Meter, Output, Program, Uncompilable, Variables},
    cli::recording::Recording,
    cluster::{Embedded, Options, Storage},
    hook::{
        Authentic, Candidate, CertificateChecks, Credential, CrossNamespaceRefs, Draft, Hook,
        HookPath, PlainIssuers, Policy, Secrets, Selector, Sender, Token, Unauthentic, Unsignable,
    },
    ingress::Query,
    trigger::{history::Delivery, journal::Entry},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

pub use credentials::{secret, signature_headers, standard_webhooks};
pub use issuers::{id_token, issuer_document, pub_sub};
pub use limits::{allowed_clients, rate};
pub use proxies::{forwarded_for, proxy_header};
pub use wire::wire;

const POLICY: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
    plain_issuers: PlainIssuers::Denied,
    certificate_checks: CertificateChecks::Possible,
};
const YAML: &str = "application/yaml";
/// A token that no input contains by chance; it is base64, as some senders ask.
const TOKEN: &[u8] = b"whsec_YSB0b2tlbiB0aGF0IG5vIGlucHV0IGNvbnRhaW5z";
const NOW: Timestamp = Timestamp::UNIX_EPOCH;
/// Many times what an expression takes at its bounds, so that a busy machine does not matter.
const LONGEST_EXPRESSION: Duration = Duration::from_secs(30);

/// Nobody is authentic without the credential: whatever a header and the body say, only what the token makes of them does.
///
/// The input is a header value, a newline, and a body.
pub fn delivery(input: &[u8]) {
    let (value, body) = split(input);
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    for hook in hooks() {
        let (sender, signed) = (hook.sender(), signed(hook.sender(), body));
        let spoil = |header: &HeaderName| {
            let mut headers = signed.clone();
            headers.insert(header, value.clone());
            headers
        };
        let legacy =
            HeaderMap::from_iter([(HeaderName::from_static("x-hub-signature"), value.clone())]);
        for headers in signed.keys().map(spoil).chain([legacy]) {
            let is_right = |right: &HeaderValue| {
                let right = right.as_bytes();
                right.eq_ignore_ascii_case(value.as_bytes())
            };
            assert!(
                signed.is_empty()
                    || signed.values().any(is_right)
                    || authenticate(hook, &headers, body).is_err(),
                "{}: authentic without the token",
                sender.as_str()
            );
        }
        let honest = authenticate(hook, &signed, body);
        assert!(honest.is_ok(), "{}: refused: {honest:?}", sender.as_str());
    }
}

/// A body that a sender's decoder understands begins with JSON, and what follows it does not matter or is refused.
pub fn interpret(body: &[u8]) {
    for hook in hooks().iter().filter(|hook| hook.interprets_body()) {
        let headers = signed(hook.sender(), body);
        let authentic = authenticate(hook, &headers, body).expect("the sender signed it");
        if hook.interpret(&authentic, &headers, Some(body)).is_ok() {
            assert!(
                begins_with_json(body),
                "{}: not JSON",
                hook.sender().as_str()
            );
        }
    }
}

/// A form is signed like the JSON in it, if it is the one way to write that JSON, and not at all otherwise.
pub fn form(body: &[u8]) {
    const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, FORM)]);
    let hook = hook(Sender::Gitea);
    let Ok(credential) = sign(Sender::Gitea, &headers, body) else {
        headers.extend(signed(Sender::Gitea, body));
        assert!(authenticate(&hook, &headers, body).is_err());
        return;
    };
    let text = str::from_utf8(body).expect("a form is ASCII");
    let json = text
        .strip_prefix("payload=")
        .expect("one field")
        .replace('+', " ");
    let json = percent_decode(json.as_bytes());
    assert_eq!(credential, signed(Sender::Gitea, &json));
    headers.extend(credential);
    assert!(authenticate(&hook, &headers, body).is_ok());
}

/// Decodes `%XX` as simply as can be; what the property compares with.
fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.iter();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || {
            (*bytes.next().expect("a digit") as char)
                .to_digit(16)
                .expect("a digit")
        };
        decoded.push(match byte {
            b'%' => u8::try_from(digit() * 16 + digit()).expect("a byte"),
            byte => *byte,
        });
    }
    decoded
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
    if let Ok(duration) = text.parse::<Span>() {
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
        Ok(hook) if hook.sender().is_vouched_for() => {
            let anybody = authenticate(&hook, &HeaderMap::new(), b"");
            assert!(anybody.is_err());
        }
        Ok(hook) => {
            let headers = signed(hook.sender(), b"");
            assert!(headers.is_empty() || authenticate(&hook, &headers, b"").is_err());
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

/// What a Receiver says of its last trigger is read or passed over, and what is read is written so that it is read again.
pub fn last_trigger(input: &[u8]) {
    let Some(last) = str::from_utf8(input).ok().and_then(LastTrigger::parse) else {
        return;
    };
    let annotation = last.annotation().expect("it is short");
    assert_eq!(LastTrigger::parse(&annotation), Some(last));
}

/// What a Receiver says of denied targets is read or passed over, and what is read is written so that it is read again.
pub fn denied_targets(input: &[u8]) {
    let Some(denied) = str::from_utf8(input).ok().and_then(DeniedTargets::parse) else {
        return;
    };
    let annotation = denied.annotation().expect("there are some");
    assert_eq!(DeniedTargets::parse(&annotation), Some(denied));
}

/// Which secrets are live is read without more sets than there may be, and what is read of it is written so that it is
/// read again, without mistakes.
pub fn live_secrets(input: &[u8]) {
    let Ok(annotation) = str::from_utf8(input) else {
        return;
    };
    let live = LiveSets::parse(annotation);
    assert!(live.sets().len() <= LiveSets::MAX_SETS);
    let again = LiveSets::parse(&live.to_string());
    assert_eq!(again.sets(), live.sets(), "{annotation:?}");
    assert_eq!(again.mistakes(), [], "{annotation:?}");
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

/// Any filter on any body ends within its bounds, and what cannot be looked at is refused.
///
/// The input is a filter, a newline, and a body.
pub fn filter(input: &[u8]) {
    let (text, body) = split(input);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let Ok(hook) = Hook::compile(&receiver_with_filter(text), POLICY) else {
        return;
    };
    let [Selector::Named(target)] = hook.selection().selectors.as_slice() else {
        panic!("one source by its name");
    };
    let candidates = [Candidate {
        selector: 0,
        target: target.clone(),
        metadata: r#"{"name":"web","labels":{"app":"web"}}"#.into(),
    }];
    let authentic = authenticate(&hook, &HeaderMap::new(), b"").expect("the path is all there is");
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    let started = Instant::now();
    let judged = hook.judge(&authentic, &headers, body, &candidates, &|| false);
    assert!(started.elapsed() < LONGEST_EXPRESSION, "{text}: too long");
    if let Ok(judgements) = judged {
        assert!(!hook.is_filtered() || begins_with_json(body));
        assert_eq!(judgements.len(), 1);
    }
}

fn receiver_with_filter(filter: &str) -> Receiver {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "default" },
        "spec": {
            "type": "generic",
            "secretRef": { "name": "token" },
            "resources": [{ "kind": "GitRepository", "name": "web", "filter": filter }],
        },
    });
    serde_json::from_value(receiver).expect("the manifest is valid")
}

/// Any text is an expression or is refused, and any expression ends within its bounds, whatever it is given.
///
/// The input is an expression, a newline, and a JSON value.
pub fn expression(input: &[u8]) {
    let (text, json) = split(input);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let json = serde_json::from_slice(json).unwrap_or_else(|_| json!({ "ref": "main", "n": [1] }));
    let started = Instant::now();
    match Program::compile(text, &["req"], Output::Any) {
        Ok(program) => {
            let variables = Variables::default().with("req", &json);
            let mut meter = Meter::new(&|| false);
            let end = program.evaluate(&variables, &mut meter);
            let is_broken = end.is_err_and(|end| end.to_string().contains("the engine cannot"));
            assert!(!is_broken, "{text}: the engine failed");
        }
        Err(Uncompilable::Broken { .. }) => panic!("{text}: the engine failed"),
        Err(_) => {}
    }
    assert!(started.elapsed() < LONGEST_EXPRESSION, "{text}: too long");
}

/// Whether a body begins with a JSON value, whatever follows it.
fn begins_with_json(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut reader = serde_json::Deserializer::from_str(&text);
    IgnoredAny::deserialize(&mut reader).is_ok()
}

fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn secrets() -> Secrets {
    let token = Token::new(TOKEN.to_vec()).expect("the token is not blank");
    Secrets::from(token)
}

/// A hook for each sender that can be signed for.
fn hooks() -> &'static [Hook] {
    static HOOKS: LazyLock<Vec<Hook>> = LazyLock::new(|| {
        let senders = Sender::ALL.into_iter();
        let senders = senders.filter(|sender| !sender.is_vouched_for());
        senders.map(hook).collect()
    });
    &HOOKS
}

fn hook(sender: Sender) -> Hook {
    hook_named("hook", sender)
}

fn hook_named(name: &str, sender: Sender) -> Hook {
    unkeyed(name, sender)
        .with_secrets(&secrets(), NOW)
        .expect("the token is all that the sender needs")
}

/// A hook that has no Secret yet.
fn unkeyed(receiver: &str, sender: Sender) -> Hook {
    let (type_, named) = sender.asked_by();
    let name = named.unwrap_or(type_.as_str());
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {
            "name": receiver,
            "namespace": "default",
            "annotations": { "hookgate.dev/sender": name },
        },
        "spec": {
            "type": type_,
            "events": ["push"],
            "secretRef": { "name": "token" },
            "resources": [],
        },
    });
    let receiver = serde_json::from_value(receiver).expect("the manifest is valid");
    Hook::compile(&receiver, POLICY).expect("the Receiver is valid")
}

/// The headers by which a sender proves a body; none when the path is its only credential.
fn signed(sender: Sender, body: &[u8]) -> HeaderMap {
    sign(sender, &HeaderMap::new(), body).expect("the token is all that is needed")
}

fn sign(sender: Sender, headers: &HeaderMap, body: &[u8]) -> Result<HeaderMap, Unsignable> {
    sign_with(sender, &secrets(), &draft(headers, body))
}

fn draft<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Draft<'a> {
    Draft {
        delivery: "msg_1",
        headers,
        body,
        now: NOW,
    }
}

/// The headers that prove a draft, as far as they can be written.
fn sign_with(
    sender: Sender,
    secrets: &Secrets,
    draft: &Draft<'_>,
) -> Result<HeaderMap, Unsignable> {
    let header = |credential: Credential| {
        let value = HeaderValue::from_str(&credential.value).ok()?;
        Some((HeaderName::from_static(credential.header), value))
    };
    let credentials = sender.sign(secrets, draft)?;
    Ok(credentials.into_iter().filter_map(header).collect())
}

fn authenticate(hook: &Hook, headers: &HeaderMap, body: &[u8]) -> Result<Authentic, Unauthentic> {
    let mut verifier = hook.verifier(headers, None, NOW)?;
    verifier.update(body);
    verifier.finish()
}
