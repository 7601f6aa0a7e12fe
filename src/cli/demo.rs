//! `hookgate demo`: one signed push from the wire to an annotated object, in a temporary folder.
//!
//! What it shows is read from the gateway's own log and from the Kubernetes API; anything that is missing is an error.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use http::{StatusCode, Uri};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, ObjectMeta},
    runtime::wait::await_condition,
};
use tokio_util::sync::CancellationToken;

use super::{
    catalogue,
    delivery::{self, Answer},
    load::DIGEST_ANNOTATION,
    local::Local,
    output,
    phases::{Entered, Phases},
    recording::Recording,
};
use crate::{
    api::{annotations::REQUESTED_AT, git_repository::GitRepository, receiver::Receiver},
    config::{Journal, ListenAddr, Serving},
    ingress::Phase,
};

/// The recorded request that is sent.
const PUSH: &str = "receivers/github/push.http";

/// The phases of a delivery whose sender is not proven.
const PHASES_TO_AUTHENTICATE: [Phase; 4] = [
    Phase::Receive,
    Phase::Locate,
    Phase::Limit,
    Phase::Authenticate,
];

/// How much of the hook's path is shown, in bytes: it is a credential, and long.
const SHOWN_PATH: usize = "/hook/01234567".len();

/// How long the annotation may take to appear after a delivery that was answered 202.
const ANNOTATED_DEADLINE: Duration = Duration::from_secs(10);

/// How long the Receiver may take to get its path.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// Shows the delivery; `started` is when the process did.
pub(super) async fn run(started: Instant, stop: CancellationToken) -> anyhow::Result<()> {
    let phases = Phases::watch()?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let manifests = catalogue::manifests_of("github")?;
    let free = ListenAddr::loopback(0);
    let journal = Journal::In(folder.path().join("journal"));
    let serving = Serving::alone(free, free, free, journal);
    let start = Local::start(folder.path(), free, &serving, &manifests);
    let Some(local) = stop.run_until_cancelled(start).await else {
        return Ok(());
    };
    let local = local?;
    let show = Box::pin(show(&local, &phases, started));
    let shown = stop.run_until_cancelled(show).await;
    stop.cancel();
    local.until(stop).await?;
    shown.unwrap_or(Ok(()))
}

async fn show(local: &Local, phases: &Phases, started: Instant) -> anyhow::Result<()> {
    let stage = Stage::set(local).await?;
    let push = catalogue::recording(PUSH)?;
    output::write(&format!(
        "A push to {}, as GitHub sends it\n\n",
        stage.target
    ))?;

    phases.take();
    let answer = delivery::send(push.clone(), stage.url.clone()).await?;
    let entered = phases.take();
    let object = stage.triggered(&answer).await?;
    let elapsed = started.elapsed().as_millis();
    ensure_entered(&entered, &Phase::ALL)?;
    let story = stage.story(&push, &answer, &entered);
    let yaml = serde_saphyr::to_string(&object)?;
    output::write(&format!("{story}\n{yaml}\n"))?;

    let refused = delivery::send(with_flipped_bit(push), stage.url.clone()).await?;
    ensure_entered(&phases.take(), &PHASES_TO_AUTHENTICATE)?;
    stage.untouched(&refused, &object).await?;
    output::write(&format!(
        "The same push with one bit of its body flipped: {}, and nothing changed\n\
         From the start of the process to the annotated object: {elapsed} ms\n",
        refused.status
    ))
}

/// Fails unless a delivery went through these phases and no others.
fn ensure_entered(entered: &[Entered], phases: &[Phase]) -> anyhow::Result<()> {
    let phases: Vec<_> = phases.iter().map(|phase| phase.as_str()).collect();
    let names: Vec<_> = entered
        .iter()
        .map(|entered| entered.phase.as_str())
        .collect();
    ensure!(
        names == phases,
        "the delivery went through the phases {} instead of {}",
        names.join(", "),
        phases.join(", ")
    );
    Ok(())
}

/// Where the delivery is shown: a Receiver, its hook, and the object it triggers.
struct Stage {
    sources: Api<GitRepository>,
    receiver: Receiver,
    target: String,
    url: Uri,
    before: Option<String>,
}

impl Stage {
    async fn set(local: &Local) -> anyhow::Result<Self> {
        let receiver = ready_receiver(&local.client).await?;
        let namespace = receiver.namespace().unwrap_or_default();
        let resource = receiver.spec.resources.first();
        let name = resource
            .map(|resource| resource.name.clone())
            .unwrap_or_default();
        let sources: Api<GitRepository> = Api::namespaced(local.client.clone(), &namespace);
        let before = sources
            .get(&name)
            .await?
            .annotations()
            .get(REQUESTED_AT)
            .cloned();
        let path = receiver
            .status
            .as_ref()
            .and_then(|status| status.webhook_path.as_deref());
        let gateway = local.serving.gateway().context("the demo has no gateway")?;
        Ok(Self {
            url: delivery::hook_url(&format!("http://{gateway}"), path.unwrap_or_default())?,
            target: format!("{namespace}/{name}"),
            sources,
            receiver,
            before,
        })
    }

