//! What hookgate says of itself: the log and the metrics.
//!
//! Nothing here sees a secret, a signature, a body or a hook path, so nothing here has to redact one.

mod json_lines;
mod live_secrets;
mod log;
mod metrics;

pub use live_secrets::UsedSecret;
pub use log::{AlreadyLogging, LogFormat, LogLevel, UnknownLogSetting, start_logging};
pub use metrics::{
    CONTENT_TYPE, InflightRequest, Metrics, PatchResult, ProxySign, RefusedConnection, TriggerLoad,
};
