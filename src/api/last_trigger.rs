//! The last delivery that triggered something: what the gateway tells in an annotation of the Receiver.
//!
//! It is for people; nothing depends on it, and it may be a minute behind.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The last delivery of a Receiver that triggered something; the value of [`super::annotations::LAST_TRIGGER`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTrigger {
    /// When it arrived.
    pub at: Timestamp,
    /// The id that the sender gave it, or one that was made up.
    pub delivery: String,
    /// The event; empty when the sender names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event: String,
}

impl LastTrigger {
    /// The longest annotation that is read, in bytes.
    pub const MAX_BYTES: usize = 4 << 10;

    /// The longest text in it that is written, in bytes; longer ones are cut.
    pub const MAX_TEXT_BYTES: usize = 256;

    /// Takes over what is known of a delivery, cut to what is written.
    #[must_use]
    pub fn new(at: Timestamp, delivery: &str, event: &str) -> Self {
        let cut = |text: &str| {
            let end = text.floor_char_boundary(Self::MAX_TEXT_BYTES);
            text.get(..end).unwrap_or_default().to_owned()
        };
        Self {
            at,
            delivery: cut(delivery),
            event: cut(event),
        }
    }

    /// Reads the annotation; nothing when no gateway can have written it.
    #[must_use]
    pub fn parse(annotation: &str) -> Option<Self> {
        if annotation.len() > Self::MAX_BYTES {
            return None;
        }
        let read: Self = serde_json::from_str(annotation).ok()?;
        let texts = [&read.delivery, &read.event];
        let is_plausible = texts.iter().all(|text| text.len() <= Self::MAX_TEXT_BYTES);
        is_plausible.then_some(read)
    }

    /// The annotation, a JSON object of at most [`Self::MAX_BYTES`].
    #[must_use]
    pub fn annotation(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (text.len() <= Self::MAX_BYTES).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again() {
        let at = "2026-01-05T09:30:00Z".parse().unwrap();
        let last = LastTrigger::new(at, "72d3162e", "push");
        let annotation = last.annotation().unwrap();
        assert_eq!(
            annotation,
            r#"{"at":"2026-01-05T09:30:00Z","delivery":"72d3162e","event":"push"}"#
        );
        assert_eq!(LastTrigger::parse(&annotation), Some(last));
        let nameless = LastTrigger::new(at, "1", "");
        assert_eq!(
            nameless.annotation().unwrap(),
            r#"{"at":"2026-01-05T09:30:00Z","delivery":"1"}"#
        );
    }

    #[test]
    fn whatever_a_sender_writes_fits_and_is_read_again() {
        for text in ["\u{1}", "ä", "\"", "\u{1f980}"] {
            let last = LastTrigger::new(Timestamp::MAX, &text.repeat(5000), &text.repeat(5000));
            let annotation = last.annotation().unwrap();
            assert_eq!(LastTrigger::parse(&annotation), Some(last), "{text:?}");
        }
        for nonsense in [
            "",
            "{}",
            "null",
            r#"{"at":"yesterday","delivery":"1"}"#,
            &format!(
                r#"{{"at":"2026-01-05T09:30:00Z","delivery":"{}"}}"#,
                "a".repeat(257)
            ),
        ] {
            assert_eq!(LastTrigger::parse(nonsense), None, "{nonsense}");
        }
    }
}
