//! The ways a delivery can end, and the phase that ended it.
//!
//! The only place that knows them all; `answer` turns them into responses.

use std::time::Duration;

use super::issuers::KeysUnavailable;
use crate::{
    api::annotations::ALLOWED_CLIENTS,
    hook::{Closed, Refusal, Unauthentic, Uninterpretable},
    trigger::{Report, Verdict},
};

/// When to send again if the API server does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The steps of a delivery, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Read the head.
    Receive,
    /// Find the hook of the path.
    Locate,
    /// Refuse who may not send from there, or failed too often.
    Limit,
    /// Let the body pass through the verifier.
    Authenticate,
    /// Read the event.
    Interpret,
    /// Compare it with what the Receiver wants, and has had.
    Admit,
    /// Take what the Receiver names.
    Select,
    /// Annotate it.
    Trigger,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Receive,
        Self::Locate,
        Self::Limit,
        Self::Authenticate,
        Self::Interpret,
        Self::Admit,
        Self::Select,
        Self::Trigger,
    ];

    /// The word for it in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Locate => "locate",
            Self::Limit => "limit",
            Self::Authenticate => "authenticate",
            Self::Interpret => "interpret",
            Self::Admit => "admit",
            Self::Select => "select",
            Self::Trigger => "trigger",
        }
    }
}

/// What became of a delivery whose sender is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every target is annotated.
    Triggered,
    /// Some targets are annotated; these can never be.
    PartlyTriggered {
        /// The targets that were refused, as `Kind/namespace/name`.
        refused: Vec<String>,
    },
    /// Nothing is lost, but some targets are still to be annotated: they are on disk and being worked on.
    Pending {
        /// The targets that were refused, as `Kind/namespace/name`.
        refused: Vec<String>,
    },
    /// The same, and the rate of the Receiver says when; more deliveries until then are one.
    Coalesced {
        /// The targets that were refused, as `Kind/namespace/name`.
        refused: Vec<String>,
    },
    /// The body is not what the sender sends.
    NotUnderstood(Uninterpretable),
    /// The Receiver does not list the event.
    NotWanted,
    /// The same was signed and answered before, and the Receiver refuses that.
    Replayed,
    /// Filters left out every target.
    FilteredOut,
    /// There was too much to be filtered at once, or the same was being worked on, and it took too long; nothing is
    /// triggered, and sending again may help.
    Busy {
        /// When to send again.
        retry_after: Duration,
    },
    /// No target could be annotated, and none will be until somebody changes something.
    NothingAccepted {
        /// The targets that were refused, as `Kind/namespace/name`.
        refused: Vec<String>,
    },
    /// A target could be neither annotated in time nor written to disk; sending again may help.
    Unfinished {
        /// When to send again.
        retry_after: Duration,
    },
}

impl Outcome {
    /// There is too much at once.
    pub(super) const BUSY: Self = Self::Busy {
        retry_after: RETRY_AFTER,
    };

    /// Nothing can be made durable.
    pub(super) const UNFINISHED: Self = Self::Unfinished {
        retry_after: RETRY_AFTER,
    };

    /// What a report comes to, with what could not even be asked for.
    pub(super) fn of(report: &Report, refusals: &[Refusal]) -> Self {
        let refused = || {
            let known = refusals.iter().map(|refusal| refusal.target.clone());
            known.chain(report.refused()).collect::<Vec<_>>()
        };
        match (report.verdict(), refusals.is_empty()) {
            (Verdict::Unfinished, _) => Self::Unfinished {
                retry_after: report.retry_after().unwrap_or(RETRY_AFTER),
            },
            (Verdict::Pending, _) if report.is_above_rate => Self::Coalesced { refused: refused() },
            (Verdict::Pending, _) => Self::Pending { refused: refused() },
            (Verdict::NoneAccepted, _) => Self::NothingAccepted { refused: refused() },
            (Verdict::AllDone, true) if report.is_left_out() => Self::FilteredOut,
            (Verdict::AllDone, true) => Self::Triggered,
            (Verdict::AllDone, false) if report.entries.is_empty() => {
                Self::NothingAccepted { refused: refused() }
            }
            (Verdict::AllDone | Verdict::SomeDone, _) => {
                Self::PartlyTriggered { refused: refused() }
            }
        }
    }

    /// The word for it in answers, logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::PartlyTriggered { .. } => "partly-triggered",
            Self::Pending { .. } => "pending",
            Self::Coalesced { .. } => "coalesced",
            Self::NotUnderstood(_) => "not-understood",
            Self::NotWanted => "not-wanted",
            Self::Replayed => "replayed",
            Self::FilteredOut => "filtered-out",
            Self::Busy { .. } => "busy",
            Self::NothingAccepted { .. } => "nothing-accepted",
            Self::Unfinished { .. } => "unfinished",
        }
    }
}

/// Why a request is refused before its sender is proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the target is too long for any hook")]
    LongTarget,
    #[error("the body has an encoding or media type that the sender does not use")]
    UnsupportedMediaType,
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the body did not arrive in time")]
    TimedOut,
    #[error("there was no room in memory for the body in time")]
    Overloaded,
    #[error("the path belongs to no Receiver")]
    UnknownPath,
    #[error("the Receiver is {}", closed(*.0))]
    Closed(Closed),
    /// Answered like an unknown path, so that nobody learns from elsewhere that a path is right.
    #[error("the Receiver does not list the network of the client in {ALLOWED_CLIENTS}")]
    ClientNotAllowed,
    #[error("the client failed too often")]
    TooManyFailures { retry_after: Duration },
    #[error("a ping that its sender does not sign is answered, and triggers nothing")]
    UnsignedPing,
    #[error("{0}")]
    Unauthentic(#[from] Unauthentic),
    /// The sender may be right and nobody can tell, so it is told to come back (503) and not that it is wrong (401),
    /// after which many never would; it learns that an issuer is away, which is no secret of a Receiver's.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
}

impl Rejection {
    /// The word for it in metrics.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::LongTarget => "long-target",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::TooLarge { .. } => "too-large",
            Self::TimedOut => "timed-out",
            Self::Overloaded => "overloaded",
            Self::UnknownPath => "unknown-path",
            Self::Closed(_) => "closed",
            Self::ClientNotAllowed => "client-not-allowed",
            Self::TooManyFailures { .. } => "too-many-failures",
            Self::UnsignedPing => "unsigned-ping",
            Self::Unauthentic(_) => "unauthentic",
            Self::KeysUnavailable(_) => "keys-unavailable",
        }
    }
}

fn closed(closed: Closed) -> &'static str {
    match closed {
        Closed::Suspended => "suspended",
        Closed::NotReady => "not ready",
    }
}
