//! What `hookgate crds` is told.
//!
//! What the definitions say is not configurable.

use std::path::PathBuf;

use clap::Args;

/// Flags of `hookgate crds`.
#[derive(Args, Clone, Debug)]
pub struct Crds {
    /// Write one file for each definition to this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
