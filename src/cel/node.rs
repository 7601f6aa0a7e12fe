//! An expression that has been checked, as it is evaluated.
//!
//! Names are resolved to variables, to the loops around them, and to functions.

use std::sync::Arc;

use super::{
    library::{Apply, Pattern},
    syntax::Over,
    value::Value,
};

#[derive(Debug)]
pub(super) enum Node {
    Constant(Value<'static>),
    Variable(Arc<str>),
    /// The variable of a loop or of an optional value, by how many are around it.
    Local(usize),
    Select {
        operand: Box<Node>,
        field: Arc<str>,
        is_optional: bool,
    },
    Has {
        operand: Box<Node>,
        field: Arc<str>,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    Call {
        apply: Apply,
        arguments: Vec<Node>,
    },
    /// A match with an expression that is known already.
    Matches {
        text: Box<Node>,
        pattern: Pattern,
    },
    /// Items; an optional one is left out when its value is missing.
    List(Vec<(bool, Node)>),
    /// Keys and values; an optional one is left out when its value is missing.
    Map(Vec<(bool, Node, Node)>),
    Loop(Box<Loop>),
    OptionalMap {
        target: Box<Node>,
        body: Box<Node>,
        is_flat: bool,
    },
    /// The optional value, or the other one if it is missing.
    Otherwise {
        optional: Box<Node>,
        other: Box<Node>,
        is_unwrapped: bool,
    },
}

#[derive(Debug)]
pub(super) struct Loop {
    pub(super) over: Over,
    pub(super) range: Node,
    pub(super) condition: Option<Node>,
    pub(super) body: Node,
}
