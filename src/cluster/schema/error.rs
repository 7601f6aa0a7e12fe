//! What is wrong with one field, worded as the API server words it.
//!
//! It does not build the `Status` around it; whoever answers the request does.

use std::fmt;

use serde_json::Value;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// Where, such as `spec.resources[0].name`; empty for the object itself.
    pub(crate) path: String,
    /// The class of the mistake.
    pub(crate) reason: Reason,
    /// The offending value as Go prints it, where the class shows one.
    pub(crate) value: Option<String>,
    /// What would be right; may be empty.
    pub(crate) detail: String,
}

/// The classes of mistakes, as `metav1.CauseType` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A field that must be there is not.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value has the wrong type.
    TypeInvalid,
    /// The value is not one of the allowed ones.
    NotSupported,
    /// The same value twice where each must be unique.
    Duplicate,
    /// The field must not be set.
    Forbidden,
    /// A string is too long.
    TooLong,
    /// A list or map has too many entries.
    TooMany,
}

impl Reason {
    /// The machine-readable reason of a cause in a `Status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }
}

impl FieldError {
    /// A missing field; the detail may be empty.
    pub(crate) fn required(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(path, Reason::Required, None, detail)
    }

    /// A field that must not be set.
    pub(crate) fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(path, Reason::Forbidden, None, detail)
    }

    /// A value that breaks a rule.
    pub(crate) fn invalid(
        path: impl Into<String>,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(path, Reason::Invalid, Some(go_value(value)), detail)
    }

    /// A value that is not one of the allowed ones.
    pub(crate) fn not_supported(
        path: impl Into<String>,
        value: &Value,
        supported: &[&str],
    ) -> Self {
        let quoted: Vec<String> = supported.iter().map(|one| go_quote(one)).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        Self::new(path, Reason::NotSupported, Some(go_value(value)), detail)
    }

    /// A value that was there before.
    pub(crate) fn duplicate(path: impl Into<String>, value: &Value) -> Self {
        Self::new(path, Reason::Duplicate, Some(go_value(value)), "")
    }

    /// A string longer than `max`.
    pub(crate) fn too_long(path: impl Into<String>, max: i64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {unit}");
        Self::new(path, Reason::TooLong, None, detail)
    }

    /// A list or map with more than `max` entries.
    pub(crate) fn too_many(path: impl Into<String>, actual: usize, max: i64) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        Self::new(path, Reason::TooMany, Some(actual.to_string()), detail)
    }

    /// Any mistake, from its parts; the value as Go prints it.
    pub(crate) fn new(
        path: impl Into<String>,
        reason: Reason,
        value: Option<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            reason,
            value,
            detail: detail.into(),
        }
    }

    /// The same mistake, seen from a parent field.
    #[must_use]
    pub(crate) fn under(mut self, parent: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => parent.to_owned(),
            path if path.starts_with('[') => format!("{parent}{path}"),
            path => format!("{parent}.{path}"),
        };
        self
    }

    /// The path as the API server prints it: the object itself is `<nil>`.
    pub(crate) fn field(&self) -> &str {
        if self.path.is_empty() {
            "<nil>"
        } else {
            &self.path
        }
    }

    /// The mistake without its path, as it stands in the causes of a `Status`.
    pub(crate) fn message(&self) -> String {
        let mut text = self.reason.title().to_owned();
        for part in self.value.iter().chain([&self.detail]) {
            if !part.is_empty() {
                text.push_str(": ");
                text.push_str(part);
            }
        }
        text
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field(), self.message())
    }
}

/// A string as Go's `%q` prints it.
pub(super) fn go_quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value as Go's `%#v` prints what a JSON decoder made of it.
pub(super) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "\"null\"".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", go_quote(key), go_value(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
    }
}
