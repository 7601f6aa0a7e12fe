//! How the keys of OpenID Connect issuers are fetched.
//!
//! The file that is named here is read by `cli`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::values::go_bool;

/// Flags of issuers, the same wherever deliveries are received or Receivers are checked.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "OpenID Connect")]
pub struct Issuers {
    /// Accept issuers whose URL begins with http://, whose keys anybody on the way can replace
    #[arg(long = "oidc-allow-http", value_name = "BOOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub allow_http: bool,
    /// Certificates (PEM) to trust when keys of issuers are fetched, besides those of the system
    #[arg(long = "oidc-ca-file", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Where Google's keys for RS256 are, for `gcr`
    #[arg(long, value_name = "URL", hide = true, default_value = Self::GOOGLE_CERTS)]
    pub google_certs_url: String,
    /// Where Google's keys for ES256 are, for `gcr`
    #[arg(long, value_name = "URL", hide = true, default_value = Self::GOOGLE_PROXY_CERTS)]
    pub google_proxy_certs_url: String,
}

impl Issuers {
    const GOOGLE_CERTS: &str = "https://www.googleapis.com/oauth2/v3/certs";
    const GOOGLE_PROXY_CERTS: &str = "https://www.gstatic.com/iap/verify/public_key-jwk";
}

impl Default for Issuers {
    fn default() -> Self {
        Self {
            allow_http: false,
            ca_file: None,
            google_certs_url: Self::GOOGLE_CERTS.to_owned(),
            google_proxy_certs_url: Self::GOOGLE_PROXY_CERTS.to_owned(),
        }
    }
}
