//! Compares what a control plane holds after a kill with what it had promised before.
//!
//! Requests that were not answered may have happened or not, but as a whole; nothing else is left open.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Change, Key, Kind, Note, Version};

/// What is known of one key: its number, and the version that it was given in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The number.
    pub(crate) number: u64,
    /// The object's version.
    pub(crate) version: Version,
}

/// What there is, by key.
pub(crate) type Facts = BTreeMap<Key, Fact>;

/// What a control plane holds.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The `resourceVersion` of the whole.
    pub(crate) revision: u64,
    /// The objects.
    pub(crate) facts: Facts,
}

/// What a directory must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    facts: Facts,
    /// The highest revision ever given out.
    revision: u64,
    /// The requests without an answer, by writer.
    open: BTreeMap<usize, Vec<Change>>,
    /// The requests with an answer, ever.
    pub(crate) answered: u64,
    /// The requests without one that had happened nevertheless, ever.
    pub(crate) happened: u64,
    /// The requests without one that had not happened, ever.
    pub(crate) lost: u64,
}

impl Judge {
    /// Takes in what a process said until it was killed.
    pub(crate) fn hear(&mut self, notes: &[Note]) -> Result<(), String> {
        let start = self.revision;
        let mut given = BTreeSet::new();
        for note in notes {
            match note {
                Note::Serving => {}
                Note::Begun { writer, changes } => {
                    self.open.insert(*writer, changes.clone());
                }
                Note::Refused { writer, why } => {
                    let changes = self.open.get(writer);
                    return Err(format!("refused: {why}: {changes:?}"));
                }
                Note::Done { writer, version } => {
                    if let Some(Version { revision, .. }) = version
                        && (*revision <= start || !given.insert(*revision))
                    {
                        return Err(format!(
                            "revision {revision} was given out twice or below {start}"
                        ));
                    }
                    self.settle(*writer, version.as_ref())?;
                }
            }
        }
        Ok(())
    }

    /// Compares what there is with what must be there; from then on, what was seen must be.
    pub(crate) fn see(&mut self, seen: Seen) -> Result<(), String> {
        if seen.revision < self.revision {
            return Err(format!(
                "the revision went back from {} to {}",
                self.revision, seen.revision
            ));
        }
        for (writer, changes) in std::mem::take(&mut self.open) {
            self.resolve(writer, &changes, &seen)?;
        }
        for key in self.facts.keys().chain(seen.facts.keys()) {
            same(key, self.facts.get(key), seen.facts.get(key))?;
        }
        let mut revisions = BTreeSet::new();
        for (key, fact) in seen
            .facts
            .iter()
            .filter(|(key, _)| key.kind != Kind::Shared)
        {
            let revision = fact.version.revision;
            if revision > seen.revision || !revisions.insert(revision) {
                return Err(format!(
                    "{key:?} has revision {revision}, which another has or nobody was given"
                ));
            }
        }
        self.revision = seen.revision;
        self.facts = seen.facts;
        Ok(())
    }

    fn settle(&mut self, writer: usize, version: Option<&Version>) -> Result<(), String> {
        let open = self.open.remove(&writer);
        let changes = open.ok_or_else(|| format!("writer {writer} was answered unasked"))?;
        self.answered += 1;
        for (key, number) in changes {
            match (number, version) {
                (Some(number), Some(version)) => {
                    let version = version.clone();
                    self.revision = self.revision.max(version.revision);
                    let before = self.facts.insert(
                        key.clone(),
                        Fact {
                            number,
                            version: version.clone(),
                        },
                    );
                    if before.is_some_and(|before| before.version.uid != version.uid) {
                        return Err(format!("{key:?} has another uid than before"));
                    }
                }
                (None, _) => {
                    self.facts.remove(&key);
                }
                (Some(_), None) => return Err(format!("{key:?} was written without a version")),
            }
        }
        Ok(())
    }

    /// Finds out whether a request without an answer has happened.
    fn resolve(&mut self, writer: usize, changes: &[Change], seen: &Seen) -> Result<(), String> {
        let number = |facts: &Facts, key: &Key| facts.get(key).map(|fact| fact.number);
        let has_happened = changes
            .iter()
            .all(|(key, after)| number(&seen.facts, key) == *after);
        if !has_happened {
            // The comparison that follows finds a request that has happened by half.
            self.lost += 1;
            return Ok(());
        }
        self.happened += 1;
        for (key, _) in changes {
            let before = self.facts.remove(key);
            let Some(fact) = seen.facts.get(key) else {
                continue;
            };
            let is_other = before.is_some_and(|before| {
                before.version.uid != fact.version.uid
                    || before.version.revision >= fact.version.revision
            });
            if is_other {
                return Err(format!(
                    "the change of {key:?} by writer {writer} gave it another uid or no new revision"
                ));
            }
            self.facts.insert(key.clone(), fact.clone());
        }
        Ok(())
    }
}

fn same(key: &Key, promised: Option<&Fact>, found: Option<&Fact>) -> Result<(), String> {
    let is_same = match (promised, found) {
        // Others change the same object, so that its version may be a later one.
        (Some(promised), Some(found)) if key.kind == Kind::Shared => {
            promised.number == found.number
                && promised.version.uid == found.version.uid
                && promised.version.revision <= found.version.revision
        }
        _ => promised == found,
    };
    if is_same {
        return Ok(());
    }
    Err(format!("{key:?} should be {promised:?} and is {found:?}"))
}
