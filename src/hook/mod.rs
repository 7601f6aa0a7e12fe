//! What a delivery means: from a Receiver to a hook, and from bytes to an authentic event.
//!
//! Pure functions of values: no I/O, no clock, no environment, no clients.

mod certificate;
mod compile;
mod delivery;
mod filter;
mod fold;
mod form;
mod json;
mod jwt;
mod keys;
mod live;
mod lookup;
mod mac;
mod malformed;
mod message;
mod path;
mod problem;
mod provider;
mod receiver_ref;
mod secrets;
mod selection;
mod sender;
mod table;
mod targets;
mod token;
mod unauthentic;
mod verify;
mod webhook;

pub use certificate::{CertificateChecks, ClientIdentity, RefusedCertificate};
pub use compile::{CrossNamespaceRefs, PlainIssuers, Policy};
pub use delivery::{Event, MAX_INTERPRETED_BYTES, Uninterpretable};
pub use filter::{Candidate, Judgement, Unjudged};
pub use jwt::{
    Discovery, InvalidDocument, IssuerKeys, KeyRequest, KeySet, KeySource, RefusedToken,
};
pub use live::{LiveSecrets, SecretDigest, SetIdentity, SetProblem};
pub use malformed::Malformed;
pub use message::MessageDigest;
pub use path::{HookPath, LivePath};
pub use problem::{InvalidReceiver, Problem};
pub use receiver_ref::ReceiverRef;
pub use secrets::{InvalidSecret, Secrets};
pub use selection::{Detail, Refusal, Selection, Selector, Target, TargetKind};
pub use sender::{Credential, Draft, FormValue, Sender, Setup, TokenShape, Unsignable};
pub use table::{Closed, Entry, HookTable, Listing, SecretRef};
pub use token::{BlankToken, Token};
pub use unauthentic::Unauthentic;
pub use verify::{Authentic, Verifier};

use core::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{clients::ClientNetworks, live_secrets::LiveSets, rate::Rate};
use compile::Settings;
use filter::Filters;
use live::LiveKeys;
use provider::Provider;

/// A Receiver made ready for deliveries; compiled once, used for every delivery.
#[derive(Clone, Debug)]
pub struct Hook {
    receiver: Arc<ReceiverRef>,
    sender: Sender,
    secret: Option<String>,
    /// Which secrets its Receiver names as live beside the current ones.
    named: LiveSets,
    /// The current set first; none when nothing is known of the Secret, or none is needed.
    keys: Vec<LiveKeys>,
    set_problems: Vec<SetProblem>,
    settings: Settings,
    providers: Vec<Provider>,
    events: Vec<String>,
    selection: Selection,
    filters: Arc<Filters>,
}

impl Hook {
    /// The Receiver that the hook was compiled from.
    #[must_use]
    pub fn receiver(&self) -> &ReceiverRef {
        &self.receiver
    }

    /// The same, for whoever keeps it.
    #[must_use]
    pub fn shared_receiver(&self) -> Arc<ReceiverRef> {
        Arc::clone(&self.receiver)
    }

    /// The kind of sender.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// The name of the Secret, in the namespace of the Receiver, that holds the token.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The URLs of the issuers that the Receiver trusts.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.providers.iter().map(|provider| &provider.issuer)
    }

    /// The networks that deliveries may come from; anywhere when absent.
    #[must_use]
    pub fn clients(&self) -> Option<&ClientNetworks> {
        self.settings.clients.as_ref()
    }

    /// Whether deliveries may come from this address.
    #[must_use]
    pub fn allows(&self, client: IpAddr) -> bool {
        self.clients()
            .is_none_or(|networks| networks.contain(client))
    }

    /// How often its deliveries trigger targets, if the Receiver says so.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.settings.rate
    }

    /// Whether a delivery that was signed before triggers nothing.
    #[must_use]
    pub fn refuses_replays(&self) -> bool {
        self.settings.refuses_replays
    }

    /// All that the Receiver can trigger, whatever the event.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The sets of secrets that its Receiver names as live beside the current one.
    #[must_use]
    pub fn named(&self) -> &LiveSets {
        &self.named
    }

    /// The same hook with what is live in its Secret and nothing else; the current set must hold what the sender needs.
    pub fn with_secrets(self, secrets: &Secrets, now: Timestamp) -> Result<Self, InvalidSecret> {
        let live = LiveSecrets::of(&self.receiver, &self.named, secrets, now);
        self.with_live(&live)
    }

    /// The same hook with these live secrets and no others; the current set must hold what the sender needs.
    pub fn with_live(self, live: &LiveSecrets) -> Result<Self, InvalidSecret> {
        let (keys, set_problems) = live.keys(self.sender, self.refuses_replays())?;
        Ok(Self {
            keys,
            set_problems,
            ..self
        })
    }

    /// The same hook with other sets named as live; the keys stay as they are.
    #[must_use]
    pub fn with_named(self, named: LiveSets) -> Self {
        Self { named, ..self }
    }

    /// The live sets of secrets, the current one first.
    pub fn sets(&self) -> impl Iterator<Item = &SetIdentity> {
        self.keys.iter().map(|set| &set.identity)
    }

    /// What is wrong with sets that the Receiver names as live.
    #[must_use]
    pub fn set_problems(&self) -> &[SetProblem] {
        &self.set_problems
    }

    /// The set of secrets that proved a delivery at `path`; nothing for a hook without secrets.
    ///
    /// Of several it is the one that makes the path, or else the first.
    #[must_use]
    pub fn set_of(&self, authentic: &Authentic, path: &str) -> Option<&SetIdentity> {
        let proving = authentic
            .sets
            .iter()
            .filter_map(|index| self.keys.get(*index));
        let proving = proving.map(|set| &set.identity);
        let path = HookPath::parse(path);
        let mut at_path = proving
            .clone()
            .filter(|identity| Some(identity.path().path) == path);
        at_path.next().or_else(|| proving.clone().next())
    }

    /// Whether deliveries are checked against the same keys as those of `other`.
    #[must_use]
    pub fn has_keys_of(&self, other: &Self) -> bool {
        self.keys == other.keys
    }

    /// The path that deliveries arrive at while `token` is the one in the Secret.
    #[must_use]
    pub fn path(&self, token: Option<&Token>) -> HookPath {
        HookPath::derive(token, &self.receiver.name, &self.receiver.namespace)
    }
}

#[cfg(test)]
mod tests;
