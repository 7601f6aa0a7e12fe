//! `hookgate receiver verify`: takes a recorded request through the phases, and tells where it would stop and why.
//!
//! The phases are the gateway's own, and nothing is sent or triggered. More is told than a sender would learn, for it
//! is told to the operator, but never a token.

mod doubt;
mod story;
pub(super) mod subject;

use std::net::IpAddr;

use anyhow::bail;
use axum::body::Body;
use http::{HeaderValue, Request, header::HOST};
use jiff::Timestamp;

use self::{story::Story, subject::Subject};
use super::choice;
use crate::{
    cli::{output, recording::Recording, serve::issuers},
    config,
    hook::{Entry, Hook, HookTable},
    ingress::{Gateway, IssuerSettings, Issuers, Phase, Rehearsal},
    telemetry::Metrics,
};

/// Shows what would become of the request; it is an error when it would trigger nothing.
pub(super) async fn run(args: &config::Verify) -> anyhow::Result<()> {
    let recording = choice::recorded(&args.file).await?;
    let now = args.at.unwrap_or_else(Timestamp::now);
    let subject = Subject::find(args, &recording, now).await?;
    let settings = issuers(&args.issuers)?;
    let verdict = judge(&subject, recording, settings, args.client, now).await;
    output::write(&verdict.text)?;
    match verdict.stop {
        None => Ok(()),
        Some(why) => bail!("{why}"),
    }
}

/// What is told of a request.
struct Verdict {
    text: String,
    /// Where it would stop, and why; nothing when it would trigger.
    stop: Option<String>,
}

async fn judge(
    subject: &Subject,
    recording: Recording,
    settings: IssuerSettings,
    client: Option<IpAddr>,
    now: Timestamp,
) -> Verdict {
    let table = HookTable::default();
    let listing = subject.foresight.listing.as_ref();
    if let Some(listing) = listing {
        table.publish(&subject.name(), listing);
    }
    let hook = listing.and_then(|listing| match &listing.entry {
        Entry::Open(hook) => Some(Hook::clone(hook)),
        Entry::Closed(_) | Entry::Pathless(_) | Entry::Unread(_) => None,
    });
    let paths = listing.map(|listing| listing.paths.iter());
    let mut paths = paths.into_iter().flatten().map(|live| live.path.reveal());
    let path = paths.next();
    let issuers = Issuers::new(settings, table.clone(), Metrics::new());
    let gateway = Gateway::rehearsing(table, issuers);
    let end = gateway.rehearse(request(&recording), client, now).await;
    let mut text = format!("A request for Receiver {}\n\n", subject.name());
    let mut story = Story {
        subject,
        recording: &recording,
        hook: hook.as_ref(),
        path: path.as_deref(),
        client,
        now,
    };
    text.push_str(&story.tell(&end));
    let right = path.as_deref().and_then(|path| path.parse().ok());
    if let (Phase::Locate, Some(right)) = (end.phase, right)
        && recording.path != right
    {
        let moved = Recording {
            path: right,
            ..recording.clone()
        };
        let later = gateway.rehearse(request(&moved), client, now).await;
        text.push_str("\nThe same at the path of the Receiver\n\n");
        story.recording = &moved;
        text.push_str(&story.tell(&later));
    }
    Verdict {
        text,
        stop: stop(&end),
    }
}

fn stop(end: &Rehearsal) -> Option<String> {
    let reason = end.reason.as_deref()?;
    let (phase, status) = (end.phase.as_str(), end.status);
    Some(format!(
        "the delivery would stop at {phase} and be answered {status}: {reason}"
    ))
}

/// The request as it would arrive: whoever sends it names a host, which a recording may leave out.
fn request(recording: &Recording) -> Request<Body> {
    let mut request = Request::new(Body::from(recording.body.clone()));
    *request.method_mut() = recording.method.clone();
    *request.uri_mut() = recording.path.clone().into();
    *request.headers_mut() = recording.headers.clone();
    let host = HeaderValue::from_static("hookgate");
    request.headers_mut().entry(HOST).or_insert(host);
    request
}

#[cfg(test)]
mod tests;
