//! Numbers, texts and bytes as they are written in an expression.
//!
//! A minus before a number belongs to `parse`, which knows whether it is an operator.

use super::token::{Unreadable, split_where};

/// A value written in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    /// Its digits, since only with its sign is it known whether it fits.
    Int(Digits),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
}

/// A whole number without its sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digits(u64);

impl Digits {
    /// The number with its sign; nothing when it does not fit.
    pub(super) fn signed(&self, is_negative: bool) -> Option<i64> {
        let value = i128::from(self.0);
        i64::try_from(if is_negative { -value } else { value }).ok()
    }
}

/// Reads a number, if the text begins with one.
pub(super) fn number(text: &str) -> Result<Option<(Literal, &str)>, Unreadable> {
    let starts = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    if !starts(text) && !text.strip_prefix('.').is_some_and(starts) {
        return Ok(None);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        let (digits, rest) = split_where(hexadecimal, |it| !it.is_ascii_hexdigit());
        return whole(digits, 16, rest).map(Some);
    }
    let is_no_digit = |character: char| !character.is_ascii_digit();
    let (_, mut rest) = split_where(text, is_no_digit);
    let mut is_double = false;
    if let Some(fraction) = rest.strip_prefix('.').filter(|rest| starts(rest)) {
        rest = split_where(fraction, is_no_digit).1;
        is_double = true;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if starts(exponent) {
            rest = split_where(exponent, is_no_digit).1;
            is_double = true;
        }
    }
    let (digits, _) = text.split_at(text.len() - rest.len());
    if !is_double {
        return whole(digits, 10, rest).map(Some);
    }
    let value = digits.parse::<f64>().ok().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| Unreadable("invalid double literal".to_owned()))?;
    Ok(Some((Literal::Double(value), rest)))
}

fn whole<'t>(digits: &str, radix: u32, rest: &'t str) -> Result<(Literal, &'t str), Unreadable> {
    let value = u64::from_str_radix(digits, radix);
    let (kind, after) = match rest.strip_prefix(['u', 'U']) {
        Some(after) => ("uint", after),
        None => ("int", rest),
    };
    let value = value.map_err(|_| Unreadable(format!("invalid {kind} literal")))?;
    let literal = if kind == "uint" {
        Literal::Uint(value)
    } else {
        Literal::Int(Digits(value))
    };
    Ok((literal, after))
}

/// Reads a text or bytes in quotes, if the text begins with them.
pub(super) fn quoted(text: &str) -> Result<Option<(Literal, &str)>, Unreadable> {
    let (is_bytes, unprefixed) = match text.strip_prefix(['b', 'B']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (is_raw, unprefixed) = match unprefixed.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, unprefixed),
    };
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let opened = quotes
        .into_iter()
        .find_map(|quote| Some((quote, unprefixed.strip_prefix(quote)?)));
    let Some((quote, inner)) = opened else {
        return Ok(None);
    };
    let Some((inner, rest)) = up_to(inner, quote, is_raw) else {
        let detail = "Syntax error: a text has no closing quote".to_owned();
        return Err(Unreadable(detail));
    };
    let inner = inner.replace("\r\n", "\n").replace('\r', "\n");
    let bytes = if is_raw {
        inner.into_bytes()
    } else {
        unescape(&inner, is_bytes)?
    };
    let literal = if is_bytes {
        Literal::Bytes(bytes)
    } else {
        let text = String::from_utf8(bytes);
        Literal::String(text.map_err(|_| Unreadable("invalid string literal".to_owned()))?)
    };
    Ok(Some((literal, rest)))
}

/// What is before the closing quote, and what is after it.
fn up_to<'t>(text: &'t str, quote: &str, is_raw: bool) -> Option<(&'t str, &'t str)> {
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            let inner = text.len() - rest.len();
            return Some((text.split_at(inner).0, after));
        }
        let mut characters = rest.chars();
        match characters.next()? {
            '\\' if !is_raw => {
                characters.next()?;
            }
            '\n' | '\r' if quote.len() == 1 => return None,
            _ => {}
        }
        rest = characters.as_str();
    }
}

