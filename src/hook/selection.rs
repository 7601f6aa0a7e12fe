//! What a delivery triggers: objects by name, and objects by kind and labels.
//!
//! Which objects carry the labels is for `trigger` to find out; nothing here reads a cluster.

use std::{collections::BTreeMap, fmt};

/// A kind of object that can be triggered, with what is needed to address it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version, such as `v1`.
    pub version: String,
    /// The kind, such as `GitRepository`.
    pub kind: String,
    /// The plural in URLs, such as `gitrepositories`.
    pub plural: String,
}

/// One object to trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Target {
    /// Writes `GitRepository/flux-system/podinfo`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.kind, self.namespace, self.name)
    }
}

/// One entry of `spec.resources`, resolved as far as it can be without a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// One object by name.
    Named(Target),
    /// All objects of a kind in a namespace that carry all of these labels; every object when there are none.
    Labelled {
        /// The kind of the objects.
        kind: TargetKind,
        /// Their namespace.
        namespace: String,
        /// The labels they must carry.
        labels: BTreeMap<String, String>,
    },
}

impl fmt::Display for Selector {
    /// Writes `GitRepository/flux-system/podinfo`, or `GitRepository/flux-system/*` with its labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(target) => target.fmt(f),
            Self::Labelled {
                kind,
                namespace,
                labels,
            } => {
                write!(f, "{}/{namespace}/*", kind.kind)?;
                for (index, (key, value)) in labels.iter().enumerate() {
                    write!(f, "{}{key}={value}", if index == 0 { " " } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

/// How much of the objects of a kind must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Where they are, and their labels.
    Labels,
    /// All of their metadata, for filters.
    Metadata,
}

/// A reference that can never be triggered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reference, as `Kind/namespace/name`.
    pub target: String,
    /// Why, in words for the operator.
    pub reason: String,
}

/// All that a Receiver triggers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What to trigger, in the order of `spec.resources`.
    pub selectors: Vec<Selector>,
    /// What was asked for but can never be triggered.
    pub refusals: Vec<Refusal>,
}
