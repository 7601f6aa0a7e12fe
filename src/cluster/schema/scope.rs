//! Which names a rule may use: its value, the old one, its own loop variables, and types and libraries.
//!
//! Without it a misspelt name would be found out only by the first object.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// The variables of every rule.
const VARIABLES: [&str; 2] = ["self", "oldSelf"];
/// Names of types, which are values in CEL, and of the package of the well-known ones.
const TYPES: [&str; 11] = [
    "bool",
    "bytes",
    "double",
    "google",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];
/// Names that stand before a function, such as `sets` in `sets.contains(a, b)`.
const LIBRARIES: [&str; 8] = [
    "base64", "cidr", "format", "ip", "math", "optional", "sets", "strings",
];

/// The first name in an expression that stands for nothing.
pub(super) fn undeclared(expression: &Expr) -> Option<&str> {
    find(expression, &mut Vec::new())
}

/// Looks below `expression`, where the names in `bound` are those of the loops around it.
fn find<'e>(expression: &'e Expr, bound: &mut Vec<&'e str>) -> Option<&'e str> {
    match expression {
        Expr::Ident(name) => {
            let known = VARIABLES.iter().chain(&TYPES).any(|known| known == name);
            (!known && !bound.contains(&name.as_str())).then_some(name)
        }
        Expr::Call(call) => {
            let target = call.target.iter().map(|target| &**target);
            let target = target.filter(|target| !is_library(&target.expr));
            find_in(target.chain(&call.args), bound)
        }
        Expr::Select(select) => find(&select.operand.expr, bound),
        Expr::List(list) => find_in(&list.elements, bound),
        Expr::Comprehension(each) => {
            let outside = find_in([&each.iter_range, &each.accu_init], bound);
            let depth = bound.len();
            bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
            bound.extend(each.iter_var2.as_deref());
            let inside = find_in([&each.loop_cond, &each.loop_step, &each.result], bound);
            bound.truncate(depth);
            outside.or(inside)
        }
        Expr::Map(map) => map
            .entries
            .iter()
            .find_map(|entry| find_in_entry(&entry.expr, bound)),
        Expr::Struct(of_type) => of_type
            .entries
            .iter()
            .find_map(|entry| find_in_entry(&entry.expr, bound)),
        Expr::Unspecified | Expr::Literal(_) => None,
    }
}

fn find_in<'e>(
    parts: impl IntoIterator<Item = &'e IdedExpr>,
    bound: &mut Vec<&'e str>,
) -> Option<&'e str> {
    parts.into_iter().find_map(|part| find(&part.expr, bound))
}

fn find_in_entry<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>) -> Option<&'e str> {
    match entry {
        EntryExpr::StructField(field) => find(&field.value.expr, bound),
        EntryExpr::MapEntry(entry) => find_in([&entry.key, &entry.value], bound),
    }
}

fn is_library(expression: &Expr) -> bool {
    matches!(expression, Expr::Ident(name) if LIBRARIES.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;

    use super::*;

    fn check(rule: &str, expected: Option<&str>) {
        let program = Program::compile(rule).unwrap();
        assert_eq!(undeclared(&program.expression().expr), expected, "{rule}");
    }

    #[test]
    fn known_names_are_declared() {
        for rule in [
            "self.type == 'a' || has(self.secretRef)",
            "self == oldSelf",
            "self.list.all(x, x.name != '' && self.list.exists_one(y, y.name == x.name))",
            "self.map(x, x.a).filter(x, x > 1).size() == 0",
            "type(self.x) == string || int(self.x) > 0",
            "sets.contains(self.a, ['b'])",
            "isQuantity(self.q) && quantity(self.q).isGreaterThan(quantity('1'))",
            "{'a': self.x}.a == self.y",
            "optional.of(self.x).hasValue()",
        ] {
            check(rule, None);
        }
    }

    #[test]
    fn other_names_are_not() {
        check("selff.x == 1", Some("selff"));
        check("self.list.all(x, y > 1)", Some("y"));
        check("self.list.all(x, x > 1) && x == 1", Some("x"));
        check("self.x == [other]", Some("other"));
        check("size(other) > 1", Some("other"));
        check("{self.x: a} == {b: 1}", Some("a"));
    }
}
