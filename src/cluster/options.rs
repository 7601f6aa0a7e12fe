//! The options of a request, read from its query.
//!
//! Pure; selectors stay text here, for what they may name depends on the type.

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

/// Reads a query.
pub(crate) fn parse(query: &str) -> Result<Options, Failure> {
    let mut options = Options::default();
    for (name, value) in
        form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
    {
        set(&mut options, &name, &value)?;
    }
    let errors = wrong_combinations(&options, query);
    if errors.is_empty() {
        Ok(options)
    } else {
        Err(Failure::wrong_options("ListOptions", &errors))
    }
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
        "dryRun" if value == "All" => options.is_dry_run = true,
        "dryRun" => return Err(unsupported(name, value, "\"All\"")),
        "fieldValidation" => options.field_validation = field_validation(value)?,
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

fn field_validation(value: &str) -> Result<FieldValidation, Failure> {
    match value {
        "Ignore" => Ok(FieldValidation::Ignore),
        "Warn" => Ok(FieldValidation::Warn),
        "Strict" => Ok(FieldValidation::Strict),
        _ => Err(unsupported(
            "fieldValidation",
            value,
            "\"Ignore\", \"Strict\", \"Warn\"",
        )),
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
        assert_eq!(parse(query), Ok(expected));
    }

    #[test]
    fn zero_and_empty_are_unset() {
        assert_eq!(
            parse("resourceVersion=0&limit=0&continue=&dryRun="),
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
            assert_eq!(parse(query).unwrap_err().code, 422, "{query}");
        }
        assert!(parse("resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=1").is_ok());
    }

    #[test]
    fn wrong_values_are_named() {
        for query in [
            "limit=many",
            "watch=perhaps",
            "resourceVersion=abc",
            "dryRun=Some",
            "fieldValidation=x",
        ] {
            let message = parse(query).unwrap_err().message;
            assert!(
                message.contains(query.split('=').next().unwrap()),
                "{message}"
            );
        }
    }
}
