//! The form with one field `payload` that Gitea and Forgejo can send: they sign the field, not the form.
//!
//! Only the encoding that they write is taken, which is Go's: each payload has one form, so that no signed byte can be
//! written in two ways.

/// Takes the payload out of a form that arrives in pieces.
pub(super) struct FormPayload(State);

#[derive(Clone, Copy)]
enum State {
    /// So many bytes of the name have been seen.
    Name(usize),
    /// Within the value.
    Value,
    /// Behind a percent sign.
    Percent,
    /// Behind a percent sign and one digit.
    Digit(u8),
    /// It is another form, or none.
    Broken,
}

const NAME: &[u8] = b"payload=";

impl FormPayload {
    pub(super) fn new() -> Self {
        Self(State::Name(0))
    }

    /// The bytes of the payload in the next piece of the form.
    pub(super) fn decode(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(chunk.len());
        for byte in chunk {
            let (state, output) = self.0.next(*byte);
            self.0 = state;
            decoded.extend(output);
        }
        decoded
    }

    /// Whether the form ends where it may.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.0, State::Value)
    }

    /// The payload of a whole form, if it is one.
    pub(super) fn of(form: &[u8]) -> Option<Vec<u8>> {
        let mut payload = Self::new();
        let decoded = payload.decode(form);
        payload.is_whole().then_some(decoded)
    }
}

impl State {
    fn next(self, byte: u8) -> (Self, Option<u8>) {
        match (self, byte) {
            (Self::Name(seen), byte) if NAME.get(seen) == Some(&byte) => {
                let is_last = seen + 1 == NAME.len();
                let state = if is_last {
                    Self::Value
                } else {
                    Self::Name(seen + 1)
                };
                (state, None)
            }
            (Self::Value, b'+') => (Self::Value, Some(b' ')),
            (Self::Value, b'%') => (Self::Percent, None),
            (Self::Value, byte) if is_unreserved(byte) => (Self::Value, Some(byte)),
            (Self::Percent, byte) => (digit(byte).map_or(Self::Broken, Self::Digit), None),
            (Self::Digit(high), byte) => match digit(byte).map(|low| high << 4 | low) {
                Some(decoded) if !is_unreserved(decoded) && decoded != b' ' => {
                    (Self::Value, Some(decoded))
                }
                _ => (Self::Broken, None),
            },
            _ => (Self::Broken, None),
        }
    }
}

/// What Go's `url.QueryEscape` leaves as it is.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

/// The value of an uppercase hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_decoded_across_pieces() {
        let form = b"payload=%7B%22a%22%3A+%22%C3%A4-_.~%22%7D";
        let expected = "{\"a\": \"ä-_.~\"}".as_bytes();
        for size in 1..form.len() {
            let mut payload = FormPayload::new();
            let pieces = form.chunks(size).map(|chunk| payload.decode(chunk));
            let decoded: Vec<u8> = pieces.collect::<Vec<_>>().concat();
            assert_eq!(decoded, expected, "pieces of {size}");
            assert!(payload.is_whole());
        }
        assert_eq!(FormPayload::of(b"payload="), Some(Vec::new()));
    }

    #[test]
    fn another_form_or_encoding_is_refused() {
        for form in [
            "",
            "payload",
            "Payload=a",
            "payload=a&payload=b",
            "a=b&payload=c",
            "payload=a&",
            "payload=%7b",
            "payload=%7",
            "payload=%",
            "payload=%zz",
            "payload=%20",
            "payload=%61",
            "payload={}",
            "payload=a b",
            "payload=\u{e4}",
            "pay%6Coad=a",
        ] {
            assert_eq!(FormPayload::of(form.as_bytes()), None, "{form:?}");
        }
    }
}
