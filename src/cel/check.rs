//! Which names, functions and types an expression uses: what can be known to fail is refused before it is evaluated.
//!
//! The rules and the texts are cel-go's. Types of functions are in `library`.

use super::{
    bounds::MAX_DEPTH,
    library::{self, Pattern},
    node::{self, Node},
    problem::SyntaxError,
    syntax::{Element, Entry, Expression, Kind, Loop, Over},
    types::{Known, Type},
    value::Value,
};

type Checked = Result<(Node, Type), SyntaxError>;

/// Checks an expression in which these variables are declared.
pub(super) fn check(text: &str, variables: &[&str], expression: &Expression) -> Checked {
    let mut checker = Checker {
        text,
        variables,
        known: Known::default(),
        locals: Vec::new(),
        depth: 0,
    };
    let (node, found) = checker.check(expression)?;
    let found = checker.known.settled(&found);
    Ok((node, found))
}

pub(super) struct Checker<'c> {
    text: &'c str,
    variables: &'c [&'c str],
    pub(super) known: Known,
    locals: Vec<(String, Type)>,
    depth: usize,
}

impl Checker<'_> {
    pub(super) fn error(&self, at: usize, detail: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.text, at, detail)
    }

    pub(super) fn undeclared(&self, at: usize, name: &str) -> SyntaxError {
        self.error(
            at,
            format!("undeclared reference to '{name}' (in container '')"),
        )
    }

    pub(super) fn check(&mut self, expression: &Expression) -> Checked {
        if self.depth >= MAX_DEPTH {
            let detail = format!("the expression nests more than {MAX_DEPTH} operations");
            return Err(self.error(expression.at, detail));
        }
        self.depth += 1;
        let checked = self.check_kind(expression);
        self.depth -= 1;
        checked
    }

    fn check_kind(&mut self, expression: &Expression) -> Checked {
        let at = expression.at;
        match &expression.kind {
            Kind::Constant(value) => Ok((Node::Constant(value.clone()), type_of(value))),
            Kind::Name(name) => self.name(at, name),
            Kind::Select {
                operand,
                field,
                is_optional,
            } => match qualified(expression)
                .as_deref()
                .and_then(library::type_named)
            {
                Some(name) => Ok((Node::Constant(Value::Type(name)), Type::OfTypes)),
                None => self.select(at, operand, field, *is_optional),
            },
            Kind::Has { operand, field } => {
                let (operand, found) = self.check(operand)?;
                self.field_of(at, &found, false)?;
                let (operand, field) = (Box::new(operand), field.as_str().into());
                Ok((Node::Has { operand, field }, Type::Bool))
            }
            Kind::Call {
                target,
                function,
                arguments,
            } => self.call(at, target.as_deref(), function, arguments),
            Kind::And(parts) => Ok((Node::And(self.truths(at, "_&&_", parts)?), Type::Bool)),
            Kind::Or(parts) => Ok((Node::Or(self.truths(at, "_||_", parts)?), Type::Bool)),
            Kind::Conditional(parts) => self.conditional(at, parts),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Loop(each) => self.each(each),
            Kind::OptionalMap {
                target,
                variable,
                body,
                is_flat,
            } => self.optional_map(at, target, variable, body, *is_flat),
        }
    }

    fn name(&self, at: usize, name: &str) -> Checked {
        let mut locals = self.locals.iter().enumerate().rev();
        if let Some((index, (_, found))) = locals.find(|(_, (local, _))| local == name) {
            return Ok((Node::Local(index), found.clone()));
        }
        if self.variables.contains(&name) {
            return Ok((Node::Variable(name.into()), Type::object()));
        }
        match library::type_named(name) {
            Some(name) => Ok((Node::Constant(Value::Type(name)), Type::OfTypes)),
            None => Err(self.undeclared(at, name)),
        }
    }

    pub(super) fn select(
        &mut self,
        at: usize,
        operand: &Expression,
        field: &str,
        is_optional: bool,
    ) -> Checked {
        let (operand, found) = self.check(operand)?;
        let found = self.field_of(at, &found, is_optional)?;
        let node = Node::Select {
            operand: Box::new(operand),
            field: field.into(),
            is_optional,
        };
        Ok((node, found))
    }

    /// The type of a field of a value of this type.
    fn field_of(
        &mut self,
        at: usize,
        whole: &Type,
        is_optional: bool,
    ) -> Result<Type, SyntaxError> {
        let (whole, is_optional) = match self.known.resolved(whole) {
            Type::Optional(of) => (self.known.resolved(&of), true),
            other => (other, is_optional),
        };
        let found = match whole {
            Type::Map(_, values) => *values,
            Type::Dyn => Type::Dyn,
            unknown @ Type::Unknown(_) => {
                self.known.assign_all(&[(&Type::Dyn, &unknown)]);
                Type::Dyn
            }
            other => {
                let detail = format!("type '{other}' does not support field selection");
                return Err(self.error(at, detail));
            }
        };
        Ok(if is_optional {
            Type::optional(found)
        } else {
            found
        })
    }

    /// Parts that must be truth values.
    fn truths(
        &mut self,
        at: usize,
        operator: &str,
        parts: &[Expression],
    ) -> Result<Vec<Node>, SyntaxError> {
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            let (node, found) = self.check(part)?;
            if !self.known.assign_all(&[(&found, &Type::Bool)]) {
                return Err(self.no_overload(at, operator, false, &[Type::Bool, found]));
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    pub(super) fn no_overload(
        &self,
        at: usize,
        function: &str,
        is_member: bool,
        arguments: &[Type],
    ) -> SyntaxError {
        let mut names = arguments
            .iter()
            .map(|it| self.known.settled(it).to_string());
        let receiver = if is_member {
            names.next().map(|receiver| receiver + ".")
        } else {
            None
        };
        let names = names.collect::<Vec<_>>().join(", ");
        let applied = format!("{}({names})", receiver.unwrap_or_default());
        let detail = format!("found no matching overload for '{function}' applied to '{applied}'");
        self.error(at, detail)
    }

    fn conditional(&mut self, at: usize, parts: &[Expression; 3]) -> Checked {
        let [condition, then, otherwise] = parts;
        let (condition, is_true) = self.check(condition)?;
        let (then, first) = self.check(then)?;
        let (otherwise, second) = self.check(otherwise)?;
        let either = self.known.unknown();
        let fits = self.known.assign_all(&[
            (&is_true, &Type::Bool),
            (&first, &either),
            (&second, &either),
        ]);
        if !fits {
            return Err(self.no_overload(at, "_?_:_", false, &[is_true, first, second]));
        }
        let parts = Box::new([condition, then, otherwise]);
        Ok((Node::Conditional(parts), self.known.resolved(&either)))
    }

    fn list(&mut self, elements: &[Element]) -> Checked {
        let of = self.known.unknown();
        let mut nodes = Vec::with_capacity(elements.len());
        for Element { is_optional, value } in elements {
            let node = self.part(value, &of, *is_optional)?;
            nodes.push((*is_optional, node));
        }
        Ok((Node::List(nodes), Type::list(of)))
    }

    fn map(&mut self, entries: &[Entry]) -> Checked {
        let (keys, values) = (self.known.unknown(), self.known.unknown());
        let mut nodes = Vec::with_capacity(entries.len());
        for Entry {
            is_optional,
            key,
            value,
        } in entries
        {
            let key = self.part(key, &keys, false)?;
            let value = self.part(value, &values, *is_optional)?;
            nodes.push((*is_optional, key, value));
        }
        Ok((Node::Map(nodes), Type::map(keys, values)))
    }

    /// A part of a list or a map, which must be of the type of the parts before it.
    fn part(
        &mut self,
        value: &Expression,
        of: &Type,
        is_optional: bool,
    ) -> Result<Node, SyntaxError> {
        let (node, found) = self.check(value)?;
        let wanted = if is_optional {
            Type::optional(of.clone())
        } else {
            of.clone()
        };
        if self.known.assign_all(&[(&found, &wanted)]) {
            return Ok(node);
        }
        Err(self.mismatch(value.at, &wanted, &found))
    }

    pub(super) fn mismatch(&self, at: usize, wanted: &Type, found: &Type) -> SyntaxError {
        let (wanted, found) = (self.known.settled(wanted), self.known.settled(found));
        self.error(at, format!("expected type '{wanted}' but found '{found}'"))
    }

    fn each(&mut self, each: &Loop) -> Checked {
        let (range, found) = self.check(&each.range)?;
        let item = match self.known.resolved(&found) {
            Type::List(of) | Type::Map(of, _) => *of,
            Type::Dyn => Type::Dyn,
            unknown @ Type::Unknown(_) => {
                self.known.assign_all(&[(&Type::Dyn, &unknown)]);
                Type::Dyn
            }
            other => {
                let detail = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                return Err(self.error(each.range.at, detail));
            }
        };
        self.locals.push((each.variable.clone(), item.clone()));
        let checked = self.each_item(each);
        self.locals.pop();
        let (condition, body, found) = checked?;
        let found = match each.over {
            Over::All | Over::Exists | Over::ExistsOne => Type::Bool,
            Over::Filter => Type::list(item),
            Over::Map => Type::list(found),
        };
        let over = each.over;
        let node = node::Loop {
            over,
            range,
            condition,
            body,
        };
        Ok((Node::Loop(Box::new(node)), found))
    }

    fn each_item(&mut self, each: &Loop) -> Result<(Option<Node>, Node, Type), SyntaxError> {
        let condition = each.condition.as_ref();
        let condition = condition.map(|it| self.truth(it)).transpose()?;
        if each.over != Over::Map {
            return Ok((condition, self.truth(&each.body)?, Type::Bool));
        }
        let (body, found) = self.check(&each.body)?;
        Ok((condition, body, found))
    }

    fn truth(&mut self, expression: &Expression) -> Result<Node, SyntaxError> {
        let (node, found) = self.check(expression)?;
        if self.known.assign_all(&[(&found, &Type::Bool)]) {
            return Ok(node);
        }
        Err(self.mismatch(expression.at, &Type::Bool, &found))
    }

    fn optional_map(
        &mut self,
        at: usize,
        target: &Expression,
        variable: &str,
        body: &Expression,
        is_flat: bool,
    ) -> Checked {
        let (target, found) = self.check(target)?;
        let of = self.known.unknown();
        let optional = Type::optional(of.clone());
        if !self.known.assign_all(&[(&found, &optional)]) {
            return Err(self.mismatch(at, &optional, &found));
        }
        self.locals.push((variable.to_owned(), of));
        let checked = self.check(body);
        self.locals.pop();
        let (node, mut found) = checked?;
        if is_flat {
            let optional = Type::optional(self.known.unknown());
            if !self.known.assign_all(&[(&found, &optional)]) {
                return Err(self.mismatch(body.at, &optional, &found));
            }
            found = optional;
        } else {
            found = Type::optional(found);
        }
        let node = Node::OptionalMap {
            target: Box::new(target),
            body: Box::new(node),
            is_flat,
        };
        Ok((node, found))
    }

    /// A regular expression that is known already.
    pub(super) fn pattern(&self, at: usize, node: &Node) -> Result<Option<Pattern>, SyntaxError> {
        let Node::Constant(Value::String(text)) = node else {
            return Ok(None);
        };
        let pattern = Pattern::compile(text.as_str());
        pattern.map(Some).map_err(|why| self.error(at, why))
    }
}

/// The type of what is written in an expression.
fn type_of(constant: &Value<'_>) -> Type {
    match constant {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        Value::Null => Type::Null,
        _ => Type::Dyn,
    }
}

/// Names with dots between them, as one name.
pub(super) fn qualified(expression: &Expression) -> Option<String> {
    match &expression.kind {
        Kind::Name(name) => Some(name.clone()),
        Kind::Select {
            operand,
            field,
            is_optional: false,
        } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}
