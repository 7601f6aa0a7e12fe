//! Deliveries over real HTTP: recorded requests, what can be done to them, and what came back.
//!
//! A test that wants a wrong signature makes it.

use std::path::Path;

use bytes::Bytes;
use hookgate::{
    cli::recording::Recording,
    hook::{Credential, Draft, Secrets, Sender},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::Timestamp;
use serde_json::Value;

/// A request on its way to the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The method.
    pub(crate) method: Method,
    /// The path.
    pub(crate) path: String,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

/// What the gateway answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: String,
}

impl Delivery {
    /// A delivery without headers.
    pub(crate) fn post(path: &str, body: &str) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    /// A recorded delivery of the catalogue, such as `receivers/github/push.http`.
    pub(crate) async fn recorded(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let recording = Recording::read(&path).await.expect("a recorded request");
        let mut headers = recording.headers;
        headers.remove(http::header::HOST);
        headers.remove(http::header::CONTENT_LENGTH);
        Self {
            method: recording.method,
            path: recording.path.to_string(),
            headers,
            body: recording.body,
        }
    }

    /// The same delivery to another path.
    pub(crate) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same delivery with a header set.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// The same delivery without a header.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name).expect("the header was there");
        self
    }

    /// The same delivery with the lowest bit of one body byte flipped.
    pub(crate) fn with_flipped_body_bit(mut self, index: usize) -> Self {
        let mut body = self.body.to_vec();
        body[index] ^= 1;
        self.body = body.into();
        self
    }

    /// The same delivery with one character of a header replaced by another of its kind.
    pub(crate) fn with_flipped_header_bit(self, name: &'static str) -> Self {
        let mut value = self.headers[name].to_str().expect("text").to_owned();
        let last = value.pop().expect("a value");
        value.push(if last == '0' { '1' } else { '0' });
        self.with(name, &value)
    }

    /// The same delivery, signed now as its sender would.
    pub(crate) fn signed_by(mut self, sender: Sender, secrets: &Secrets) -> Self {
        let draft = Draft {
            delivery: "msg_1",
            headers: &self.headers,
            body: &self.body,
            now: Timestamp::now(),
        };
        let signed = sender.sign(secrets, &draft).expect("it can be signed");
        for Credential { header, value } in signed {
            let value = HeaderValue::from_str(&value).expect("a header value");
            self.headers.insert(header, value);
        }
        self
    }

    /// Sends it to `authority`, such as `127.0.0.1:9292`.
    pub(crate) async fn send(self, authority: &str) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http();
        self.send_by(&client, authority).await
    }

    /// The same over HTTP/2, which is spoken without being asked.
    pub(crate) async fn send_over_http2(self, authority: &str) -> Answer {
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.http2_only(true).build_http();
        self.send_by(&client, authority).await
    }

    async fn send_by(self, client: &Client<HttpConnector, Full<Bytes>>, authority: &str) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("http://{authority}{}", self.path))
            .body(Full::new(self.body))
            .expect("a request");
        *request.headers_mut() = self.headers;
        let (parts, body) = client
            .request(request)
            .await
            .expect("an answer")
            .into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }
}

impl Answer {
    /// The word for what became of an authentic delivery.
    pub(crate) fn outcome(&self) -> String {
        let told: Value = serde_json::from_str(&self.body).unwrap_or_default();
        told["outcome"].as_str().unwrap_or_default().to_owned()
    }

    /// The targets that the sender is told were refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        let told: Value = serde_json::from_str(&self.body).unwrap_or_default();
        serde_json::from_value(told["refused"].clone()).unwrap_or_default()
    }
}
