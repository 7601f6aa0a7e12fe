//! Sends a recorded request the way its sender would: signed afresh, with a delivery id of its own.
//!
//! How a sender signs is decided by `hook`; nothing here keeps a token longer than it takes to sign.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use jiff::Timestamp;

use super::recording::Recording;
use crate::hook::{Draft, Secrets, Sender};

/// How long an answer is waited for; senders give up after 10 s, so this is patient.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// What the gateway answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// The body, as text.
    pub(super) body: String,
}

/// The recorded request with a signature for what is in `secrets` and a fresh delivery id, both as `sender` would send them.
pub(super) fn signed(
    mut recording: Recording,
    sender: Sender,
    secrets: Option<&Secrets>,
) -> anyhow::Result<Recording> {
    let delivery = uuid::Uuid::new_v4().to_string();
    if let Some(name) = sender.delivery_header() {
        let id = HeaderValue::try_from(&delivery)?;
        recording.headers.insert(name, id);
    }
    let draft = Draft {
        delivery: &delivery,
        now: Timestamp::now(),
        headers: &recording.headers,
        body: &recording.body,
    };
    let signed = secrets.map(|secrets| sender.sign(secrets, &draft));
    for credential in signed.transpose()?.unwrap_or_default() {
        let mut value = HeaderValue::try_from(credential.value)
            .context("the token cannot be sent in a header")?;
        value.set_sensitive(true);
        recording.headers.insert(credential.header, value);
    }
    Ok(recording)
}

/// The recorded request with the token of an issuer.
pub(super) fn vouched_for(mut recording: Recording, token: &str) -> anyhow::Result<Recording> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
    let mut value = value.context("the token cannot be sent in a header")?;
    value.set_sensitive(true);
    recording.headers.insert(header::AUTHORIZATION, value);
    Ok(recording)
}

/// The URL of a hook: `base`, with `path` unless it has a path already.
pub(super) fn hook_url(base: &str, path: &str) -> anyhow::Result<Uri> {
    let base: Uri = base
        .parse()
        .with_context(|| format!("`{base}` is not a URL"))?;
    let mut parts = base.into_parts();
    anyhow::ensure!(
        parts.scheme.is_some() && parts.authority.is_some(),
        "`--url` must begin with http:// or https:// and name a host"
    );
    if parts.path_and_query.as_ref().is_none_or(|path| path == "/") {
        parts.path_and_query = Some(path.parse().context("the path of the hook is not a path")?);
    }
    Ok(Uri::from_parts(parts)?)
}

/// Sends the request to `url` and waits for the answer.
pub(super) async fn send(recording: Recording, url: Uri) -> anyhow::Result<Answer> {
    let host = url.authority().map(ToString::to_string).unwrap_or_default();
    let mut request = Request::builder()
        .method(recording.method)
        .uri(url)
        .body(Full::new(recording.body))?;
    *request.headers_mut() = without_connection_headers(recording.headers);
    let exchange = async {
        let answer = client()?.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(anyhow::Error::from_boxed)?;
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        anyhow::Ok(Answer { status, body })
    };
    let unreachable = || format!("cannot send the request to `{host}`");
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .with_context(unreachable)?
        .with_context(unreachable)
}

/// Headers that belong to the connection they were recorded on are made anew.
fn without_connection_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    headers
}

/// A client for HTTP and HTTPS.
pub(super) type HttpsClient = Client<
    hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>,
    Full<Bytes>,
>;

/// Makes a client that trusts what the system trusts.
pub(super) fn client() -> anyhow::Result<HttpsClient> {
    let tls = rustls::ClientConfig::builder()
        .try_with_platform_verifier()
        .context("cannot load the system's certificates")?
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::hook::Token;

    fn recording(text: &'static str) -> Recording {
        Recording::parse(Path::new("x.http"), &Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_recording_is_signed_afresh() {
        let secrets = Token::new(b"token".to_vec()).unwrap().into();
        let text = "POST /hook/x HTTP/1.1\nX-Hub-Signature-256: sha256=00\nX-GitHub-Delivery: old\n\n{\"action\":\"push\"}";
        let signed = signed(recording(text), Sender::Github, Some(&secrets)).unwrap();
        assert_eq!(
            signed.headers["x-hub-signature-256"],
            "sha256=83eee066cf716dd10bc327e341a581ae657bf26d8815c9334434f470c12d3079"
        );
        assert_ne!(signed.headers["x-github-delivery"], "old");
        assert!(!format!("{:?}", signed.headers).contains("83eee066"));
    }

    #[test]
    fn the_token_of_an_issuer_replaces_the_recorded_one() {
        let text = "POST /hook/x HTTP/1.1\nAuthorization: Bearer old\n\n";
        let sent = vouched_for(recording(text), "a.b.c\n").unwrap();
        assert_eq!(sent.headers["authorization"], "Bearer a.b.c");
        assert!(!format!("{:?}", sent.headers).contains("a.b.c"));
        assert!(vouched_for(recording(text), "a\nb").is_err());
    }

    #[test]
    fn the_path_is_added_to_a_bare_url_only() {
        let check = |base: &str, expected: &str| {
            assert_eq!(hook_url(base, "/hook/1").unwrap(), expected, "{base}");
        };
        check("http://127.0.0.1:9292", "http://127.0.0.1:9292/hook/1");
        check(
            "https://hooks.example.com/",
            "https://hooks.example.com/hook/1",
        );
        check("http://a/hook/2?x=1", "http://a/hook/2?x=1");
        for bad in ["127.0.0.1:9292", "/hook/1", "", "http://"] {
            assert!(hook_url(bad, "/hook/1").is_err(), "{bad:?}");
        }
    }
}
