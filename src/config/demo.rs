//! What `hookgate demo` is told: only how to log, because everything else is temporary.
//!
//! Ports are chosen by the system, so that a demo runs beside anything.

use clap::Args;

use super::{ListenAddr, LogEncoding, LogLevel, Serving, dev::alone};

/// Flags of `hookgate demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// How much to log to standard error
    #[arg(long, value_enum, default_value_t = LogLevel::Error, value_name = "LEVEL")]
    pub log_level: LogLevel,
    /// The shape of a log line
    #[arg(long, value_enum, default_value_t = LogEncoding::Console, value_name = "ENCODING")]
    pub log_encoding: LogEncoding,
}

impl Demo {
    /// Everything in one process, on free ports of the loopback interface.
    #[must_use]
    pub fn serving(&self) -> Serving {
        alone(ListenAddr::loopback(0), ListenAddr::loopback(0))
    }
}
