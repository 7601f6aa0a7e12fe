//! Manifests in a folder: every Kubernetes object in its YAML files, one folder per sender.
//!
//! What the objects mean is checked by the API server they are sent to, not here.

use std::path::{Path, PathBuf};

use kube::core::{DynamicObject, GroupVersionKind, TypeMeta};

/// The longest manifest file that is read, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The most files that are read from one folder.
pub(super) const MAX_FILES: usize = 1000;

/// One object and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// The file, for messages.
    pub(super) source: String,
    /// The API group, version and kind.
    pub(super) kind: GroupVersionKind,
    /// The name.
    pub(super) name: String,
    /// The object as written.
    pub(super) object: DynamicObject,
}

/// Why a folder of manifests cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    /// A file or folder cannot be read.
    #[error("cannot read manifests from `{}`", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The folder has no manifest in it.
    #[error("`{}` holds no manifest; expected files such as github/receiver.yaml", .0.display())]
    Empty(PathBuf),
    /// The folder has more than [`MAX_FILES`] manifests.
    #[error("`{}` holds more than {MAX_FILES} manifests; name a folder of receivers only", .0.display())]
    TooMany(PathBuf),
    /// A file is longer than [`MAX_FILE_BYTES`].
    #[error("manifest `{0}` is longer than {MAX_FILE_BYTES} bytes")]
    TooLong(String),
    /// A file is not YAML, or an object lacks what every object has.
    #[error("manifest `{source_file}`, document {document}: {problem}")]
    Malformed {
        /// The file.
        source_file: String,
        /// The document of the file, from 1.
        document: usize,
        /// What is wrong there.
        problem: String,
    },
}

/// Reads the YAML files of a folder and of its folders, in the order of their names.
///
/// A `kustomization.yaml` is for `kubectl apply -k` and is passed over.
pub(super) fn read(folder: &Path) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests = Vec::new();
    for file in files(folder)? {
        manifests.extend(read_file(&file)?);
    }
    if manifests.is_empty() {
        return Err(ManifestError::Empty(folder.to_owned()));
    }
    Ok(manifests)
}

/// Reads the objects of one YAML file.
pub(super) fn read_file(file: &Path) -> Result<Vec<Manifest>, ManifestError> {
    let source = file.display().to_string();
    let unreadable = |error| ManifestError::Read(file.to_owned(), error);
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(ManifestError::TooLong(source));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    parse(&source, &text)
}

/// Reads the objects of one YAML text; `source` is for messages.
pub(super) fn parse(source: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let malformed = |document, problem: String| ManifestError::Malformed {
        source_file: source.to_owned(),
        document,
        problem,
    };
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| malformed(1, format!("not YAML: {}", first_line(&error.to_string()))))?;
    let written = documents.into_iter().zip(1..);
    written
        .filter(|(document, _)| !document.is_null())
        .map(|(document, number)| {
            manifest(source, document).map_err(|problem| malformed(number, problem))
        })
        .collect()
}

fn manifest(source: &str, document: serde_json::Value) -> Result<Manifest, String> {
    let object: DynamicObject = serde_json::from_value(document)
        .map_err(|error| format!("not a Kubernetes object: {error}"))?;
    let TypeMeta { api_version, kind } = object
        .types
        .clone()
        .ok_or("`apiVersion` and `kind` are missing")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let name = object.metadata.name.clone().filter(|name| !name.is_empty());
    Ok(Manifest {
        source: source.to_owned(),
        kind: GroupVersionKind::gvk(group, version, &kind),
        name: name.ok_or("`metadata.name` is missing")?,
        object,
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let mut files = Vec::new();
    for entry in sorted(folder)? {
        if entry.is_dir() {
            files.extend(sorted(&entry)?.into_iter().filter(|path| is_manifest(path)));
        } else if is_manifest(&entry) {
            files.push(entry);
        }
        if files.len() > MAX_FILES {
            return Err(ManifestError::TooMany(folder.to_owned()));
        }
    }
    Ok(files)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    let unreadable = |error| ManifestError::Read(folder.to_owned(), error);
    let mut paths = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn is_manifest(path: &Path) -> bool {
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && path.file_stem().is_none_or(|stem| stem != "kustomization")
}

/// The parser quotes the text around a mistake; a Secret must not end in an error message.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\n";
    const RECEIVER: &str = "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata: {name: github}\nspec: {}\n";

    #[test]
    fn every_document_of_a_file_is_an_object() {
        let manifests = parse("r.yaml", &format!("---\n{SECRET}---\n{RECEIVER}---\n")).unwrap();
        let kinds: Vec<_> = manifests.iter().map(|m| m.kind.kind.as_str()).collect();
        assert_eq!(kinds, ["Secret", "Receiver"]);
        assert_eq!(manifests[1].kind.group, "notification.toolkit.fluxcd.io");
        assert_eq!(manifests[1].name, "github");
    }

    #[test]
    fn mistakes_name_the_file_and_the_document() {
        let check = |text: &str, expected: &str| {
            let error = parse("r.yaml", text).unwrap_err().to_string();
            assert!(
                error.contains("`r.yaml`") && error.contains(expected),
                "{error}"
            );
            assert_eq!(error.lines().count(), 1, "{error}");
        };
        check("a: [", "not YAML");
        check("- a\n", "not a Kubernetes object");
        check("metadata: {name: a}\n", "`apiVersion` and `kind`");
        check(
            &format!("{SECRET}---\napiVersion: v1\nkind: Secret\n"),
            "document 2: `metadata.name`",
        );
    }

    #[test]
    fn a_folder_is_read_with_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let github = folder.path().join("github");
        std::fs::create_dir(&github).unwrap();
        std::fs::write(github.join("receiver.yaml"), RECEIVER).unwrap();
        std::fs::write(github.join("push.http"), "POST").unwrap();
        std::fs::write(folder.path().join("kustomization.yaml"), "resources: []").unwrap();
        std::fs::write(folder.path().join("token.yml"), SECRET).unwrap();
        let names: Vec<_> = read(folder.path())
            .unwrap()
            .into_iter()
            .map(|m| m.name)
            .collect();
        assert_eq!(names, ["github", "token"]);
    }

    #[test]
    fn a_folder_without_manifests_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(ManifestError::Empty(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(read(&missing), Err(ManifestError::Read(..))));
    }
}
