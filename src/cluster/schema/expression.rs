//! Bounds on the text of a rule, so that a hostile one is refused before a parser recurses into it.
//!
//! The bounds are those of all expressions; what a rule may cost once it is understood is counted elsewhere.

use std::fmt;

use serde_json::Value;

use crate::cel::{self, Unbounded};

/// How often `!` or `-` may stand twice in a row: each time the parser of the engine does all that follows twice.
const MAX_DOUBLED_SIGNS: usize = 8;

/// Why a rule is not even given to the engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unbounded(Unbounded),
    Repeated,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded(unbounded) => unbounded.fmt(f),
            Self::Repeated => write!(
                f,
                "the expression has `!` or `-` twice in a row more than {MAX_DOUBLED_SIGNS} times"
            ),
        }
    }
}

/// Refuses rules of a schema node, as written under `x-kubernetes-validations`, that are out of bounds.
pub(super) fn check_all(rules: &Value) -> Result<(), (usize, Refused)> {
    let rules = rules.as_array().into_iter().flatten();
    for (position, rule) in rules.enumerate() {
        for field in ["rule", "messageExpression"] {
            let text = rule.get(field).and_then(Value::as_str).unwrap_or_default();
            check(text).map_err(|refused| (position, refused))?;
        }
    }
    Ok(())
}

fn check(rule: &str) -> Result<(), Refused> {
    cel::check_bounds(rule).map_err(Refused::Unbounded)?;
    if cel::doubled_signs(rule) > MAX_DOUBLED_SIGNS {
        return Err(Refused::Repeated);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;

    use super::*;

    #[test]
    fn rules_out_of_bounds_are_refused() {
        let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(check(&nested(64)), Ok(()));
        assert_eq!(
            check(&nested(65)),
            Err(Refused::Unbounded(Unbounded::TooDeep))
        );
        let long = "a".repeat(cel::MAX_BYTES + 1);
        assert_eq!(check(&long), Err(Refused::Unbounded(Unbounded::TooLong)));
    }

    #[test]
    fn a_rule_that_takes_the_parser_for_ever_is_refused() {
        let nested = |open: &str| format!("{}true{}", open.repeat(40), ")".repeat(40));
        for rule in [
            nested("!!("),
            nested("- -("),
            nested("! \n!("),
            nested("!!(") + "'",
        ] {
            assert_eq!(check(&rule), Err(Refused::Repeated), "{rule}");
        }
        let text = format!("self.matches('^{}$') && !!true", "-".repeat(50));
        assert_eq!(check(&text), Ok(()));
        let started = std::time::Instant::now();
        let most = format!("{}true{}", "!!(".repeat(8), ")".repeat(8));
        assert_eq!(check(&most), Ok(()));
        cel::contained(|| Program::compile(&most).map(drop));
        assert!(started.elapsed().as_secs() < 10);
    }

    #[test]
    fn rules_at_the_bounds_fit_the_stack() {
        let repeated = |part: &str| part.repeat(cel::MAX_BYTES / part.len() - 4);
        let loops = (0..64).fold("true".to_owned(), |inner, _| {
            format!("self.all(x, {inner})")
        });
        for rule in [
            loops,
            format!("a{}", repeated(".b")),
            format!("a{}", repeated("[0]")),
            format!("1{}", repeated("+1")),
            format!("true{}", repeated("&&true")),
            format!("{}1", repeated("true?1:")),
        ] {
            assert_eq!(check(&rule), Ok(()));
            cel::contained(|| Program::compile(&rule).map(|program| format!("{program:?}")));
        }
    }
}
