//! The secrets of a Receiver that are live: the current ones, and the sets that its annotation names.
//!
//! Each set has a path of its own; any of them proves a delivery at any of the paths. What is wrong with one set takes
//! no other down.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    keys::Keys,
    path::{HookPath, LivePath},
    receiver_ref::ReceiverRef,
    secrets::{InvalidSecret, Secrets},
    sender::Sender,
};
use crate::api::{
    annotations::{LIVE_SECRETS, TOKEN_KEY},
    live_secrets::{CURRENT, LiveSets, Mistake},
};

/// The live sets of secrets of one Receiver, the current one first.
#[derive(Clone, Debug)]
pub struct LiveSecrets {
    sets: Vec<LiveSet>,
    problems: Vec<SetProblem>,
}

/// One set of secrets, as a Secret holds it.
#[derive(Clone, Debug)]
struct LiveSet {
    identity: SetIdentity,
    secrets: Secrets,
}

/// Which set of secrets it is, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIdentity {
    name: String,
    until: Option<Timestamp>,
    path: HookPath,
    digest: SecretDigest,
}

/// Tells one set of secrets from another whatever their names; it cannot be printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretDigest([u8; 32]);

/// What is wrong with a set of secrets that was named as live, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetProblem {
    /// The annotation is wrong.
    #[error(transparent)]
    Annotation(#[from] Mistake),
    /// The Secret has no token for the set.
    #[error(
        "annotation {LIVE_SECRETS} names `{name}`, but the Secret has no key `{TOKEN_KEY}.{name}`; \
         add the key or remove the name"
    )]
    NoToken {
        /// The name of the set.
        name: String,
    },
    /// What the Secret holds for the set cannot be used.
    #[error("the keys of the Secret that end in `.{name}` are not live: {problem}")]
    Unusable {
        /// The name of the set.
        name: String,
        /// What is wrong, with keys named without the end.
        problem: InvalidSecret,
    },
    /// The path of the set leads to an older Receiver.
    #[error(
        "the path of the live secrets `{name}` belongs to the older Receiver `{owner}`; change their token"
    )]
    Shadowed {
        /// The name of the set.
        name: String,
        /// The Receiver that gets the deliveries.
        owner: ReceiverRef,
    },
}

/// The keys of one live set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveKeys {
    pub(super) identity: SetIdentity,
    pub(super) keys: Keys,
}

impl LiveSecrets {
    /// Takes the current secrets and the `named` ones that have not ended from the data of a Secret.
    #[must_use]
    pub fn of(receiver: &ReceiverRef, named: &LiveSets, secrets: &Secrets, now: Timestamp) -> Self {
        let mistakes = named.mistakes().iter().cloned();
        let mut live = Self {
            sets: vec![LiveSet::new(receiver, CURRENT, None, secrets.clone())],
            problems: mistakes.map(SetProblem::Annotation).collect(),
        };
        for set in named.sets().iter().filter(|set| set.is_live(now)) {
            match secrets.set(&set.name) {
                Ok(secrets) => {
                    let set = LiveSet::new(receiver, &set.name, set.until, secrets);
                    live.sets.push(set);
                }
                Err(problem) => live.problems.push(SetProblem::of(&set.name, problem)),
            }
        }
        live
    }

    /// The paths of all sets, that of the current one first.
    #[must_use]
    pub fn paths(&self) -> Vec<LivePath> {
        LivePath::merge(self.sets.iter().map(|set| set.identity.path()))
    }

    /// What the sender makes of each set, from which deliveries must be known again if replays are refused; only what is
    /// wrong with the current one is an error.
    pub(super) fn keys(
        &self,
        sender: Sender,
        refuses_replays: bool,
    ) -> Result<(Vec<LiveKeys>, Vec<SetProblem>), InvalidSecret> {
        let (mut all, mut problems) = (Vec::new(), self.problems.clone());
        for (index, LiveSet { identity, secrets }) in self.sets.iter().enumerate() {
            let keys = sender.keys(secrets).and_then(|keys| {
                let check = || sender.check_signs_deliveries(&keys);
                if refuses_replays { check() } else { Ok(()) }.map(|()| keys)
            });
            match keys {
                Ok(keys) => all.push(LiveKeys {
                    identity: identity.clone(),
                    keys,
                }),
                Err(problem) if index == 0 => return Err(problem),
                Err(problem) => problems.push(SetProblem::of(&identity.name, problem)),
            }
        }
        Ok((all, problems))
    }
}

impl LiveSet {
    fn new(receiver: &ReceiverRef, name: &str, until: Option<Timestamp>, secrets: Secrets) -> Self {
        let path = HookPath::derive(Some(secrets.token()), &receiver.name, &receiver.namespace);
        let mut digest = Sha256::new();
        for (key, value) in secrets.of_one_set() {
            for part in [key.as_bytes(), value.as_bytes()] {
                digest.update(part.len().to_be_bytes());
                digest.update(part);
            }
        }
        let identity = SetIdentity {
            name: name.to_owned(),
            until,
            path,
            digest: SecretDigest(digest.finalize().into()),
        };
        Self { identity, secrets }
    }
}

impl SetIdentity {
    /// The name: `current`, or as the annotation has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last moment at which it is live; for ever when absent.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The path that its token makes, live as long as it is.
    #[must_use]
    pub fn path(&self) -> LivePath {
        LivePath {
            path: self.path,
            until: self.until,
        }
    }

    /// Tells it from other secrets, also from those that had its name before.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        self.digest
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.path().is_live(now)
    }
}

impl SetProblem {
    fn of(name: &str, problem: InvalidSecret) -> Self {
        let name = name.to_owned();
        match problem {
            InvalidSecret::NoToken => Self::NoToken { name },
            problem => Self::Unusable { name, problem },
        }
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

#[cfg(test)]
mod tests;
