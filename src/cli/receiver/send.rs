//! `hookgate receiver send FILE`: signs a recorded request for a Receiver and sends it.
//!
//! The Receiver and its Secret are only read; whether the delivery is accepted is for the gateway to say.

use std::path::Path;

use anyhow::{Context, bail};
use kube::Client;

use super::{
    choice,
    found::{self, name_of},
};
use crate::{
    api::receiver::Receiver,
    cli::{connect, delivery, output, recording::Recording},
    config,
    hook::Sender,
};

/// Sends the request of `args`; it is an error when the answer is not 2xx.
pub(super) async fn run(args: &config::Send) -> anyhow::Result<()> {
    let recording = choice::recorded(&args.file).await?;
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
    let proven = match (&args.token_file, sender.is_vouched_for()) {
        (Some(file), true) => delivery::vouched_for(recording, &token(file).await?)?,
        (None, true) => bail!(
            "only an issuer can prove a delivery to Receiver `{name}`: put a token of it into a file and name that with `--token-file`"
        ),
        (Some(_), false) => bail!(
            "`--token-file` is for Receivers of the types gcr and generic-oidc, and `{name}` is of type {}",
            sender.as_str()
        ),
        (None, false) => {
            let secrets = found::secrets(&client, &receiver).await?;
            delivery::signed(recording, sender, secrets.as_ref())?
        }
    };
    let answer = delivery::send(proven, url).await?;
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

async fn token(file: &Path) -> anyhow::Result<String> {
    let token = tokio::fs::read_to_string(file).await;
    token.with_context(|| format!("cannot read the token in `{}`", file.display()))
}

/// The Receiver that was named, or that the request is for.
async fn find(
    client: &Client,
    args: &config::Send,
    recording: &Recording,
) -> anyhow::Result<Receiver> {
    if let Some(wanted) = &args.receiver {
        return found::receiver(client, wanted).await;
    }
    let receivers = found::sound(client).await?;
    choice::receiver_of(&receivers, &args.file, recording).cloned()
}
