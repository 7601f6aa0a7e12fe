//! In which form a client wants its answer, read from its `Accept` header.
//!
//! Only JSON is spoken; a client that accepts nothing else is told so.

use super::{object::Extent, status::Failure};

/// A form in which objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As objects.
    Objects(Extent),
    /// As rows of a table.
    Table,
}

/// Chooses the first form of the header that can be given; no header accepts everything.
pub(crate) fn form(accept: &str) -> Result<Form, Failure> {
    if accept.trim().is_empty() {
        return Ok(Form::Objects(Extent::Whole));
    }
    accept
        .split(',')
        .find_map(range)
        .ok_or_else(Failure::not_acceptable)
}

fn range(range: &str) -> Option<Form> {
    let mut parts = range.split(';').map(str::trim);
    if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let parameters: Vec<(&str, &str)> = parts
        .filter_map(|parameter| parameter.split_once('='))
        .collect();
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    };
    match (parameter("as"), parameter("g"), parameter("v")) {
        (None, ..) => Some(Form::Objects(Extent::Whole)),
        (Some("Table"), Some("meta.k8s.io"), Some("v1")) => Some(Form::Table),
        (
            Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
            Some("meta.k8s.io"),
            Some("v1"),
        ) => Some(Form::Objects(Extent::Metadata)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Form>) {
        assert_eq!(form(accept).ok(), expected, "{accept}");
    }

    #[test]
    fn first_form_that_is_spoken_wins() {
        check("", Some(Form::Objects(Extent::Whole)));
        check("application/json, */*", Some(Form::Objects(Extent::Whole)));
        check(
            "application/vnd.kubernetes.protobuf,application/json;q=0.9",
            Some(Form::Objects(Extent::Whole)),
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some(Form::Table),
        );
        check(
            "application/json;as=Table;v=v9;g=meta.k8s.io,application/json",
            Some(Form::Objects(Extent::Whole)),
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Some(Form::Objects(Extent::Metadata)),
        );
        check(
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
            Some(Form::Objects(Extent::Metadata)),
        );
    }

    #[test]
    fn forms_that_are_not_spoken_are_refused() {
        check("application/vnd.kubernetes.protobuf", None);
        check("text/html", None);
        check("application/json;as=Table;v=v9;g=meta.k8s.io", None);
    }
}
