//! Functions of texts: those of the standard library, and the extension of cel-go.
//!
//! Positions count characters. Formatting is in `format`, regular expressions in `regexes`.

use super::{
    super::value::{List, Text},
    Declared, Failure, Meter, Value,
};

type Outcome<'v> = Result<Value<'v>, Failure>;

pub(super) const FUNCTIONS: &[Declared] = &[
    Declared {
        name: "contains",
        signatures: &["string.(string) -> bool"],
        apply: |arguments, meter| test(arguments, meter, |text, part| text.contains(part)),
    },
    Declared {
        name: "startsWith",
        signatures: &["string.(string) -> bool"],
        apply: |arguments, meter| test(arguments, meter, |text, part| text.starts_with(part)),
    },
    Declared {
        name: "endsWith",
        signatures: &["string.(string) -> bool"],
        apply: |arguments, meter| test(arguments, meter, |text, part| text.ends_with(part)),
    },
    Declared {
        name: "charAt",
        signatures: &["string.(int) -> string"],
        apply: |arguments, meter| match arguments {
            [Value::String(text), Value::Int(index)] => {
                let text = looked_at(text, meter)?;
                let end = position(text, *index).ok_or(OUT_OF_RANGE)?;
                let after = text.get(end..).unwrap_or_default();
                Ok(Value::text(after.chars().take(1).collect::<String>()))
            }
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "indexOf",
        signatures: &["string.(string) -> int", "string.(string, int) -> int"],
        apply: index_of,
    },
    Declared {
        name: "lastIndexOf",
        signatures: &["string.(string) -> int", "string.(string, int) -> int"],
        apply: last_index_of,
    },
    Declared {
        name: "lowerAscii",
        signatures: &["string.() -> string"],
        apply: |arguments, meter| change(arguments, meter, str::to_ascii_lowercase),
    },
    Declared {
        name: "upperAscii",
        signatures: &["string.() -> string"],
        apply: |arguments, meter| change(arguments, meter, str::to_ascii_uppercase),
    },
    Declared {
        name: "reverse",
        signatures: &["string.() -> string"],
        apply: |arguments, meter| change(arguments, meter, |text| text.chars().rev().collect()),
    },
    Declared {
        name: "trim",
        signatures: &["string.() -> string"],
        apply: |arguments, meter| change(arguments, meter, |text| text.trim().to_owned()),
    },
    Declared {
        name: "strings.quote",
        signatures: &["(string) -> string"],
        apply: |arguments, meter| change(arguments, meter, quoted),
    },
    Declared {
        name: "join",
        signatures: &[
            "list(string).() -> string",
            "list(string).(string) -> string",
        ],
        apply: |arguments, meter| match arguments {
            [Value::List(list)] => join(list, "", meter),
            [Value::List(list), Value::String(between)] => join(list, between.as_str(), meter),
            _ => Err(Failure::no_such_overload()),
        },
    },
    Declared {
        name: "replace",
        signatures: &[
            "string.(string, string) -> string",
            "string.(string, string, int) -> string",
        ],
        apply: replace,
    },
    Declared {
        name: "split",
        signatures: &[
            "string.(string) -> list(string)",
            "string.(string, int) -> list(string)",
        ],
        apply: split,
    },
    Declared {
        name: "substring",
        signatures: &["string.(int) -> string", "string.(int, int) -> string"],
        apply: substring,
    },
];

const OUT_OF_RANGE: Failure = Failure::of("index out of range");
const NOT_FOUND: Outcome<'static> = Ok(Value::Int(-1));

/// The text, when what looking at all of it costs is paid.
fn looked_at<'t>(text: &'t Text<'_>, meter: &mut Meter<'_>) -> Result<&'t str, Failure> {
    meter.look_at(text.as_str().len())?;
    Ok(text.as_str())
}

fn test<'v>(
    arguments: &[Value<'v>],
    meter: &mut Meter<'_>,
    holds: fn(&str, &str) -> bool,
) -> Outcome<'v> {
    match arguments {
        [Value::String(text), Value::String(part)] => {
            let text = looked_at(text, meter)?;
            Ok(Value::Bool(holds(text, looked_at(part, meter)?)))
        }
        _ => Err(Failure::no_such_overload()),
    }
}

/// A text made of one, and at most twice as long.
fn change<'v>(
    arguments: &[Value<'v>],
    meter: &mut Meter<'_>,
    changed: fn(&str) -> String,
) -> Outcome<'v> {
    match arguments {
        [Value::String(text)] => {
            meter.make(2 * text.as_str().len() + 2)?;
            Ok(Value::text(changed(text.as_str())))
        }
        _ => Err(Failure::no_such_overload()),
    }
}

/// Where in the text, in bytes, the character of this index begins; the end counts, what is beyond does not.
fn position(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    let starts = text.char_indices().map(|(start, _)| start);
    starts.chain([text.len()]).nth(index)
}

/// How many characters are before this byte.
fn index_at(text: &str, position: usize) -> Outcome<'static> {
    Value::count(text.get(..position).unwrap_or(text).chars().count())
}

