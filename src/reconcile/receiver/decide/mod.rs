//! Step two of reconciling a Receiver: from what it says and what was read, to what should be.
//!
//! Pure; it does not know whether this replica may write.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{
    ResourceExt as _,
    core::{DeserializeGuard, ObjectMeta},
};

use super::load::Reading;
use crate::{
    api::{
        annotations::{DENIED_TARGETS, LIVE_SECRETS},
        condition::READY,
        denied::DeniedTargets,
        live_secrets::LiveSets,
        receiver::{Receiver, ReceiverType},
    },
    hook::{
        Closed, Entry, Hook, HookPath, InvalidReceiver, Listing, LivePath, LiveSecrets, Policy,
        ReceiverRef, Refusal, Secrets, SetProblem,
    },
};

/// A Secret as it was last read, for when the API server does not answer.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// The name of the Secret.
    pub(super) secret: String,
    /// What is in it.
    pub(super) secrets: Secrets,
    /// The resource version of the Secret.
    pub(super) version: Option<String>,
}

/// What should be, for one Receiver.
#[derive(Debug)]
pub(super) struct Decision {
    /// What the table of hooks should hold; nothing when the Receiver has no path.
    pub(super) listing: Option<Listing>,
    /// What the Receiver's status should tell.
    pub(super) outcome: Outcome,
    /// The Secret to remember; nothing when there is none any more.
    pub(super) remembered: Option<Remembered>,
}

impl Decision {
    /// What the Receiver names and can never trigger as it is.
    pub(super) fn refusals(&self) -> &[Refusal] {
        let listing = self.listing.as_ref();
        let hook = listing.and_then(|listing| listing.entry.hook());
        hook.map_or(&[], |hook| &hook.selection().refusals)
    }
}

/// What kind of mistake keeps a Receiver from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A field.
    Field,
    /// An expression.
    Expression,
}

/// What became of a Receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is being deleted.
    Deleting,
    /// Its user suspended it.
    Suspended,
    /// It takes deliveries.
    Ready {
        /// Where.
        path: HookPath,
        /// Why the token is not known to be the latest, when it is not.
        doubt: Option<String>,
        /// What is wrong with secrets that are to be live beside the current ones.
        set_problems: Vec<SetProblem>,
    },
    /// Only a change of the Receiver can help.
    Stalled {
        /// What kind of mistake it is.
        fault: Fault,
        /// Everything that is wrong with it.
        problems: String,
    },
    /// There is no token, or not all that the sender needs.
    TokenNotFound {
        /// Why.
        message: String,
        /// Whether the path is known to be gone, and not just unknown at the moment.
        is_path_gone: bool,
    },
}

impl Outcome {
    /// How long until a Receiver with nothing to retry is due again without a cause; an interval of `0s` means never.
    pub(super) fn due_after(&self, interval: Duration) -> Option<Duration> {
        (matches!(self, Self::Ready { .. }) && !interval.is_zero()).then_some(interval)
    }
}

/// Decides what should be.
pub(super) fn decide(
    object: &DeserializeGuard<Receiver>,
    reading: Reading,
    remembered: Option<Remembered>,
    policy: Policy,
    now: Timestamp,
) -> Decision {
    let receiver = match &object.0 {
        Ok(receiver) => receiver,
        Err(invalid) if invalid.metadata.deletion_timestamp.is_some() => {
            return nothing(Outcome::Deleting);
        }
        Err(invalid) => {
            return nothing(Outcome::Stalled {
                fault: Fault::Field,
                problems: format!("the Receiver is malformed: {}", invalid.error),
            });
        }
    };
    if receiver.metadata.deletion_timestamp.is_some() {
        return nothing(Outcome::Deleting);
    }
    let identity = ReceiverRef::of(&receiver.metadata);
    let named = reading
        .named()
        .unwrap_or_else(|| LiveSets::of(&receiver.metadata));
    let (known, absence) = known_token(receiver, reading, remembered);
    let live = known.as_ref();
    let live = live.map(|known| LiveSecrets::of(&identity, &named, &known.secrets, now));
    let is_unknown = matches!(absence, Some(Absence::Unknown(_)));
    let paths = paths(receiver, live.as_ref());
    let (entry, outcome) = if receiver.spec.suspend == Some(true) {
        (Some(Entry::Closed(Closed::Suspended)), Outcome::Suspended)
    } else {
        match Hook::compile(receiver, policy) {
            Ok(hook) => open(hook.with_named(named), &paths, live.as_ref(), absence),
            Err(invalid) => (Some(Entry::Closed(Closed::NotReady)), stalled(&invalid)),
        }
    };
    let as_stored = (is_unknown && paths.is_empty())
        .then(|| stored(object, policy))
        .flatten();
    let listing = entry
        .filter(|entry| !paths.is_empty() || entry.hook().is_some())
        .map(|entry| listing(&receiver.metadata, paths, entry));
    Decision {
        listing: as_stored.or(listing),
        outcome,
        remembered: known,
    }
}

fn stalled(invalid: &InvalidReceiver) -> Outcome {
    Outcome::Stalled {
        fault: if invalid.begins_with_expression() {
            Fault::Expression
        } else {
            Fault::Field
        },
        problems: invalid.to_string(),
    }
}

