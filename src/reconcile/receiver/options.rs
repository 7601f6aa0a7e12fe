//! What an operator can choose for the Receiver controller.
//!
//! Reading the choice from flags and files is for `config` and `cli`.

use std::time::Duration;

use crate::{
    api::annotations::{WATCH_ENABLED, WATCH_LABEL},
    hook::Policy,
};

/// Which Receivers are reconciled, and how.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// Where Receivers and their Secrets are watched.
    pub scope: Scope,
    /// What Receivers may do.
    pub policy: Policy,
    /// The labels of Secrets whose changes are acted on at once: all Secrets when empty, and none when absent.
    pub secret_selector: Option<String>,
    /// Whether status, finalizers and events are written when this replica leads.
    pub status: ReceiverStatusWriting,
    /// How many Receivers are reconciled at once.
    pub concurrency: u16,
    /// How long to wait after the first failure of a Receiver; doubled with each further one.
    pub min_retry_delay: Duration,
    /// The longest wait after a failure.
    pub max_retry_delay: Duration,
}

/// Where a controller watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In all namespaces.
    Cluster,
    /// In this one.
    Namespace(String),
}

/// Whether the status of Receivers is hookgate's to write, or another controller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverStatusWriting {
    /// The leader writes status, finalizers and events.
    On,
    /// Nothing is written.
    Off,
}

impl ReceiverOptions {
    /// The options that Flux has by default.
    #[must_use]
    pub fn new(scope: Scope, policy: Policy) -> Self {
        Self {
            scope,
            policy,
            secret_selector: Some(format!("{WATCH_LABEL}={WATCH_ENABLED}")),
            status: ReceiverStatusWriting::On,
            concurrency: 4,
            min_retry_delay: Duration::from_millis(750),
            max_retry_delay: Duration::from_mins(15),
        }
    }
}
