//! The body of a request: read within its limit, and parsed by its content type.
//!
//! Patches are parsed elsewhere, for they have content types of their own.

mod document;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::BoxError;

pub(crate) use self::document::Document;
use super::{
    protobuf,
    resource::{Origin, Resource},
    status::Failure,
};

/// The most bytes of a request's body (Kubernetes: 3 MiB).
const MOST_BODY: usize = 3 << 20;

/// The content type of YAML.
pub(crate) const YAML: &str = "application/yaml";

/// The body of a request.
pub(crate) struct Content {
    /// The content type without parameters, in lower case; empty when there is none.
    pub(crate) media_type: String,
    /// The body.
    pub(crate) bytes: Bytes,
}

impl Content {
    /// Reads a body to its end.
    pub(crate) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Self, Failure>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let read = Limited::new(body, MOST_BODY).collect().await;
        let read = read.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::too_large(MOST_BODY)
            } else {
                Failure::bad_request("the body of the request could not be read")
            }
        })?;
        Ok(Self {
            media_type: media_type(headers),
            bytes: read.to_bytes(),
        })
    }

    /// The object that the body holds, for a request for objects of this type.
    pub(crate) fn object(&self, resource: &Resource) -> Result<Document, Failure> {
        match (self.media_type.as_str(), &resource.origin) {
            ("" | "application/json", _) => Document::from_json(&self.bytes).map_err(|error| {
                Failure::bad_request(format!("the body of the request is not JSON: {error}"))
            }),
            (YAML, _) => Document::from_yaml(&self.bytes).map_err(|error| {
                Failure::bad_request(format!("the body of the request is not YAML: {error}"))
            }),
            (protobuf::MEDIA_TYPE, Origin::BuiltIn) => {
                let object = protobuf::decode(&self.bytes).map_err(|error| {
                    let message = format!("the body of the request is not understood: {error}");
                    Failure::bad_request(message)
                })?;
                Ok(object.into())
            }
            (_, origin) => Err(unsupported(origin)),
        }
    }
}

fn unsupported(origin: &Origin) -> Failure {
    let protobuf = match origin {
        Origin::BuiltIn => format!(", {}", protobuf::MEDIA_TYPE),
        Origin::Custom(_) => String::new(),
    };
    Failure::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: application/json, {YAML}{protobuf}"
    ))
}

fn media_type(headers: &HeaderMap) -> String {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
