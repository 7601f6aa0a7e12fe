//! The objects of one kind as far as a selection needs them: where they are, and which labels they carry.
//!
//! Pure; where filters look at a kind, all metadata is kept but the managed fields, and only then.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Below this many words it is not worth looking for those that nobody uses any more.
const FEW_WORDS: usize = 1024;

/// Objects by namespace and name, with their labels.
#[derive(Debug, Default)]
pub(super) struct Index {
    namespaces: HashMap<Box<str>, HashMap<Box<str>, Object>>,
    /// Each key and value of a label once, for most objects share them.
    words: HashSet<Arc<str>>,
    /// How many words there may be before the unused ones are dropped.
    words_limit: usize,
}

#[derive(Debug)]
struct Object {
    labels: Labels,
    /// In JSON.
    metadata: Option<Arc<str>>,
}

/// Sorted by key, as they come.
type Labels = Box<[(Arc<str>, Arc<str>)]>;

impl Index {
    /// Adds an object, or takes over what it is now; its metadata is in JSON. Says whether other selections than before
    /// select it.
    pub(super) fn put(
        &mut self,
        namespace: &str,
        name: &str,
        labels: &BTreeMap<String, String>,
        metadata: Option<Arc<str>>,
    ) -> bool {
        let labels: Labels = labels
            .iter()
            .map(|(key, value)| (self.word(key), self.word(value)))
            .collect();
        let objects = match self.namespaces.get_mut(namespace) {
            Some(objects) => objects,
            None => self.namespaces.entry(namespace.into()).or_default(),
        };
        let is_same = objects.get(name).is_some_and(|old| old.labels == labels);
        objects.insert(name.into(), Object { labels, metadata });
        !is_same
    }

    /// Forgets an object.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(objects) = self.namespaces.get_mut(namespace) {
            objects.remove(name);
            if objects.is_empty() {
                self.namespaces.remove(namespace);
            }
        }
    }

    /// The names of the objects of a namespace that carry all of these labels, in order.
    pub(super) fn select(
        &self,
        namespace: &str,
        wanted: &BTreeMap<String, String>,
    ) -> Vec<Box<str>> {
        let objects = self.namespaces.get(namespace).into_iter().flatten();
        let carrying = objects.filter(|(_, object)| carries(&object.labels, wanted));
        let mut names: Vec<_> = carrying.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Whether an object is there and carries all of these labels.
    pub(super) fn carries(
        &self,
        namespace: &str,
        name: &str,
        wanted: &BTreeMap<String, String>,
    ) -> bool {
        let object = self.object(namespace, name);
        object.is_some_and(|object| carries(&object.labels, wanted))
    }

    /// The metadata of an object, in JSON, if it is there and kept.
    pub(super) fn metadata(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        self.object(namespace, name)?.metadata.clone()
    }

    fn object(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// The number of objects.
    pub(super) fn len(&self) -> usize {
        self.namespaces.values().map(HashMap::len).sum()
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return Arc::clone(known);
        }
        if self.words.len() >= self.words_limit {
            self.words.retain(|word| Arc::strong_count(word) > 1);
            self.words_limit = (2 * self.words.len()).max(FEW_WORDS);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

fn carries(labels: &Labels, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| {
        labels
            .binary_search_by(|(own, _)| (**own).cmp(key))
            .ok()
            .and_then(|at| labels.get(at))
            .is_some_and(|(_, own)| **own == **value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn check(index: &Index, namespace: &str, wanted: &str, names: &[&str]) {
        let selected = index.select(namespace, &labels(wanted));
        let selected: Vec<_> = selected.iter().map(|name| &**name).collect();
        assert_eq!(selected, names, "{namespace} {wanted}");
        for name in ["web", "old", "bare"] {
            let is_selected = index.carries(namespace, name, &labels(wanted));
            assert_eq!(
                is_selected,
                names.contains(&name),
                "{namespace} {name} {wanted}"
            );
        }
    }

    #[test]
    fn every_label_must_be_there_with_its_value() {
        let mut index = Index::default();
        index.put("apps", "web", &labels("app=web,env=prod,tier=front"), None);
        index.put("apps", "old", &labels("app=web"), None);
        index.put("apps", "bare", &labels(""), None);
        index.put("other", "web", &labels("app=web,env=prod"), None);
        check(&index, "apps", "app=web", &["old", "web"]);
        check(&index, "apps", "app=web,env=prod", &["web"]);
        check(&index, "apps", "env=web", &[]);
        check(&index, "apps", "app=", &[]);
        check(&index, "apps", "", &["bare", "old", "web"]);
        check(&index, "none", "", &[]);
    }

    #[test]
    fn the_labels_of_an_object_are_those_it_has_now() {
        let mut index = Index::default();
        assert!(index.put("apps", "web", &labels("app=web"), None));
        assert!(!index.put("apps", "web", &labels("app=web"), None));
        assert!(index.put("apps", "web", &labels("app=api"), None));
        check(&index, "apps", "app=web", &[]);
        check(&index, "apps", "app=api", &["web"]);
        index.remove("apps", "web");
        index.remove("apps", "never-there");
        check(&index, "apps", "", &[]);
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn words_that_nobody_uses_any_more_are_dropped() {
        let mut index = Index::default();
        for version in 0..100_000 {
            let text = format!("app=web,version=v{version}");
            index.put("apps", "web", &labels(&text), None);
        }
        assert!(index.words.len() <= FEW_WORDS, "{}", index.words.len());
        check(&index, "apps", "app=web,version=v99999", &["web"]);
    }
}
