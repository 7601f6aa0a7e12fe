//! The options of a request, read from its query.
//!
//! Pure; selectors stay text here, for what they may name depends on the type.

use std::borrow::Cow;

use http::Method;
use serde_json::Value;

use super::{schema::FieldError, status::Failure, table::Include};

/// What to do about fields that the type does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so in a `Warning` header.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// Which version of a list is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevisionMatch {
    /// This one or a later one.
    NotOlderThan,
    /// This one.
    Exact,
}

/// Options of all verbs; each verb looks at its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Follow changes instead of listing.
    pub(crate) watch: bool,
    /// The resourceVersion to start from; nothing when unset or `0`.
    pub(crate) revision: Option<u64>,
    /// How `revision` is meant in a list.
    pub(crate) revision_match: Option<RevisionMatch>,
    /// The most objects in one answer; nothing is all.
    pub(crate) limit: Option<usize>,
    /// Where the previous page ended.
    pub(crate) continuation: Option<String>,
    /// How long a watch lasts, in seconds.
    pub(crate) timeout_seconds: Option<u64>,
    /// Whether a watch also tells the revision now and then.
    pub(crate) bookmarks: bool,
    /// Whether a watch starts with the objects there are.
    pub(crate) initial_events: Option<bool>,
    /// How much of each object is in the row of a table.
    pub(crate) include: Include,
    /// Which labels objects must have.
    pub(crate) label_selector: String,
    /// Which values fields of objects must have.
    pub(crate) field_selector: String,
    /// Do everything but the change.
    pub(crate) is_dry_run: bool,
    /// What to do about fields that the type does not have.
    pub(crate) field_validation: FieldValidation,
    /// What happens to dependents of a deleted object.
    pub(crate) propagation_policy: Option<String>,
}

/// Reads the query of a request.
pub(crate) fn parse(method: &Method, query: &str) -> Result<Options, Failure> {
    let mut options = Options::default();
    for (name, value) in given(query) {
        set(&mut options, &name, &value)?;
    }
    let errors = wrong_combinations(&options, query);
    if !errors.is_empty() {
        return Err(Failure::wrong_options("ListOptions", &errors));
    }
    if let Some(kind) = kind_of_options(method) {
        set_for_writing(&mut options, query)
            .map_err(|error| Failure::wrong_options(kind, &[error]))?;
    }
    Ok(options)
}

fn given(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
}

/// What the options of a request that changes something are called.
fn kind_of_options(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("CreateOptions"),
        Method::PUT => Some("UpdateOptions"),
        Method::PATCH => Some("PatchOptions"),
        Method::DELETE => Some("DeleteOptions"),
        _ => None,
    }
}

fn set_for_writing(options: &mut Options, query: &str) -> Result<(), FieldError> {
    let dry_run = given(query).filter(|(name, _)| name == "dryRun");
    let dry_run: Vec<String> = dry_run.map(|(_, value)| value.into_owned()).collect();
    options.is_dry_run = is_dry_run(&dry_run)?;
    let validation = given(query).filter(|(name, _)| name == "fieldValidation");
    if let Some((_, value)) = validation.last() {
        options.field_validation = field_validation(&value)?;
    }
    Ok(())
}

/// Whether the values of the option `dryRun` ask for a dry run; `All` is the only one there is.
pub(crate) fn is_dry_run(values: &[String]) -> Result<bool, FieldError> {
    if values.iter().all(|value| value == "All") {
        return Ok(!values.is_empty());
    }
    let mut error = FieldError::not_supported("dryRun", &Value::Null, &["All"]);
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    error.value = Some(format!("[]string{{{}}}", values.join(", ")));
    Err(error)
}

