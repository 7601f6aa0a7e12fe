//! Changing an object by a patch: the formats, and what each does to a value.
//!
//! Pure; what the result must meet is checked where all changes are.

use serde_json::Value;

use self::json::Operations;
use super::{
    resource::{Origin, Resource},
    status::Failure,
};

mod json;
mod strategic;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// A patch in one of the formats of Kubernetes.
pub(crate) enum Patch {
    /// RFC 6902, with the rules of Go's implementation.
    Json(Operations),
    /// RFC 7386.
    Merge(Value),
    /// A strategic merge, for built-in kinds.
    Strategic(Value),
}

impl Patch {
    /// Reads a patch of objects of a type by the content type of its body.
    pub(crate) fn parse(
        resource: &Resource,
        content_type: &str,
        body: &[u8],
    ) -> Result<Self, Failure> {
        let malformed = |error: serde_json::Error| {
            Failure::bad_request(format!("error decoding patch: {error}"))
        };
        match content_type {
            JSON => Operations::parse(body).map(Self::Json),
            MERGE => serde_json::from_slice(body)
                .map(Self::Merge)
                .map_err(malformed),
            STRATEGIC if matches!(resource.origin, Origin::BuiltIn) => serde_json::from_slice(body)
                .map(Self::Strategic)
                .map_err(malformed),
            "application/apply-patch+yaml" => Err(Failure::unsupported_media_type(
                "server-side apply is not supported by this control plane; use client-side apply or a merge patch",
            )),
            _ => Err(unsupported(resource)),
        }
    }

    /// Applies the patch.
    pub(crate) fn apply(&self, value: &mut Value) -> Result<(), Failure> {
        match self {
            Self::Json(operations) => operations.apply(value),
            Self::Strategic(patch) => strategic::apply(value, patch),
            Self::Merge(patch) => {
                json_patch::merge(value, patch);
                Ok(())
            }
        }
    }
}

fn unsupported(resource: &Resource) -> Failure {
    let mut known = vec![JSON, MERGE];
    known.extend(matches!(resource.origin, Origin::BuiltIn).then_some(STRATEGIC));
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        known.join(", ")
    );
    Failure::unsupported_media_type(message)
}
