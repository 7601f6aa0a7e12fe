//! How much is logged, and in which shape.
//!
//! Setting the logs up is done by `telemetry`; hookgate reads no `RUST_LOG`, so that a level is set in one place.

use clap::{Args, ValueEnum};

use super::AuditLog;

/// Flags for logs, which go to standard error, and for the audit record, which does not.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Logs")]
pub struct Logging {
    /// How much to log; libraries never log below `warn`
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log_level: LogLevel,
    /// The shape of a log line [default: json for `run`, console otherwise]
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub log_encoding: Option<LogEncoding>,
    /// Also record who triggered what in this file, one line of JSON for each proven delivery; `-` is standard output
    #[arg(long, value_name = "FILE", env = "HOOKGATE_AUDIT_LOG")]
    audit_log: Option<AuditLog>,
}

impl Logging {
    /// Where the audit record goes.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        self.audit_log.clone().unwrap_or_default()
    }
}

/// A level of detail; each includes the ones after it.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What happens inside.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

/// The shape of a log line.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEncoding {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Console,
}
