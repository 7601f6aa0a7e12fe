//! The catalogue of senders, compiled into the binary so that it works without any file beside it.
//!
//! A folder on disk is preferred where there is one; what the files say is not looked at here.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;

use super::{
    manifests::{self, Manifest},
    recording::Recording,
};

/// The folder that is used when none is named and it exists.
const DEFAULT_FOLDER: &str = "receivers";

/// A file of the source tree and its path there.
macro_rules! file {
    ($path:literal) => {
        (
            $path,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)),
        )
    };
}

/// The manifests by their path in the source tree.
const MANIFESTS: [(&str, &[u8]); 20] = [
    file!("receivers/source.yaml"),
    file!("receivers/generic/receiver.yaml"),
    file!("receivers/generic-hmac/receiver.yaml"),
    file!("receivers/github/receiver.yaml"),
    file!("receivers/gitlab/receiver.yaml"),
    file!("receivers/gitlab-signing/receiver.yaml"),
    file!("receivers/bitbucket/receiver.yaml"),
    file!("receivers/harbor/receiver.yaml"),
    file!("receivers/dockerhub/receiver.yaml"),
    file!("receivers/quay/receiver.yaml"),
    file!("receivers/nexus/receiver.yaml"),
    file!("receivers/acr/receiver.yaml"),
    file!("receivers/cdevents/receiver.yaml"),
    file!("receivers/generic-oidc/receiver.yaml"),
    file!("receivers/gcr/receiver.yaml"),
    file!("receivers/gitea/receiver.yaml"),
    file!("receivers/forgejo/receiver.yaml"),
    file!("receivers/standard-webhooks/receiver.yaml"),
    file!("receivers/standard-webhooks-ed25519/receiver.yaml"),
    file!("receivers/azure-devops/receiver.yaml"),
];

/// The recorded requests by their path in the source tree.
const RECORDINGS: [(&str, &[u8]); 46] = [
    file!("receivers/generic/ping.http"),
    file!("receivers/generic/push.http"),
    file!("receivers/generic-hmac/ping.http"),
    file!("receivers/generic-hmac/push.http"),
    file!("receivers/github/create.http"),
    file!("receivers/github/ping.http"),
    file!("receivers/github/push.http"),
    file!("receivers/gitlab/push.http"),
    file!("receivers/gitlab/tag_push.http"),
    file!("receivers/gitlab-signing/push.http"),
    file!("receivers/gitlab-signing/tag_push.http"),
    file!("receivers/bitbucket/cloud_push.http"),
    file!("receivers/bitbucket/ping.http"),
    file!("receivers/bitbucket/pr_merged.http"),
    file!("receivers/bitbucket/push.http"),
    file!("receivers/harbor/delete.http"),
    file!("receivers/harbor/push.http"),
    file!("receivers/dockerhub/push.http"),
    file!("receivers/dockerhub/push_latest.http"),
    file!("receivers/quay/build_success.http"),
    file!("receivers/quay/push.http"),
    file!("receivers/nexus/asset.http"),
    file!("receivers/nexus/push.http"),
    file!("receivers/acr/delete.http"),
    file!("receivers/acr/ping.http"),
    file!("receivers/acr/push.http"),
    file!("receivers/cdevents/artifact_published.http"),
    file!("receivers/cdevents/push.http"),
    file!("receivers/cdevents/service_deployed.http"),
    file!("receivers/generic-oidc/dispatch.http"),
    file!("receivers/generic-oidc/push.http"),
    file!("receivers/gcr/delete.http"),
    file!("receivers/gcr/push.http"),
    file!("receivers/gitea/create.http"),
    file!("receivers/gitea/form_push.http"),
    file!("receivers/gitea/push.http"),
    file!("receivers/forgejo/create.http"),
    file!("receivers/forgejo/form_push.http"),
    file!("receivers/forgejo/push.http"),
    file!("receivers/standard-webhooks/ping.http"),
    file!("receivers/standard-webhooks/push.http"),
    file!("receivers/standard-webhooks/rotated_push.http"),
    file!("receivers/standard-webhooks-ed25519/ping.http"),
    file!("receivers/standard-webhooks-ed25519/push.http"),
    file!("receivers/azure-devops/pr_merged.http"),
    file!("receivers/azure-devops/push.http"),
];

/// The manifests of `folder`; without one, those of `./receivers`, or else those in the binary.
pub(super) fn manifests(folder: Option<&Path>) -> anyhow::Result<Vec<Manifest>> {
    let default = Path::new(DEFAULT_FOLDER);
    match folder {
        Some(folder) => Ok(manifests::read(folder)?),
        None if default.is_dir() => Ok(manifests::read(default)?),
        None => compiled_in(|_| true),
    }
}

/// The manifests in the binary for one type of sender, and the sources that all of them name.
pub(super) fn manifests_of(sender: &str) -> anyhow::Result<Vec<Manifest>> {
    let folder = format!("{DEFAULT_FOLDER}/{sender}");
    let wanted =
        |path: &Path| path.starts_with(&folder) || path.parent() == Some(Path::new(DEFAULT_FOLDER));
    compiled_in(|path| wanted(Path::new(path)))
}

/// Whether the binary has a recorded request that is at `path` in the source tree.
pub(super) fn has_recording(path: &str) -> bool {
    RECORDINGS.iter().any(|(known, _)| *known == path)
}

/// The recorded request in the binary that is at `path` in the source tree.
pub(super) fn recording(path: &str) -> anyhow::Result<Recording> {
    let (path, bytes) = RECORDINGS
        .iter()
        .find(|(known, _)| *known == path)
        .with_context(|| format!("the catalogue has no recorded request `{path}`"))?;
    Ok(Recording::parse(
        Path::new(path),
        &Bytes::from_static(bytes),
    )?)
}

fn compiled_in(wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<Manifest>> {
    let mut all = Vec::new();
    for (path, bytes) in MANIFESTS.iter().filter(|(path, _)| wanted(path)) {
        let text = str::from_utf8(bytes).with_context(|| format!("`{path}` is not text"))?;
        all.extend(manifests::parse(path, text)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_compiled_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join(DEFAULT_FOLDER)];
        let mut on_disk = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let extension = path.extension().unwrap_or_default();
                if path.is_dir() {
                    folders.push(path);
                } else if extension == "http"
                    || extension == "yaml" && path.file_name().unwrap() != "kustomization.yaml"
                {
                    let path = path.strip_prefix(root).unwrap();
                    on_disk.insert(path.to_str().unwrap().to_owned());
                }
            }
        }
        let known = MANIFESTS.iter().chain(&RECORDINGS);
        let known: BTreeSet<_> = known.map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, on_disk);
    }

    #[test]
    fn the_manifests_of_one_sender_come_with_the_source() {
        let manifests = manifests_of("github").unwrap();
        let kinds: Vec<_> = manifests.iter().map(|m| m.kind.kind.as_str()).collect();
        assert_eq!(kinds, ["GitRepository", "Secret", "Receiver"]);
    }
}
