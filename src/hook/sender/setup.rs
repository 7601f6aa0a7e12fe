//! What a person sets up at a host so that it sends: the form there, and a token that it takes.
//!
//! The words are those of the host's own pages; the folder of the sender in `receivers/` says more.

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// What a person sets up at a host.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Where the form is, as a way through the host's pages.
    pub page: &'static str,
    /// The fields of the form, in its order.
    pub fields: &'static [(&'static str, FormValue)],
    /// The events that a Receiver lists unless told otherwise: pushes, and the ping that a host sends at first.
    pub events: &'static [&'static str],
    /// How a token is written.
    pub token: TokenShape,
}

/// What goes into one field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormValue {
    /// The address of the gateway and the path of the hook.
    Url,
    /// The token.
    Token,
    /// The events: these words choose those of [`Setup::events`].
    Events(&'static str),
    /// These words.
    Text(&'static str),
}

/// How a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenShape {
    /// 64 hexadecimal digits.
    Hex,
    /// `whsec_` and base64, as Standard Webhooks has it.
    Webhook,
}

impl TokenShape {
    /// Writes a token that holds 256 bits of somebody's randomness.
    #[must_use]
    pub fn write(self, random: [u8; 32]) -> String {
        match self {
            Self::Hex => hex::encode(random),
            Self::Webhook => format!("whsec_{}", BASE64_STANDARD.encode(random)),
        }
    }
}

impl Setup {
    /// A sender that has no form: it is told the URL.
    pub(super) const fn of_url() -> Self {
        Self {
            page: "tell the sender",
            fields: &[("URL", FormValue::Url)],
            events: &[],
            token: TokenShape::Hex,
        }
    }
}
