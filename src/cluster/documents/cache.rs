//! Documents that were made once, for as long as what is served stays the same.
//!
//! It knows nothing of what is in them. Each state of the registry has a cache of its own.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::cluster::discovery::Form;

/// The most bytes of all documents together; those of a hundred types take about a tenth of it.
const MOST_BYTES: usize = 16 << 20;

/// The documents of one state of the registry, bounded in size: the oldest make room.
#[derive(Default)]
pub(crate) struct Cache {
    documents: Mutex<Documents>,
}

#[derive(Default)]
struct Documents {
    kept: VecDeque<(Key, Bytes)>,
    bytes: usize,
}

/// The path of a document, and its form.
type Key = (String, Form);

impl Cache {
    /// A document that was made before, or the one that is made now; nothing is remembered of one that does not exist.
    pub(super) fn document(
        &self,
        path: String,
        form: Form,
        make: impl FnOnce() -> Option<Bytes>,
    ) -> Option<Bytes> {
        let key = (path, form);
        if let Some(known) = self.read(|documents| documents.get(&key)) {
            return Some(known);
        }
        // Two clients may make the same document at once, but none waits for another.
        let document = make()?;
        self.read(|documents| documents.keep(key, document.clone()));
        Some(document)
    }

    fn read<T>(&self, read: impl FnOnce(&mut Documents) -> T) -> T {
        read(
            &mut self
                .documents
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Documents {
    fn get(&self, key: &Key) -> Option<Bytes> {
        let found = self.kept.iter().find(|(known, _)| known == key)?;
        Some(found.1.clone())
    }

    fn keep(&mut self, key: Key, document: Bytes) {
        if document.len() > MOST_BYTES || self.get(&key).is_some() {
            return;
        }
        self.bytes += document.len();
        self.kept.push_back((key, document));
        while self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.kept.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn get(cache: &Cache, path: &str, form: Form, document: Option<Bytes>) -> Option<Bytes> {
        cache.document(path.to_owned(), form, || document)
    }

    #[test]
    fn a_document_is_made_once() {
        let (cache, times) = (Cache::default(), Cell::new(0));
        let make = || {
            times.set(times.get() + 1);
            Some(Bytes::from("document"))
        };
        for _ in 0..3 {
            let found = cache.document("apis".to_owned(), Form::Plain, make);
            assert_eq!(found.as_deref(), Some(&b"document"[..]));
        }
        assert_eq!(times.get(), 1);
    }

    #[test]
    fn paths_and_forms_are_kept_apart_and_what_is_not_there_is_not_kept() {
        let cache = Cache::default();
        let first = Bytes::from("first");
        assert_eq!(get(&cache, "a", Form::Plain, None), None);
        let kept = get(&cache, "a", Form::Plain, Some(first.clone()));
        assert_eq!(kept, Some(first.clone()));
        assert_eq!(get(&cache, "a", Form::Plain, None), Some(first));
        assert_eq!(get(&cache, "a", Form::AggregatedV2, None), None);
        assert_eq!(get(&cache, "b", Form::Plain, None), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let cache = Cache::default();
        let big = Bytes::from(vec![b'x'; MOST_BYTES / 2]);
        for path in ["a", "b", "c"] {
            get(&cache, path, Form::Plain, Some(big.clone()));
        }
        let is_kept = |path| get(&cache, path, Form::Plain, None).is_some();
        assert_eq!(["a", "b", "c"].map(is_kept), [false, true, true]);
        let huge = Bytes::from(vec![b'x'; MOST_BYTES + 1]);
        get(&cache, "d", Form::Plain, Some(huge));
        assert_eq!(["b", "c", "d"].map(is_kept), [true, true, false]);
    }
}
