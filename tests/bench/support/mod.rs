//! What several benches need: processes, an API server with faults in front of it, deliveries, and figures.
//!
//! It starts and counts; what is measured and what counts as a failure is for each bench.

pub(crate) mod api;
pub(crate) mod connection;
pub(crate) mod faults;
pub(crate) mod figures;
pub(crate) mod front;
pub(crate) mod gateway;
pub(crate) mod ledger;
pub(crate) mod objects;
pub(crate) mod payload;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod tally;
