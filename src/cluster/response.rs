//! Answers as bytes: one JSON document, or a stream of them.
//!
//! Written once here so that every front door sends the same.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use serde_json::Value;

use super::status::Failure;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const YAML: HeaderValue = HeaderValue::from_static(super::content::YAML);

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers with JSON that is already text.
pub(crate) fn json(code: StatusCode, json: impl Into<Bytes>) -> Response<Body> {
    answer(
        code,
        "application/json",
        Full::new(json.into()).boxed_unsync(),
    )
}

/// Answers with a JSON value.
pub(crate) fn value(code: StatusCode, value: &Value) -> Response<Body> {
    json(code, value.to_string())
}

/// Answers with JSON that is already text, of a content type that may say more than JSON.
pub(crate) fn typed(content_type: &'static str, json: Bytes) -> Response<Body> {
    answer(StatusCode::OK, content_type, Full::new(json).boxed_unsync())
}

/// Answers with bytes of a content type.
pub(crate) fn binary(content_type: &'static str, content: Vec<u8>) -> Response<Body> {
    answer(
        StatusCode::OK,
        content_type,
        Full::from(content).boxed_unsync(),
    )
}

/// Answers with a refusal.
pub(crate) fn failure(failure: &Failure) -> Response<Body> {
    value(failure.code, &failure.to_value())
}

/// Writes an answer that is one JSON document as YAML; others stay as they are.
pub(crate) async fn in_yaml(response: Response<Body>) -> Response<Body> {
    let is_json = response.headers().get(header::CONTENT_TYPE) == Some(&JSON);
    if !is_json || response.body().size_hint().exact().is_none() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(json) = body.collect().await;
    let json = json.to_bytes();
    let value: Option<Value> = serde_json::from_slice(&json).ok();
    let yaml = value.and_then(|value| serde_saphyr::to_string(&value).ok());
    let content = match yaml {
        Some(yaml) => {
            parts.headers.insert(header::CONTENT_TYPE, YAML);
            yaml.into()
        }
        None => json,
    };
    Response::from_parts(parts, Full::new(content).boxed_unsync())
}

/// Answers with a few words.
pub(crate) fn plain(text: &'static str) -> Response<Body> {
    answer(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        Full::from(text).boxed_unsync(),
    )
}

/// Answers with JSON documents as they come, each on its own line.
pub(crate) fn stream(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
    answer(
        StatusCode::OK,
        "application/json",
        StreamBody::new(frames).boxed_unsync(),
    )
}

/// Adds warnings that clients show to people (RFC 7234, code 299).
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    let values = warnings.iter().filter_map(|warning| {
        HeaderValue::try_from(format!("299 - {}", Value::from(warning.as_str()))).ok()
    });
    for value in values {
        response.headers_mut().append(header::WARNING, value);
    }
}

fn answer(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, private"),
    );
    response
}
