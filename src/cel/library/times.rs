//! Moments and spans of time: how they are written, and the parts of them.
//!
//! Time zones are UTC and fixed offsets, since a table of zones is not part of the program.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
    tz::{Offset, TimeZone},
};

use super::{super::token::split_where, Declared, Failure, Value};

/// Nanoseconds in each unit of a duration, longer names first.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000),
    ("μs", 1000),
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// Seconds since 1970 at the first moment of CEL, the beginning of the year 1; the last one is that of `jiff`.
const FIRST: i64 = -62_135_596_800;

const OF_MOMENTS: &[&str] = &["timestamp.() -> int", "timestamp.(string) -> int"];
const OF_BOTH: &[&str] = &[
    "timestamp.() -> int",
    "timestamp.(string) -> int",
    "duration.() -> int",
];

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "getFullYear",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |moment| moment.year().into(), None),
    },
    Declared {
        name: "getMonth",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |moment| i64::from(moment.month()) - 1, None),
    },
    Declared {
        name: "getDayOfYear",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |it| i64::from(it.day_of_year()) - 1, None),
    },
    Declared {
        name: "getDayOfMonth",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |moment| i64::from(moment.day()) - 1, None),
    },
    Declared {
        name: "getDate",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |moment| moment.day().into(), None),
    },
    Declared {
        name: "getDayOfWeek",
        signatures: OF_MOMENTS,
        apply: |arguments, _| part(arguments, |moment| since_sunday(moment.weekday()), None),
    },
    Declared {
        name: "getHours",
        signatures: OF_BOTH,
        apply: |arguments, _| part(arguments, |it| it.hour().into(), Some(3_600_000_000_000)),
    },
    Declared {
        name: "getMinutes",
        signatures: OF_BOTH,
        apply: |arguments, _| part(arguments, |it| it.minute().into(), Some(60_000_000_000)),
    },
    Declared {
        name: "getSeconds",
        signatures: OF_BOTH,
        apply: |arguments, _| part(arguments, |it| it.second().into(), Some(1_000_000_000)),
    },
    Declared {
        name: "getMilliseconds",
        signatures: OF_BOTH,
        apply: |arguments, _| part(arguments, |it| it.millisecond().into(), Some(1_000_000)),
    },
];

/// A part of a moment, or of a span as a number of such units of nanoseconds.
fn part<'v>(
    arguments: &[Value<'v>],
    of_moment: fn(&jiff::Zoned) -> i64,
    unit: Option<i64>,
) -> Result<Value<'v>, Failure> {
    let (moment, zone) = match (arguments, unit) {
        ([Value::Duration(nanoseconds)], Some(unit)) => {
            return Ok(Value::Int(nanoseconds / unit));
        }
        ([Value::Timestamp(moment)], _) => (*moment, TimeZone::UTC),
        ([Value::Timestamp(moment), Value::String(zone)], _) => {
            let zone = zone_named(zone.as_str());
            (*moment, zone.ok_or(Failure::of("unknown time zone"))?)
        }
        _ => return Err(Failure::no_such_overload()),
    };
    Ok(Value::Int(of_moment(&moment.to_zoned(zone))))
}

fn since_sunday(day: Weekday) -> i64 {
    day.to_sunday_zero_offset().into()
}

/// Whether the name of a time zone can be understood.
pub(crate) fn is_zone(name: &str) -> bool {
    zone_named(name).is_some()
}

/// UTC, or an offset such as `+02:00` or `-8:00`.
fn zone_named(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let (hours, minutes) = name.split_once(':')?;
    let (sign, hours) = match hours.strip_prefix('-') {
        Some(hours) => (-1, hours),
        None => (1, hours.strip_prefix('+').unwrap_or(hours)),
    };
    let number = |digits: &str| {
        let are_digits = digits.chars().all(|digit| digit.is_ascii_digit());
        digits.parse::<i32>().ok().filter(|_| are_digits)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
    Some(TimeZone::fixed(offset))
}

/// Whether a moment is one of CEL's.
pub(super) fn is_in_range(moment: &Timestamp) -> bool {
    moment.as_second() >= FIRST
}

/// The moment so many seconds after 1970.
pub(super) fn at(seconds: i64) -> Option<Timestamp> {
    let moment = Timestamp::from_second(seconds).ok()?;
    is_in_range(&moment).then_some(moment)
}

/// Reads a moment as RFC 3339 writes it.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let (clock, zone) = match time.strip_suffix('Z') {
        Some(clock) => (clock, "Z"),
        None => time.split_at_checked(time.len().checked_sub(6)?)?,
    };
    let is = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .chars()
                .zip(shape.chars())
                .all(|(found, wanted)| found == wanted || wanted == '0' && found.is_ascii_digit())
    };
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
    let is_whole = is(date, "0000-00-00") && is(seconds, "00:00:00") && is_number(fraction);
    let is_zone = zone == "Z" || is(zone, "+00:00") || is(zone, "-00:00");
    if !is_whole || !is_zone || date.parse::<Date>().is_err() {
        return None;
    }
    let moment: Timestamp = text.parse().ok()?;
    is_in_range(&moment).then_some(moment)
}

/// Reads a span of time as Go writes it, such as `1h30m` or `-1.5s`, in nanoseconds.
pub(super) fn read_duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    loop {
        let (number, after) = split_where(rest, |it| !it.is_ascii_digit() && it != '.');
        let (name, unit) = UNITS.iter().find(|(name, _)| after.starts_with(name))?;
        total = total.checked_add(scaled(number, *unit)?)?;
        rest = after.strip_prefix(name)?;
        if rest.is_empty() {
            return i64::try_from(sign * total).ok();
        }
    }
}

/// A decimal number of units; what is less than a nanosecond is left out.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || whole.len() > 19 {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let (mut part, mut place) = (0, unit);
    for digit in fraction.chars().take(18) {
        part = part * 10 + i128::from(digit.to_digit(10)?);
        place *= 10;
    }
    Some(whole * unit + part * unit * unit / place)
}

/// A span of time as CEL writes it: seconds, with as many decimals as there are.
pub(super) fn duration_text(nanoseconds: i64) -> String {
    let span = SignedDuration::from_nanos(nanoseconds);
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = format!("{:09}", span.subsec_nanos().unsigned_abs());
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}s", span.as_secs().unsigned_abs())
}
