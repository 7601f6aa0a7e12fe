//! What goes wrong between hookgate and the API server, and how the process in between is told.
//!
//! Orders and replies are lines of JSON on its standard input and output.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::tally::{Budget, Tally};

/// What goes wrong at the moment; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// How much later than it could each request is passed on.
    pub(crate) delay: Duration,
    /// Which requests are answered with an error and not passed on.
    pub(crate) errors: Option<Errors>,
    /// How nothing gets through at all.
    pub(crate) outage: Option<Outage>,
}

/// Answers of an API server that is not well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Errors {
    /// How many of a thousand requests.
    pub(crate) per_mille: u64,
    /// The status of the answer.
    pub(crate) status: u16,
    /// The `Retry-After` of the answer, in seconds.
    pub(crate) retry_after: Option<u64>,
}

/// How an API server is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub(crate) enum Outage {
    /// Connections are cut, and new ones refused
    Refuse,
    /// Connections stay and are accepted, and no request is answered
    Hang,
}

/// What the process in between is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// These faults from now on.
    Fail(Faults),
    /// Say what was seen since the last [`Order::Forget`], judged by a budget.
    Count(Budget),
    /// Count from now on.
    Forget,
}

/// What the process in between says: one line after it has started, and one for each order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// It serves.
    Serving {
        /// Where nothing goes wrong.
        direct: SocketAddr,
        /// Where the faults are, and where requests are counted.
        faulty: SocketAddr,
    },
    /// It is so from now on.
    Done,
    /// What was seen.
    Counted(Tally),
}
