//! What to enter at the host: its fields, each with what goes into it.
//!
//! The URL and the token are in it, for the operator who asked for them.

use std::fmt::Write as _;

use anyhow::ensure;
use http::Uri;

use crate::hook::{FormValue, Sender};

/// The fields of the host's form, given the events that were chosen: all when empty, the usual ones when not said.
pub(super) fn write(sender: Sender, url: &str, token: &str, events: Option<&[String]>) -> String {
    let setup = sender.setup();
    let widest = setup.fields.iter().map(|(label, _)| label.len()).max();
    let width = widest.unwrap_or_default() + 2;
    let mut form = format!("\nThen, {}\n\n", setup.page);
    for (label, value) in setup.fields {
        let value = match value {
            FormValue::Url => url.to_owned(),
            FormValue::Token => token.to_owned(),
            FormValue::Text(text) => (*text).to_owned(),
            FormValue::Events(words) => chosen(events, words),
        };
        // Writing to a String does not fail.
        let _ = writeln!(form, "  {label:<width$}{value}");
    }
    form.push_str("\nWhoever has the URL and the token can trigger: keep both secret.\n");
    form
}

fn chosen(events: Option<&[String]>, usual: &str) -> String {
    match events {
        None => usual.to_owned(),
        Some([]) => "all".to_owned(),
        Some([only]) if only.is_empty() => "all".to_owned(),
        Some(events) => format!("those named {}", events.join(", ")),
    }
}

/// The address of the hook; without a known gateway, with words in its place.
pub(super) fn url(gateway: Option<&str>, path: &str) -> anyhow::Result<String> {
    let Some(gateway) = gateway else {
        return Ok(format!("https://<the address of your gateway>{path}"));
    };
    let with_scheme = if gateway.contains("://") {
        gateway.to_owned()
    } else {
        format!("https://{gateway}")
    };
    let uri: Option<Uri> = with_scheme.parse().ok();
    let is_bare = uri.is_some_and(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http
            && uri.authority().is_some()
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    });
    ensure!(
        is_bare,
        "`--url` must be the address of the gateway without a path, such as https://hooks.example.com"
    );
    Ok(format!("{}{path}", with_scheme.trim_end_matches('/')))
}
