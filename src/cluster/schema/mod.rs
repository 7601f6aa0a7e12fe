//! Structural schemas of custom resources: prune, default, validate.
//!
//! Pure functions of JSON values; storage and HTTP are elsewhere.
//! The order of the API server is prune, default, validate; the caller keeps it.

mod compile;
mod cost;
mod default;
mod error;
mod expression;
mod fields;
mod format;
mod limits;
mod list;
mod logic;
mod nested;
mod node;
mod pattern;
mod prune;
mod rules;
mod scope;
mod spelling;
mod structure;
mod validate;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

pub(crate) use self::error::FieldError;
use self::node::Node;

/// A compiled structural schema.
///
/// Expressions and CEL rules are compiled once, here; it is cheap to use and meant to be shared.
#[derive(Debug)]
pub(crate) struct Schema {
    id: SchemaId,
    root: Node,
}

/// Tells compiled schemas apart, also when one takes the place of another; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SchemaId(pub(crate) u64);

impl SchemaId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Schema {
    /// Compiles the `openAPIV3Schema` of a version, or says all that is not structural about it.
    ///
    /// The paths of the errors are relative to the schema; see [`FieldError::under`].
    pub(crate) fn compile(schema: &Value) -> Result<Self, Vec<FieldError>> {
        compile::compile(schema).map(|root| Self {
            id: SchemaId::next(),
            root,
        })
    }

    /// Which schema this is.
    pub(crate) fn id(&self) -> SchemaId {
        self.id
    }

    /// A stored object as this schema reads it: without what is not declared, and with defaults; nothing when it is so.
    pub(crate) fn read(&self, object: &Value) -> Option<Value> {
        let mut read = object.clone();
        prune::prune(&self.root, &mut read);
        default::apply(&self.root, &mut read);
        (read != *object).then_some(read)
    }

    /// Drops the fields that the schema does not declare and returns their paths.
    ///
    /// `apiVersion`, `kind` and `metadata` stay at the root and in embedded resources.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        prune::prune(&self.root, object)
    }

    /// Fills in defaults, and drops nulls where neither null nor a default is declared.
    pub(crate) fn default(&self, object: &mut Value) {
        default::apply(&self.root, object);
    }

    /// Says all that is wrong with an object, in the words of the API server; at most 100 things.
    ///
    /// With the object as it was before, what has not changed is not judged again (Kubernetes'
    /// ratcheting), and rules about the transition see it as `oldSelf`.
    pub(crate) fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let errors = validate::validate(&self.root, object, old);
        if !errors.is_empty() {
            return errors;
        }
        let errors = list::duplicates(&self.root, object);
        if !errors.is_empty() {
            return errors;
        }
        rules::evaluate(&self.root, object, old)
    }
}

#[cfg(test)]
mod tests;
