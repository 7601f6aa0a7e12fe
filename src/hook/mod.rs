//! What a delivery means: from a Receiver to a hook, and from bytes to an authentic event.
//!
//! Pure functions of values: no I/O, no clock, no environment, no clients.

mod compile;
mod delivery;
mod fold;
mod form;
mod json;
mod keys;
mod lookup;
mod mac;
mod malformed;
mod path;
mod problem;
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

pub use compile::{CrossNamespaceRefs, Policy};
pub use delivery::{Event, MAX_INTERPRETED_BYTES, Uninterpretable};
pub use malformed::Malformed;
pub use path::HookPath;
pub use problem::{InvalidReceiver, Problem};
pub use receiver_ref::ReceiverRef;
pub use secrets::{InvalidSecret, Secrets};
pub use selection::{Refusal, Selection, Selector, Target, TargetKind};
pub use sender::{Credential, Draft, FormValue, Sender, Setup, TokenShape, Unsignable};
pub use table::{Closed, Entry, HookTable, Listing};
pub use token::{BlankToken, Token};
pub use unauthentic::Unauthentic;
pub use verify::{Authentic, Verifier};

use std::time::Duration;

use keys::Keys;

/// A Receiver made ready for deliveries; compiled once, used for every delivery.
#[derive(Clone, Debug)]
pub struct Hook {
    receiver: ReceiverRef,
    sender: Sender,
    secret: Option<String>,
    keys: Keys,
    window: Duration,
    events: Vec<String>,
    selection: Selection,
}

impl Hook {
    /// The Receiver that the hook was compiled from.
    #[must_use]
    pub fn receiver(&self) -> &ReceiverRef {
        &self.receiver
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

    /// All that the Receiver can trigger, whatever the event.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The same hook with these live secrets and no others; each must hold what the sender needs.
    pub fn with_secrets(self, live: &[Secrets]) -> Result<Self, InvalidSecret> {
        let mut keys = Keys::default();
        for secrets in live {
            keys.join(self.sender.keys(secrets)?);
        }
        Ok(Self { keys, ..self })
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
