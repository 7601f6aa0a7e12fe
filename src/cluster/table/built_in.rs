//! The columns of built-in kinds, as `kubectl` users know them.
//!
//! A kind without an entry has its name and age.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age::since, definition, name_definition, text};

const UNKNOWN: &str = "<unknown>";

/// A built-in kind with columns of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    ConfigMap,
    CustomResourceDefinition,
    Event,
    Lease,
    Namespace,
    Secret,
    ServiceAccount,
    Other,
}

impl BuiltIn {
    /// The kind of that name.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "ConfigMap" => Self::ConfigMap,
            "CustomResourceDefinition" => Self::CustomResourceDefinition,
            "Event" => Self::Event,
            "Lease" => Self::Lease,
            "Namespace" => Self::Namespace,
            "Secret" => Self::Secret,
            "ServiceAccount" => Self::ServiceAccount,
            _ => Self::Other,
        }
    }

    /// The definitions of the columns.
    pub(super) fn definitions(self) -> Vec<Value> {
        let own: &[(&str, &str, &str)] = match self {
            Self::ConfigMap => &[("Data", "string", "How many entries it has.")],
            Self::CustomResourceDefinition => &[("Created At", "date", "When it was made.")],
            Self::Event => return event_definitions(),
            Self::Lease => &[("Holder", "string", "Who holds it.")],
            Self::Namespace => &[("Status", "string", "Whether it is in use or going away.")],
            Self::Secret => &[
                ("Type", "string", "What its entries are for."),
                ("Data", "string", "How many entries it has."),
            ],
            Self::ServiceAccount => &[("Secrets", "string", "How many Secrets it names.")],
            Self::Other => &[],
        };
        let own = own
            .iter()
            .map(|(name, type_, description)| definition(name, type_, "", description, 0));
        let age = (self != Self::CustomResourceDefinition)
            .then(|| definition("Age", "string", "", "How long the object has existed.", 0));
        std::iter::once(name_definition())
            .chain(own)
            .chain(age)
            .collect()
    }

    /// The cells of an object, in the order of the definitions.
    pub(super) fn cells(self, object: &Value, now: Timestamp) -> Vec<Value> {
        let name = text(object, "/metadata/name");
        let age = Value::from(age(object, &["/metadata/creationTimestamp"], now));
        match self {
            Self::ConfigMap => {
                let entries = size(object, "/data") + size(object, "/binaryData");
                vec![name, entries.into(), age]
            }
            Self::CustomResourceDefinition => {
                vec![name, text(object, "/metadata/creationTimestamp")]
            }
            Self::Event => event_cells(object, now),
            Self::Lease => vec![name, text(object, "/spec/holderIdentity"), age],
            Self::Namespace => vec![name, text(object, "/status/phase"), age],
            Self::Secret => vec![
                name,
                text(object, "/type"),
                size(object, "/data").into(),
                age,
            ],
            Self::ServiceAccount => vec![name, size(object, "/secrets").into(), age],
            Self::Other => vec![name, age],
        }
    }
}

fn event_definitions() -> Vec<Value> {
    const WIDE: i32 = 1;
    let columns = [
        ("Last Seen", "", "When it was seen last.", 0),
        ("Type", "", "Normal or Warning.", 0),
        ("Reason", "", "Why it happened, in a word.", 0),
        ("Object", "", "What it is about.", 0),
        ("Subobject", "", "Which part of it.", WIDE),
        ("Source", "", "Who reports it.", WIDE),
        ("Message", "", "What happened.", 0),
        ("First Seen", "", "When it was seen first.", WIDE),
        ("Count", "", "How often it was seen.", WIDE),
        (
            "Name",
            "name",
            "The name, unique within its namespace.",
            WIDE,
        ),
    ];
    let columns = columns.into_iter();
    columns
        .map(|(name, format, description, priority)| {
            definition(name, "string", format, description, priority)
        })
        .collect()
}

/// The cells of an event in either of its two forms.
fn event_cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let either = |core: &str, new: &str| match text(object, core) {
        Value::String(found) if !found.is_empty() => found,
        _ => text(object, new).as_str().unwrap_or_default().to_owned(),
    };
    let kind = either("/involvedObject/kind", "/regarding/kind").to_lowercase();
    let target = format!(
        "{kind}/{}",
        either("/involvedObject/name", "/regarding/name")
    );
    let first = ["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"];
    let last = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
    ];
    let last: Vec<&str> = last.into_iter().chain(first).collect();
    let counts = ["/series/count", "/count", "/deprecatedCount"];
    let count = counts
        .into_iter()
        .find_map(|at| object.pointer(at).filter(|count| **count != 0))
        .cloned();
    vec![
        age(object, &last, now).into(),
        text(object, "/type"),
        text(object, "/reason"),
        target.into(),
        either("/involvedObject/fieldPath", "/regarding/fieldPath").into(),
        event_source(object, &either).into(),
        either("/message", "/note").trim().into(),
        age(object, &first, now).into(),
        count.unwrap_or_else(|| json!(1)),
        text(object, "/metadata/name"),
    ]
}

fn event_source(object: &Value, either: &dyn Fn(&str, &str) -> String) -> String {
    let component = match either("/source/component", "/deprecatedSource/component") {
        none if none.is_empty() => either("/reportingComponent", "/reportingController"),
        component => component,
    };
    let host = match either("/source/host", "/deprecatedSource/host") {
        none if none.is_empty() => text(object, "/reportingInstance")
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        host => host,
    };
    [component, host]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// How long ago the first of these times was that is set.
fn age(object: &Value, pointers: &[&str], now: Timestamp) -> String {
    let times = pointers
        .iter()
        .filter_map(|at| object.pointer(at)?.as_str());
    let time = times
        .filter(|time| !time.is_empty())
        .map(str::parse::<Timestamp>)
        .next();
    time.and_then(Result::ok)
        .map_or_else(|| UNKNOWN.to_owned(), |time| since(time, now))
}

/// The size of a map or list; zero when it is not there.
fn size(object: &Value, pointer: &str) -> usize {
    match object.pointer(pointer) {
        Some(Value::Object(entries)) => entries.len(),
        Some(Value::Array(items)) => items.len(),
        _ => 0,
    }
}