/// What a Receiver says of itself, for as long as its Secret was not read: nothing unless it is Ready as it is now.
///
/// Of several live secrets the status knows only the current one, so that such a Receiver is read first.
pub(super) fn stored(object: &DeserializeGuard<Receiver>, policy: Policy) -> Option<Listing> {
    let receiver = object.0.as_ref().ok()?;
    let (metadata, status) = (&receiver.metadata, receiver.status.as_ref()?);
    let ready = status.conditions.find(READY)?;
    let is_current = metadata.deletion_timestamp.is_none()
        && status.conditions.is_ready()
        && ready.observed_generation == metadata.generation;
    if !is_current || receiver.annotations().contains_key(LIVE_SECRETS) {
        return None;
    }
    let path = HookPath::parse(status.webhook_path.as_deref()?)?;
    let entry = if receiver.spec.suspend == Some(true) {
        Entry::Closed(Closed::Suspended)
    } else {
        Entry::Unread(Hook::compile(receiver, policy).ok()?.into())
    };
    Some(listing(metadata, vec![path.into()], entry))
}

fn listing(metadata: &ObjectMeta, paths: Vec<LivePath>, entry: Entry) -> Listing {
    let created = metadata.creation_timestamp.as_ref();
    Listing {
        paths,
        created: created.map_or(0, |time| time.0.as_second()),
        entry,
        denied: denied_targets(metadata).map(Arc::new),
    }
}

impl Decision {
    /// When the next of its secrets ends.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let paths = self.listing.as_ref().map(|listing| &listing.paths);
        let ends = paths.into_iter().flatten().filter_map(|live| live.until);
        ends.filter(|until| *until >= now).min()
    }
}

/// Why there is no token, or none that is known to be the latest.
enum Absence {
    Gone(String),
    Unknown(String),
}

fn nothing(outcome: Outcome) -> Decision {
    Decision {
        listing: None,
        outcome,
        remembered: None,
    }
}

fn known_token(
    receiver: &Receiver,
    reading: Reading,
    remembered: Option<Remembered>,
) -> (Option<Remembered>, Option<Absence>) {
    let Some(secret) = &receiver.spec.secret_ref else {
        return (None, None);
    };
    match reading {
        Reading::NotNamed => (None, None),
        Reading::Found {
            secrets, version, ..
        } => {
            let secret = secret.name.clone();
            let known = Remembered {
                secret,
                secrets,
                version,
            };
            (Some(known), None)
        }
        Reading::Missing { message } => (None, Some(Absence::Gone(message))),
        Reading::Unreadable { message } => {
            let known = remembered.filter(|known| known.secret == secret.name);
            (known, Some(Absence::Unknown(message)))
        }
    }
}

fn paths(receiver: &Receiver, live: Option<&LiveSecrets>) -> Vec<LivePath> {
    let has_no_token_by_design =
        receiver.spec.type_ == ReceiverType::GenericOidc && receiver.spec.secret_ref.is_none();
    if let Some(live) = live {
        live.paths()
    } else if has_no_token_by_design {
        let ReceiverRef { namespace, name } = ReceiverRef::of(&receiver.metadata);
        vec![HookPath::derive(None, &name, &namespace).into()]
    } else {
        Vec::new()
    }
}

fn open(
    hook: Hook,
    paths: &[LivePath],
    live: Option<&LiveSecrets>,
    absence: Option<Absence>,
) -> (Option<Entry>, Outcome) {
    let Some(LivePath { path, .. }) = paths.first().copied() else {
        let (message, is_path_gone) = match absence {
            Some(Absence::Gone(message)) => (message, true),
            Some(Absence::Unknown(message)) => (message, false),
            None => ("secretRef is required".to_owned(), true),
        };
        let outcome = Outcome::TokenNotFound {
            message,
            is_path_gone,
        };
        return (Some(Entry::Pathless(hook.into())), outcome);
    };
    let secret = hook.secret().unwrap_or_default();
    let place = format!("'{}/{secret}'", hook.receiver().namespace);
    let hook = match live {
        Some(live) => hook.with_live(live),
        None => Ok(hook),
    };
    match hook {
        Ok(hook) => {
            let outcome = Outcome::Ready {
                path,
                doubt: absence.map(|(Absence::Gone(why) | Absence::Unknown(why))| why),
                set_problems: hook.set_problems().to_vec(),
            };
            (Some(Entry::Open(hook.into())), outcome)
        }
        Err(invalid) => {
            let outcome = Outcome::TokenNotFound {
                message: format!("invalid {place} secret data: {invalid}"),
                is_path_gone: false,
            };
            (Some(Entry::Closed(Closed::NotReady)), outcome)
        }
    }
}

/// What the gateway says of targets that it may not trigger.
pub(super) fn denied_targets(metadata: &ObjectMeta) -> Option<DeniedTargets> {
    let annotations = metadata.annotations.as_ref()?;
    DeniedTargets::parse(annotations.get(DENIED_TARGETS)?)
}

#[cfg(test)]
mod tests;
