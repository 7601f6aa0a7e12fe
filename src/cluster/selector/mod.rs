//! Which objects a list or a watch is about.
//!
//! Pure functions of objects; indexes do not exist, every object of the type is looked at.

pub(crate) use self::attributes::Attributes;
use self::{field::FieldSelector, label::LabelSelector};
use super::{object::GroupResource, status::Failure};

mod attributes;
mod field;
mod label;

/// A label selector and a field selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selector {
    /// Reads both selectors for objects of a type.
    pub(crate) fn parse(
        resource: &GroupResource,
        labels: &str,
        fields: &str,
    ) -> Result<Self, Failure> {
        let labels = LabelSelector::parse(labels).map_err(|error| {
            Failure::bad_request(format!("unable to parse requirement: {error}"))
        })?;
        let fields = FieldSelector::parse(resource, fields)
            .map_err(|error| Failure::bad_request(error.to_string()))?;
        Ok(Self { labels, fields })
    }

    /// Whether it takes every object.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether it takes this object.
    pub(crate) fn matches(&self, object: &Attributes) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}