/// What may not be asked for together (Kubernetes: `ValidateListOptions`).
fn wrong_combinations(options: &Options, query: &str) -> Vec<FieldError> {
    let matching = |detail: &str| {
        let detail = format!("resourceVersionMatch {detail}");
        FieldError::forbidden("resourceVersionMatch", detail)
    };
    let initial_events = |detail: &str| {
        let detail = format!("sendInitialEvents {detail}");
        FieldError::forbidden("sendInitialEvents", detail)
    };
    let mut revisions = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, value)| name == "resourceVersion" && !value.is_empty());
    match (options.revision_match, options.initial_events) {
        (_, Some(_)) if !options.watch => vec![initial_events("is forbidden for list")],
        (Some(RevisionMatch::NotOlderThan), Some(_)) => vec![],
        (_, Some(_)) => vec![FieldError::forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )],
        (Some(_), _) if options.watch => vec![matching(
            "is forbidden for watch unless sendInitialEvents is provided",
        )],
        (Some(_), _) if options.continuation.is_some() => {
            vec![matching("is forbidden when continue is provided")]
        }
        (Some(_), _) if revisions.next().is_none() => {
            vec![matching("is forbidden unless resourceVersion is provided")]
        }
        (Some(RevisionMatch::Exact), _) if options.revision.is_none() => {
            vec![matching("\"exact\" is forbidden for resourceVersion \"0\"")]
        }
        _ => vec![],
    }
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), Failure> {
    match name {
        "watch" => options.watch = flag(name, value)?,
        "resourceVersion" => {
            options.revision = Some(number(name, value)?).filter(|revision| *revision > 0);
        }
        "resourceVersionMatch" => options.revision_match = Some(revision_match(value)?),
        "limit" => options.limit = Some(number(name, value)?).filter(|limit| *limit > 0),
        "continue" => options.continuation = Some(value.to_owned()),
        "timeoutSeconds" => options.timeout_seconds = Some(number(name, value)?),
        "allowWatchBookmarks" => options.bookmarks = flag(name, value)?,
        "sendInitialEvents" => options.initial_events = Some(flag(name, value)?),
        "includeObject" => {
            let include = Include::parse(value);
            options.include = include
                .ok_or_else(|| unsupported(name, value, "\"None\", \"Metadata\", \"Object\""))?;
        }
        "labelSelector" => value.clone_into(&mut options.label_selector),
        "fieldSelector" => value.clone_into(&mut options.field_selector),
        "propagationPolicy" => options.propagation_policy = Some(value.to_owned()),
        _ => {}
    }
    Ok(())
}

fn flag(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(unsupported(name, value, "\"true\", \"false\"")),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|_| Failure::bad_request(format!("invalid {name} {value:?}: not a whole number")))
}

fn revision_match(value: &str) -> Result<RevisionMatch, Failure> {
    match value {
        "NotOlderThan" => Ok(RevisionMatch::NotOlderThan),
        "Exact" => Ok(RevisionMatch::Exact),
        _ => {
            let known = ["Exact", "NotOlderThan", ""];
            let error = FieldError::not_supported("resourceVersionMatch", &value.into(), &known);
            Err(Failure::wrong_options("ListOptions", &[error]))
        }
    }
}

fn field_validation(value: &str) -> Result<FieldValidation, FieldError> {
    match value {
        "Ignore" => Ok(FieldValidation::Ignore),
        "Warn" => Ok(FieldValidation::Warn),
        "Strict" => Ok(FieldValidation::Strict),
        _ => {
            let known = ["", "Ignore", "Strict", "Warn"];
            Err(FieldError::not_supported(
                "fieldValidation",
                &value.into(),
                &known,
            ))
        }
    }
}

fn unsupported(name: &str, value: &str, known: &str) -> Failure {
    Failure::bad_request(format!(
        "{name}: Unsupported value: {value:?}: supported values: {known}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_ignored() {
        let query = "watch=true&resourceVersion=12&timeoutSeconds=290&allowWatchBookmarks=true&labelSelector=a%3Db%2Cc&x=y";
        let expected = Options {
            watch: true,
            revision: Some(12),
            timeout_seconds: Some(290),
            bookmarks: true,
            label_selector: "a=b,c".to_owned(),
            ..Options::default()
        };
        assert_eq!(parse(&Method::GET, query), Ok(expected));
    }

    #[test]
    fn zero_and_empty_are_unset() {
        assert_eq!(
            parse(&Method::POST, "resourceVersion=0&limit=0&continue=&dryRun="),
            Ok(Options::default())
        );
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        for query in [
            "continue=x&resourceVersionMatch=Exact&resourceVersion=1",
            "resourceVersionMatch=Exact",
            "resourceVersionMatch=Exact&resourceVersion=0",
            "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
            "watch=1&sendInitialEvents=true",
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        ] {
            assert_eq!(parse(&Method::GET, query).unwrap_err().code, 422, "{query}");
        }
        assert!(
            parse(
                &Method::GET,
                "resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=1"
            )
            .is_ok()
        );
    }

    #[test]
    fn wrong_values_are_named() {
        for query in ["limit=many", "watch=perhaps", "resourceVersion=abc"] {
            let message = parse(&Method::GET, query).unwrap_err().message;
            assert!(
                message.contains(query.split('=').next().unwrap()),
                "{message}"
            );
        }
    }

    #[test]
    fn options_of_changes_are_named_by_their_kind() {
        let message = |method, query| parse(&method, query).unwrap_err().message;
        assert_eq!(
            message(Method::POST, "dryRun=All&dryRun=Some"),
            r#"CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"All", "Some"}: supported values: "All""#
        );
        assert_eq!(
            message(Method::PATCH, "fieldValidation=x"),
            r#"PatchOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "x": supported values: "", "Ignore", "Strict", "Warn""#
        );
        let dry = parse(&Method::DELETE, "dryRun=All&dryRun=All").unwrap();
        assert!(dry.is_dry_run);
        assert!(parse(&Method::GET, "dryRun=Some").is_ok());
    }
}
