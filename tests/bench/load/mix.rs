//! Which delivery comes as the n-th: how large, to which Receiver, in order or not.
//!
//! Pure: it follows from the seed and the number, so that every run and every gateway gets the same.

use crate::{arguments::Load, support::random::Random};

/// Sizes of bodies in bytes, and how many of a thousand have them: the median of GitHub's events is 8 kB,
/// and 25 MB is the most that GitHub sends.
const SIZES: [(usize, u64); 5] = [
    (8_000, 700),
    (1_000, 200),
    (100_000, 80),
    (1_000_000, 19),
    (25_000_000, 1),
];
/// A delivery is repeated before so many others have come.
const REPEATED_WITHIN: u64 = 64;

/// What is in order or not with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing is wrong.
    Fresh,
    /// It came before, with the same id.
    Duplicate,
    /// Its signature is wrong.
    Forged,
    /// Nobody has its path.
    Unknown,
}

/// One delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Whether it should be accepted.
    pub(crate) kind: Kind,
    /// The place of its size in [`Mix::sizes`].
    pub(crate) size: usize,
    /// The number of its Receiver.
    pub(crate) receiver: usize,
    /// The number that makes its id.
    pub(crate) id: u64,
    /// Whether it comes on a connection of its own.
    pub(crate) reconnects: bool,
}

/// How deliveries are chosen.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    load: Load,
    receivers: u64,
}

impl Mix {
    /// The mix of a load for so many Receivers.
    pub(crate) fn new(load: &Load, receivers: usize) -> Self {
        Self {
            load: load.clone(),
            receivers: receivers as u64,
        }
    }

    /// All sizes, in bytes.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        match self.load.bytes {
            Some(bytes) => vec![bytes],
            None => SIZES.map(|(bytes, _)| bytes).to_vec(),
        }
    }

    /// The delivery that comes as the n-th.
    pub(crate) fn choose(&self, number: u64) -> Choice {
        let mut random = self.random(number);
        let kind = self.kind(random.below(100));
        let reconnects = random.below(100) < self.load.new_connections;
        let id = match kind {
            Kind::Duplicate => number.saturating_sub(1 + random.below(REPEATED_WITHIN)),
            _ => number,
        };
        // A delivery that is repeated is the same in all that follows from its id.
        let mut random = self.random(id);
        let _ = (random.number(), random.number(), random.number());
        Choice {
            kind,
            size: self.size(random.below(1000)),
            receiver: usize::try_from(random.below(self.receivers)).expect("it fits"),
            id,
            reconnects,
        }
    }

    fn random(&self, number: u64) -> Random {
        let mut seeds = Random::new(self.load.seed);
        Random::new(seeds.number() ^ Random::new(number).number())
    }

    fn kind(&self, percent: u64) -> Kind {
        let unknown = self.load.unknown;
        let forged = unknown + self.load.forged;
        let duplicates = forged + self.load.duplicates;
        match percent {
            drawn if drawn < unknown => Kind::Unknown,
            drawn if drawn < forged => Kind::Forged,
            drawn if drawn < duplicates => Kind::Duplicate,
            _ => Kind::Fresh,
        }
    }

    fn size(&self, mut drawn: u64) -> usize {
        if self.load.bytes.is_some() {
            return 0;
        }
        for (place, (_, share)) in SIZES.iter().enumerate() {
            if drawn < *share {
                return place;
            }
            drawn -= share;
        }
        0
    }
}

impl Kind {
    /// Whether a gateway should accept it.
    pub(crate) fn is_authentic(self) -> bool {
        matches!(self, Self::Fresh | Self::Duplicate)
    }

    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "in order",
            Self::Duplicate => "repeated",
            Self::Forged => "badly signed",
            Self::Unknown => "unknown path",
        }
    }
}
