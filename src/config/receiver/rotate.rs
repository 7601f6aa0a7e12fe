//! What `hookgate receiver rotate` is told.
//!
//! How far the change of a token has come, and what is left to do, is for `cli` to find out, which can look.

use std::time::Duration;

use clap::Args;

use super::{Connection, NamedReceiver};
use crate::api;

/// The longest overlap; who needs more names the secrets in the annotation without an end.
const LONGEST_OVERLAP: Duration = Duration::from_hours(365 * 24);

/// Flags of `hookgate receiver rotate`.
#[derive(Args, Clone, Debug)]
pub struct Rotate {
    /// Which one.
    #[command(flatten)]
    pub receiver: NamedReceiver,
    /// How long the old token stays live beside the new one
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = overlap)]
    pub overlap: Duration,
    /// End the overlap: from now on the old token is refused, and it is taken out of the Secret
    #[arg(long, conflicts_with_all = ["overlap", "url", "token_stdin"])]
    pub finish: bool,
    /// Where the gateway is seen from the sender, such as <https://hooks.example.com>
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Take the new token from standard input instead of making one up; one line end is taken off
    #[arg(long)]
    pub token_stdin: bool,
    /// The cluster to ask.
    #[command(flatten)]
    pub connection: Connection,
}

fn overlap(text: &str) -> Result<Duration, &'static str> {
    let overlap = text.parse().ok().map(api::duration::Duration::get);
    overlap
        .filter(|overlap| (Duration::from_mins(1)..=LONGEST_OVERLAP).contains(overlap))
        .ok_or("write a duration from 1m to 8760h, such as 24h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_a_duration_within_bounds() {
        assert_eq!(overlap("90m"), Ok(Duration::from_mins(90)));
        for text in ["", "1", "59s", "-1h", "8760h1s", "a day"] {
            assert!(overlap(text).is_err(), "{text:?}");
        }
    }
}
