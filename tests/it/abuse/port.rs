//! The exposed port, and callers that send it any bytes they like.
//!
//! The routes are those of a gateway that triggers nothing, and each connection is served by the listener's own code over
//! a pipe in memory: with the clock paused its deadlines pass at once. What needs real sockets is in `connections`.

use std::sync::Arc;

use axum::{Router, routing::get};
use hookgate::{
    hook::{
        CertificateChecks, CrossNamespaceRefs, Entry, Hook, HookTable, Listing, PlainIssuers,
        Policy, Secrets, Sender, Token,
    },
    ingress::{Gateway, IssuerSettings, Issuers, Peer, serve_stream},
    telemetry::Metrics,
};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split},
    task::JoinHandle,
    time::Instant,
};

use crate::support::wire::Delivery;

/// The token of every Receiver; it is base64, as some senders ask.
pub(crate) const TOKEN: &str = "whsec_YSB0b2tlbiB0aGF0IG5vIGlucHV0IGNvbnRhaW5z";
/// How much either side may send ahead, in bytes.
const PIPE: usize = 64 * 1024;
/// A request that is always answered, by which it shows that a connection is still good.
const PROBE: &[u8] = b"GET /probe HTTP/1.1\r\nHost: hook\r\nConnection: close\r\n\r\n";

/// The exposed port of a gateway with one Receiver for each sender that can be signed for.
pub(crate) struct Port(Router);

impl Port {
    /// Opens it.
    pub(crate) fn open() -> Self {
        let table = HookTable::default();
        for sender in Sender::ALL.into_iter().filter(|it| !it.is_vouched_for()) {
            let hook = hook(sender);
            let listing = Listing {
                paths: vec![hook.path(Some(&token())).into()],
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
        let router = Gateway::rehearsing(table, issuers).into_router();
        let probe = get(async || StatusCode::NO_CONTENT);
        Self(router.route("/probe", probe))
    }

    /// What becomes of these bytes: the statuses they are answered with, and `open` if the connection can be used again
    /// or `closed` if it cannot.
    pub(crate) async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let Caller { pipe, serving, .. } = self.call();
        let (mut answers, mut requests) = split(pipe);
        let sending = async {
            for bytes in [bytes.as_ref(), PROBE] {
                // Who was refused may find the connection closed.
                drop(requests.write_all(bytes).await);
            }
        };
        let mut answer = Vec::new();
        let ((), read, served) = tokio::join!(sending, answers.read_to_end(&mut answer), serving);
        read.expect("a pipe does not break");
        served.expect("nothing panics");
        let mut statuses = statuses(&answer);
        let end = if statuses.last() == Some(&204) {
            statuses.pop();
            "open"
        } else {
            "closed"
        };
        let mut words: Vec<_> = statuses.iter().map(u16::to_string).collect();
        words.push(end.to_owned());
        words.join(" ")
    }

    /// The status that a delivery is answered with.
    pub(crate) async fn status(&self, delivery: &Delivery) -> u16 {
        let said = self.say(raw(delivery)).await;
        let status = said.split(' ').next().and_then(|word| word.parse().ok());
        status.unwrap_or_else(|| panic!("not answered: {said}"))
    }

    /// A connection that stays as long as the test and the port want.
    pub(crate) fn call(&self) -> Caller {
        let (client, server) = duplex(PIPE);
        let peer = Peer(([192, 0, 2, 1], 9).into());
        Caller {
            since: Instant::now(),
            pipe: client,
            read: 0,
            serving: tokio::spawn(serve_stream(server, peer, self.0.clone())),
        }
    }
}

/// One who has connected to the port.
pub(crate) struct Caller {
    since: Instant,
    pipe: DuplexStream,
    read: usize,
    serving: JoinHandle<()>,
}

impl Caller {
    /// Sends bytes; one who was refused may find the connection closed.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        drop(self.pipe.write_all(bytes).await);
    }

