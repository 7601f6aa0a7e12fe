//! What a delivery means: from a Receiver to a hook, and from bytes to an authentic event.
//!
//! Pure functions of values: no I/O, no clock, no environment, no clients.

mod compile;
mod delivery;
mod mac;
mod path;
mod receiver_ref;
mod selection;
mod sender;
mod table;
mod targets;
mod token;
mod unauthentic;
mod verify;

pub use compile::{CrossNamespaceRefs, InvalidReceiver, Policy, Problem};
pub use delivery::Event;
pub use path::HookPath;
pub use receiver_ref::ReceiverRef;
pub use selection::{Refusal, Selection, Selector, Target, TargetKind};
pub use sender::{Credential, Sender};
pub use table::{Closed, Entry, HookTable, Listing};
pub use token::{BlankToken, Token};
pub use unauthentic::Unauthentic;
pub use verify::{Authentic, Verifier};

/// A Receiver made ready for deliveries; compiled once, used for every delivery.
#[derive(Clone, Debug)]
pub struct Hook {
    receiver: ReceiverRef,
    sender: Sender,
    secret: Option<String>,
    tokens: Vec<Token>,
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

    /// Whether `token` is one of the live tokens.
    #[must_use]
    pub fn has_token(&self, token: &Token) -> bool {
        self.tokens.contains(token)
    }

    /// The same hook with these live tokens and no others.
    #[must_use]
    pub fn with_tokens(self, tokens: Vec<Token>) -> Self {
        Self { tokens, ..self }
    }

    /// The path that deliveries arrive at while `token` is the one in the Secret.
    #[must_use]
    pub fn path(&self, token: Option<&Token>) -> HookPath {
        HookPath::derive(token, &self.receiver.name, &self.receiver.namespace)
    }
}
