//! What a hook makes of a delivery: who sent it, which event it is, and whether it is wanted.
//!
//! Each method is one phase; the ingress calls them in order and does the waiting in between.

use http::HeaderMap;

use super::{
    Hook,
    selection::Selection,
    unauthentic::Unauthentic,
    verify::{Authentic, Verifier},
};

/// What an authentic delivery tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name of the event; empty when the sender names none.
    pub name: String,
}

impl Hook {
    /// Whether the sender may use the media type that the headers declare.
    #[must_use]
    pub fn accepts_media_type(&self, headers: &HeaderMap) -> bool {
        self.sender.accepts_media_type(headers)
    }

    /// Finds the credential in the headers; the body must then pass through the verifier.
    pub fn verifier(&self, headers: &HeaderMap) -> Result<Verifier, Unauthentic> {
        self.sender.verifier(headers, &self.tokens)
    }

    /// The id that the sender gave the delivery, at most 128 visible ASCII characters.
    #[must_use]
    pub fn delivery_id<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        self.sender.delivery_id(headers)
    }

    /// Reads the event of a delivery that is proven; none of the senders so far needs the body for it.
    #[must_use]
    pub fn interpret(&self, _: &Authentic, headers: &HeaderMap) -> Event {
        Event {
            name: self.sender.event(headers).to_owned(),
        }
    }

    /// Whether the Receiver wants the event: it lists none, the sender names none, or the name is on its list.
    #[must_use]
    pub fn admits(&self, event: &Event) -> bool {
        let is_filtered = self.sender.names_events() && !self.events.is_empty();
        !is_filtered
            || self
                .events
                .iter()
                .any(|listed| equal_fold(listed, &event.name))
    }

    /// What the event triggers.
    #[must_use]
    pub fn select(&self, _: &Event) -> &Selection {
        &self.selection
    }
}

/// Equality under simple case folding, as `spec.events` is compared in Flux.
fn equal_fold(left: &str, right: &str) -> bool {
    left.chars().map(fold).eq(right.chars().map(fold))
}

fn fold(character: char) -> char {
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_are_compared_without_case() {
        for (left, right, equal) in [
            ("push", "Push", true),
            ("Push Hook", "push hook", true),
            ("\u{212a}", "k", true),
            ("ß", "ss", false),
            ("ÄÖ", "äö", true),
            ("push", "pus", false),
            ("push", "pull", false),
            ("", "", true),
            ("", "push", false),
        ] {
            assert_eq!(equal_fold(left, right), equal, "{left:?} {right:?}");
        }
    }
}
