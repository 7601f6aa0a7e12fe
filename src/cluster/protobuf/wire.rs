//! The encoding below all messages: numbered fields, each a number, a fixed number of bytes, or a length and that many.
//!
//! It borrows from the input and allocates nothing, and knows no message.

use super::DecodeError;

/// The most bytes of a number: seven bits each (the protobuf encoding).
const LONGEST_NUMBER: usize = 10;

/// The fields of one message in the order they were sent; ends after the first that is malformed.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// What a field holds.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Content<'a> {
    /// A number or a flag.
    Number(u64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field that is known here has.
    Fixed,
}

impl<'a> Fields<'a> {
    /// Reads a message.
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u64, Content<'a>), DecodeError> {
        let tag = self.number()?;
        let content = match tag & 7 {
            0 => Content::Number(self.number()?),
            1 => self.bytes(8).map(|_| Content::Fixed)?,
            2 => {
                let length = self.number()?;
                Content::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Content::Fixed)?,
            other => return Err(DecodeError::WireType(other)),
        };
        match tag >> 3 {
            0 => Err(DecodeError::NoNumber),
            number => Ok((number, content)),
        }
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for index in 0..LONGEST_NUMBER {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if index == LONGEST_NUMBER - 1 && bits > 1 {
                break;
            }
            number |= bits << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::LongNumber)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = taken.ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Content<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], expected: &Result<Vec<(u64, Content<'_>)>, DecodeError>) {
        let found: Result<Vec<_>, _> = Fields::new(message).collect();
        assert_eq!(&found, expected, "{message:?}");
    }

    #[test]
    fn fields_are_read_in_order() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4];
        let expected = vec![
            (1, Content::Number(150)),
            (2, Content::Bytes(b"hi")),
            (3, Content::Fixed),
        ];
        check(&message, &Ok(expected));
        let mut longest = vec![0x08];
        longest.extend([0xff; 9]);
        longest.push(1);
        check(&longest, &Ok(vec![(1, Content::Number(u64::MAX))]));
    }

    #[test]
    fn malformed_fields_are_refused() {
        check(&[0x80], &Err(DecodeError::Truncated));
        check(&[0x12, 5, b'h'], &Err(DecodeError::Truncated));
        check(&[0x1d, 1, 2, 3], &Err(DecodeError::Truncated));
        check(&[0x0b], &Err(DecodeError::WireType(3)));
        check(&[0x02, 0], &Err(DecodeError::NoNumber));
        let mut huge = vec![0x12];
        huge.extend([0xff; 9]);
        huge.push(1);
        check(&huge, &Err(DecodeError::Truncated));
        let mut long = vec![0x08];
        long.extend([0xff; 10]);
        check(&long, &Err(DecodeError::LongNumber));
    }
}
