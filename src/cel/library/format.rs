//! `format`: a text with values put into it, as cel-go does it for the locale that has none.
//!
//! What `printf` can do beyond that is refused.

use super::{
    super::{
        number,
        value::{List, Map, Text},
    },
    Declared, Failure, Meter, Value,
    conversions::text_of,
};

pub(super) const FUNCTIONS: &[Declared] = &[Declared {
    name: "format",
    signatures: &["string.(list(dyn)) -> string"],
    apply: |arguments, meter| match arguments {
        [Value::String(template), Value::List(values)] => {
            formatted(template.as_str(), values, meter).map(Value::text)
        }
        _ => Err(Failure::no_such_overload()),
    },
}];

/// How many decimals there are unless a clause says it.
const PRECISION: usize = 6;
/// The most decimals.
const MAX_PRECISION: usize = 100;

fn formatted(template: &str, values: &List<'_>, meter: &mut Meter<'_>) -> Result<String, Failure> {
    let (mut made, mut rest, mut index) = (String::new(), template, 0);
    while let Some((plain, clause)) = rest.split_once('%') {
        push(&mut made, plain, meter)?;
        if let Some(after) = clause.strip_prefix('%') {
            push(&mut made, "%", meter)?;
            rest = after;
            continue;
        }
        let (precision, clause) = precision(clause)?;
        let mut characters = clause.chars();
        let verb = characters
            .next()
            .ok_or(Failure::of("unexpected end of format string"))?;
        rest = characters.as_str();
        let value = values
            .at(index)
            .ok_or(Failure::of("format: too few values"))?;
        index += 1;
        let text = written(verb, precision, &value, meter)?;
        push(&mut made, &text, meter)?;
    }
    push(&mut made, rest, meter)?;
    Ok(made)
}

fn push(made: &mut String, text: &str, meter: &mut Meter<'_>) -> Result<(), Failure> {
    meter.spend(1)?;
    meter.make(text.len())?;
    made.push_str(text);
    Ok(())
}

fn precision(clause: &str) -> Result<(Option<usize>, &str), Failure> {
    let Some(digits) = clause.strip_prefix('.') else {
        return Ok((None, clause));
    };
    let (digits, rest) = super::super::token::split_where(digits, |it| !it.is_ascii_digit());
    let precision = digits.parse().ok().filter(|it| *it <= MAX_PRECISION);
    match precision {
        Some(precision) => Ok((Some(precision), rest)),
        None => Err(Failure::of(
            "format: the precision is not a number up to 100",
        )),
    }
}

fn written(
    verb: char,
    precision: Option<usize>,
    value: &Value<'_>,
    meter: &mut Meter<'_>,
) -> Result<String, Failure> {
    let decimals = precision.unwrap_or(PRECISION);
    match verb {
        's' => {
            let mut text = String::new();
            spell(value, &mut text, meter)?;
            Ok(text)
        }
        'd' => decimal(value),
        'f' => fixed(value, |value| format!("{value:.decimals$}")),
        'e' => fixed(value, |value| {
            number::with_exponent(&format!("{value:.decimals$e}"))
        }),
        'b' => match value {
            Value::Bool(value) => Ok(u8::from(*value).to_string()),
            other => based(other, |value| format!("{value:b}")),
        },
        'o' => based(value, |value| format!("{value:o}")),
        'x' => hexadecimal(value, meter),
        'X' => Ok(hexadecimal(value, meter)?.to_ascii_uppercase()),
        _ => Err(Failure::of("format: unrecognized formatting clause")),
    }
}

fn decimal(value: &Value<'_>) -> Result<String, Failure> {
    match value {
        Value::Int(value) => Ok(value.to_string()),
        Value::Uint(value) => Ok(value.to_string()),
        Value::Double(value) => Ok(plain(*value)),
        _ => Err(Failure::of("format: %d is for numbers")),
    }
}

/// A number with as many decimals as it has.
fn plain(value: f64) -> String {
    word(value).map_or_else(|| value.to_string(), str::to_owned)
}

/// The word for what is not a finite number.
fn word(value: f64) -> Option<&'static str> {
    number::special(value, ["NaN", "Infinity", "-Infinity"])
}

fn fixed(value: &Value<'_>, write: impl Fn(f64) -> String) -> Result<String, Failure> {
    let value = match value {
        Value::Double(value) => *value,
        Value::Int(value) => number::double((*value).into()),
        Value::Uint(value) => number::double((*value).into()),
        _ => return Err(Failure::of("format: %f and %e are for numbers")),
    };
    Ok(word(value).map_or_else(|| write(value), str::to_owned))
}

/// A whole number in another base than ten, with its sign in front.
fn based(value: &Value<'_>, write: impl Fn(u64) -> String) -> Result<String, Failure> {
    match value {
        Value::Int(value) => {
            let sign = if *value < 0 { "-" } else { "" };
            Ok(format!("{sign}{}", write(value.unsigned_abs())))
        }
        Value::Uint(value) => Ok(write(*value)),
        _ => Err(Failure::of("format: %b, %o and %x are for whole numbers")),
    }
}

fn hexadecimal(value: &Value<'_>, meter: &mut Meter<'_>) -> Result<String, Failure> {
    let bytes = match value {
        Value::String(text) => text.as_str().as_bytes(),
        Value::Bytes(bytes) => bytes,
        other => return based(other, |value| format!("{value:x}")),
    };
    meter.make(bytes.len().saturating_mul(2))?;
    Ok(hex::encode(bytes))
}

/// A value as `%s` writes it.
fn spell(value: &Value<'_>, into: &mut String, meter: &mut Meter<'_>) -> Result<(), Failure> {
    match value {
        Value::Null => push(into, "null", meter),
        Value::Type(name) => push(into, name, meter),
        Value::Double(value) => push(into, &plain(*value), meter),
        Value::Bytes(bytes) => {
            meter.look_at(bytes.len())?;
            push(into, &String::from_utf8_lossy(bytes), meter)
        }
        Value::List(list) => {
            push(into, "[", meter)?;
            for (index, item) in list.items().enumerate() {
                push(into, if index == 0 { "" } else { ", " }, meter)?;
                spell(&item, into, meter)?;
            }
            push(into, "]", meter)
        }
        Value::Map(map) => spell_map(map, into, meter),
        other => {
            let text: Text<'_> = text_of(other, meter)?;
            push(into, text.as_str(), meter)
        }
    }
}

/// The entries of a map, in the order of their keys as they are written.
fn spell_map(map: &Map<'_>, into: &mut String, meter: &mut Meter<'_>) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for (key, item) in map.entries() {
        let mut written = String::new();
        spell(&key, &mut written, meter)?;
        let length = written.len();
        push(&mut written, ": ", meter)?;
        spell(&item, &mut written, meter)?;
        entries.push((written, length));
    }
    entries.sort_by(|(one, length), (other, other_length)| {
        one.get(..*length).cmp(&other.get(..*other_length))
    });
    let entries: Vec<_> = entries.into_iter().map(|(written, _)| written).collect();
    push(into, "{", meter)?;
    push(into, &entries.join(", "), meter)?;
    push(into, "}", meter)
}
