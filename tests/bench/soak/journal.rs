//! What the writing process tells while it writes, so that the judge knows what it was promised.
//!
//! One note is one line on a pipe, which outlives the process; a line that is cut off was never said.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A `ConfigMap`.
    Config,
    /// A `GitRepository`.
    Source,
    /// A `Namespace`.
    Namespace,
    /// One annotation of the one object that all writers change.
    Shared,
}

/// One thing that is written to; no two writers write to the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its namespace; empty for a namespace.
    pub(crate) namespace: String,
    /// Its name, or that of the annotation.
    pub(crate) name: String,
}

/// The number that something has after a change; nothing when it is gone.
pub(crate) type Change = (Key, Option<u64>);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Note {
    /// The control plane serves, and writing begins.
    Serving,
    /// A request is about to be sent; its changes happen together or not at all.
    Begun {
        /// Who sends it.
        writer: usize,
        /// What it changes.
        changes: Vec<Change>,
    },
    /// The request was answered with success.
    Done {
        /// Who sent it.
        writer: usize,
        /// The object that was answered; nothing after a deletion.
        version: Option<Version>,
    },
    /// The request was refused, which no request should be.
    Refused {
        /// Who sent it.
        writer: usize,
        /// What was said.
        why: String,
    },
}

/// One version of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Its `resourceVersion`.
    pub(crate) revision: u64,
    /// Its `uid`.
    pub(crate) uid: String,
}

/// Says something to the judge; fails when there is none any more.
pub(crate) fn say(note: &Note) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(note)?;
    line.push(b'\n');
    let mut pipe = io::stdout().lock();
    pipe.write_all(&line)?;
    Ok(pipe.flush()?)
}

/// The notes of a process that has ended.
pub(crate) fn read(text: &str) -> Result<Vec<Note>, String> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let note =
        |line| serde_json::from_str(line).map_err(|error| format!("not a note: {line}: {error}"));
    whole.lines().map(note).collect()
}
