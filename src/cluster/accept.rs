//! In which form and encoding a client wants its answer, read from its `Accept` header.
//!
//! JSON and YAML are spoken; a client that accepts nothing else is told so.

use super::{content::YAML, record::Extent, status::Failure};

/// A form in which objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As objects.
    Objects(Extent),
    /// As rows of a table.
    Table,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON.
    Json,
    /// YAML, for answers that are one document.
    Yaml,
}

/// The form of the first part of the header that can be given; no header accepts everything.
///
/// A watch is a stream, which is never YAML; what else would be accepted does not count then, as in Kubernetes.
pub(crate) fn form(accept: &str, is_watch: bool) -> Result<Form, Failure> {
    match ranges(accept).next() {
        Some((Encoding::Json, form)) => Ok(form),
        Some((Encoding::Yaml, form)) if !is_watch => Ok(form),
        _ => Err(Failure::not_acceptable(is_watch)),
    }
}

/// The encoding of answers that are one document; that of refusals to answer at all is JSON.
pub(crate) fn encoding(accept: &str) -> Encoding {
    ranges(accept)
        .next()
        .map_or(Encoding::Json, |(encoding, _)| encoding)
}

/// The parts of the header that can be given, in their order.
fn ranges(accept: &str) -> impl Iterator<Item = (Encoding, Form)> {
    let accept = match accept.trim() {
        "" => "*/*",
        accept => accept,
    };
    accept.split(',').filter_map(range)
}

fn range(range: &str) -> Option<(Encoding, Form)> {
    let mut parts = range.split(';').map(str::trim);
    let encoding = match parts.next()? {
        "application/json" | "application/*" | "*/*" => Encoding::Json,
        YAML => Encoding::Yaml,
        _ => return None,
    };
    let parameters: Vec<(&str, &str)> = parts
        .filter_map(|parameter| parameter.split_once('='))
        .collect();
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    };
    let form = match (parameter("as"), parameter("g"), parameter("v")) {
        (None, ..) => Form::Objects(Extent::Whole),
        (Some("Table"), Some("meta.k8s.io"), Some("v1")) => Form::Table,
        (
            Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
            Some("meta.k8s.io"),
            Some("v1"),
        ) => Form::Objects(Extent::Metadata),
        _ => return None,
    };
    Some((encoding, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Form>) {
        assert_eq!(form(accept, false).ok(), expected, "{accept}");
    }

    #[test]
    fn yaml_is_for_what_is_one_document() {
        let table = "application/yaml;as=Table;v=v1;g=meta.k8s.io";
        check(table, Some(Form::Table));
        check("application/yaml", Some(Form::Objects(Extent::Whole)));
        assert!(form("application/yaml", true).is_err());
        let both = format!("text/html, {table}, application/json");
        assert_eq!(encoding(&both), Encoding::Yaml);
        assert!(form(&both, true).is_err());
        for json in ["", "*/*", "text/html", "application/json, application/yaml"] {
            assert_eq!(encoding(json), Encoding::Json, "{json}");
        }
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
