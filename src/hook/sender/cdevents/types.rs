//! The types of event in CDEvents 0.4.1, with the subject of each and what its content must have.
//!
//! A version other than the listed one is refused, as in Flux: the schemas are exact.

use std::sync::LazyLock;

use regex::Regex;

use super::Malformed;

/// What the content of an event must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A text that is not empty.
    Text(&'static str),
    /// An object with an `id` that is not empty.
    Reference(&'static str),
    /// A package URL.
    PackageUrl(&'static str),
}

use Rule::{PackageUrl, Reference, Text};

/// What is asked of events of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventType {
    /// The value of `subject.type`; any for types of somebody's own.
    pub(super) subject: Option<&'static str>,
    /// What the content must have.
    pub(super) rules: &'static [Rule],
}

impl EventType {
    /// Looks up the value of `context.type`.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        if let Some((_, subject, rules)) = TYPES.iter().find(|(name, ..)| is(text, name)) {
            return Ok(Self {
                subject: Some(subject),
                rules,
            });
        }
        if CUSTOM.as_ref().is_some_and(|custom| custom.is_match(text)) {
            return Ok(Self {
                subject: None,
                rules: &[],
            });
        }
        Err(Malformed::new(
            "`context.type` is not a type of event in CDEvents 0.4, such as dev.cdevents.change.merged.0.2.0",
        ))
    }
}

fn is(text: &str, name: &str) -> bool {
    text.strip_prefix("dev.cdevents.") == Some(name)
}

/// Types that a tool defines for itself.
static CUSTOM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let semantic_version =
        r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?";
    Regex::new(&format!(
        r"^dev\.cdeventsx\.[a-z]+-[a-z]+\.[a-z]+\.{semantic_version}$"
    ))
    .ok()
});

/// Type and version, subject, and what the content must have.
type Row = (&'static str, &'static str, &'static [Rule]);

const ENVIRONMENT: Rule = Reference("environment");
const DEPLOYMENT: &[Rule] = &[ENVIRONMENT, PackageUrl("artifactId")];

/// All types of event; texts that may be empty in the schemas are not listed.
const TYPES: [Row; 45] = [
    ("artifact.deleted.0.1.0", "artifact", &[]),
    ("artifact.downloaded.0.1.0", "artifact", &[]),
    (
        "artifact.packaged.0.2.0",
        "artifact",
        &[Reference("change")],
    ),
    ("artifact.published.0.2.0", "artifact", &[]),
    ("artifact.signed.0.2.0", "artifact", &[Text("signature")]),
    ("branch.created.0.2.0", "branch", &[]),
    ("branch.deleted.0.2.0", "branch", &[]),
    ("build.finished.0.2.0", "build", &[PackageUrl("artifactId")]),
    ("build.queued.0.2.0", "build", &[]),
    ("build.started.0.2.0", "build", &[]),
    ("change.abandoned.0.2.0", "change", &[]),
    ("change.created.0.3.0", "change", &[]),
    ("change.merged.0.2.0", "change", &[]),
    ("change.reviewed.0.2.0", "change", &[]),
    ("change.updated.0.2.0", "change", &[]),
    ("environment.created.0.2.0", "environment", &[]),
    ("environment.deleted.0.2.0", "environment", &[]),
    ("environment.modified.0.2.0", "environment", &[]),
    ("incident.detected.0.2.0", "incident", DEPLOYMENT),
    (
        "incident.reported.0.2.0",
        "incident",
        &[ENVIRONMENT, Text("ticketURI"), PackageUrl("artifactId")],
    ),
    ("incident.resolved.0.2.0", "incident", DEPLOYMENT),
    ("pipelinerun.finished.0.2.0", "pipelineRun", &[]),
    ("pipelinerun.queued.0.2.0", "pipelineRun", &[]),
    ("pipelinerun.started.0.2.0", "pipelineRun", &[]),
    (
        "repository.created.0.2.0",
        "repository",
        &[Text("name"), Text("url")],
    ),
    ("repository.deleted.0.2.0", "repository", &[]),
    ("repository.modified.0.2.0", "repository", &[]),
    ("service.deployed.0.2.0", "service", DEPLOYMENT),
    ("service.published.0.2.0", "service", &[]),
    ("service.removed.0.2.0", "service", &[]),
    ("service.rolledback.0.2.0", "service", DEPLOYMENT),
    ("service.upgraded.0.2.0", "service", DEPLOYMENT),
    ("taskrun.finished.0.2.0", "taskRun", &[]),
    ("taskrun.started.0.2.0", "taskRun", &[]),
    (
        "testcaserun.finished.0.2.0",
        "testCaseRun",
        &[Text("outcome"), ENVIRONMENT],
    ),
    ("testcaserun.queued.0.2.0", "testCaseRun", &[ENVIRONMENT]),
    ("testcaserun.skipped.0.1.0", "testCaseRun", &[]),
    ("testcaserun.started.0.2.0", "testCaseRun", &[ENVIRONMENT]),
    (
        "testoutput.published.0.2.0",
        "testOutput",
        &[Text("outputType")],
    ),
    (
        "testsuiterun.finished.0.2.0",
        "testSuiteRun",
        &[Text("outcome"), ENVIRONMENT],
    ),
    ("testsuiterun.queued.0.2.0", "testSuiteRun", &[ENVIRONMENT]),
    ("testsuiterun.started.0.2.0", "testSuiteRun", &[ENVIRONMENT]),
    (
        "ticket.closed.0.1.0",
        "ticket",
        &[Text("uri"), Text("resolution")],
    ),
    (
        "ticket.created.0.1.0",
        "ticket",
        &[Text("creator"), Text("uri")],
    ),
    ("ticket.updated.0.1.0", "ticket", &[Text("uri")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_in_one_version_each() {
        for (name, subject, _) in TYPES {
            let type_ = EventType::parse(&format!("dev.cdevents.{name}")).unwrap();
            assert_eq!(type_.subject, Some(subject), "{name}");
            let (of, _) = name.split_once('.').unwrap();
            assert_eq!(subject.to_lowercase(), of, "{name}");
            for other in ["", "-draft", ".0", "9"] {
                let other = format!("dev.cdevents.{name}{other}");
                assert_eq!(EventType::parse(&other).is_ok(), other.ends_with(name));
            }
        }
        let known: std::collections::BTreeSet<_> = TYPES.iter().map(|(name, ..)| name).collect();
        assert_eq!(known.len(), TYPES.len());
    }

    #[test]
    fn tools_have_types_of_their_own() {
        for (text, known) in [
            ("dev.cdeventsx.gitlab-issue.created.0.1.0", true),
            ("dev.cdeventsx.gitlab-issue.created.1.2.3-rc.1", true),
            ("dev.cdeventsx.gitlab-issue.created.0.1", false),
            ("dev.cdeventsx.gitlab-issue.created", false),
            ("dev.cdeventsx.issue.created.0.1.0", false),
            ("dev.cdeventsx.GitLab-issue.created.0.1.0", false),
            ("dev.cdeventsx.gitlab-issue.created.0.1.0\n", false),
            ("dev.cdevents.change.merged", false),
            ("change.merged.0.2.0", false),
            ("", false),
        ] {
            assert_eq!(EventType::parse(text).is_ok(), known, "{text:?}");
        }
    }
}