    fn name(&self) -> &str {
        self.target.split_once('/').map_or("", |(_, name)| name)
    }

    /// The object, provided that the answer says so and the object shows it.
    async fn triggered(&self, answer: &Answer) -> anyhow::Result<GitRepository> {
        ensure!(
            answer.status.is_success(),
            "the gateway answered {} {}",
            answer.status,
            answer.body
        );
        let is_new = |object: Option<&GitRepository>| {
            let after = object.and_then(|object| object.annotations().get(REQUESTED_AT));
            after.is_some() && after != self.before.as_ref()
        };
        let annotated = await_condition(self.sources.clone(), self.name(), is_new);
        let object = tokio::time::timeout(ANNOTATED_DEADLINE, annotated)
            .await
            .ok()
            .transpose()?
            .flatten();
        let object = object.with_context(|| {
            format!(
                "GitRepository `{}` has no new annotation `{REQUESTED_AT}`",
                self.target
            )
        })?;
        Ok(without_bookkeeping(object))
    }

    /// Fails unless the delivery was refused and the object is as it was.
    async fn untouched(&self, answer: &Answer, before: &GitRepository) -> anyhow::Result<()> {
        ensure!(
            answer.status == StatusCode::UNAUTHORIZED,
            "a changed body was answered {}",
            answer.status
        );
        let after = self.sources.get(self.name()).await?;
        ensure!(
            after.annotations().get(REQUESTED_AT) == before.annotations().get(REQUESTED_AT),
            "a refused delivery changed GitRepository `{}`",
            self.target
        );
        Ok(())
    }

    /// One line per phase: its name, when it began, and what happened in it.
    fn story(&self, push: &Recording, answer: &Answer, entered: &[Entered]) -> String {
        let happened = self.happened(push, answer);
        let began = entered.first().map(|entered| entered.at);
        let mut story = String::new();
        for ((entered, happened), number) in entered.iter().zip(happened).zip(1..) {
            let offset = began.map_or(Duration::ZERO, |began| entered.at - began);
            let (phase, micros) = (&entered.phase, offset.as_micros());
            let _ = writeln!(story, "{number}  {phase:<13}{micros:>6} µs  {happened}");
        }
        story
    }

    fn happened(&self, push: &Recording, answer: &Answer) -> [String; 8] {
        let header = |name: &str| {
            let value = push.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let secret = self.receiver.spec.secret_ref.as_ref();
        let secret = secret
            .map(|reference| reference.name.as_str())
            .unwrap_or_default();
        let event = header("x-github-event");
        let signed = if push.headers.contains_key("x-hub-signature-256") {
            "X-Hub-Signature-256"
        } else {
            "X-Hub-Signature"
        };
        [
            format!(
                "{}, {} bytes of {}",
                push.method,
                push.body.len(),
                header("content-type")
            ),
            format!(
                "{}… is the path of Receiver {}/{}",
                self.url.path().get(..SHOWN_PATH).unwrap_or_default(),
                self.receiver.namespace().unwrap_or_default(),
                self.receiver.name_any()
            ),
            "no failed deliveries from this client".to_owned(),
            format!("{signed} is right for the token in Secret {secret}"),
            format!("the event is {event}"),
            format!("{event} is one of {}", self.receiver.spec.events.join(", ")),
            format!("GitRepository {}", self.target),
            format!("{} {}", answer.status, answer.body),
        ]
    }
}

/// The only Receiver, once it has its path.
async fn ready_receiver(client: &Client) -> anyhow::Result<Receiver> {
    let all: Api<Receiver> = Api::all(client.clone());
    let receiver = all
        .list(&ListParams::default())
        .await?
        .items
        .into_iter()
        .next();
    let receiver = receiver.context("the catalogue has no Receiver")?;
    let namespace = receiver.namespace().unwrap_or_default();
    let api: Api<Receiver> = Api::namespaced(client.clone(), &namespace);
    let has_path = |receiver: Option<&Receiver>| {
        let status = receiver.and_then(|receiver| receiver.status.as_ref());
        status.is_some_and(|status| status.webhook_path.is_some())
    };
    let name = receiver.name_any();
    let ready = await_condition(api, &name, has_path);
    tokio::time::timeout(READY_DEADLINE, ready)
        .await
        .with_context(|| format!("Receiver `{namespace}/{name}` did not get a path in time"))??
        .with_context(|| format!("Receiver `{namespace}/{name}` is gone"))
}

/// The object as a reader wants to see it.
fn without_bookkeeping(mut object: GitRepository) -> GitRepository {
    object.annotations_mut().remove(DIGEST_ANNOTATION);
    object.metadata = ObjectMeta {
        annotations: object.metadata.annotations,
        name: object.metadata.name,
        namespace: object.metadata.namespace,
        ..ObjectMeta::default()
    };
    object.status = None;
    object
}

/// The same request with the lowest bit of the middle byte of its body flipped.
fn with_flipped_bit(mut push: Recording) -> Recording {
    let mut body = push.body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    push.body = body.into();
    push
}
