//! The kinds that a Receiver may name, with the API version and plural that each has by default.
//!
//! The table replaces discovery: addressing a target costs no request.

use super::selection::TargetKind;
use crate::api::receiver::ResourceReference;

/// Group, version, kind and plural of every kind in the Receiver schema.
const KINDS: [(&str, &str, &str, &str); 12] = [
    ("source.toolkit.fluxcd.io", "v1", "Bucket", "buckets"),
    (
        "source.toolkit.fluxcd.io",
        "v1",
        "GitRepository",
        "gitrepositories",
    ),
    (
        "kustomize.toolkit.fluxcd.io",
        "v1",
        "Kustomization",
        "kustomizations",
    ),
    (
        "helm.toolkit.fluxcd.io",
        "v2",
        "HelmRelease",
        "helmreleases",
    ),
    ("source.toolkit.fluxcd.io", "v1", "HelmChart", "helmcharts"),
    (
        "source.toolkit.fluxcd.io",
        "v1",
        "HelmRepository",
        "helmrepositories",
    ),
    (
        "image.toolkit.fluxcd.io",
        "v1",
        "ImageRepository",
        "imagerepositories",
    ),
    (
        "image.toolkit.fluxcd.io",
        "v1",
        "ImagePolicy",
        "imagepolicies",
    ),
    (
        "image.toolkit.fluxcd.io",
        "v1",
        "ImageUpdateAutomation",
        "imageupdateautomations",
    ),
    (
        "source.toolkit.fluxcd.io",
        "v1",
        "OCIRepository",
        "ocirepositories",
    ),
    (
        "source.extensions.fluxcd.io",
        "v1beta1",
        "ArtifactGenerator",
        "artifactgenerators",
    ),
    (
        "source.toolkit.fluxcd.io",
        "v1",
        "ExternalArtifact",
        "externalartifacts",
    ),
];

impl TargetKind {
    /// The kind that a reference names, at its own API version or the default one; nothing for an unknown kind.
    pub(super) fn of(reference: &ResourceReference) -> Option<Self> {
        let (group, version, kind, plural) = KINDS
            .into_iter()
            .find(|(_, _, kind, _)| *kind == reference.kind)?;
        let (group, version) = match reference
            .api_version
            .as_deref()
            .filter(|version| !version.is_empty())
        {
            Some(api_version) => api_version.split_once('/').unwrap_or(("", api_version)),
            None => (group, version),
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        })
    }

    /// Whether the API version is the one that this kind has when a Receiver names none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        KINDS.into_iter().any(|(group, version, kind, _)| {
            (group, version, kind) == (&self.group, &self.version, &self.kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(kind: &str, api_version: Option<&str>) -> Option<(String, String)> {
        let reference = ResourceReference {
            api_version: api_version.map(str::to_owned),
            filter: None,
            kind: kind.to_owned(),
            match_labels: None,
            name: "x".to_owned(),
            namespace: None,
        };
        TargetKind::of(&reference).map(|kind| (kind.group, kind.version))
    }

    #[test]
    fn every_kind_has_a_default_api_version() {
        for (group, version, kind, _) in KINDS {
            assert_eq!(
                kind_of(kind, None),
                Some((group.to_owned(), version.to_owned()))
            );
            assert_eq!(
                kind_of(kind, Some("")),
                Some((group.to_owned(), version.to_owned()))
            );
        }
        assert_eq!(kind_of("Deployment", None), None);
    }

    #[test]
    fn an_api_version_of_the_user_wins() {
        let kind = kind_of("GitRepository", Some("source.toolkit.fluxcd.io/v1beta2"));
        assert_eq!(
            kind,
            Some(("source.toolkit.fluxcd.io".to_owned(), "v1beta2".to_owned()))
        );
        assert_eq!(
            kind_of("Bucket", Some("v1")),
            Some((String::new(), "v1".to_owned()))
        );
    }
}
