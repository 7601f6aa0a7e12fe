//! `hookgate receiver send FILE`: signs a recorded request for a Receiver and sends it.
//!
//! The Receiver and its Secret are only read; whether the delivery is accepted is for the gateway to say.

use std::path::Path;

use anyhow::{Context, bail};
use kube::{Api, Client, api::ListParams};

use super::found::{self, name_of};
use crate::{
    api::receiver::Receiver,
    cli::{catalogue, connect, delivery, output, recording::Recording},
    config,
    hook::Sender,
};

/// Sends the request of `args`; it is an error when the answer is not 2xx.
pub(super) async fn run(args: &config::Send) -> anyhow::Result<()> {
    let recording = recorded(&args.file).await?;
    let client = connect::client_of(&args.connection).await?;
    let receiver = find(&client, args, &recording).await?;
    let name = name_of(&receiver);
    let sender =
        Sender::of(&receiver).with_context(|| format!("cannot send to Receiver `{name}`"))?;
    let path = receiver
        .status
        .as_ref()
        .and_then(|status| status.webhook_path.as_deref())
        .with_context(|| {
            format!("Receiver `{name}` has no path yet; see `hookgate receiver show {name}`")
        })?;
    let url = delivery::hook_url(&args.url, path)?;
    let secrets = found::secrets(&client, &receiver).await?;
    let signed = delivery::signed(recording, sender, secrets.as_ref())?;
    let answer = delivery::send(signed, url).await?;
    output::write(&format!("{}\n", answer.status))?;
    if !answer.body.is_empty() {
        output::write(&format!("{}\n", answer.body))?;
    }
    if !answer.status.is_success() {
        bail!(
            "the delivery to Receiver `{name}` was not accepted: {}",
            answer.status
        );
    }
    Ok(())
}

/// The request in a file; one of the catalogue is in the binary too.
async fn recorded(file: &Path) -> anyhow::Result<Recording> {
    match (file.exists(), file.to_str()) {
        (false, Some(path)) if catalogue::has_recording(path) => catalogue::recording(path),
        _ => Ok(Recording::read(file).await?),
    }
}

/// The Receiver that was named, or is at the recorded path, or is the only one of the type of the file's folder.
async fn find(
    client: &Client,
    args: &config::Send,
    recording: &Recording,
) -> anyhow::Result<Receiver> {
    if let Some(wanted) = &args.receiver {
        return found::receiver(client, wanted).await;
    }
    let receivers: Api<Receiver> = Api::all(client.clone());
    let listed = receivers.list(&ListParams::default()).await;
    let listed = listed.context("cannot list Receivers")?.items;
    let recorded = recording.path.as_str();
    let has_path = |receiver: &&Receiver| {
        let status = receiver.status.as_ref();
        status.and_then(|status| status.webhook_path.as_deref()) == Some(recorded)
    };
    if let Some(receiver) = listed.iter().find(has_path) {
        return Ok(receiver.clone());
    }
    only_of_type(&listed, folder(&args.file))
}

fn only_of_type(receivers: &[Receiver], type_: &str) -> anyhow::Result<Receiver> {
    let matching: Vec<_> = receivers
        .iter()
        .filter(|receiver| Sender::of(receiver).is_ok_and(|it| Some(it) == sender_of(type_)))
        .collect();
    match matching.as_slice() {
        [receiver] => Ok((*receiver).clone()),
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
