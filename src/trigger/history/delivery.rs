//! What the history keeps of one delivery; the same shape on disk, on the operator's listener and in the CLI.
//!
//! Nothing of the body, no credential and no path is in it, and every text is bounded.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::hook::{ReceiverRef, Target, TargetKind};

/// The longest text that is kept, in bytes; longer ones are cut.
const MAX_TEXT_BYTES: usize = 256;
/// How many headers, targets and notes are kept of one delivery.
const MAX_HEADERS: usize = 16;
const MAX_TARGETS: usize = 512;
const MAX_NOTES: usize = 32;

/// One delivery whose sender was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its number in the history of this gateway; later deliveries have higher ones.
    pub id: u64,
    /// The id that the sender gave it, or one that was made up.
    pub delivery: String,
    /// Whose delivery it is, as `namespace/name`.
    #[serde(serialize_with = "write_receiver", deserialize_with = "read_receiver")]
    pub receiver: ReceiverRef,
    /// The type of the sender, such as `github`.
    pub sender: Cow<'static, str>,
    /// The event; empty when the sender names none.
    pub event: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// How it was answered, such as `triggered`.
    pub outcome: Cow<'static, str>,
    /// Whether the Receiver has had a delivery of the same id before.
    #[serde(default)]
    pub is_redelivery: bool,
    /// The name of the live secrets that proved it, such as `current`; nothing for a Receiver that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The number of the delivery that an operator asked to redeliver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redelivers: Option<u64>,
    /// Where it came from; nothing for an operator's redelivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Harmless headers of the request.
    #[serde(default)]
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// What it triggered.
    #[serde(default)]
    pub targets: Vec<Triggered>,
    /// How many targets more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_targets: usize,
    /// What else there is to say, such as labels that no object has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One target of a delivery, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggered {
    /// The object.
    #[serde(
        flatten,
        serialize_with = "write_target",
        deserialize_with = "read_target"
    )]
    pub target: Arc<Target>,
    /// What became of it.
    #[serde(flatten)]
    pub state: State,
}

/// What became of one target of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum State {
    /// It is on disk, and being worked on.
    Pending {
        /// Why it did not work so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The object is annotated.
    Triggered {
        /// With this time.
        at: Timestamp,
        /// The revision that the object had when it was next reconciled; nothing as long as that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
    /// It was given up.
    Ended {
        /// Why.
        reason: String,
    },
    /// It was neither done in time nor durable; the sender was told so.
    Unfinished {
        /// Why.
        reason: String,
    },
}

impl Delivery {
    /// Cuts everything to its bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        cut(&mut self.delivery);
        cut(&mut self.event);
        for text in [&mut self.sender, &mut self.outcome] {
            if let Cow::Owned(text) = text {
                cut(text);
            }
        }
        self.headers.truncate(MAX_HEADERS);
        self.headers.iter_mut().for_each(|(_, value)| cut(value));
        self.more_targets += self.targets.len().saturating_sub(MAX_TARGETS);
        self.targets.truncate(MAX_TARGETS);
        self.targets
            .iter_mut()
            .for_each(|triggered| triggered.state.cut());
        self.notes.truncate(MAX_NOTES);
        self.notes.iter_mut().for_each(cut);
        self
    }

    /// About how many bytes it takes, in memory and on disk.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = 256;
        const EACH_TARGET: usize = 160;
        let texts: [&str; 4] = [&self.delivery, &self.sender, &self.event, &self.outcome];
        let texts: usize = texts.into_iter().map(str::len).sum();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let targets = self.targets.iter().map(|triggered| {
            let Target {
                kind,
                namespace,
                name,
            } = &*triggered.target;
            let kind = kind.group.len() + kind.version.len() + kind.kind.len() + kind.plural.len();
            EACH_TARGET + kind + namespace.len() + name.len() + triggered.state.weight()
        });
        let notes = self.notes.iter().map(String::len);
        EACH + texts + headers.sum::<usize>() + targets.sum::<usize>() + notes.sum::<usize>()
    }
}

impl State {
    /// Whether something may still come of it.
    pub(super) fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Pending { .. } | Self::Triggered { revision: None, .. }
        )
    }

    fn text(&mut self) -> Option<&mut String> {
        match self {
            Self::Pending { reason } => reason.as_mut(),
            Self::Triggered { revision, .. } => revision.as_mut(),
            Self::Ended { reason } | Self::Unfinished { reason } => Some(reason),
        }
    }

    pub(super) fn cut(&mut self) {
        if let Some(text) = self.text() {
            cut(text);
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Pending { reason } => reason.as_ref().map_or(0, String::len),
            Self::Triggered { revision, .. } => revision.as_ref().map_or(0, String::len),
            Self::Ended { reason } | Self::Unfinished { reason } => reason.len(),
        }
    }
}

/// Cuts a text to the longest that is kept.
fn cut(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES - '…'.len_utf8()));
        text.push('…');
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn write_receiver<S: Serializer>(receiver: &ReceiverRef, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(receiver)
}

fn read_receiver<'de, D: Deserializer<'de>>(from: D) -> Result<ReceiverRef, D::Error> {
    let text = String::deserialize(from)?;
    let (namespace, name) = text
        .split_once('/')
        .ok_or_else(|| D::Error::custom("a Receiver is written namespace/name"))?;
    Ok(ReceiverRef {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

#[derive(Serialize, Deserialize)]
struct WrittenTarget {
    group: String,
    version: String,
    kind: String,
    plural: String,
    namespace: String,
    name: String,
}

fn write_target<S: Serializer>(target: &Arc<Target>, to: S) -> Result<S::Ok, S::Error> {
    let Target {
        kind,
        namespace,
        name,
    } = Target::clone(target);
    let written = WrittenTarget {
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
        plural: kind.plural,
        namespace,
        name,
    };
    written.serialize(to)
}

fn read_target<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Target>, D::Error> {
    let written = WrittenTarget::deserialize(from)?;
    Ok(Arc::new(Target {
        kind: TargetKind {
            group: written.group,
            version: written.version,
            kind: written.kind,
            plural: written.plural,
        },
        namespace: written.namespace,
        name: written.name,
    }))
}
