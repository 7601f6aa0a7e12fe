//! The functions that expressions can call: what each takes, what it gives, and what it does.
//!
//! They are those that Flux lets filters use: the standard library of CEL, and the extensions for texts, sets,
//! encodings and optional values. What looks like a function but binds a name or skips an argument is a macro or a
//! special form, and not here.

mod conversions;
mod encoders;
mod format;
mod lists;
mod operators;
mod optionals;
mod regexes;
mod strings;
mod times;

use std::{collections::BTreeMap, sync::LazyLock};

pub(super) use self::{regexes::Pattern, times::is_zone};
use super::{meter::Meter, problem::Failure, signature::Signature, value::Value};

/// What a function does with its arguments; what stands before the dot is the first of them.
pub(super) type Apply =
    for<'v> fn(arguments: &[Value<'v>], meter: &mut Meter<'_>) -> Result<Value<'v>, Failure>;

/// A function as it is declared.
struct Declared {
    name: &'static str,
    signatures: &'static [&'static str],
    apply: Apply,
}

/// A function that can be called.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) signatures: Vec<Signature>,
    pub(super) apply: Apply,
}

/// All that is declared, file by file.
const DECLARED: [&[Declared]; 9] = [
    operators::FUNCTIONS,
    conversions::FUNCTIONS,
    strings::FUNCTIONS,
    format::FUNCTIONS,
    regexes::FUNCTIONS,
    times::FUNCTIONS,
    lists::FUNCTIONS,
    encoders::FUNCTIONS,
    optionals::FUNCTIONS,
];

static FUNCTIONS: LazyLock<BTreeMap<&'static str, Function>> = LazyLock::new(|| {
    let function = |declared: &Declared| {
        let signatures = declared.signatures.iter();
        Function {
            signatures: signatures
                .filter_map(|text| Signature::read(text))
                .collect(),
            apply: declared.apply,
        }
    };
    let declared = DECLARED.into_iter().flatten();
    declared.map(|it| (it.name, function(it))).collect()
});

/// The function of this name.
pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name)
}

/// What a name means that is a type.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    const TYPES: [&str; 13] = [
        "null_type",
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "google.protobuf.Duration",
        "google.protobuf.Timestamp",
        "type",
        "optional_type",
    ];
    TYPES.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_can_be_read_and_every_name_is_declared_once() {
        let declared: Vec<_> = DECLARED.into_iter().flatten().collect();
        assert_eq!(declared.len(), FUNCTIONS.len());
        for Declared {
            name, signatures, ..
        } in declared
        {
            assert!(!signatures.is_empty(), "{name}");
            for signature in *signatures {
                assert!(Signature::read(signature).is_some(), "{name}: {signature}");
            }
        }
    }
}
