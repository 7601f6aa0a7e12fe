//! The log: its format, its level, and the cap on what dependencies may say.
//!
//! It always goes to standard error; where else it should go is for the platform to decide.

use std::{fmt, io, str::FromStr};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::json_lines::JsonLines;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    #[default]
    Json,
    /// Plain lines, for people; in colour on a terminal.
    Console,
}

/// How much hookgate itself logs; its dependencies never log below `warn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything, such as each step of a delivery.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What needs attention soon.
    Warn,
    /// What needs attention now.
    Error,
}

/// A log format or level that does not exist.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a log {what}; use one of {choices}")]
pub struct UnknownLogSetting {
    text: String,
    what: &'static str,
    choices: &'static str,
}

/// Logging was started before in this process.
#[derive(Debug, thiserror::Error)]
#[error("logging was already started in this process")]
pub struct AlreadyLogging;

/// Sends the log of this process to standard error; call it once, before anything is logged.
pub fn start_logging(format: LogFormat, level: LogLevel) -> Result<(), AlreadyLogging> {
    let colour = io::IsTerminal::is_terminal(&io::stderr());
    match format {
        LogFormat::Json => json(level, io::stderr).try_init(),
        LogFormat::Console => console(level, colour, io::stderr).try_init(),
    }
    .map_err(|_| AlreadyLogging)
}

fn json<W>(level: LogLevel, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .event_format(JsonLines)
        .with_writer(writer);
    tracing_subscriber::registry()
        .with(lines)
        .with(capped(level))
}

fn console<W>(level: LogLevel, colour: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_ansi(colour)
        .with_writer(writer);
    tracing_subscriber::registry()
        .with(lines)
        .with(capped(level))
}

/// A library may print what it receives, so no level makes it say more than `warn`.
fn capped(level: LogLevel) -> Targets {
    let ours = LevelFilter::from(level);
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), ours)
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::TRACE,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Info => Self::INFO,
            LogLevel::Warn => Self::WARN,
            LogLevel::Error => Self::ERROR,
        }
    }
}

impl FromStr for LogFormat {
    type Err = UnknownLogSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "console" => Ok(Self::Console),
            _ => Err(UnknownLogSetting {
                text: text.to_owned(),
                what: "format",
                choices: "`json` and `console`",
            }),
        }
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trace" => Ok(Self::Trace),
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(UnknownLogSetting {
                text: text.to_owned(),
                what: "level",
                choices: "`trace`, `debug`, `info`, `warn` and `error`",
            }),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Console => "console",
        })
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, say: fn()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(json(level, move || writer.clone()), say);
        lines.text()
    }

    #[test]
    fn dependencies_never_say_more_than_warn() {
        let text = logged(LogLevel::Trace, || {
            tracing::info!(target: "hyper::proto", "authorization: hunter2");
            tracing::warn!(target: "kube_client", "slow");
        });
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("slow"), "{text}");
    }

    #[test]
    fn a_dependency_is_quieter_than_warn_when_hookgate_is() {
        let text = logged(LogLevel::Error, || {
            tracing::warn!(target: "kube_client", "slow");
        });
        assert_eq!(text, "");
    }

    #[test]
    fn hookgate_logs_at_its_level() {
        let text = logged(LogLevel::Debug, || {
            let (target, is_new) = (format_args!("a \"b\""), true);
            tracing::debug!(receiver = "flux-system/app", %target, is_new, code = -1, "loaded");
            tracing::trace!("not this");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "loaded");
        assert_eq!(line["level"], "DEBUG");
        assert_eq!(line["receiver"], "flux-system/app");
        assert_eq!(line["target"], "a \"b\"");
        assert_eq!(line["is_new"], true);
        assert_eq!(line["code"], -1);
        assert_eq!(line["module"], "hookgate::telemetry::log::tests");
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
    }

    #[test]
    fn settings_survive_their_text() {
        for level in ["trace", "debug", "info", "warn", "error"] {
            assert_eq!(level.parse::<LogLevel>().unwrap().to_string(), level);
        }
        for format in ["json", "console"] {
            assert_eq!(format.parse::<LogFormat>().unwrap().to_string(), format);
        }
    }

    #[test]
    fn an_unknown_setting_names_the_choices() {
        let error = "loud".parse::<LogLevel>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`loud` is not a log level; use one of `trace`, `debug`, `info`, `warn` and `error`"
        );
    }
}
