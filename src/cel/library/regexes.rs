//! Regular expressions, compiled within bounds and matched at a price.
//!
//! The engine takes linear time, but for each state of the expression; so the size of the expression counts.

use regex::{Regex, RegexBuilder};

use super::{Declared, Failure, Meter, Value};

/// The sizes that a compiled expression may have, in bytes; the last one is the limit.
const SIZES: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// What trying one of these sizes costs, in steps for each byte of it.
const BYTES_PER_STEP: usize = 64;

/// A regular expression that is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    size: usize,
}

impl Pattern {
    /// Compiles an expression; nothing when it is none, or too large.
    pub(crate) fn compile(text: &str) -> Result<Self, &'static str> {
        let sized = |size: usize| {
            let mut builder = RegexBuilder::new(text);
            let regex = builder.size_limit(size).dfa_size_limit(1 << 20).build();
            regex.map(|regex| Self { regex, size })
        };
        for size in SIZES {
            match sized(size) {
                Ok(pattern) => return Ok(pattern),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err("it is not a regular expression"),
            }
        }
        Err("the regular expression is too large")
    }

    /// Whether a text has a match.
    pub(crate) fn matches(&self, text: &str, meter: &mut Meter<'_>) -> Result<bool, Failure> {
        let states = self.size / BYTES_PER_STEP;
        meter.look_at(text.len().saturating_mul(states))?;
        Ok(self.regex.is_match(text))
    }
}

pub(super) const FUNCTIONS: &[Declared] = &[Declared {
    name: "matches",
    signatures: &["(string, string) -> bool", "string.(string) -> bool"],
    apply: |arguments, meter| match arguments {
        [Value::String(text), Value::String(pattern)] => {
            meter.spend(1000)?;
            let pattern = Pattern::compile(pattern.as_str()).map_err(Failure::of)?;
            meter.spend((pattern.size / BYTES_PER_STEP) as u64)?;
            pattern.matches(text.as_str(), meter).map(Value::Bool)
        }
        _ => Err(Failure::no_such_overload()),
    },
}];