fn index_of<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    let (text, part, from) = match arguments {
        [Value::String(text), Value::String(part)] => (text, part, 0),
        [Value::String(text), Value::String(part), Value::Int(from)] => (text, part, *from),
        _ => return Err(Failure::no_such_overload()),
    };
    let (text, part) = (looked_at(text, meter)?, looked_at(part, meter)?);
    match (part.is_empty(), from < 0, position(text, from)) {
        (true, ..) => Ok(Value::Int(from)),
        (false, true, _) => Err(OUT_OF_RANGE),
        (false, false, from) => {
            let from = from.unwrap_or(text.len());
            let found = text.get(from..).unwrap_or_default().find(part);
            found.map_or(NOT_FOUND, |found| index_at(text, from + found))
        }
    }
}

fn last_index_of<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    let (text, part, most) = match arguments {
        [Value::String(text), Value::String(part)] => (text, part, None),
        [Value::String(text), Value::String(part), Value::Int(most)] => (text, part, Some(*most)),
        _ => return Err(Failure::no_such_overload()),
    };
    let (text, part) = (looked_at(text, meter)?, looked_at(part, meter)?);
    let most = match most {
        Some(most) if part.is_empty() => return Ok(Value::Int(most)),
        Some(most) if most < 0 => return Err(OUT_OF_RANGE),
        Some(most) => match position(text, most).filter(|most| *most < text.len()) {
            Some(most) => most,
            None => return NOT_FOUND,
        },
        None => text.len(),
    };
    // What begins there at the latest ends so many bytes later; an end within a character is of no match.
    let end = most.saturating_add(part.len()).min(text.len());
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end));
    let before = text.get(..end.unwrap_or_default()).unwrap_or_default();
    let found = before.rfind(part);
    found.map_or(NOT_FOUND, |found| index_at(text, found))
}

fn substring<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    let (text, start, end) = match arguments {
        [Value::String(text), Value::Int(start)] => (text, *start, None),
        [Value::String(text), Value::Int(start), Value::Int(end)] => (text, *start, Some(*end)),
        _ => return Err(Failure::no_such_overload()),
    };
    meter.make(text.as_str().len())?;
    let text = text.as_str();
    let start = position(text, start).ok_or(OUT_OF_RANGE)?;
    let end = match end {
        Some(end) => position(text, end).ok_or(OUT_OF_RANGE)?,
        None => text.len(),
    };
    let part = text.get(start..end);
    part.map(Value::text)
        .ok_or(Failure::of("invalid substring range"))
}

fn join<'v>(list: &List<'v>, between: &str, meter: &mut Meter<'_>) -> Outcome<'v> {
    let mut joined = String::new();
    for (index, item) in list.items().enumerate() {
        let Value::String(item) = item else {
            return Err(Failure::no_such_overload());
        };
        meter.spend(1)?;
        let between = if index == 0 { "" } else { between };
        meter.make(between.len() + item.as_str().len())?;
        joined.push_str(between);
        joined.push_str(item.as_str());
    }
    Ok(Value::text(joined))
}

fn replace<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    let (text, old, new, most) = match arguments {
        [Value::String(text), Value::String(old), Value::String(new)] => (text, old, new, -1),
        [
            Value::String(text),
            Value::String(old),
            Value::String(new),
            Value::Int(most),
        ] => (text, old, new, *most),
        _ => return Err(Failure::no_such_overload()),
    };
    let (text, old, new) = (
        looked_at(text, meter)?,
        looked_at(old, meter)?,
        new.as_str(),
    );
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let count = text.matches(old).take(most).count();
    meter.make(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(Value::text(text.replacen(old, new, count)))
}

fn split<'v>(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Outcome<'v> {
    let (text, at, most) = match arguments {
        [Value::String(text), Value::String(at)] => (text, at, -1),
        [Value::String(text), Value::String(at), Value::Int(most)] => (text, at, *most),
        _ => return Err(Failure::no_such_overload()),
    };
    let (text, at) = (looked_at(text, meter)?, looked_at(at, meter)?);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let parts: Box<dyn Iterator<Item = &str>> = if at.is_empty() {
        Box::new(characters(text, most))
    } else {
        Box::new(text.splitn(most, at))
    };
    let mut items = Vec::new();
    for part in parts {
        meter.spend(1)?;
        meter.make(part.len() + 2 * size_of::<Value<'_>>())?;
        items.push(Value::text(part));
    }
    Ok(Value::list(items))
}

/// The characters of a text, the last of so many parts being all that is left.
fn characters(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let last = most.saturating_sub(1);
    let starts = text.char_indices().map(|(start, _)| start).take(most);
    starts.enumerate().map(move |(index, start)| {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.chars().next().map_or(0, char::len_utf8);
        let length = if index == last { rest.len() } else { length };
        rest.get(..length).unwrap_or_default()
    })
}

/// A text in double quotes, with what is special escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        let escaped = match character {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            plain => {
                quoted.push(plain);
                continue;
            }
        };
        quoted.push_str(escaped);
    }
    quoted.push('"');
    quoted
}
