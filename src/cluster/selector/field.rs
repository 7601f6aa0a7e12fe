//! Field selectors: name and namespace for every type, a few more for Events, Secrets and Namespaces.
//!
//! Other fields are refused by name, as Kubernetes does, rather than never matched.

use super::attributes::{Attributes, OF_ALL, OF_EVENTS, OF_NAMESPACES, OF_SECRETS};
use crate::cluster::{kinds::event_view, object::GroupResource};

/// Conditions on fields that all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    /// Where the field is stored.
    path: String,
    value: String,
    is_equal: bool,
}

/// What is wrong with a selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    #[error("invalid selector: '{0}'; can't understand '{0}'")]
    Syntax(String),
    #[error("field label not supported: {0}")]
    Unsupported(String),
}

impl FieldSelector {
    /// Reads a selector for objects of a type; the empty one takes everything.
    pub(super) fn parse(resource: &GroupResource, text: &str) -> Result<Self, FieldError> {
        let terms = split(text).into_iter().filter(|term| !term.is_empty());
        terms
            .map(|term| requirement(resource, &term))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it takes every object.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the fields of this object meet all conditions; a field that is missing is empty.
    pub(super) fn matches(&self, object: &Attributes) -> bool {
        self.0.iter().all(|requirement| {
            (object.field(&requirement.path) == requirement.value) == requirement.is_equal
        })
    }
}

fn requirement(resource: &GroupResource, term: &str) -> Result<Requirement, FieldError> {
    let syntax = || FieldError::Syntax(term.to_owned());
    let at = term.find(['=', '!']).ok_or_else(syntax)?;
    let (field, rest) = term.split_at(at);
    let (value, is_equal) = match rest {
        rest if rest.starts_with("!=") => (rest.strip_prefix("!="), false),
        rest if rest.starts_with("==") => (rest.strip_prefix("=="), true),
        rest => (rest.strip_prefix('='), true),
    };
    let value = value.ok_or_else(syntax)?.to_owned();
    if !supported(resource).any(|known| known == field) {
        return Err(FieldError::Unsupported(field.to_owned()));
    }
    Ok(Requirement {
        path: stored_path(resource, field),
        value,
        is_equal,
    })
}

fn stored_path(resource: &GroupResource, field: &str) -> String {
    match resource.group.as_str() {
        "events.k8s.io" => event_view::stored_path(field),
        _ => field.to_owned(),
    }
}

/// The fields that objects of a type can be selected by.
fn supported(resource: &GroupResource) -> impl Iterator<Item = &'static str> + use<> {
    let specific: &[&'static str] = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "events") => &OF_EVENTS,
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "secrets") => &OF_SECRETS,
        ("", "namespaces") => &OF_NAMESPACES,
        _ => &[],
    };
    OF_ALL.into_iter().chain(specific.iter().copied())
}

/// Splits at commas; a backslash makes the next character an ordinary one.
fn split(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, terms.last_mut()) {
            (',', _) => terms.push(String::new()),
            ('\\', Some(term)) => term.extend(characters.next()),
            (character, Some(term)) => term.push(character),
            (_, None) => {}
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(plural: &str, text: &str) -> Result<FieldSelector, FieldError> {
        FieldSelector::parse(&GroupResource::new("", plural), text)
    }

    fn check(selector: &str, expected: bool) {
        let object = json!({
            "metadata": {"name": "x", "namespace": "n"},
            "involvedObject": {"kind": "Secret"},
            "reason": "a,b",
        });
        assert_eq!(
            parse("events", selector)
                .unwrap()
                .matches(&Attributes::of(&object)),
            expected,
            "{selector}"
        );
    }

    #[test]
    fn fields_are_compared() {
        check("metadata.name=x", true);
        check("metadata.name==y", false);
        check("metadata.name!=y,metadata.namespace=n", true);
        check("involvedObject.kind=Secret,involvedObject.uid=", true);
        check("involvedObject.kind!=Secret", false);
        check(r"reason=a\,b", true);
        check("", true);
    }

    #[test]
    fn every_supported_field_is_compared() {
        for (group, plural) in [
            ("", "events"),
            ("events.k8s.io", "events"),
            ("", "secrets"),
            ("", "namespaces"),
        ] {
            let resource = GroupResource::new(group, plural);
            for field in supported(&resource) {
                let path = stored_path(&resource, field);
                let object = path
                    .rsplit('.')
                    .fold(json!("x"), |value, name| json!({ name: value }));
                let selector = FieldSelector::parse(&resource, &format!("{field}=x")).unwrap();
                assert!(
                    selector.matches(&Attributes::of(&object)),
                    "{resource} {field}"
                );
                assert!(!selector.matches(&Attributes::of(&json!({}))), "{field}");
            }
        }
    }

    #[test]
    fn unsupported_field_is_named() {
        assert_eq!(parse("secrets", "type=Opaque").map(|_| ()), Ok(()));
        assert_eq!(
            parse("configmaps", "type=Opaque"),
            Err(FieldError::Unsupported("type".to_owned()))
        );
        assert_eq!(
            parse("configmaps", "metadata.name"),
            Err(FieldError::Syntax("metadata.name".to_owned()))
        );
    }
}
