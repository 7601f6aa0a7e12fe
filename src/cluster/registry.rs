//! The resource types that are served right now: the built-in ones and those of the definitions.
//!
//! A value that is replaced as a whole, so that a request sees one state of it.

use std::sync::Arc;

use super::{
    builtin,
    documents::Cache,
    object::GroupResource,
    resource::{Origin, Resource},
};

/// All served versions of all types.
#[derive(Debug)]
pub(crate) struct Registry {
    resources: Vec<Arc<Resource>>,
    documents: Cache,
    generation: u64,
}

impl Registry {
    /// The built-in types.
    pub(crate) fn built_in() -> Self {
        Self {
            resources: builtin::resources().map(Arc::new).collect(),
            documents: Cache::default(),
            generation: 1,
        }
    }

    /// How many states of the registry there were up to this one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The documents about this state of the registry, as far as they were asked for.
    pub(crate) fn documents(&self) -> &Cache {
        &self.documents
    }

    /// All served versions of all types: built-in first, then by group and name.
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// One version of one type.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let is_wanted = |known: &&Arc<Resource>| {
            known.plural == plural && known.group == group && known.version == version
        };
        self.resources.iter().find(is_wanted)
    }

    /// Every type of stored objects once, whatever its versions and views.
    pub(crate) fn types(&self) -> Vec<&Arc<Resource>> {
        let stored = self.resources.iter().filter(|known| !known.is_review());
        let mut types: Vec<&Arc<Resource>> = stored.collect();
        types.dedup_by(|a, b| a.group_resource() == b.group_resource());
        types
    }

    /// The same types, but with these versions of one defined type; none removes it.
    #[must_use]
    pub(crate) fn with(&self, changed: &GroupResource, versions: Vec<Arc<Resource>>) -> Self {
        let is_other =
            |known: &Arc<Resource>| known.group != changed.group || known.plural != changed.plural;
        let mut resources: Vec<_> = self
            .resources
            .iter()
            .filter(|known| is_other(known))
            .cloned()
            .collect();
        resources.extend(versions);
        let rank = |known: &Arc<Resource>| matches!(known.origin, Origin::Custom(_));
        resources.sort_by(|a, b| {
            let custom = || a.group.cmp(&b.group).then_with(|| a.plural.cmp(&b.plural));
            rank(a).cmp(&rank(b)).then_with(|| {
                if rank(a) {
                    custom()
                } else {
                    std::cmp::Ordering::Equal
                }
            })
        });
        Self {
            resources,
            documents: Cache::default(),
            generation: self.generation + 1,
        }
    }
}
