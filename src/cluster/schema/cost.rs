//! What evaluating a rule may cost at most, so that one object cannot keep the process busy.
//!
//! An upper bound from the shape of the rule and the size of the value; nothing is evaluated to find it.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use serde_json::Value;

/// What the rules of one object may cost together (the budget of Kubernetes for one object, in its units).
const PER_OBJECT: u64 = 10_000_000;

/// What is left for the rules of one object.
pub(super) struct Budget(u64);

impl Budget {
    pub(super) fn for_one_object() -> Self {
        Self(PER_OBJECT)
    }

    /// Takes the cost away, if it is there.
    pub(super) fn spend(&mut self, cost: u64) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(cost).ok_or(Exhausted)?;
        Ok(())
    }
}

/// The rules of an object cost more than they may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

/// The size of a value: its nodes, and a tenth of the bytes of its texts.
pub(super) fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => 1 + text.len() as u64 / 10,
        Value::Array(items) => items.iter().map(size).fold(1, u64::saturating_add),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| size(value).saturating_add(name.len() as u64 / 10))
            .fold(1, u64::saturating_add),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// The most an expression can cost over values of this size.
pub(super) fn of(expression: &Expr, size: u64) -> u64 {
    match expression {
        Expr::Call(call) => {
            let operands = || call.target.iter().map(|target| &**target).chain(&call.args);
            let looks_at_all = !takes_one_step(&call.func_name)
                && operands().any(|operand| names_the_whole(&operand.expr));
            let own = if looks_at_all { size.max(1) } else { 1 };
            operands().fold(own, |cost, operand| {
                cost.saturating_add(of(&operand.expr, size))
            })
        }
        Expr::Comprehension(each) => {
            let once = [&each.iter_range, &each.accu_init, &each.result];
            let every_time = [&each.loop_cond, &each.loop_step];
            let loops = size.max(1).saturating_mul(sum(&every_time, size));
            sum(&once, size).saturating_add(loops)
        }
        Expr::Select(select) => of(&select.operand.expr, size).saturating_add(1),
        Expr::List(list) => sum(&list.elements.iter().collect::<Vec<_>>(), size),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr), size),
        Expr::Struct(of_type) => entries(of_type.entries.iter().map(|entry| &entry.expr), size),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 1,
    }
}

fn sum(expressions: &[&IdedExpr], size: u64) -> u64 {
    let costs = expressions.iter().map(|part| of(&part.expr, size));
    costs.fold(1, u64::saturating_add)
}

fn entries<'e>(entries: impl Iterator<Item = &'e EntryExpr>, size: u64) -> u64 {
    let costs = entries.map(|entry| match entry {
        EntryExpr::StructField(field) => of(&field.value.expr, size),
        EntryExpr::MapEntry(entry) => sum(&[&entry.key, &entry.value], size),
    });
    costs.fold(1, u64::saturating_add)
}

/// Whether an operand may be as large as the whole value: a loop's variables together are, each of them is not.
fn names_the_whole(operand: &Expr) -> bool {
    match operand {
        Expr::Ident(name) => name == "self" || name == "oldSelf",
        Expr::Select(select) => names_the_whole(&select.operand.expr),
        Expr::Call(call) => {
            let mut operands = call.target.iter().map(|target| &**target).chain(&call.args);
            operands.any(|operand| names_the_whole(&operand.expr))
        }
        Expr::Literal(_) | Expr::Unspecified => false,
        Expr::Comprehension(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => true,
    }
}

/// Whether an operation takes the same time whatever its operands; others may have to look at all of them.
fn takes_one_step(function: &str) -> bool {
    matches!(
        function,
        "_&&_"
            | "_||_"
            | "!_"
            | "@not_strictly_false"
            | "_?_:_"
            | "_[_]"
            | "_<_"
            | "_<=_"
            | "_>_"
            | "_>=_"
            | "-_"
            | "_-_"
            | "_*_"
            | "_/_"
            | "_%_"
            | "size"
    )
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;
    use serde_json::json;

    use super::*;

    fn cost(rule: &str, size: u64) -> u64 {
        of(&Program::compile(rule).unwrap().expression().expr, size)
    }

    #[test]
    fn each_nested_loop_multiplies_the_cost_by_the_size() {
        let (one, two) = ("self.all(x, x > 1)", "self.all(x, self.all(y, x > y))");
        for (rule, power) in [("self > 1", 0), (one, 1), (two, 2)] {
            let growth = cost(rule, 10_000) / cost(rule, 1000);
            assert_eq!(
                growth.next_power_of_two().ilog2().div_ceil(4),
                power,
                "{rule}: {growth}"
            );
        }
    }

    #[test]
    fn comparing_and_matching_cost_the_size_of_what_is_compared() {
        for rule in [
            "self == self",
            "self.name.matches('^a+$')",
            "self.name + 'x' != ''",
        ] {
            assert!(cost(rule, 5000) > 5000, "{rule}");
        }
        assert!(cost("self.replicas > 3 && size(self.list) < 5", 5000) < 20);
    }

    #[test]
    fn no_rule_overflows() {
        assert_eq!(cost("self.all(x, self == x)", u64::MAX / 2), u64::MAX);
    }

    #[test]
    fn a_budget_is_spent_once() {
        let mut budget = Budget::for_one_object();
        assert_eq!(budget.spend(PER_OBJECT - 1), Ok(()));
        assert_eq!(budget.spend(2), Err(Exhausted));
        assert_eq!(budget.spend(1), Ok(()));
    }

    #[test]
    fn long_texts_weigh_more() {
        assert_eq!(
            size(&json!({"a": [1, 2, null], "b": "x".repeat(100)})),
            1 + 4 + 11
        );
    }
}
