//! Pushes as GitHub sends them, of any size, signed once and sent often.
//!
//! What makes two deliveries of one payload different is their id, which is in a header and not signed.

use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use hookgate::{
    cli::recording::Recording,
    hook::{Draft, Sender, Token},
};
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;

const PUSH: &str = "receivers/github/push.http";

/// A body with a right and a wrong signature.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// The body.
    pub(crate) body: Bytes,
    signature: HeaderValue,
    forgery: HeaderValue,
}

/// A push that larger ones are made from.
#[derive(Clone, Debug)]
pub(crate) struct Template(Value);

impl Template {
    /// Reads the recorded push of the catalogue.
    pub(crate) async fn read() -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUSH);
        let recording = Recording::read(&path).await?;
        Ok(Self(serde_json::from_slice(&recording.body)?))
    }

    /// A push of exactly so many bytes, at least a few hundred, signed with a token.
    ///
    /// Small ones have no commits; large ones have many, as real ones do.
    pub(crate) fn payload(&self, bytes: usize, token: &Token) -> anyhow::Result<Payload> {
        let mut push = self.0.clone();
        let commit = push["commits"][0].clone();
        let commit_bytes = serde_json::to_vec(&commit)?.len() + 1;
        push["commits"] = Value::Array(Vec::new());
        for shrinkable in ["repository", "pusher", "sender", "head_commit"] {
            if serde_json::to_vec(&push)?.len() + 64 > bytes {
                push[shrinkable] = Value::Null;
            }
        }
        push["padding"] = Value::String(String::new());
        let room = bytes
            .checked_sub(serde_json::to_vec(&push)?.len())
            .context("a push is not that small")?;
        let commits = room / commit_bytes;
        push["commits"] = Value::Array(vec![commit; commits]);
        let left = bytes.saturating_sub(serde_json::to_vec(&push)?.len());
        push["padding"] = Value::String("x".repeat(left));
        Payload::sign(serde_json::to_vec(&push)?.into(), token)
    }
}

impl Payload {
    fn sign(body: Bytes, token: &Token) -> anyhow::Result<Self> {
        let draft = Draft {
            delivery: "",
            headers: &HeaderMap::new(),
            body: &body,
            now: Timestamp::now(),
        };
        let signed = Sender::Github.sign(&token.clone().into(), &draft)?;
        let credential = signed.into_iter().next().context("no signature")?;
        let mut signature = credential.value.into_bytes();
        let right = HeaderValue::from_bytes(&signature)?;
        let last = signature.last_mut().context("an empty signature")?;
        *last = if *last == b'0' { b'1' } else { b'0' };
        Ok(Self {
            body,
            signature: right,
            forgery: HeaderValue::from_bytes(&signature)?,
        })
    }

    /// A delivery of it.
    pub(crate) fn delivery(
        &self,
        host: &HeaderValue,
        path: &Uri,
        id: &str,
        is_forged: bool,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let signature = if is_forged {
            &self.forgery
        } else {
            &self.signature
        };
        Ok(Request::post(path.clone())
            .header(header::HOST, host.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-github-event", "push")
            .header("x-github-delivery", id)
            .header("x-hub-signature-256", signature.clone())
            .body(Full::new(self.body.clone()))?)
    }
}