/// Replaces what a backslash stands for.
fn unescape(text: &str, is_bytes: bool) -> Result<Vec<u8>, Unreadable> {
    let invalid = || Unreadable("invalid escape in a text or bytes literal".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let mut characters = escaped.chars();
        let kind = characters.next().ok_or_else(invalid)?;
        rest = characters.as_str();
        let simple = match kind {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '?' => b'?',
            '"' => b'"',
            '\'' => b'\'',
            '`' => b'`',
            _ => {
                let digits = if kind.is_ascii_digit() { escaped } else { rest };
                let (length, radix) = match kind {
                    'x' | 'X' => (2, 16),
                    'u' if !is_bytes => (4, 16),
                    'U' if !is_bytes => (8, 16),
                    '0'..='3' => (3, 8),
                    _ => return Err(invalid()),
                };
                let (digits, after) = digits.split_at_checked(length).ok_or_else(invalid)?;
                let value = code(digits, radix).ok_or_else(invalid)?;
                push(&mut bytes, value, is_bytes).ok_or_else(invalid)?;
                rest = after;
                continue;
            }
        };
        bytes.push(simple);
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn code(digits: &str, radix: u32) -> Option<u32> {
    let are_digits = digits.chars().all(|character| character.is_digit(radix));
    let value = u32::from_str_radix(digits, radix).ok()?;
    are_digits.then_some(value)
}

/// Adds a byte, or the character of this number.
fn push(bytes: &mut Vec<u8>, value: u32, is_bytes: bool) -> Option<()> {
    if is_bytes {
        bytes.push(u8::try_from(value).ok()?);
    } else {
        let character = char::from_u32(value)?;
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Literal> {
        quoted(text).ok()?.map(|(literal, _)| literal)
    }

    #[test]
    fn texts_are_unescaped_as_cel_says() {
        for (written, meant) in [
            (r"'a'", "a"),
            (r#""it's \"so\" \'here\'""#, "it's \"so\" 'here'"),
            (r"'\a\b\f\n\r\t\v\\\?\`'", "\x07\x08\x0c\n\r\t\x0b\\?`"),
            (r"'\x41\X42\u00e9\U0001F600\101'", "ABé😀A"),
            (r"r'\d+\n'", r"\d+\n"),
            (r"R'a\'", "a\\"),
            ("'''it's\n\"here\"'''", "it's\n\"here\""),
            ("\"\"\"a\"\"b\"\"\"", "a\"\"b"),
            ("'''a\r\nb\rc'''", "a\nb\nc"),
            ("''", ""),
        ] {
            let meant = Literal::String(meant.to_owned());
            assert_eq!(read(written), Some(meant), "{written}");
        }
    }

    #[test]
    fn bytes_are_unescaped_as_cel_says() {
        for (written, meant) in [
            (r"b'\xff\377é'", &b"\xff\xff\xc3\xa9"[..]),
            (r"B'''a'b'''", b"a'b"),
            (r"br'\n'", b"\\n"),
        ] {
            assert_eq!(
                read(written),
                Some(Literal::Bytes(meant.into())),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for written in [
            "'a",
            "'a\nb'",
            r"'\'",
            r"'\q'",
            r"'\x4'",
            r"'\x+1'",
            r"'\u12'",
            r"'\ud800'",
            r"b'\u0041'",
            r"'\400'",
            r"'\08'",
            "'''a''",
            r"'\uéé'",
        ] {
            assert!(quoted(written).is_err(), "{written}");
        }
    }

    #[test]
    fn numbers_are_whole_unless_they_have_a_fraction_or_an_exponent() {
        for (written, meant, rest) in [
            ("12", Literal::Int(Digits(12)), ""),
            ("0x1Fu", Literal::Uint(31), ""),
            ("7U)", Literal::Uint(7), ")"),
            ("1.5e-1", Literal::Double(0.15), ""),
            (".5", Literal::Double(0.5), ""),
            ("1e3", Literal::Double(1000.0), ""),
            ("1.first()", Literal::Int(Digits(1)), ".first()"),
            ("1e", Literal::Int(Digits(1)), "e"),
        ] {
            assert_eq!(number(written).unwrap(), Some((meant, rest)), "{written}");
        }
        for written in ["99999999999999999999", "0x", "1e999"] {
            assert!(number(written).is_err(), "{written}");
        }
        assert_eq!(number("a1").unwrap(), None);
        assert_eq!(Digits(1 << 63).signed(true), Some(i64::MIN));
        assert_eq!(Digits(1 << 63).signed(false), None);
    }
}
