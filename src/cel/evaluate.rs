//! From a checked expression and values to a result, step by step on a meter.
//!
//! What single functions do is in `library`.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    library::Pattern,
    meter::Meter,
    node::{Loop, Node},
    problem::Failure,
    syntax::Over,
    value::{Key, Map, Value},
};

type Outcome<'v> = Result<Value<'v>, Failure>;

/// The variables of an expression with their values.
#[derive(Clone, Debug, Default)]
pub struct Variables<'v>(Vec<(&'static str, Value<'v>)>);

impl<'v> Variables<'v> {
    /// The same variables and one more, or one with another value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value<'v>>) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
        self
    }

    fn value(&self, name: &str) -> Option<Value<'v>> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }
}

/// One evaluation.
pub(super) struct Evaluation<'e, 'v, 'm> {
    pub(super) variables: &'e Variables<'v>,
    pub(super) locals: Vec<Value<'v>>,
    pub(super) meter: &'e mut Meter<'m>,
}

impl<'v> Evaluation<'_, 'v, '_> {
    pub(super) fn value(&mut self, node: &Node) -> Outcome<'v> {
        self.meter.spend(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Variable(name) => self
                .variables
                .value(name)
                .ok_or_else(|| Failure::Error(Cow::Owned(format!("no such attribute(s): {name}")))),
            Node::Local(index) => {
                let value = self.locals.get(*index).cloned();
                value.ok_or(Failure::Broken)
            }
            Node::Select {
                operand,
                field,
                is_optional,
            } => {
                let operand = self.value(operand)?;
                select(operand, field, *is_optional)
            }
            Node::Has { operand, field } => {
                let operand = self.value(operand)?;
                has(operand, field).map(Value::Bool)
            }
            Node::And(parts) => self.connected(parts, false),
            Node::Or(parts) => self.connected(parts, true),
            Node::Conditional(parts) => self.conditional(parts),
            Node::Call { apply, arguments } => {
                let arguments = self.values(arguments)?;
                apply(&arguments, self.meter)
            }
            Node::Matches { text, pattern } => self.matches(text, pattern),
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Loop(each) => self.each(each),
            Node::OptionalMap {
                target,
                body,
                is_flat,
            } => self.optional_map(target, body, *is_flat),
            Node::Otherwise {
                optional,
                other,
                is_unwrapped,
            } => match self.value(optional)? {
                Value::Optional(Some(value)) if *is_unwrapped => Ok(Value::clone(&value)),
                Value::Optional(None) => self.value(other),
                present @ Value::Optional(_) => Ok(present),
                _ => Err(Failure::no_such_overload()),
            },
        }
    }

    fn values(&mut self, nodes: &[Node]) -> Result<Vec<Value<'v>>, Failure> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Failure> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Failure::no_such_overload()),
        }
    }

    /// Parts with `&&` or `||` between them: one that decides counts, whatever fails beside it.
    fn connected(&mut self, parts: &[Node], decisive: bool) -> Outcome<'v> {
        let mut failed = None;
        for part in parts {
            match self.truth(part) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(failure) if failure.is_absorbed() => failed = failed.or(Some(failure)),
                Err(failure) => return Err(failure),
            }
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn conditional(&mut self, [condition, then, otherwise]: &[Node; 3]) -> Outcome<'v> {
        if self.truth(condition)? {
            self.value(then)
        } else {
            self.value(otherwise)
        }
    }

    fn matches(&mut self, text: &Node, pattern: &Pattern) -> Outcome<'v> {
        match self.value(text)? {
            Value::String(text) => pattern.matches(text.as_str(), self.meter).map(Value::Bool),
            _ => Err(Failure::no_such_overload()),
        }
    }

    fn list(&mut self, nodes: &[(bool, Node)]) -> Outcome<'v> {
        self.meter.make(size_of_val(nodes))?;
        let mut items = Vec::with_capacity(nodes.len());
        for (is_optional, node) in nodes {
            items.extend(self.part(*is_optional, node)?);
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, nodes: &[(bool, Node, Node)]) -> Outcome<'v> {
        self.meter.make(size_of_val(nodes))?;
        let mut entries = BTreeMap::new();
        for (is_optional, key, value) in nodes {
            let key = self.value(key)?;
            let Some(value) = self.part(*is_optional, value)? else {
                continue;
            };
            let unsupported = Failure::of("unsupported key type");
            let known = Key::of(&key).ok_or(unsupported)?;
            if entries.insert(known, (key, value)).is_some() {
                return Err(Failure::of("Failed with repeated key"));
            }
        }
        Ok(Value::Map(Map::Made(Arc::new(entries))))
    }

    /// An item of a list or a map; nothing when it is optional and missing.
    fn part(&mut self, is_optional: bool, node: &Node) -> Result<Option<Value<'v>>, Failure> {
        match (is_optional, self.value(node)?) {
            (false, value) => Ok(Some(value)),
            (true, Value::Optional(value)) => Ok(value.map(|value| Value::clone(&value))),
            (true, _) => Err(Failure::no_such_overload()),
        }
    }

    fn each(&mut self, each: &Loop) -> Outcome<'v> {
        let range = self.value(&each.range)?;
        let items: Box<dyn Iterator<Item = Value<'v>> + '_> = match &range {
            Value::List(list) => Box::new(list.items()),
            Value::Map(map) => Box::new(map.entries().map(|(key, _)| key)),
            _ => return Err(Failure::of("expected a list or a map to loop over")),
        };
        match each.over {
            Over::All => self.any(each, items, false),
            Over::Exists => self.any(each, items, true),
            Over::ExistsOne => {
                let mut count = 0_u64;
                for item in items {
                    count += u64::from(self.item(item, |it| it.truth(&each.body))?);
                }
                Ok(Value::Bool(count == 1))
            }
            Over::Filter | Over::Map => self.collected(each, items),
        }
    }

    /// Evaluates what is about one item.
    fn item<T>(
        &mut self,
        item: Value<'v>,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.meter.spend(1)?;
        self.locals.push(item);
        let result = evaluate(self);
        self.locals.pop();
        result
    }

    /// `exists`, or `all` with the decisive value turned round.
    fn any(
        &mut self,
        each: &Loop,
        items: impl Iterator<Item = Value<'v>>,
        decisive: bool,
    ) -> Outcome<'v> {
        let mut failed = None;
        for item in items {
            match self.item(item, |it| it.truth(&each.body)) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(failure) if failure.is_absorbed() => failed = failed.or(Some(failure)),
                Err(failure) => return Err(failure),
            }
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn collected(&mut self, each: &Loop, items: impl Iterator<Item = Value<'v>>) -> Outcome<'v> {
        let mut collected = Vec::new();
        for item in items {
            let made = self.item(item.clone(), |it| match (&each.condition, each.over) {
                (_, Over::Filter) => Ok(it.truth(&each.body)?.then_some(item)),
                (Some(condition), _) if !it.truth(condition)? => Ok(None),
                _ => it.value(&each.body).map(Some),
            })?;
            if let Some(made) = made {
                self.meter.make(2 * size_of::<Value<'_>>())?;
                collected.push(made);
            }
        }
        Ok(Value::list(collected))
    }

    fn optional_map(&mut self, target: &Node, body: &Node, is_flat: bool) -> Outcome<'v> {
        let value = match self.value(target)? {
            Value::Optional(Some(value)) => Value::clone(&value),
            Value::Optional(None) => return Ok(Value::Optional(None)),
            _ => return Err(Failure::no_such_overload()),
        };
        let made = self.item(value, |it| it.value(body))?;
        match (is_flat, made) {
            (false, made) => Ok(Value::some(made)),
            (true, made @ Value::Optional(_)) => Ok(made),
            (true, _) => Err(Failure::no_such_overload()),
        }
    }
}

/// A field of a map; one of an optional map is optional, too.
fn select<'v>(operand: Value<'v>, field: &str, is_optional: bool) -> Outcome<'v> {
    match operand {
        Value::Map(map) if is_optional => Ok(Value::Optional(map.field(field).map(Arc::new))),
        Value::Map(map) => map
            .field(field)
            .ok_or_else(|| Failure::Error(Cow::Owned(format!("no such key: {field}")))),
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(value)) => select(Value::clone(&value), field, true),
        _ => Err(Failure::no_such_overload()),
    }
}

fn has(operand: Value<'_>, field: &str) -> Result<bool, Failure> {
    match operand {
        Value::Map(map) => Ok(map.field(field).is_some()),
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(value)) => has(Value::clone(&value), field),
        _ => Err(Failure::no_such_overload()),
    }
}
