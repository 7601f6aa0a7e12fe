//! Which types a function takes and gives, written as one reads it.
//!
//! `(int, int) -> int` is called as `f(1, 2)`, and `string.(int) -> string` as `text.f(1)`.

use super::{token::split_where, types::Type};

/// One way to call a function; what stands before the dot is the first of the arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) is_member: bool,
    pub(super) arguments: Vec<Type>,
    pub(super) result: Type,
}

impl Signature {
    /// Reads a signature; nothing when it is not written as it should be.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (receiver, rest) = if let Some(rest) = text.strip_prefix('(') {
            (None, rest)
        } else {
            let (receiver, rest) = read_type(text)?;
            (Some(receiver), rest.strip_prefix(".(")?)
        };
        let is_member = receiver.is_some();
        let (arguments, rest) = read_types(rest)?;
        let (result, rest) = read_type(rest.strip_prefix(" -> ")?)?;
        rest.is_empty().then(|| Self {
            is_member,
            arguments: receiver.into_iter().chain(arguments).collect(),
            result,
        })
    }
}

/// Types up to the closing parenthesis.
fn read_types(mut text: &str) -> Option<(Vec<Type>, &str)> {
    let mut types = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix(')') {
            return Some((types, rest));
        }
        let (next, rest) = read_type(text)?;
        types.push(next);
        text = rest.strip_prefix(", ").unwrap_or(rest);
    }
}

fn read_type(text: &str) -> Option<(Type, &str)> {
    let (name, rest) = split_where(text, |character| !character.is_ascii_alphabetic());
    let simple = match name {
        "list" | "map" | "optional" => {
            let (parts, rest) = read_types(rest.strip_prefix('(')?)?;
            let whole = match (name, parts.as_slice()) {
                ("list", [of]) => Type::list(of.clone()),
                ("optional", [of]) => Type::optional(of.clone()),
                ("map", [keys, values]) => Type::map(keys.clone(), values.clone()),
                _ => return None,
            };
            return Some((whole, rest));
        }
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "type" => Type::OfTypes,
        "A" => Type::Parameter('A'),
        "B" => Type::Parameter('B'),
        _ => return None,
    };
    Some((simple, rest))
}
