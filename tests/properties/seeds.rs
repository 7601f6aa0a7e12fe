//! What each property starts from: the recordings and manifests of `receivers/`, and inputs that are known to be hard.
//!
//! One function for each property, named like it; what must hold is said in `fuzz/src/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hookgate::{cli::recording::Recording, hook::Sender};
use http::{HeaderMap, header};

use crate::{
    frames::{
        DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame, head,
    },
    properties::wire::{credentials, path},
};

type Seeds = Vec<Vec<u8>>;

fn texts(texts: &[&str]) -> Seeds {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("receivers")
}

/// All files of the catalogue with this extension, in the order of their names.
fn catalogue(extension: &str) -> Seeds {
    let entries = fs::read_dir(root()).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let files = folders
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The recorded requests of at most so many bytes, head and body apart; those that are longer take long to replay.
fn recorded(most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut recordings = catalogue("http");
    recordings.retain(|recording| recording.len() < most);
    let parts = |recording: Vec<u8>| {
        let end = recording.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = recording.split_at(end.unwrap() + 4);
        (head.to_vec(), body.to_vec())
    };
    recordings.into_iter().map(parts).collect()
}

/// Connections, after a byte that says how they arrive: the recordings, signed, in each framing, and hostile requests.
pub(crate) fn wire() -> Seeds {
    let small = signed_recordings(900);
    let requests = small.iter().flat_map(|it| [it.in_one(), it.in_chunks()]);
    let after = |manner: u8| move |bytes: Vec<u8>| [vec![manner], bytes].concat();
    let mut seeds: Seeds = requests.map(after(254)).collect();
    let smallest = small.iter().min_by_key(|it| it.body.len()).unwrap();
    seeds.extend([255, 64, 1, 0].map(|manner| after(manner)(smallest.in_one().repeat(2))));
    seeds.extend([254, 1].map(|manner| after(manner)(smallest.in_frames())));
    seeds.extend(hostile().into_iter().map(after(254)));
    seeds
}

/// A recorded request, for the hook of its sender in the property, and signed for it.
struct Signed {
    path: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Signed {
    fn head(&self, framing: &str) -> String {
        let mut head = format!("POST {} HTTP/1.1\r\nHost: hook\r\n{framing}\r\n", self.path);
        for (name, value) in &self.headers {
            head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
        }
        head + "\r\n"
    }

    /// With `Content-Length`.
    fn in_one(&self) -> Vec<u8> {
        let head = self.head(&format!("Content-Length: {}", self.body.len()));
        [head.as_bytes(), &self.body].concat()
    }

    /// With `Transfer-Encoding`, in chunks of 100 bytes.
    fn in_chunks(&self) -> Vec<u8> {
        let mut bytes = self.head("Transfer-Encoding: chunked").into_bytes();
        for chunk in self.body.chunks(100) {
            let size = format!("{:x};a=b\r\n", chunk.len());
            bytes.extend([size.as_bytes(), chunk, b"\r\n"].concat());
        }
        [&bytes, b"0\r\na: b\r\n\r\n".as_slice()].concat()
    }

    /// In HTTP/2, with frames around it that ask for an answer.
    fn in_frames(&self) -> Vec<u8> {
        let mut fields = vec![
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "hook"),
            (":path", self.path),
        ];
        let named = |(name, value): (&'_ header::HeaderName, &'_ header::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        let own: Vec<_> = self.headers.iter().map(named).collect();
        fields.extend(own.iter().map(|(name, value)| (&**name, &**value)));
        [
            PREFACE,
            &frame(SETTINGS, 0, 0, &[]),
            &frame(PING, 0, 0, &[0; 8]),
            &frame(HEADERS, END_HEADERS, 1, &head(&fields)),
            &frame(DATA, END_STREAM, 1, &self.body),
            &frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(&fields[..4])),
            &frame(RST_STREAM, 0, 3, &8_u32.to_be_bytes()),
        ]
        .concat()
    }
}

/// The recorded requests of at most so many bytes that their sender signs, or whose path is all there is.
fn signed_recordings(most: usize) -> Vec<Signed> {
    let senders = Sender::ALL.into_iter();
    let senders = senders.filter(|sender| !sender.is_vouched_for());
    let recorded = |sender: Sender| {
        let folder = fs::read_dir(root().join(sender.as_str())).unwrap();
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|found| found == "http"));
        files.sort();
        let files = files.into_iter().map(|file| fs::read(file).unwrap());
        let files = files.filter(|bytes| bytes.len() < most).collect::<Vec<_>>();
        files.into_iter().map(move |bytes| signed(sender, bytes))
    };
    senders.flat_map(recorded).collect()
}

