//! What every object goes through before it is stored: filled in, and validated.
//!
//! For custom objects in the order of Kubernetes: pruned before this, then defaulted, then validated.

use serde_json::Value;

use super::{Write, metadata};
use crate::cluster::{
    builtin,
    kinds::{self, event_view},
    names,
    object::{DEEPEST, as_map, nests_within, text},
    resource::Origin,
    schema::FieldError,
    status::Failure,
};

impl Write<'_> {
    /// Fills in what the type adds to an object.
    pub(super) fn fill_in(&self, value: &mut Value, live: Option<&Value>) {
        match &self.resource.origin {
            Origin::BuiltIn => kinds::prepare(&self.resource.group_resource(), value, live),
            Origin::Custom(definition) => definition.schema.default(value),
        }
    }

    /// Refuses an object that is wrong, with all that is wrong about it.
    pub(super) fn validate(&self, value: &Value, live: Option<&Value>) -> Result<(), Failure> {
        let name = text(value, &["metadata", "name"]).unwrap_or_default();
        if !nests_within(value, DEEPEST) {
            let message = format!("the object nests deeper than {DEEPEST} levels");
            return Err(Failure::unprocessable(&message));
        }
        let mut errors = Vec::new();
        if live.is_none() {
            errors.extend(self.wrong_name(name));
        }
        errors.extend(metadata::validate(value, live));
        errors.extend(match &self.resource.origin {
            Origin::BuiltIn => kinds::validate(&self.resource.group_resource(), value, live),
            Origin::Custom(definition) => definition.schema.validate(value, live),
        });
        if self.resource.is_event_view() {
            errors.extend(event_view::validate(value, live));
        }
        self.refuse(name, &errors)
    }

    /// Whether `generation` counts changes of these objects.
    pub(super) fn has_generation(&self) -> bool {
        match self.resource.origin {
            Origin::BuiltIn => kinds::has_generation(&self.resource.group_resource()),
            Origin::Custom(_) => true,
        }
    }

    /// Whether two versions differ in what `generation` counts: all but metadata and a separate status.
    pub(super) fn is_new_generation(&self, value: &Value, live: &Value) -> bool {
        let is_ignored = |key: &str| {
            matches!(key, "metadata" | "apiVersion")
                || (key == "status" && self.resource.has_status)
        };
        let counted = |value: &Value| {
            let mut value = value.clone();
            as_map(&mut value).retain(|key, _| !is_ignored(key));
            value
        };
        self.has_generation() && counted(value) != counted(live)
    }

    /// Refuses an object with all that is wrong about it, if anything is.
    pub(super) fn refuse(&self, name: &str, errors: &[FieldError]) -> Result<(), Failure> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid(self.resource, name, errors))
        }
    }

    fn wrong_name(&self, name: &str) -> Option<FieldError> {
        let rule = if self.is(&builtin::namespaces()) {
            names::dns_label(name)
        } else {
            names::subdomain(name)
        };
        rule.err()
            .map(|rule| FieldError::invalid("metadata.name", &name.into(), rule))
    }
}
