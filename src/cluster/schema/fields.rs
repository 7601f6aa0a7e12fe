//! Which fields a rule may look into: those that the schema declares, as Kubernetes' type checker has it.
//!
//! It follows members, items and loop variables. What comes out of functions is not known and not judged.

use kube_cel::cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr};

use super::{
    node::{Additional, Node, Type},
    spelling::spelled,
};

/// Says what is wrong with the first member that the value of a rule does not have; nothing if it has all.
pub(super) fn undefined(rule: &Expr, node: &Node, is_root: bool) -> Option<String> {
    let value = shape(node, is_root || node.embedded).unwrap_or(Shape::Unknown);
    let mut scope = Scope {
        variables: vec![("self", value), ("oldSelf", value)],
    };
    scope.shape_of(rule).err()
}

/// What is known of a value.
#[derive(Clone, Copy)]
enum Shape<'n> {
    /// Nothing: all may be done with it.
    Unknown,
    /// A text, a number or a flag, by the name of its type.
    Scalar(&'static str),
    /// A list of such items.
    List(&'n Node),
    /// A map to such values.
    Map(&'n Node),
    /// An object with the fields of a node.
    Object(&'n Node),
    /// A whole object with the fields of a node, `apiVersion`, `kind`, and a name in its metadata.
    Whole(&'n Node),
    /// The metadata of a whole object.
    Metadata,
}

/// What a rule can know of values of a node; nothing when the schema does not tell their type.
fn shape(node: &Node, is_whole: bool) -> Option<Shape<'_>> {
    match node.types.as_slice() {
        [Type::Integer, Type::String] => Some(Shape::Unknown),
        [Type::String] if node.format.is_some() => Some(Shape::Unknown),
        [Type::String] => Some(Shape::Scalar("string")),
        [Type::Boolean] => Some(Shape::Scalar("bool")),
        [Type::Integer] => Some(Shape::Scalar("int")),
        [Type::Number] => Some(Shape::Scalar("double")),
        [Type::Array] => {
            let item = node.items.as_deref()?;
            shape(item, item.embedded).map(|_| Shape::List(item))
        }
        [Type::Object] => match &node.additional {
            Additional::Schema(value) => shape(value, value.embedded).map(|_| Shape::Map(value)),
            _ if is_whole => Some(Shape::Whole(node)),
            _ => Some(Shape::Object(node)),
        },
        _ => None,
    }
}

fn of_node(node: &Node) -> Shape<'_> {
    shape(node, node.embedded).unwrap_or(Shape::Unknown)
}

impl Shape<'_> {
    /// The member of this name, as rules spell it.
    fn member(self, name: &str) -> Result<Self, String> {
        let undefined = || format!("undefined field '{name}'");
        match self {
            Self::Unknown => Ok(Self::Unknown),
            Self::Map(value) => Ok(of_node(value)),
            Self::Scalar(type_) => Err(no_members(type_)),
            Self::List(_) => Err(no_members("list")),
            Self::Metadata if matches!(name, "name" | "generateName") => Ok(Self::Scalar("string")),
            Self::Metadata => Err(undefined()),
            Self::Whole(_) if matches!(name, "apiVersion" | "kind") => Ok(Self::Scalar("string")),
            Self::Whole(_) if name == "metadata" => Ok(Self::Metadata),
            Self::Whole(node) | Self::Object(node) => {
                let mut declared = node.properties.iter();
                let found = declared.find(|(declared, _)| spelled(declared) == name);
                let found = found.and_then(|(_, field)| shape(field, field.embedded));
                found.ok_or_else(undefined)
            }
        }
    }

    /// An item of a list or a value of a map.
    fn item(self) -> Self {
        match self {
            Self::List(item) | Self::Map(item) => of_node(item),
            _ => Self::Unknown,
        }
    }
}

fn no_members(type_: &str) -> String {
    format!("type '{type_}' does not support field selection")
}

/// The variables at one place of a rule.
struct Scope<'e, 'n> {
    variables: Vec<(&'e str, Shape<'n>)>,
}

impl<'e, 'n> Scope<'e, 'n> {
    fn shape_of(&mut self, expression: &'e Expr) -> Result<Shape<'n>, String> {
        match expression {
            Expr::Ident(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                Ok(known.map_or(Shape::Unknown, |(_, shape)| *shape))
            }
            Expr::Select(select) => self.shape_of(&select.operand.expr)?.member(&select.field),
            Expr::Call(call) => {
                let target = call.target.iter().map(|target| &**target);
                self.call(&call.func_name, target.chain(&call.args))
            }
            Expr::Comprehension(each) => self.each(each),
            Expr::List(list) => self.all(&list.elements),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(of_type) => self.entries(of_type.entries.iter().map(|entry| &entry.expr)),
            Expr::Unspecified | Expr::Literal(_) => Ok(Shape::Unknown),
        }
    }

    fn call(
        &mut self,
        function: &str,
        operands: impl Iterator<Item = &'e IdedExpr>,
    ) -> Result<Shape<'n>, String> {
        let shapes: Result<Vec<Shape<'n>>, String> = operands
            .map(|operand| self.shape_of(&operand.expr))
            .collect();
        Ok(match (function, shapes?.as_slice()) {
            ("_[_]", [list, _]) => list.item(),
            _ => Shape::Unknown,
        })
    }

    /// A loop, or a variable that stands for a value.
    fn each(&mut self, each: &'e ComprehensionExpr) -> Result<Shape<'n>, String> {
        let range = self.shape_of(&each.iter_range.expr)?;
        let accumulated = self.shape_of(&each.accu_init.expr)?;
        let outside = self.variables.len();
        match (each.iter_var2.as_deref(), range) {
            (Some(value), range) => {
                self.variables.push((&each.iter_var, Shape::Unknown));
                self.variables.push((value, range.item()));
            }
            (None, Shape::Map(_)) => self
                .variables
                .push((&each.iter_var, Shape::Scalar("string"))),
            (None, range) => self.variables.push((&each.iter_var, range.item())),
        }
        self.variables.push((&each.accu_var, accumulated));
        let inside = self
            .all([&each.loop_cond, &each.loop_step])
            .and_then(|_| self.shape_of(&each.result.expr));
        self.variables.truncate(outside);
        inside
    }

    fn all(&mut self, parts: impl IntoIterator<Item = &'e IdedExpr>) -> Result<Shape<'n>, String> {
        for part in parts {
            self.shape_of(&part.expr)?;
        }
        Ok(Shape::Unknown)
    }

    fn entries(
        &mut self,
        entries: impl Iterator<Item = &'e EntryExpr>,
    ) -> Result<Shape<'n>, String> {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.all([&field.value])?,
                EntryExpr::MapEntry(entry) => self.all([&entry.key, &entry.value])?,
            };
        }
        Ok(Shape::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use kube_cel::cel::Program;
    use serde_json::json;

    use super::*;
    use crate::cluster::schema::compile::compile;

    fn node() -> Node {
        let object = json!({"type": "object", "properties": {"name": {"type": "string"}, "my-port": {"type": "integer"}}});
        let schema = json!({"type": "object", "properties": {
            "size": {"type": "integer"},
            "namespace": {"type": "string"},
            "a.b__c": {"type": "string"},
            "nested": object,
            "list": {"type": "array", "items": object},
            "map": {"type": "object", "additionalProperties": object},
            "port": {"x-kubernetes-int-or-string": true},
            "since": {"type": "string", "format": "date-time"},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "any": {"x-kubernetes-preserve-unknown-fields": true},
            "template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
        }});
        compile(&schema).unwrap()
    }

    #[track_caller]
    fn check(rule: &str, expected: Option<&str>) {
        let program = Program::compile(rule).unwrap();
        let found = undefined(&program.expression().expr, &node(), true);
        assert_eq!(found.as_deref(), expected, "{rule}");
    }

    #[test]
    fn declared_fields_are_known() {
        for rule in [
            "self.size > 1 && oldSelf.size > self.size",
            "has(self.nested.name) || self.nested.my__dash__port == 1",
            "self.__namespace__ == '' && self.a__dot__b__underscores__c == ''",
            "self.list.all(x, x.name != '') && self.list[0].name == ''",
            "self.list.exists(x, self.list.exists_one(y, x.name == y.name))",
            "self.map.all(key, key != '' && self.map[key].name == '') && self.map.any.name == ''",
            "self.list.filter(x, x.name == '').map(x, x.my__dash__port).size() == 1",
            "self.metadata.name == self.kind + self.apiVersion && self.metadata.generateName == ''",
            "self.template.metadata.name == '' && self.template.kind == ''",
            "self.since.getFullYear() > 2000 && type(self.port) == int",
            "(self.size > 1 ? self.nested : oldSelf.nested).name == ''",
            "{'a': self.size}.a == 1",
        ] {
            check(rule, None);
        }
    }

    #[test]
    fn others_are_named() {
        for (rule, field) in [
            ("self.nothing", "nothing"),
            ("oldSelf.nested.nothing == 1", "nothing"),
            ("has(self.nothing)", "nothing"),
            ("self.size > 1 || [self.nothing] == []", "nothing"),
            ("self.list.all(x, x.nme != '')", "nme"),
            ("self.list[0].nme == ''", "nme"),
            ("self.list.all(x, self.list.all(y, x.name == y.nme))", "nme"),
            ("self.map.all(key, self.map[key].nme == '')", "nme"),
            ("self.namespace == ''", "namespace"),
            ("self.nested.metadata == ''", "metadata"),
            ("self.metadata.labels.size() == 0", "labels"),
            ("self.open.thing == 1", "thing"),
            ("self.any == 1", "any"),
            ("{'a': self.nothing}.a == 1", "nothing"),
        ] {
            check(rule, Some(&format!("undefined field '{field}'")));
        }
        let text = "type 'string' does not support field selection";
        check("self.nested.name.first == ''", Some(text));
        let list = "type 'list' does not support field selection";
        check("self.list.name == ''", Some(list));
    }

    #[test]
    fn what_has_no_type_is_left_alone() {
        let node = compile(&json!({"type": "object", "properties": {"any": {"x-kubernetes-preserve-unknown-fields": true}}})).unwrap();
        let rule = Program::compile("self.thing == 1").unwrap();
        let any = &node.properties["any"];
        assert_eq!(undefined(&rule.expression().expr, any, false), None);
    }
}
