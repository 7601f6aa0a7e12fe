//! The formats of OpenAPI that the API server checks; it ignores all others, those of numbers among them, and so do we.
//!
//! A format is only a check here; converting values for CEL is done by `rules`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use regex::Regex;

/// A format with the check that belongs to it.
#[derive(Debug)]
pub(super) struct Format {
    name: &'static str,
    check: Check,
}

#[derive(Clone, Debug)]
enum Check {
    Text(TextCheck),
    Pattern(Regex),
    None,
}

type TextCheck = fn(&str) -> bool;

/// Formats of strings that are checked by a function.
const FUNCTIONS: &[(&str, TextCheck)] = &[
    ("date-time", is_date_time),
    ("datetime", is_date_time),
    ("date", |text| {
        text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
    }),
    ("duration", is_duration),
    ("byte", |text| STANDARD.decode(text).is_ok()),
    ("ipv4", |text| text.parse::<Ipv4Addr>().is_ok()),
    ("ipv6", |text| text.parse::<Ipv6Addr>().is_ok()),
    ("cidr", is_cidr),
    ("uri", is_uri),
    ("isbn", |text| is_isbn10(text) || is_isbn13(text)),
    ("isbn10", is_isbn10),
    ("isbn13", is_isbn13),
    ("creditcard", is_credit_card),
];

/// Formats of strings that are checked by an expression.
const PATTERNS: &[(&str, &str)] = &[
    ("bsonobjectid", "^[0-9a-fA-F]{24}$"),
    (
        "email",
        r#"^[^@\s"(),:;<>\[\]\\]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"#,
    ),
    (
        "hostname",
        r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$",
    ),
    (
        "mac",
        "^([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2}|([0-9a-fA-F]{2}[:-]){2}[0-9a-fA-F]{2})$",
    ),
    (
        "uuid",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$",
    ),
    (
        "uuid3",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$",
    ),
    (
        "uuid4",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$",
    ),
    (
        "uuid5",
        "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$",
    ),
    ("ssn", r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
    ("hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    (
        "rgbcolor",
        r"^rgb\(\s*(25[0-5]|2[0-4]\d|1?\d?\d)\s*,\s*(25[0-5]|2[0-4]\d|1?\d?\d)\s*,\s*(25[0-5]|2[0-4]\d|1?\d?\d)\s*\)$",
    ),
];

impl Format {
    /// The format of that name, if the API server knows it.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "password" {
            return Some(Self {
                name: "password",
                check: Check::None,
            });
        }
        if let Some((name, check)) = FUNCTIONS.iter().find(|one| one.0 == name) {
            return Some(Self {
                name,
                check: Check::Text(*check),
            });
        }
        let (name, pattern) = PATTERNS.iter().find(|one| one.0 == name)?;
        let check = Regex::new(pattern).map_or(Check::None, Check::Pattern);
        Some(Self { name, check })
    }

    /// The name in the schema.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a string has the format.
    pub(super) fn accepts(&self, text: &str) -> bool {
        match &self.check {
            Check::Text(check) => check(text),
            Check::Pattern(pattern) => pattern.is_match(text),
            Check::None => true,
        }
    }
}

fn is_date_time(text: &str) -> bool {
    let has_zone =
        text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    let is_marked = text
        .as_bytes()
        .get(10)
        .is_some_and(|mark| matches!(mark, b'T' | b't' | b' '));
    has_zone && is_marked && text.parse::<jiff::Timestamp>().is_ok()
}

/// A Go duration, or a number with a word for a unit, such as `3 days`.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 24] = [
        "ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "w", "nano", "nanos", "micro", "micros",
        "milli", "millis", "sec", "second", "min", "minute", "hr", "hour", "day", "week",
    ];
    let mut rest = text.trim_start_matches(['+', '-']);
    if rest == "0" {
        return true;
    }
    let mut has_part = false;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |one| one.is_ascii_digit() || one == '.');
        let (unit, after) = split_while(after.trim_start(), char::is_alphabetic);
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        if number.parse::<f64>().is_err() || !(UNITS.contains(&unit) || UNITS.contains(&singular)) {
            return false;
        }
        has_part = true;
        rest = after.trim_start();
    }
    has_part
}

