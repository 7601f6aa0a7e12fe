//! Which function a call means, and whether it takes such arguments.
//!
//! The rest of an expression is checked in `check`.

use super::{
    check::{Checker, qualified},
    library::{self, Function},
    node::Node,
    problem::SyntaxError,
    syntax::{Expression, Kind},
    types::Type,
    value::Value,
};

type Checked = Result<(Node, Type), SyntaxError>;

impl Checker<'_> {
    /// A call of an operator or a function.
    pub(super) fn call(
        &mut self,
        at: usize,
        target: Option<&Expression>,
        name: &str,
        arguments: &[Expression],
    ) -> Checked {
        if let ("_[_]" | "_[?_]", [operand, index]) = (name, arguments)
            && let Kind::Constant(Value::String(field)) = &index.kind
            && self.has_fields(operand)?
        {
            return self.select(at, operand, field.as_str(), name == "_[?_]");
        }
        let prefix = target.and_then(qualified);
        let long_name = prefix.map(|prefix| format!("{prefix}.{name}"));
        let in_namespace = long_name.as_deref().and_then(library::function);
        let (name, target, function) = if let (Some(name), Some(function)) =
            (&long_name, in_namespace)
        {
            (name.as_str(), None, function)
        } else {
            let function = library::function(name).filter(|_| is_word(name) || target.is_none());
            let function = function.ok_or_else(|| self.undeclared(at, name))?;
            (name, target, function)
        };
        let (mut nodes, mut types) = (Vec::new(), Vec::new());
        for argument in target.into_iter().chain(arguments) {
            let (node, found) = self.check(argument)?;
            nodes.push(node);
            types.push(found);
        }
        let is_member = target.is_some();
        let Some(result) = self.overload(function, is_member, &types) else {
            return Err(self.no_overload(at, name, is_member, &types));
        };
        self.refuse_unknown_zone(at, name, &nodes)?;
        Ok((self.lowered(at, name, function, nodes)?, result))
    }

    /// Whether an operand is indexed by the names of its fields.
    fn has_fields(&mut self, operand: &Expression) -> Result<bool, SyntaxError> {
        let known = self.known.clone();
        let (_, found) = self.check(operand)?;
        let found = match self.known.resolved(&found) {
            Type::Optional(of) => self.known.resolved(&of),
            other => other,
        };
        self.known = known;
        Ok(match found {
            Type::Map(keys, _) => matches!(*keys, Type::String | Type::Dyn),
            found => found == Type::Dyn,
        })
    }

    /// The type that a function gives for arguments of these types.
    fn overload(
        &mut self,
        function: &Function,
        is_member: bool,
        arguments: &[Type],
    ) -> Option<Type> {
        let mut result: Option<Type> = None;
        let signatures = function.signatures.iter();
        let candidates = signatures
            .filter(|it| it.is_member == is_member && it.arguments.len() == arguments.len());
        for signature in candidates {
            let mut parameters = Vec::new();
            let wanted = signature.arguments.iter();
            let wanted: Vec<_> = wanted
                .map(|it| self.known.instance(it, &mut parameters))
                .collect();
            let given = self.known.instance(&signature.result, &mut parameters);
            let pairs: Vec<_> = arguments.iter().zip(&wanted).collect();
            if !self.known.assign_all(&pairs) {
                continue;
            }
            let given = self.known.resolved(&given);
            result = Some(match result {
                None => given,
                Some(other) if self.known.resolved(&other) == given => other,
                Some(_) => Type::Dyn,
            });
        }
        result
    }

    /// A call as it is evaluated.
    fn lowered(
        &mut self,
        at: usize,
        name: &str,
        function: &Function,
        mut nodes: Vec<Node>,
    ) -> Result<Node, SyntaxError> {
        if let ("or" | "orValue", 2) = (name, nodes.len())
            && let (Some(other), Some(optional)) = (nodes.pop(), nodes.pop())
        {
            return Ok(Node::Otherwise {
                optional: Box::new(optional),
                other: Box::new(other),
                is_unwrapped: name == "orValue",
            });
        }
        if let ("matches", [_, pattern]) = (name, nodes.as_slice())
            && let Some(pattern) = self.pattern(at, pattern)?
        {
            nodes.truncate(1);
            if let Some(text) = nodes.pop() {
                let text = Box::new(text);
                return Ok(Node::Matches { text, pattern });
            }
        }
        Ok(Node::Call {
            apply: function.apply,
            arguments: nodes,
        })
    }

    /// Time zones need a table that is not there; one that is written out is refused at once.
    fn refuse_unknown_zone(
        &self,
        at: usize,
        name: &str,
        nodes: &[Node],
    ) -> Result<(), SyntaxError> {
        if let (true, [_, Node::Constant(Value::String(zone))]) = (name.starts_with("get"), nodes)
            && !library::is_zone(zone.as_str())
        {
            let zone = zone.as_str();
            let detail = format!(
                "time zone '{zone}' is not supported; write UTC or an offset such as '+02:00'"
            );
            return Err(self.error(at, detail));
        }
        Ok(())
    }
}

/// Whether a function is called by its name, and not by an operator.
fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
}
