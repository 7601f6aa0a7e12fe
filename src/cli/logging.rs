//! Starts the log as the flags of a command ask.
//!
//! The only place where the words of the command line and those of `telemetry` meet.

use crate::{
    config::{LogEncoding, LogLevel},
    telemetry::{self, AlreadyLogging, LogFormat},
};

/// Sends the log of this process to standard error.
pub(super) fn start(level: LogLevel, encoding: LogEncoding) -> Result<(), AlreadyLogging> {
    telemetry::start_logging(format(encoding), threshold(level))
}

fn format(encoding: LogEncoding) -> LogFormat {
    match encoding {
        LogEncoding::Json => LogFormat::Json,
        LogEncoding::Console => LogFormat::Console,
    }
}

fn threshold(level: LogLevel) -> telemetry::LogLevel {
    match level {
        LogLevel::Trace => telemetry::LogLevel::Trace,
        LogLevel::Debug => telemetry::LogLevel::Debug,
        LogLevel::Info => telemetry::LogLevel::Info,
        LogLevel::Warn => telemetry::LogLevel::Warn,
        LogLevel::Error => telemetry::LogLevel::Error,
    }
}