fn split_while(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|one| !is_part(one)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let is_plain = !length.is_empty() && length.bytes().all(|one| one.is_ascii_digit());
    let Ok(length) = length.parse::<u8>() else {
        return false;
    };
    match address.parse() {
        Ok(IpAddr::V4(_)) => is_plain && length <= 32,
        Ok(IpAddr::V6(_)) => is_plain && length <= 128,
        Err(_) => false,
    }
}

/// An absolute URI or an absolute path, as Go's `ParseRequestURI` takes them.
fn is_uri(text: &str) -> bool {
    if text.chars().any(|one| one.is_ascii_control() || one == ' ') {
        return false;
    }
    if text.starts_with('/') {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = scheme.starts_with(|one: char| one.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '+' | '-' | '.'));
    is_scheme && !rest.is_empty()
}

fn is_isbn10(text: &str) -> bool {
    let digits: Vec<u32> = text
        .chars()
        .filter(|one| !matches!(one, '-' | ' '))
        .map(|one| {
            if one == 'X' {
                10
            } else {
                one.to_digit(10).unwrap_or(11)
            }
        })
        .collect();
    let sum: u32 = digits
        .iter()
        .zip(1_u32..)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let is_number = digits.iter().take(9).all(|digit| *digit < 10);
    digits.len() == 10
        && is_number
        && digits.last().is_some_and(|last| *last < 11)
        && sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits: Vec<u32> = text
        .chars()
        .filter(|one| !matches!(one, '-' | ' '))
        .map(|one| one.to_digit(10).unwrap_or(10))
        .collect();
    let weights = [1_u32, 3].into_iter().cycle();
    let sum: u32 = digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    digits.len() == 13 && digits.iter().all(|digit| *digit < 10) && sum.is_multiple_of(10)
}

/// Digits of the right length whose Luhn sum is a multiple of ten.
fn is_credit_card(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|one| !matches!(one, '-' | ' '))
        .map(|one| one.to_digit(10))
        .collect();
    let Some(digits) = digits else { return false };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn formats_accept_what_go_accepts() {
        let cases = [
            ("date-time", "2024-01-02T03:04:05Z", true),
            ("date-time", "2024-01-02T03:04:05.123+02:00", true),
            ("date-time", "2024-01-02", false),
            ("date", "2024-02-30", false),
            ("date", "2024-02-29", true),
            ("duration", "1h30m", true),
            ("duration", "3 days", true),
            ("duration", "x", false),
            ("byte", "aGk=", true),
            ("byte", "a", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "10.0.0.256", false),
            ("ipv6", "::1", true),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("uri", "https://example.com/a", true),
            ("uri", "a b", false),
            ("hostname", "a.example.com", true),
            ("hostname", "-a", false),
            ("email", "a@example.com", true),
            ("email", "a", false),
            ("mac", "01:23:45:67:89:ab", true),
            ("uuid", "0d9e8a3e-6a3f-4c52-9c6e-2f0f1d1c7a3b", true),
            ("uuid4", "0d9e8a3e-6a3f-1c52-9c6e-2f0f1d1c7a3b", false),
            ("isbn10", "0-306-40615-2", true),
            ("isbn13", "978-0-306-40615-7", true),
            ("isbn13", "978-0-306-40615-8", false),
            ("creditcard", "4111 1111 1111 1111", true),
            ("creditcard", "4111 1111 1111 1112", false),
            ("hexcolor", "#fff", true),
            ("rgbcolor", "rgb(1, 2, 256)", false),
            ("ssn", "123-45-6789", true),
            ("bsonobjectid", "507f1f77bcf86cd799439011", true),
        ];
        for (name, text, is_right) in cases {
            let format = Format::named(name).expect("is known");
            assert_eq!(format.accepts(text), is_right, "{name} {text}");
        }
    }

    #[test]
    fn unknown_formats_are_ignored() {
        for name in ["of-our-own", "int32", "int64", "float", "double"] {
            assert!(Format::named(name).is_none(), "{name}");
        }
    }
}
