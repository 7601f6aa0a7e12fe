//! Requests to the operator's listener of a gateway.
//!
//! What it says is read within bounds and handed on; how it looks is for `table`.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::timeout;

use crate::{cli::delivery, ingress::LiveSecretUses, trigger::history::Delivery};

/// How long an answer may take to begin.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer, or line of a watch, that is read, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// A gateway's operator's listener.
pub(in crate::cli) struct Server {
    base: String,
}

#[derive(Deserialize)]
struct Listed {
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// What a redelivery led to.
pub(in crate::cli) struct Redelivered {
    /// The new delivery.
    pub(in crate::cli) delivery: Delivery,
    /// Whether it was accepted.
    pub(in crate::cli) is_accepted: bool,
}

/// A watch that goes on until the gateway ends.
pub(in crate::cli) struct Watch {
    body: Incoming,
    unread: BytesMut,
}

impl Server {
    /// The server at a URL without a path.
    pub(in crate::cli) fn at(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url
            .parse()
            .with_context(|| format!("`{url}` is not a URL"))?;
        ensure!(
            uri.scheme().is_some() && uri.authority().is_some(),
            "`--server` must begin with http:// or https:// and name a host"
        );
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
        })
    }

    /// The last deliveries, newest first.
    pub(in crate::cli) async fn list(&self, query: &str) -> anyhow::Result<Vec<Delivery>> {
        let answer = self
            .request(Method::GET, &format!("/deliveries?{query}"))
            .await?;
        let body = self.accepted(answer).await?;
        Ok(self.read::<Listed>(&body)?.deliveries)
    }

    /// When the live secrets of a Receiver were last used.
    pub(in crate::cli) async fn secrets(&self, receiver: &str) -> anyhow::Result<LiveSecretUses> {
        let path = format!("/secrets?receiver={receiver}");
        let answer = self.request(Method::GET, &path).await?;
        let body = self.accepted(answer).await?;
        self.read(&body)
    }

    /// The last deliveries, oldest first, and then each that comes or changes.
    pub(in crate::cli) async fn watch(&self, query: &str) -> anyhow::Result<Watch> {
        let path = format!("/deliveries?{query}&watch=true");
        let answer = self.request(Method::GET, &path).await?;
        if !answer.status().is_success() {
            self.accepted(answer).await?;
            bail!("`{}` did not answer as a gateway does", self.base);
        }
        Ok(Watch {
            body: answer.into_body(),
            unread: BytesMut::new(),
        })
    }

    /// Triggers the targets of a delivery again.
    pub(in crate::cli) async fn redeliver(&self, id: &str) -> anyhow::Result<Redelivered> {
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let path = format!("/deliveries/{id}/redeliver");
        let answer = self.request(Method::POST, &path).await?;
        let is_accepted = answer.status().is_success();
        let status = answer.status();
        let body = self.body(answer).await?;
        match serde_json::from_slice(&body) {
            Ok(delivery) => Ok(Redelivered {
                delivery,
                is_accepted,
            }),
            Err(_) => bail!(self.refusal(&body, status)),
        }
    }

    async fn request(&self, method: Method, path: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))?;
        let unreachable = || {
            format!(
                "cannot reach a gateway at `{}`: is it running, or its port forwarded with `kubectl port-forward`?",
                self.base
            )
        };
        timeout(TIMEOUT, delivery::client()?.request(request))
            .await
            .with_context(unreachable)?
            .with_context(unreachable)
    }

    async fn accepted(&self, answer: Response<Incoming>) -> anyhow::Result<Bytes> {
        let status = answer.status();
        let body = self.body(answer).await?;
        ensure!(status.is_success(), self.refusal(&body, status));
        Ok(body)
    }

    async fn body(&self, answer: Response<Incoming>) -> anyhow::Result<Bytes> {
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect();
        let body = timeout(TIMEOUT, body)
            .await
            .with_context(|| format!("the answer of `{}` did not end", self.base))?;
        Ok(body.map_err(anyhow::Error::from_boxed)?.to_bytes())
    }

    fn read<'b, T: Deserialize<'b>>(&self, body: &'b [u8]) -> anyhow::Result<T> {
        let read = serde_json::from_slice(body);
        read.with_context(|| format!("`{}` does not answer as a gateway does", self.base))
    }

    fn refusal(&self, body: &[u8], status: http::StatusCode) -> String {
        match serde_json::from_slice::<Refusal>(body) {
            Ok(refusal) => refusal.error,
            Err(_) => format!("`{}` answered {status}", self.base),
        }
    }
}

impl Watch {
    /// The next delivery; nothing when the gateway has ended.
    pub(in crate::cli) async fn next(&mut self) -> anyhow::Result<Option<Delivery>> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = self.unread.split_to(end + 1);
                let read = serde_json::from_slice(&line);
                return read
                    .context("the gateway sent something else than a delivery")
                    .map(Some);
            }
            ensure!(
                self.unread.len() <= MAX_BYTES,
                "the gateway sent too long a line"
            );
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame.context("the connection broke")?.into_data() {
                self.unread.extend_from_slice(&data);
            }
        }
    }
}
