//! The compiled form of one schema node: every check with its parts ready to use.
//!
//! It holds no behaviour beyond naming types; the passes over it have a file each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{format::Format, pattern::Pattern, rules::Rules};

/// One schema node, compiled.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The allowed types; any when empty.
    pub(super) types: Vec<Type>,
    /// Whether null is allowed whatever the type.
    pub(super) nullable: bool,
    /// Whether undeclared fields are kept.
    pub(super) preserves_unknown: bool,
    /// Whether the value is a whole object with `apiVersion`, `kind` and `metadata`.
    pub(super) embedded: bool,
    /// The declared fields.
    pub(super) properties: BTreeMap<String, Node>,
    /// What other fields may be.
    pub(super) additional: Additional,
    /// What the items of a list are.
    pub(super) items: Option<Box<Node>>,
    /// How the items of a list are told apart.
    pub(super) list: ListType,
    /// What is filled in when the field is absent.
    pub(super) default: Option<Value>,
    /// The fields that must be there.
    pub(super) required: Vec<String>,
    /// The allowed values; any when empty.
    pub(super) allowed: Vec<Value>,
    /// What a string must match.
    pub(super) pattern: Option<Pattern>,
    /// The format that a string or number must have.
    pub(super) format: Option<Format>,
    /// The size limits.
    pub(super) limits: Limits,
    /// At least one of these must hold.
    pub(super) any_of: Vec<Node>,
    /// Exactly one of these must hold.
    pub(super) one_of: Vec<Node>,
    /// All of these must hold.
    pub(super) all_of: Vec<Node>,
    /// This must not hold.
    pub(super) not: Option<Box<Node>>,
    /// The CEL rules about this value.
    pub(super) rules: Option<Rules>,
}

/// What fields may be that `properties` does not name.
#[derive(Debug, Default)]
pub(super) enum Additional {
    /// There are none.
    #[default]
    Undeclared,
    /// Anything.
    Any,
    /// Values of one schema: the node is a map.
    Schema(Box<Node>),
}

/// How the items of a list are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum ListType {
    /// Not at all: the list is one value.
    #[default]
    Atomic,
    /// By their value.
    Set,
    /// By these fields.
    Map(Vec<String>),
}

/// The limits on a number, a string, a list or a map.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<i64>,
    pub(super) max_length: Option<i64>,
    pub(super) min_items: Option<i64>,
    pub(super) max_items: Option<i64>,
    pub(super) min_properties: Option<i64>,
    pub(super) max_properties: Option<i64>,
}

/// The types of JSON Schema that a structural schema may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Array,
    Boolean,
    Integer,
    Number,
    Object,
    String,
}

impl Type {
    /// All of them, in the order in which the API server lists them.
    pub(super) const ALL: [Self; 6] = [
        Self::Array,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::Object,
        Self::String,
    ];

    /// The name in a schema.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }

    /// The type of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl Node {
    /// The node of a field, declared by name or as an entry of a map.
    pub(super) fn field(&self, name: &str) -> Option<&Node> {
        match (self.properties.get(name), &self.additional) {
            (Some(node), _) => Some(node),
            (None, Additional::Schema(node)) => Some(node),
            (None, Additional::Undeclared | Additional::Any) => None,
        }
    }
}

/// The path of a field below another.
pub(super) fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The path of a map entry below another, as the API server writes keys that are data.
pub(super) fn key(path: &str, name: &str) -> String {
    format!("{path}[{name}]")
}

/// The path of a list item below another.
pub(super) fn index(path: &str, position: usize) -> String {
    format!("{path}[{position}]")
}
