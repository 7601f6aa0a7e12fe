//! `hookgate receiver rotate`: a new token for a Receiver, while the old one stays live for a time.
//!
//! Each step leaves everything working and can be taken again: what is left to do is read from the objects. What the
//! steps write is `plan`'s.

mod plan;

use std::{
    fmt::{Debug, Write as _},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::wait::await_condition,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::plan::{PREVIOUS, Stage};
use super::{form, found, token};
use crate::{
    api::{
        annotations::{REQUESTED_AT, TOKEN_KEY},
        live_secrets::{LiveSets, Mistake, NamedSet},
        receiver::Receiver,
    },
    cli::{connect, output},
    config::{ReceiverName, Rotate},
    hook::{
        CertificateChecks, CrossNamespaceRefs, Hook, HookPath, PlainIssuers, Policy, Secrets,
        Sender, Token,
    },
};

/// How long the controller may take to show the new path.
const CONFIRMATION: Duration = Duration::from_secs(30);
/// How often a write is tried when others write at the same time.
const MAX_ATTEMPTS: u32 = 5;
/// The label of what Flux applies from elsewhere, where a change would be undone.
const APPLIED_BY: &str = "kustomize.toolkit.fluxcd.io/name";

/// Does what `args` asks for, or what is left of it to do.
pub(super) async fn run(args: &Rotate) -> anyhow::Result<()> {
    let client = connect::client_of(&args.connection).await?;
    let name = args.receiver.within(client.default_namespace())?;
    let rotation = Rotation::find(&client, name).await?;
    if args.finish {
        rotation.finish().await
    } else {
        rotation.go_on(args).await
    }
}

/// A Receiver and its Secret as they were read last.
struct Rotation {
    name: ReceiverName,
    sender: Sender,
    receivers: Api<Receiver>,
    receiver: Receiver,
    /// The other Receivers with the same Secret.
    others: Vec<Receiver>,
    secrets: Api<Secret>,
    secret: Secret,
}

impl Rotation {
    async fn find(client: &Client, name: ReceiverName) -> anyhow::Result<Self> {
        let receiver = found::receiver(client, &name).await?;
        let sender = Sender::of(&receiver)?;
        let secret_name = secret_of(&receiver)
            .with_context(|| format!("Receiver `{name}` has no Secret, so no token to change"))?;
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &name.namespace);
        let secret = secrets.get(secret_name).await;
        let secret = secret.with_context(|| format!("cannot read Secret `{secret_name}`"))?;
        let all = found::all(client, Some(&name.namespace)).await?;
        let all = all.into_iter().filter_map(|stored| stored.try_parse().ok());
        let others: Vec<Receiver> = all
            .filter(|other| secret_of(other) == Some(secret_name))
            .filter(|other| other.name_any() != name.name)
            .collect();
        for receiver in others.iter().chain([&receiver]) {
            if let Some(mistake) = LiveSets::of(&receiver.metadata).mistakes().first() {
                bail!(
                    "Receiver `{}`: {mistake}; nothing was changed",
                    found::name_of(receiver)
                );
            }
        }
        Ok(Self {
            receivers: Api::namespaced(client.clone(), &name.namespace),
            name,
            sender,
            receiver,
            others,
            secrets,
            secret,
        })
    }

    /// Keeps and names the old token, then changes it; what has been done is not done again.
    async fn go_on(mut self, args: &Rotate) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let live = LiveSets::of(&self.receiver.metadata);
        let stage = plan::stage(&self.secret, &live, now);
        if let Stage::Changed { until } = stage {
            output::write(&self.told(args, self.token()?, until)?)?;
            return output::remark(
                "\nThe token had been changed before, and nothing was changed now.\n",
            );
        }
        self.check_owner()?;
        let new = token::new(self.sender, args.token_stdin)?;
        self.check(&new)?;
        let seconds = i64::try_from(args.overlap.as_secs())?;
        let until = Timestamp::from_second(now.as_second().saturating_add(seconds))?;
        if stage == Stage::Rest {
            self.secret = write(&self.secrets, &self.secret, plan::keep(&self.secret)).await?;
        }
        let previous = NamedSet {
            name: PREVIOUS.to_owned(),
            until: Some(until),
        };
        self.name(|live| live.insert(previous.clone(), now)).await?;
        write(
            &self.secrets,
            &self.secret,
            plan::change(&self.secret, &new),
        )
        .await?;
        output::write(&self.told(args, &new, Some(until))?)?;
        if !self.is_confirmed(&new).await? {
            output::remark(
                "\nThe status does not show the new path yet: change the host when it does.\n",
            )?;
        }
        Ok(())
    }

    /// No longer names the old token, and then takes it out of the Secret.
    async fn finish(self) -> anyhow::Result<()> {
        let names_it =
            |receiver: &Receiver| LiveSets::of(&receiver.metadata).find(PREVIOUS).is_some();
        let is_named = self.all().any(names_it);
        if is_named {
            self.name(|live| {
                live.remove(PREVIOUS);
                Ok(())
            })
            .await?;
        }
        let forgotten = plan::forget(&self.secret);
        let is_kept = forgotten.is_some();
        if let Some(patch) = forgotten {
            write(&self.secrets, &self.secret, patch).await?;
        }
        let name = &self.name;
        output::write(&if is_named || is_kept {
            format!("The old token of Receiver {name} is refused from now on.\n")
        } else {
            format!("Receiver {name} has no old token.\n")
        })
    }

    fn all(&self) -> impl Iterator<Item = &Receiver> {
        self.others.iter().chain([&self.receiver])
    }

    /// Changes which secrets all the Receivers of the Secret name as live.
    async fn name(
        &self,
        change: impl Fn(&mut LiveSets) -> Result<(), Mistake>,
    ) -> anyhow::Result<()> {
        for receiver in self.all() {
            let before = LiveSets::of(&receiver.metadata);
            let mut live = before.clone();
            change(&mut live)?;
            if live != before {
                self.annotate(receiver, &before, &live).await?;
            }
        }
        Ok(())
    }

    /// Writes what a Receiver names as live; what its controller writes meanwhile does not matter.
    async fn annotate(
        &self,
        receiver: &Receiver,
        before: &LiveSets,
        live: &LiveSets,
    ) -> anyhow::Result<()> {
        let (name, mut metadata) = (receiver.name_any(), receiver.metadata.clone());
        for _ in 0..MAX_ATTEMPTS {
            let (params, patch) = (PatchParams::default(), plan::name(&metadata, live));
            match self
                .receivers
                .patch(&name, &params, &Patch::Merge(patch))
                .await
            {
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    metadata = self.receivers.get(&name).await?.metadata;
                    ensure!(
                        LiveSets::of(&metadata) == *before,
                        changed_meanwhile("Receiver", &name)
                    );
                }
                written => {
                    written.with_context(|| format!("cannot write to Receiver `{name}`"))?;
                    return Ok(());
                }
            }
        }
        bail!(changed_meanwhile("Receiver", &name))
    }

    /// Asks every gateway to look at the Secret, watched or not, and waits until the status shows the path of the token.
    async fn is_confirmed(&self, token: &str) -> anyhow::Result<bool> {
        let annotations = json!({REQUESTED_AT: Timestamp::now().to_string()});
        let patch = json!({"metadata": {"annotations": annotations}});
        for receiver in self.all() {
            write(&self.receivers, receiver, patch.clone()).await?;
        }
        let expected = self.path(token)?;
        let has_moved = |receiver: Option<&Receiver>| {
            let status = receiver.and_then(|receiver| receiver.status.as_ref());
            status.is_some_and(|status| status.webhook_path.as_ref() == Some(&expected))
        };
        let moved = await_condition(self.receivers.clone(), &self.name.name, has_moved);
        match timeout(CONFIRMATION, moved).await {
            Ok(moved) => Ok(moved.map(|_| true)?),
            Err(_) => Ok(false),
        }
    }

    /// What to enter at the host, and how long the old token is accepted.
    fn told(&self, args: &Rotate, token: &str, until: Option<Timestamp>) -> anyhow::Result<String> {
        let name = &self.name;
        let until = until.map_or_else(|| "it is ended".to_owned(), |until| until.to_string());
        let url = form::url(args.url.as_deref(), &self.path(token)?)?;
        let events = self.receiver.spec.events.as_slice();
        let is_usual = events.iter().eq(self.sender.setup().events);
        let events = (!is_usual).then_some(events);
        let form = form::write(self.sender, &url, token, events);
        let mut text = format!(
            "The token of Receiver {name} is changed; the old one is accepted too until {until}.\n\
             Edit the webhook that is there; this is what a new one would get.\n{form}\
             When nothing uses the old one any more, end it with `hookgate receiver rotate {name} --finish`.\n"
        );
        for other in &self.others {
            let other = found::name_of(other);
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "Receiver {other} has the same Secret: `hookgate receiver rotate {other}` says what to enter at its host."
            );
        }
        Ok(text)
    }

    fn path(&self, token: &str) -> anyhow::Result<String> {
        let ReceiverName { namespace, name } = &self.name;
        let token = Token::new(token.as_bytes().to_vec())?;
        Ok(HookPath::derive(Some(&token), name, namespace).reveal())
    }

    fn token(&self) -> anyhow::Result<&str> {
        let data = self.secret.data.iter().flatten();
        let mut tokens = data.filter(|(key, _)| *key == TOKEN_KEY);
        let ByteString(token) = tokens.next().map(|(_, token)| token).context("no token")?;
        str::from_utf8(token).context("the token is not plain text")
    }

    /// Whether the sender can use the new token with what else is in the Secret.
    fn check(&self, token: &str) -> anyhow::Result<()> {
        let policy = Policy {
            cross_namespace_refs: CrossNamespaceRefs::Allowed,
            plain_issuers: PlainIssuers::Allowed,
            certificate_checks: CertificateChecks::Possible,
        };
        let hook = Hook::compile(&self.receiver, policy)
            .with_context(|| format!("Receiver `{}` is invalid", self.name))?;
        let mut data = self.secret.data.clone().unwrap_or_default();
        ensure!(
            data.contains_key(TOKEN_KEY),
            "Secret `{}` has no key `{TOKEN_KEY}`, so no token to change",
            self.secret.name_any()
        );
        let token = ByteString(token.as_bytes().to_vec());
        data.insert(TOKEN_KEY.to_owned(), token);
        let with_token = hook.with_secrets(&Secrets::of(data)?, Timestamp::now());
        with_token.context("the Receiver cannot be used with this token")?;
        Ok(())
    }

    /// Refuses to change what somebody else would change back, and with it the only token that the host then has.
    fn check_owner(&self) -> anyhow::Result<()> {
        let secret = self.secret.name_any();
        let applied = self.secret.labels().get(APPLIED_BY);
        let applied = applied.map(|name| format!("Kustomization `{name}`"));
        let owners = self.secret.owner_references().iter();
        let mut owners = owners.filter(|owner| owner.controller == Some(true));
        let owner = owners
            .next()
            .map(|owner| format!("{} `{}`", owner.kind, owner.name));
        match applied.or(owner) {
            None => Ok(()),
            Some(owner) => bail!(
                "Secret `{secret}` is written by {owner}, which would undo the change: change it where it comes from, \
                 in the order that receivers/README.md has"
            ),
        }
    }
}

fn secret_of(receiver: &Receiver) -> Option<&str> {
    let reference = receiver.spec.secret_ref.as_ref();
    reference.map(|reference| reference.name.as_str())
}

/// Writes a part of an object, unless somebody else has written to it since it was read.
async fn write<K>(api: &Api<K>, object: &K, patch: Value) -> anyhow::Result<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let (kind, name) = (K::kind(&()), object.name_any());
    let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
    match api.patch(&name, &params, &patch).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {
            bail!(changed_meanwhile(&kind, &name))
        }
        written => written.with_context(|| format!("cannot write to {kind} `{name}`")),
    }
}

fn changed_meanwhile(kind: &str, name: &str) -> String {
    format!("{kind} `{name}` was changed by somebody else meanwhile; run the command again")
}