    /// The same, and whether the port took them: not if it has closed the connection.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.pipe.write_all(bytes).await.is_ok()
    }

    /// The same, reading meanwhile what is answered.
    pub(crate) async fn send_reading(&mut self, bytes: &[u8]) -> bool {
        let (mut answers, mut requests) = tokio::io::split(&mut self.pipe);
        let mut answer = [0; 4096];
        let sending = requests.write_all(bytes);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                sent = &mut sending => return sent.is_ok(),
                Ok(count @ 1..) = answers.read(&mut answer) => self.read += count,
            }
        }
    }

    /// How many bytes of answers were read while sending.
    pub(crate) fn has_read(&self) -> usize {
        self.read
    }

    /// Closes the side that sends.
    pub(crate) async fn finish(&mut self) {
        drop(self.pipe.shutdown().await);
    }

    /// Everything that is still sent until the port closes the connection.
    async fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        drop(self.pipe.read_to_end(&mut bytes).await);
        self.serving.await.expect("nothing panics");
        bytes
    }

    /// The statuses of all answers until the port closes the connection.
    pub(crate) async fn rest(self) -> Vec<u16> {
        statuses(&self.bytes().await)
    }

    /// Waits until the port closes the connection, and tells what it answered and after how many seconds it closed.
    pub(crate) async fn end(self) -> (Vec<u16>, u64) {
        let (bytes, after) = self.end_bytes().await;
        (statuses(&bytes), after)
    }

    /// The same, with the answers as they are.
    pub(crate) async fn end_bytes(self) -> (Vec<u8>, u64) {
        let since = self.since;
        let bytes = self.bytes().await;
        (bytes, since.elapsed().as_secs())
    }

    /// Goes away without a word, and waits until nothing of the connection is left.
    pub(crate) async fn vanish(self) {
        drop(self.pipe);
        self.serving.await.expect("nothing panics");
    }
}

/// The statuses of answers that follow each other.
fn statuses(mut bytes: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = str::from_utf8(&bytes[..end]).expect("a head is text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        statuses.push(status.expect("a status").parse().expect("a number"));
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        bytes = &bytes[end + 4 + length..];
    }
    statuses
}

/// A delivery to a sender's Receiver, not signed.
pub(crate) fn unsigned(sender: Sender, body: &[u8]) -> Delivery {
    let mut delivery = Delivery::post(&path(sender), "").with("host", "hook");
    delivery.body = body.to_vec().into();
    delivery.with("content-type", "application/json")
}

/// The same, signed.
pub(crate) fn signed(sender: Sender, body: &[u8]) -> Delivery {
    unsigned(sender, body).signed_by(sender, &Secrets::from(token()))
}

/// The path of a sender's Receiver.
pub(crate) fn path(sender: Sender) -> String {
    hook(sender).path(Some(&token())).reveal()
}

/// A delivery as bytes.
pub(crate) fn raw(delivery: &Delivery) -> Vec<u8> {
    let mut bytes = head(
        delivery,
        &format!("content-length: {}", delivery.body.len()),
    );
    bytes.extend(&delivery.body);
    bytes
}

/// The head of a delivery, with this framing.
pub(crate) fn head(delivery: &Delivery, framing: &str) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", delivery.method, delivery.path).into_bytes();
    for (name, value) in &delivery.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(format!("{framing}\r\n\r\n").bytes());
    bytes
}

fn token() -> Token {
    Token::new(TOKEN.into()).expect("it is not blank")
}

fn hook(sender: Sender) -> Hook {
    let (type_, named) = sender.asked_by();
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {
            "name": sender.as_str(),
            "namespace": "default",
            "annotations": { "hookgate.dev/sender": named.unwrap_or(type_.as_str()) },
        },
        "spec": {
            "type": type_,
            "secretRef": { "name": "token" },
            "resources": [],
        },
    });
    let receiver = serde_json::from_value(receiver).expect("a Receiver");
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Denied,
        certificate_checks: CertificateChecks::Possible,
    };
    let hook = Hook::compile(&receiver, policy).expect("it is valid");
    let secrets = Secrets::from(token());
    hook.with_secrets(&secrets, Timestamp::now())
        .expect("the token is all that is needed")
}
