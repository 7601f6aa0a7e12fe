//! CEL: expressions that are compiled once and evaluated within bounds, for filters and for what proves a sender.
//!
//! It knows nothing of Receivers: which variables there are, and what a result is for, is the caller's.

mod bounds;
mod call;
mod check;
mod compare;
mod evaluate;
mod library;
mod literal;
mod macros;
mod meter;
mod node;
mod number;
mod parse;
mod problem;
mod signature;
mod syntax;
mod token;
mod types;
mod value;

pub use bounds::{
    MAX_BYTES, MAX_COST, MAX_MADE_BYTES, Unbounded, check as check_bounds, contained,
};
pub use evaluate::Variables;
pub use meter::Meter;
pub use problem::{Failure, SyntaxError, Uncompilable, Unevaluable};
pub use token::doubled_signs;
pub use value::{Key, List, Map, Text, Value};

use std::fmt;

use self::{evaluate::Evaluation, node::Node, types::Type};

/// What an expression must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A truth value, known to be one before it is evaluated.
    Bool,
    /// Anything.
    Any,
}

/// An expression that can be evaluated.
pub struct Program {
    text: String,
    node: Node,
}

impl Program {
    /// Compiles an expression in which these variables are declared, each an object.
    pub fn compile(text: &str, variables: &[&str], output: Output) -> Result<Self, Uncompilable> {
        bounds::check(text)?;
        let wrong = |error| Uncompilable::Wrong {
            expression: text.to_owned(),
            error,
        };
        let checked = contained(|| {
            let expression = parse::parse(text)?;
            check::check(text, variables, &expression)
        });
        let Some(checked) = checked else {
            let expression = text.to_owned();
            return Err(Uncompilable::Broken { expression });
        };
        let (node, found) = checked.map_err(wrong)?;
        if output == Output::Bool && found != Type::Bool {
            let found = found.to_string();
            return Err(Uncompilable::NotBool { found });
        }
        let text = text.to_owned();
        Ok(Self { text, node })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The result for these values; a variable without one is an error where it is used.
    pub fn evaluate<'v>(
        &self,
        variables: &Variables<'v>,
        meter: &mut Meter<'_>,
    ) -> Result<Value<'v>, Unevaluable> {
        let evaluated = contained(|| {
            let mut evaluation = Evaluation {
                variables,
                locals: Vec::new(),
                meter,
            };
            evaluation.value(&self.node)
        });
        evaluated
            .unwrap_or(Err(Failure::Broken))
            .map_err(|failure| Unevaluable::Failed {
                expression: self.text.clone(),
                failure,
            })
    }

    /// Whether the expression is true for these values.
    pub fn holds(
        &self,
        variables: &Variables<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<bool, Unevaluable> {
        match self.evaluate(variables, meter)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Unevaluable::NotBool {
                expression: self.text.clone(),
            }),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests;
