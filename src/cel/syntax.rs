//! An expression as a tree, before names and types are looked at.
//!
//! Macros are resolved already: what loops over a list is a loop here.

use super::value::Value;

/// A part of an expression, and where it begins in the text, in bytes.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// An expression within another one.
pub(super) type Inner = Box<Expression>;

#[derive(Debug)]
pub(super) enum Kind {
    Constant(Value<'static>),
    Name(String),
    Select {
        operand: Inner,
        field: String,
        is_optional: bool,
    },
    Has {
        operand: Inner,
        field: String,
    },
    /// An operator or a function; the target is what stands before the dot.
    Call {
        target: Option<Inner>,
        function: String,
        arguments: Vec<Expression>,
    },
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Conditional(Box<[Expression; 3]>),
    List(Vec<Element>),
    Map(Vec<Entry>),
    Loop(Box<Loop>),
    /// `optMap`, or `optFlatMap` when the body is optional itself.
    OptionalMap {
        target: Inner,
        variable: String,
        body: Inner,
        is_flat: bool,
    },
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) is_optional: bool,
    pub(super) value: Expression,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) is_optional: bool,
    pub(super) key: Expression,
    pub(super) value: Expression,
}

#[derive(Debug)]
pub(super) struct Loop {
    pub(super) over: Over,
    pub(super) range: Expression,
    pub(super) variable: String,
    /// Which items `map` with three arguments takes.
    pub(super) condition: Option<Expression>,
    pub(super) body: Expression,
}

/// What a loop makes of what its body gives for each item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}
