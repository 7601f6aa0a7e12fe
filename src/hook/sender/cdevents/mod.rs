//! `cdevents`: CDEvents 0.4 in CloudEvents binary mode, which prove nothing; the path is their only credential.
//!
//! <https://github.com/cdevents/spec/tree/v0.4.1>. What is required of each type of event is checked; fields that no
//! rule names may hold anything, and `Ce-Type` is not compared with the body, as in Flux.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        json::{self, Fields, Shape},
        malformed::Malformed,
    },
    Asked, EventName, Profile, ReceiverType,
};

mod types;
mod uri;

use types::{EventType, Rule};

pub(super) const PROFILE: Profile = Profile {
    event: EventName::Header("ce-type"),
    delivery_headers: &["ce-id"],
    decode: Some(decode),
    ..Profile::of(Asked::Type(ReceiverType::Cdevents))
};

const REFERENCE: Shape = Shape::Object(&[("id", Shape::Text), ("source", Shape::Text)]);

const EVENT: Fields = &[
    (
        "context",
        Shape::Object(&[
            ("version", Shape::Text),
            ("id", Shape::Text),
            ("source", Shape::Text),
            ("type", Shape::Text),
            ("timestamp", Shape::Text),
            ("schemaUri", Shape::Text),
            ("chainId", Shape::Text),
            (
                "links",
                Shape::Array(&Shape::Object(&[(
                    "linkType",
                    Shape::OneOf(&["PATH", "END", "RELATION"]),
                )])),
            ),
        ]),
    ),
    (
        "subject",
        Shape::Object(&[
            ("id", Shape::Text),
            ("source", Shape::Text),
            ("type", Shape::Text),
            ("content", Shape::Object(CONTENT)),
        ]),
    ),
    ("customData", Shape::TextOrObject),
    ("customDataContentType", Shape::Text),
];

/// The fields of `subject.content` that a rule names.
const CONTENT: Fields = &[
    ("artifactId", Shape::Text),
    ("change", REFERENCE),
    ("creator", Shape::Text),
    ("environment", REFERENCE),
    ("format", Shape::Text),
    ("name", Shape::Text),
    ("outcome", Shape::Text),
    ("outputType", Shape::Text),
    ("resolution", Shape::Text),
    ("signature", Shape::Text),
    ("summary", Shape::Text),
    ("ticketURI", Shape::Text),
    ("uri", Shape::Text),
    ("url", Shape::Text),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    context: Context,
    subject: Subject,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Context {
    version: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    type_: String,
    timestamp: Option<String>,
    schema_uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Subject {
    id: String,
    source: String,
    #[serde(rename = "type")]
    type_: String,
    content: Map<String, Value>,
}

fn decode(body: &[u8]) -> Result<(), Malformed> {
    let found = json::read_whole(body, EVENT)?;
    let event = Event::deserialize(found).map_err(|error| Malformed::new(error.to_string()))?;
    check_context(&event.context)?;
    check_subject(&event.subject, EventType::parse(&event.context.type_)?)
}

fn check_context(context: &Context) -> Result<(), Malformed> {
    require("context.version", &context.version)?;
    require("context.id", &context.id)?;
    require("context.source", &context.source)?;
    check_uri("context.source", &context.source)?;
    if let Some(timestamp) = &context.timestamp
        && timestamp.parse::<Timestamp>().is_err()
    {
        return Err(Malformed::new("`context.timestamp` must be RFC 3339"));
    }
    if context.schema_uri.is_empty() {
        Ok(())
    } else {
        Err(Malformed::new(
            "`context.schemaUri` must be absent: no other schema is known",
        ))
    }
}

fn check_subject(subject: &Subject, type_: EventType) -> Result<(), Malformed> {
    require("subject.id", &subject.id)?;
    check_uri("subject.source", &subject.source)?;
    let Some(expected) = type_.subject else {
        return require("subject.type", &subject.type_);
    };
    if subject.type_ != expected {
        return Err(Malformed::new(format!("`subject.type` must be {expected}")));
    }
    type_
        .rules
        .iter()
        .try_for_each(|rule| check(rule, &subject.content))
}

fn check(rule: &Rule, content: &Map<String, Value>) -> Result<(), Malformed> {
    let text = |field| {
        content
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match *rule {
        Rule::Text(field) => require(field, text(field)),
        Rule::Reference(field) => {
            let part = |part| content.get(field)?.get(part)?.as_str();
            require(field, part("id").unwrap_or_default())?;
            check_uri(field, part("source").unwrap_or_default())
        }
        Rule::PackageUrl(field) if uri::is_package_url(text(field)) => Ok(()),
        Rule::PackageUrl(field) => Err(Malformed::new(format!(
            "`{field}` must be a package URL, such as pkg:oci/name"
        ))),
    }
}

fn require(field: &str, value: &str) -> Result<(), Malformed> {
    if value.is_empty() {
        Err(Malformed::new(format!(
            "`{field}` is required and must not be empty"
        )))
    } else {
        Ok(())
    }
}

fn check_uri(field: &str, value: &str) -> Result<(), Malformed> {
    if uri::is_reference(value) {
        Ok(())
    } else {
        Err(Malformed::new(format!("`{field}` must be a URI reference")))
    }
}

#[cfg(test)]
mod tests;
