//! The `hookgate` binary: parses arguments, runs the command, turns an error into an exit code.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

fn main() {}
