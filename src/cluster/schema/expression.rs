//! Bounds on the text of a rule, so that a hostile one is refused before a parser recurses into it.
//!
//! What a rule may cost once it is understood is counted elsewhere.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde_json::Value;

/// The longest rule, in bytes.
const MAX_BYTES: usize = 4 * 1024;
/// How deep brackets may nest in a rule.
const MAX_NESTING: usize = 64;
/// Stack for parsing and evaluating a rule at these bounds, in bytes; it is only reserved, not used up.
const STACK_BYTES: usize = 64 << 20;

/// Why a rule is not even parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unbounded {
    TooLong,
    TooDeep,
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the expression is longer than {MAX_BYTES} bytes"),
            Self::TooDeep => write!(f, "the expression nests more than {MAX_NESTING} brackets"),
        }
    }
}

/// Refuses rules of a schema node, as written under `x-kubernetes-validations`, that are out of bounds.
pub(super) fn check_all(rules: &Value) -> Result<(), (usize, Unbounded)> {
    let rules = rules.as_array().into_iter().flatten();
    for (position, rule) in rules.enumerate() {
        for field in ["rule", "messageExpression"] {
            let text = rule.get(field).and_then(Value::as_str).unwrap_or_default();
            check(text).map_err(|unbounded| (position, unbounded))?;
        }
    }
    Ok(())
}

/// Refuses a rule that is too long or whose brackets nest too deep.
fn check(rule: &str) -> Result<(), Unbounded> {
    if rule.len() > MAX_BYTES {
        return Err(Unbounded::TooLong);
    }
    let mut depth = 0_usize;
    for character in rule.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(Unbounded::TooDeep);
        }
    }
    Ok(())
}

/// Runs what recurses over a rule with stack enough for any rule that passes [`check`]; nothing if the engine panics.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| stacker::grow(STACK_BYTES, work))).ok()
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;

    use super::*;

    #[test]
    fn rules_beyond_the_bounds_are_refused() {
        let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(check(&nested(MAX_NESTING)), Ok(()));
        assert_eq!(check(&nested(MAX_NESTING + 1)), Err(Unbounded::TooDeep));
        assert_eq!(check(&"a".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(check(&"a".repeat(MAX_BYTES + 1)), Err(Unbounded::TooLong));
        let loops = (0..100).fold("true".to_owned(), |inner, _| {
            format!("self.all(x, {inner})")
        });
        assert_eq!(check(&loops), Err(Unbounded::TooDeep));
    }

    #[test]
    fn rules_at_the_bounds_fit_the_stack() {
        let repeated = |part: &str| part.repeat(MAX_BYTES / part.len() - 4);
        let loops = (0..MAX_NESTING).fold("true".to_owned(), |inner, _| {
            format!("self.all(x, {inner})")
        });
        for rule in [
            loops,
            format!("{}true", repeated("!")),
            format!("{}1", repeated("-")),
            format!("a{}", repeated(".b")),
            format!("a{}", repeated("[0]")),
            format!("1{}", repeated("+1")),
            format!("true{}", repeated("&&true")),
            format!("{}1", repeated("true?1:")),
        ] {
            assert_eq!(check(&rule), Ok(()));
            contained(|| Program::compile(&rule).map(|program| format!("{program:?}")));
        }
    }
}