fn signed(sender: Sender, bytes: Vec<u8>) -> Signed {
    let recording = Recording::parse(Path::new("seed.http"), &bytes.into()).unwrap();
    let mut headers = recording.headers;
    for name in [header::HOST, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    for (name, value) in &credentials(sender, &headers.clone(), &recording.body) {
        headers.insert(name, value.clone());
    }
    Signed {
        path: path(sender),
        headers,
        body: recording.body.to_vec(),
    }
}

/// Requests that no sender makes.
fn hostile() -> Seeds {
    let path = path(Sender::Github);
    let post = |fields: &str, body: &str| format!("POST {path} HTTP/1.1\r\n{fields}\r\n{body}");
    texts(&[
        &post(
            "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        &post(
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        &post(
            "Host: a\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n",
            "{}",
        ),
        &post(
            "Host: a\r\nContent-Length: 26214401\r\nContent-Encoding: gzip\r\n",
            "",
        ),
        &post("Host: a\nContent-Length: 1, 1\nA:\r b\r\n c\r\n", ""),
        &post(
            "Host: a\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n",
            "",
        ),
        "GET / HTTP/1.0\r\n\r\nGET / HTTP/9.9\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "POST http://a/hook/b HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{0}",
        "",
    ])
}

pub(crate) fn delivery() -> Seeds {
    let signature = "83eee066cf716dd10bc327e341a581ae657bf26d8815c9334434f470c12d3079";
    let mut seeds = texts(&["", "\n", "token\n{}", &format!("sha256={signature}\n{{}}")]);
    seeds.extend(catalogue("http").into_iter().filter(|it| it.len() < 700));
    seeds
}

/// The heads of the recorded requests, and headers that are doubled, joined, empty, or of the wrong kind.
pub(crate) fn signature_headers() -> Seeds {
    let heads = recorded(1500).into_iter().map(|(head, body)| {
        let line = head.iter().position(|byte| *byte == b'\n').unwrap();
        [&head[line + 1..], &body].concat()
    });
    let digest = "0".repeat(64);
    let hard = texts(&[
        "\n{}",
        "x-hub-signature-256: sha256=\nx-hub-signature: sha1=\n\n",
        &format!("x-hub-signature-256: sha256={digest}\nx-hub-signature-256: sha256={digest}\n\n"),
        &format!("x-hub-signature: sha256={digest}, sha256={digest}\n\n{{}}"),
        "authorization: Basic Og==\nauthorization: Bearer \n\n",
        "authorization: Bearer eyJhbGciOiJub25lIn0.e30.\n\n",
        "webhook-id: \nwebhook-timestamp: 0\nwebhook-signature: v1, v1a, v2,a\n\n",
        "x-gitlab-token: \nx-gitea-signature: \nx-nexus-webhook-signature: \nce-type: a\n\n",
        "x-event-key: diagnostics:ping\n\n{\"test\":true}",
    ]);
    hard.into_iter().chain(heads).collect()
}

/// An id, a time, and a list of signatures, a line each, and a body.
pub(crate) fn standard_webhooks() -> Seeds {
    let signature = "v1,i2MennsE9CN+GVAkd3tpbUH0Oee5IQNE/zUrCH6024Y=";
    let public = "v1a,dwxXrrhH3TltoW/xE7MqlbaiSPRuCI9SYgNRkyteLokD3jTQzyoct7Qfi/OUWc/EuPeAQ6H+JY9Yo1SFVF1aAA==";
    texts(&[
        &format!("msg_1\n0\n{signature}\n{{}}"),
        &format!("msg_1\n300\n{public} {signature} v2,\n"),
        "a.b\n-1\nv1,\n",
        "\n999999999999\nv1a, v1,\n{\"type\":\"push\"}",
        "msg\n301\nv1\n",
    ])
}

/// What a Secret could hold as its token.
pub(crate) fn secret() -> Seeds {
    texts(&[
        "",
        " \n",
        "a",
        "s3cret\n",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "whpk_Kay64UG8yvCyLhqU000LxzYeUm0L/hLIl5S8kyKWbdc=",
        "\u{0}",
        "user:pass:word",
        "tok\u{e4}n",
    ])
}

pub(crate) fn id_token() -> Seeds {
    let mut seeds = texts(&[
        "",
        "Bearer ",
        "a.b.c",
        "e30.e30.",
        "eyJhbGciOiJub25lIn0.e30.",
    ]);
    for sender in ["gcr", "generic-oidc"] {
        let text = fs::read_to_string(root().join(sender).join("push.http")).unwrap();
        let header = text
            .lines()
            .find_map(|line| line.strip_prefix("Authorization: "));
        seeds.extend(header.map(|value| value.as_bytes().to_vec()));
    }
    seeds
}

pub(crate) fn issuer_document() -> Seeds {
    let discovery = r#"{"issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/keys","id_token_signing_alg_values_supported":["ES256"]}"#;
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"},{"kty":"OKP","crv":"Ed25519","x":""},{}]}"#;
    let mut seeds = catalogue("json");
    seeds.extend(texts(&[discovery, keys, "", "[]"]));
    seeds
}

pub(crate) fn pub_sub() -> Seeds {
    texts(&[
        r#"{"message":{"data":"eyJhY3Rpb24iOiJJTlNFUlQiLCJ0YWciOiJhOjEifQ==","messageId":"1","publishTime":"2026-01-05T09:32:31.204Z"}}"#,
        r#"{"MESSAGE":{"data":null,"data":"e30="}} {"#,
        "null",
        "",
    ])
}

pub(crate) fn interpret() -> Seeds {
    let bodies = recorded(1000).into_iter().map(|(_, body)| body);
    let hard = texts(&[
        "null",
        "null\u{0} {}",
        "{}",
        "{} {}",
        r#"{"TARGET":{"tag":null}}"#,
        "[[[[[",
    ]);
    bodies.chain(hard).collect()
}

pub(crate) fn form() -> Seeds {
    texts(&[
        "",
        "payload=",
        "payload=a+b%2B%25-_.~",
        "payload=%7B%22a%22%3A+%22%C3%A4%22%7D",
        "payload=%7B%7D&payload=%7B%7D",
    ])
}

pub(crate) fn hook_path() -> Seeds {
    let digest = "38300c7414d0efe04342418b3f5d225a95e87e2a712f6b48d870df50528318a9";
    texts(&[
        &format!("/hook/{digest}"),
        &format!("/hook/{digest}?a"),
        "/hook/",
    ])
}

pub(crate) fn allowed_clients() -> Seeds {
    texts(&[
        "192.30.252.0/22, 2001:db8::/32,203.0.113.7 , 2001:db9::1",
        "10.0.0.0/9, 10.128.0.0/9, 0.0.0.0/0, ::/0",
        "::ffff:10.0.0.0/104, ::ffff:10.0.0.1/95",
    ])
}

pub(crate) fn rate() -> Seeds {
    texts(&["10/s", "600/m", "1/h", "1000000/s", "999999/m", "7/h"])
}

pub(crate) fn duration() -> Seeds {
    texts(&[
        "1h30m",
        "10m0s",
        "250ms",
        "0.000001ms",
        "1.5h",
        "2562047h47m16.854s",
    ])
}

pub(crate) fn denied_targets() -> Seeds {
    texts(&[
        r#"{"GitRepository/apps/web":"patch on gitrepositories.source.toolkit.fluxcd.io","Bucket/apps/*":"list and watch on buckets"}"#,
        "{}",
    ])
}

pub(crate) fn last_trigger() -> Seeds {
    texts(&[
        r#"{"at":"2026-01-05T09:30:00.5Z","delivery":"72d3162e","event":"push"}"#,
        r#"{"at":"-009999-01-01T00:00:00Z","delivery":"","event":""}"#,
        "{}",
    ])
}

pub(crate) fn live_secrets() -> Seeds {
    texts(&[
        "previous until 2026-12-01T00:00:00Z, next",
        "a, b until 9999-12-30T22:00:00.999999999Z,c until -009999-01-02T01:59:59Z, d, e",
        "current, a, a, ,",
    ])
}

pub(crate) fn receiver() -> Seeds {
    let manifests = catalogue("yaml").into_iter().flat_map(|file| {
        let text = String::from_utf8(file).unwrap();
        let documents = text.split("\n---\n");
        let documents = documents.map(|document| document.as_bytes().to_vec());
        documents.collect::<Vec<_>>()
    });
    manifests.collect()
}

pub(crate) fn recording() -> Seeds {
    let mut seeds = catalogue("http");
    seeds.extend(texts(&[
        "POST / HTTP/1.1\r\n\r\n",
        "POST /hook/a HTTP/1.1\nHost: a\n\n{}",
    ]));
    seeds
}

pub(crate) fn protobuf() -> Seeds {
    let type_ = b"\x0a\x0c\x0a\x02v1\x12\x06Secret";
    let metadata = b"\x0a\x09\x0a\x05token\x12\x00";
    let data = b"\x12\x08\x0a\x03key\x12\x01\xff\x1a\x06Opaque";
    let object = [metadata.as_slice(), data].concat();
    let length = u8::try_from(object.len()).unwrap();
    let body = [
        b"k8s\0",
        type_.as_slice(),
        &[0x12, length],
        &object,
        b"\x1a\0\x22\0",
    ]
    .concat();
    let mut seeds = texts(&["", "k8s\0", "{}"]);
    seeds.push(body);
    seeds
}

pub(crate) fn journal_entry() -> Seeds {
    let key = r#"["source.toolkit.fluxcd.io","v1","GitRepository","gitrepositories","apps","web"]"#;
    let value = r#"{"at":[1700000000,5],"receiver":["apps","hook"],"delivery":"d","later":{}}"#;
    texts(&[&format!("{key}\n{value}"), "[]\n{}", "\n"])
}

pub(crate) fn yaml() -> Seeds {
    let object = r#"
metadata: &m {name: a, labels: {a: "b"}}
data:
  yes: "no"
  folded: >
    a b
     c

  literal: |+
    a: b

  quoted: "\u00e9\ttab\x01 \\ end "
  number: "1_000"
  long: aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccccccccccc ddddd
  <<: {a: 'it''s'}
binaryData: {b: AAEC}
"#;
    let bomb =
        "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nmetadata: {name: x, y: *c}\n";
    texts(&[object, bomb, "", "- a", "{}\n---\n{}"])
}

pub(crate) fn history_row() -> Seeds {
    let row = r#"{"id":7,"delivery":"d","receiver":"apps/hook","sender":"github","event":"push","receivedAt":"2026-01-01T00:00:00Z","outcome":"pending","redelivers":3,"client":"::1","headers":[["user-agent","a"]],"targets":[{"group":"g","version":"v1","kind":"K","plural":"ks","namespace":"apps","name":"web","state":"triggered","at":"2026-01-01T00:00:01Z","revision":"r"}],"moreTargets":2,"notes":["n"]}"#;
    texts(&[row, "{}", ""])
}

pub(crate) fn filter() -> Seeds {
    texts(&[
        "req.ref == 'main' && res.metadata.name in req.names\n{\"ref\":\"main\",\"names\":[\"web\"]} x",
        "has(req.a.b) || req.a.b.exists(x, x > 1.5)\n{\"a\":{\"b\":[1,2e3,null,{}]}}",
        "true\n[",
        "\n{}",
    ])
}

pub(crate) fn expression() -> Seeds {
    texts(&[
        "req.n.all(x, req.n.exists(y, x == y || !has(req.a.b[0]))) ? 1u : -1.5e3\n{}",
        "'%s %.2f'.format([req.ref, 1.0]) + r'\\d' + \"\"\"a\"\"\" + '\\u00e9\\x41'\n{\"ref\":[1,{}]}",
        "[?req.?ref, 'a'].map(x, x != '', x.split('').last().orValue('é').charAt(0))",
        "timestamp('2023-05-28T23:59:58.9Z').getHours('+02:30') + duration('1h.5s').getSeconds()",
        "{?'a': optional.of(1)}.a.matches('(a|b)+c{2,30}$') in [1, 2, dyn(3u)]",
        "req.ref.replace('', req.ref).substring(1, 2).lastIndexOf('a', 1) == req.n[?0]",
        "!!--(((((((((((req.n.map(x, x, x)",
    ])
}

pub(crate) fn deliveries_query() -> Seeds {
    texts(&[
        "receiver=apps%2Fhook&limit=7&watch=true",
        "limit=10000",
        "&&=",
        "",
    ])
}

/// Beginnings of connections, of both versions and of none.
pub(crate) fn proxy_header() -> Seeds {
    let binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x0a\0\0\x01\x01\xbb\x01\xbbPOST";
    let mut seeds = texts(&[
        "",
        "PROXY TCP4 198.51.100.7 10.0.0.1 443 443\r\nPOST",
        "PROXY TCP6 2001:db8::7 fd00::1 1 2\r\n",
        "PROXY UNKNOWN\r\n",
        "POST /hook/0 HTTP/1.1\r\n",
    ]);
    seeds.push(binary.to_vec());
    seeds
}

/// Lines of `X-Forwarded-For`, honest and not.
pub(crate) fn forwarded_for() -> Seeds {
    texts(&[
        "",
        "192.0.2.1",
        "192.0.2.1, 10.0.0.2,10.0.0.3",
        "[2001:db8::7]:443\n10.0.0.2",
        "unknown, \"10.0.0.1\",, 10.0.0.2:80",
    ])
}
