//! What must hold of the exposed port, whatever bytes arrive at it.
//!
//! The connection is served by the gateway's own code over a pipe in memory, with its own deadlines on a clock that
//! jumps ahead when nothing else happens. Nothing is triggered.

use std::{
    mem,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use hookgate::{
    hook::{Entry, HookTable, Listing, PlainIssuers, Sender, Token},
    ingress::{Gateway, IssuerSettings, Issuers, Peer, serve_stream},
    telemetry::Metrics,
};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split},
    runtime::Builder,
    time::timeout,
};

use super::{TOKEN, hook_named, sign};

/// How long a connection may stay with a client that sends nothing more; longer than any of its deadlines.
const LONGEST: Duration = Duration::from_mins(1);
/// The most that is answered, in bytes, beside so many for each byte of the input.
const ANSWER: (usize, usize) = (4096, 32);
/// How a request can end when nothing can be triggered, no Receiver is suspended, and no issuer is away.
const DEFINED: [u16; 9] = [200, 400, 401, 404, 405, 408, 413, 415, 429];

/// Whatever arrives, the connection ends, each request in it is answered with a status that is defined, and none is
/// believed that its sender did not sign.
///
/// The first byte of the input says in how large pieces the rest arrives, and whether the client then closes its side.
pub fn wire(input: &[u8]) {
    let (manner, bytes) = input.split_first().unwrap_or((&255, &[]));
    let witness = Witness::default();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    let answer = runtime.block_on(exchange(*manner, bytes, witness.clone()));
    let (some, each) = ANSWER;
    assert!(
        answer <= some + each * bytes.len(),
        "{answer} bytes answered"
    );
    drop(runtime);
    let faults = mem::take(&mut *witness.0.lock().expect("no panic"));
    assert!(faults.is_empty(), "{faults:?}");
}

/// The path at which a sender's deliveries are taken.
#[must_use]
pub fn path(sender: Sender) -> &'static str {
    let mut paths = paths().iter();
    let found = paths.find_map(|(path, of)| (*of == sender).then_some(path));
    found.expect("the sender can be signed for")
}

fn paths() -> &'static [(String, Sender)] {
    static PATHS: LazyLock<Vec<(String, Sender)>> = LazyLock::new(|| {
        let token = Token::new(TOKEN.to_vec()).expect("the token is not blank");
        let path = |sender: Sender| hook_named(sender.as_str(), sender).path(Some(&token));
        let path = |sender| (path(sender).reveal(), sender);
        let senders = Sender::ALL.into_iter();
        senders
            .filter(|sender| !sender.is_vouched_for())
            .map(path)
            .collect()
    });
    &PATHS
}

/// The headers that prove a request, or none.
#[must_use]
pub fn credentials(sender: Sender, headers: &HeaderMap, body: &[u8]) -> HeaderMap {
    sign(sender, headers, body).unwrap_or_default()
}

/// Sends the bytes, waits for the end of the connection, and returns how much was answered.
async fn exchange(manner: u8, bytes: &[u8], witness: Witness) -> usize {
    let (client, server) = duplex(usize::from(manner) * 16 + 1);
    let (mut answers, mut requests) = split(client);
    let router = router().layer(middleware::from_fn_with_state(witness, attest));
    let sending = async {
        // Who was refused may find the pipe closed.
        let sent = requests.write_all(bytes).await;
        if sent.is_ok() && manner.is_multiple_of(2) {
            drop(requests.shutdown().await);
        }
    };
    let mut answer = Vec::new();
    let reading = answers.read_to_end(&mut answer);
    let serving = serve_stream(server, peer(), router);
    let all = async { tokio::join!(serving, sending, reading) };
    let end = timeout(LONGEST, all).await;
    assert!(end.is_ok(), "the connection does not end");
    answer.len()
}

/// A client of another network each time, so that none has failed too often.
fn peer() -> Peer {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Peer(([10, high, low, 1], 9).into())
}

/// The exposed routes, with a hook for each sender that can be signed for.
fn router() -> Router {
    static ROUTER: LazyLock<Router> = LazyLock::new(|| {
        let table = HookTable::default();
        for (_, sender) in paths() {
            let hook = hook_named(sender.as_str(), *sender);
            let token = Token::new(TOKEN.to_vec()).expect("the token is not blank");
            let listing = Listing {
                paths: vec![hook.path(Some(&token)).into()],
                created: 0,
                entry: Entry::Open(Arc::new(hook.clone())),
                denied: None,
            };
            table.publish(hook.receiver(), &listing);
        }
        let settings = IssuerSettings {
            plain_issuers: PlainIssuers::Denied,
            extra_roots: Vec::new(),
            google_certs_url: "https://keys".to_owned(),
            google_proxy_certs_url: "https://keys".to_owned(),
        };
        let issuers = Issuers::new(settings, table.clone(), Metrics::new());
        Gateway::rehearsing(table, issuers).into_router()
    });
    ROUTER.clone()
}

/// What was wrong with the answers to requests; shared by those of one connection.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

/// Looks at each request and its answer from outside.
async fn attest(State(witness): State<Witness>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let (target, headers) = (head.uri.to_string(), head.headers.clone());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&seen);
    let body = Body::new(body.map_frame(move |frame| {
        let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        copy.lock().expect("no panic").extend_from_slice(data);
        frame
    }));
    let response = next.run(Request::from_parts(head, body)).await;
    let body = mem::take(&mut *seen.lock().expect("no panic"));
    let fault = fault(response.status(), &target, &headers, &body);
    witness.0.lock().expect("no panic").extend(fault);
    response
}

fn fault(status: StatusCode, target: &str, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    if !DEFINED.contains(&status.as_u16()) {
        return Some(format!("{target}: answered {status}"));
    }
    let is_right = status != StatusCode::OK || is_proven(target, headers, body);
    (!is_right).then(|| format!("{target}: believed, with {headers:?}"))
}

/// Whether a request has what its sender needs; those whose path is all there is need nothing else.
fn is_proven(target: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let mut paths = paths().iter();
    let Some((_, sender)) = paths.find(|(path, _)| target.ends_with(path)) else {
        return false;
    };
    let is_ping = headers
        .get("x-event-key")
        .is_some_and(|event| event == "diagnostics:ping");
    if *sender == Sender::Bitbucket && is_ping {
        return true;
    }
    let credentials = sign(*sender, headers, body);
    credentials.is_ok_and(|credentials| {
        credentials.iter().all(|(name, right)| {
            let mut values = headers.get_all(name).iter();
            let is_right = values.next().is_some_and(|value| {
                let (value, right) = (value.as_bytes(), right.as_bytes());
                value.eq_ignore_ascii_case(right)
            });
            is_right && values.next().is_none()
        })
    })
}
