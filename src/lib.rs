//! The library behind the `hookgate` binary; it is not a public interface.
//!
#![doc = include_str!("README.md")]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod api;
pub mod cel;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod hook;
pub mod ingress;
pub mod reconcile;
pub mod telemetry;
pub mod trigger;
