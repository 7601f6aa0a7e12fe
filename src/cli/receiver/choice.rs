//! Which Receiver a recorded request is for: the one at its path, or the only one of the type that its folder names.
//!
//! Pure but for reading the file; where the Receivers come from is for the commands.

use std::path::Path;

use anyhow::bail;

use super::found::name_of;
use crate::{
    api::receiver::Receiver,
    cli::{catalogue, recording::Recording},
    hook::Sender,
};

/// The request in a file; one of the catalogue is in the binary too.
pub(super) async fn recorded(file: &Path) -> anyhow::Result<Recording> {
    match (file.exists(), file.to_str()) {
        (false, Some(path)) if catalogue::has_recording(path) => catalogue::recording(path),
        _ => Ok(Recording::read(file).await?),
    }
}

/// The Receiver at the recorded path, or else the only one of the type that the folder of `file` names.
pub(super) fn receiver_of<'r>(
    receivers: &'r [Receiver],
    file: &Path,
    recording: &Recording,
) -> anyhow::Result<&'r Receiver> {
    let recorded = recording.path.as_str();
    let has_path = |receiver: &&Receiver| {
        let status = receiver.status.as_ref();
        status.and_then(|status| status.webhook_path.as_deref()) == Some(recorded)
    };
    match receivers.iter().find(has_path) {
        Some(receiver) => Ok(receiver),
        None => only_of_type(receivers, folder(file)),
    }
}

fn only_of_type<'r>(receivers: &'r [Receiver], type_: &str) -> anyhow::Result<&'r Receiver> {
    let matching: Vec<_> = receivers
        .iter()
        .filter(|receiver| Sender::of(receiver).is_ok_and(|it| Some(it) == sender_of(type_)))
        .collect();
    match matching.as_slice() {
        [receiver] => Ok(receiver),
        [] => bail!(
            "no Receiver is at the recorded path and none is of type `{type_}`; name one with `--receiver NAMESPACE/NAME`"
        ),
        several => {
            let names: Vec<_> = several.iter().map(|receiver| name_of(receiver)).collect();
            bail!(
                "several Receivers are of type `{type_}`; name one with `--receiver`: {}",
                names.join(", ")
            )
        }
    }
}

/// The sender that a folder of the catalogue is for: it is named like it, perhaps with more behind a dash.
fn sender_of(folder: &str) -> Option<Sender> {
    let is_for = |sender: &Sender| {
        let variant = folder.strip_prefix(sender.as_str());
        variant.is_some_and(|variant| variant.is_empty() || variant.starts_with('-'))
    };
    let senders = Sender::ALL.into_iter().filter(is_for);
    senders.max_by_key(|sender| sender.as_str().len())
}

/// The folder that a recording is in, which the catalogue names after the type of the sender.
fn folder(file: &Path) -> &str {
    let folder = file.parent().and_then(Path::file_name);
    folder.and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use serde_json::json;

    use super::*;

    fn receiver(name: &str, type_: &str) -> Receiver {
        serde_json::from_value(json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": name, "namespace": "apps"},
            "spec": {"type": type_, "resources": [], "secretRef": {"name": "token"}},
        }))
        .unwrap()
    }

    #[test]
    fn an_ambiguous_type_lists_the_receivers_to_choose_from() {
        let receivers = [
            receiver("a", "github"),
            receiver("b", "github"),
            receiver("c", "gitlab"),
        ];
        assert_eq!(only_of_type(&receivers, "gitlab").unwrap().name_any(), "c");
        let error = only_of_type(&receivers, "github").unwrap_err().to_string();
        assert!(error.ends_with("apps/a, apps/b"), "{error}");
        let error = only_of_type(&receivers, "generic").unwrap_err().to_string();
        assert!(error.contains("--receiver NAMESPACE/NAME"), "{error}");
    }

    #[test]
    fn a_folder_is_for_the_sender_that_begins_its_name() {
        for (folder, sender) in [
            ("github", Some(Sender::Github)),
            ("generic", Some(Sender::Generic)),
            ("generic-hmac", Some(Sender::GenericHmac)),
            ("gitlab-signing", Some(Sender::Gitlab)),
            ("githubx", None),
            ("", None),
        ] {
            assert_eq!(sender_of(folder), sender, "{folder}");
        }
    }

    #[test]
    fn the_folder_of_a_recording_names_its_type() {
        assert_eq!(folder(Path::new("receivers/github/push.http")), "github");
        assert_eq!(folder(Path::new("push.http")), "");
    }
}
