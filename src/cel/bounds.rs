//! What an expression may be at most, so that a hostile one is refused before anything recurses into it.
//!
//! `meter` counts what an evaluation has cost; what an expression means is not known here.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 4 * 1024;
/// How deep brackets may nest in an expression.
const MAX_NESTING: usize = 64;
/// How deep the operations of an expression may nest.
pub(super) const MAX_DEPTH: usize = 120;
/// What an evaluation may cost at most, in steps: each operation is one, and each that looks at many bytes is more.
pub const MAX_COST: u64 = 4_000_000;
/// How many bytes of values an evaluation may make.
pub const MAX_MADE_BYTES: u64 = 32 << 20;
/// Stack for parsing and evaluating an expression at these bounds, in bytes; it is only reserved, not used up.
const STACK_BYTES: usize = 64 << 20;

/// Why an expression is not even parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Unbounded {
    #[error("the expression is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the expression nests more than {MAX_NESTING} brackets")]
    TooDeep,
}

/// Refuses an expression that is too long or whose brackets nest too deep.
pub fn check(expression: &str) -> Result<(), Unbounded> {
    if expression.len() > MAX_BYTES {
        return Err(Unbounded::TooLong);
    }
    let mut depth = 0_usize;
    for character in expression.chars() {
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

/// Runs what recurses over an expression with stack enough for any that passes [`check`]; nothing if it panics.
pub fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| stacker::grow(STACK_BYTES, work))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_beyond_the_bounds_are_refused() {
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
    fn a_panic_is_contained() {
        assert_eq!(contained(|| 1), Some(1));
        assert_eq!(contained(|| panic!("contained")), None::<()>);
    }
}
