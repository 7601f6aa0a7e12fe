//! Go durations as users write them (`1h30m`, `250ms`) and as controllers print them (`1h30m0s`).
//!
//! Only the units the CRDs allow are read: `ms`, `s`, `m` and `h`; there is no sign and no bare zero.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration as StdDuration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A span of time in Go's notation; what is longer than [`u64::MAX`] nanoseconds (584 years) is read as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(StdDuration);

const LONGEST: StdDuration = StdDuration::from_nanos(u64::MAX);

/// Why a text is not a [`Duration`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a duration; write numbers with units, such as `1h30m`, `10m` or `250ms`")]
pub struct InvalidDuration(String);

impl Duration {
    /// Wraps a standard duration.
    #[must_use]
    pub const fn new(duration: StdDuration) -> Self {
        Self(duration)
    }

    /// The standard duration within.
    #[must_use]
    pub const fn get(self) -> StdDuration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .map(Self)
            .ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<StdDuration> {
    let mut rest = text;
    let mut total = StdDuration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total = total.saturating_add(parse_part(number, unit)?);
        rest = tail;
    }
    (!text.is_empty()).then_some(total.min(LONGEST))
}

fn parse_part(number: &str, unit: &str) -> Option<StdDuration> {
    let nanos_per_unit: u64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    if whole.is_empty() {
        return None;
    }
    // Only digits are left, so that the one failure is a number too large.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let mut nanos = whole.saturating_mul(nanos_per_unit);
    let mut scale = nanos_per_unit;
    for digit in fraction.chars() {
        scale /= 10;
        nanos = nanos.saturating_add(u64::from(digit.to_digit(10)?) * scale);
    }
    Some(StdDuration::from_nanos(nanos))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0;
        if total.is_zero() {
            return f.write_str("0s");
        }
        if total < StdDuration::from_secs(1) {
            return write!(f, "{}ms", decimal(total.as_nanos(), 1_000_000));
        }
        let (hours, minutes) = (total.as_secs() / 3600, total.as_secs() / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let nanos =
            u128::from(total.as_secs() % 60) * 1_000_000_000 + u128::from(total.subsec_nanos());
        write!(f, "{}s", decimal(nanos, 1_000_000_000))
    }
}

fn decimal(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        (nanos / unit).to_string()
    } else {
        format!("{}.{fraction}", nanos / unit)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, printed: &str) {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(duration.to_string(), printed, "{text}");
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        check("10m", "10m0s");
        check("1h", "1h0m0s");
        check("90s", "1m30s");
        check("1h30m", "1h30m0s");
        check("1.5s", "1.5s");
        check("250ms", "250ms");
        check("0.25ms", "0.25ms");
        check("0s", "0s");
        check("100h", "100h0m0s");
    }

    #[test]
    fn what_the_crd_pattern_admits_is_read_however_long() {
        let longest = LONGEST.as_nanos();
        for text in [
            "99999999999999999999h",
            "9999999h",
            "5124095h99999999999m",
            "5124095.99999999999999999999h",
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.get().as_nanos(), longest, "{text}");
        }
    }

    #[test]
    fn what_the_crd_pattern_refuses_is_refused() {
        for text in ["", "10", "m", "-1s", "1d", "1.s", ".5s", "1s ", "1µs"] {
            assert!(text.parse::<Duration>().is_err(), "{text:?}");
        }
    }
}
