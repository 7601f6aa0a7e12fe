//! How deliveries come in: whether over TLS, and past which proxies.
//!
//! The files that are named here are read by `ingress`, when it starts and whenever they change.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args};
use ipnet::{IpNet, Ipv4Net};

use super::values::{InvalidConfig, go_bool};

/// Flags of the exposed listener, the same for `run` and `dev`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Exposed listener")]
pub struct EntranceArgs {
    /// Certificate chain (PEM) to receive deliveries over HTTPS with; read again when it changes
    #[arg(long, value_name = "FILE", env = "HOOKGATE_TLS_CERT_FILE")]
    tls_cert_file: Option<PathBuf>,
    /// The private key (PEM) of that certificate; read again when it changes
    #[arg(long, value_name = "FILE", env = "HOOKGATE_TLS_KEY_FILE")]
    tls_key_file: Option<PathBuf>,
    /// Certificates (PEM) of authorities whose client certificates count where a Receiver asks for one with `hookgate.dev/client-certificate`; read again when they change
    #[arg(long, value_name = "FILE", env = "HOOKGATE_CLIENT_CA_FILE")]
    client_ca_file: Option<PathBuf>,
    /// Networks of the proxies in front, comma-separated: only they are believed when they say, in X-Forwarded-For, who a client is
    #[arg(long, value_name = "CIDR", env = "HOOKGATE_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<IpNet>,
    /// The trusted proxies begin every connection with a header of the PROXY protocol, version 1 or 2
    #[arg(long, value_name = "BOOL", env = "HOOKGATE_PROXY_PROTOCOL", value_parser = go_bool, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    proxy_protocol: bool,
}

/// How deliveries come in, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entrance {
    /// The files for TLS; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// The networks whose word for the address of a client is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether they begin each connection with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

/// The files for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, in PEM; none are asked for without.
    pub client_authorities: Option<PathBuf>,
    /// How often it is looked whether a file has changed.
    pub poll_interval: Duration,
}

impl Entrance {
    /// What the URL of a hook begins with, seen from the network of the listener.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

impl TlsFiles {
    /// Kubernetes itself takes about a minute to bring a Secret that has changed to its files.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(5);
}

impl EntranceArgs {
    /// What the flags mean together.
    pub fn checked(&self) -> Result<Entrance, InvalidConfig> {
        let tls = match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: self.client_ca_file.clone(),
                poll_interval: TlsFiles::POLL_INTERVAL,
            }),
            (Some(_), None) => {
                return Err(needs("--tls-cert-file", "--tls-key-file", "TLS takes both"));
            }
            (None, Some(_)) => {
                return Err(needs("--tls-key-file", "--tls-cert-file", "TLS takes both"));
            }
            (None, None) if self.client_ca_file.is_some() => {
                let reason = "client certificates can only be checked where TLS ends; behind a proxy that ends it, let the proxy check them";
                return Err(needs("--client-ca-file", "--tls-cert-file", reason));
            }
            (None, None) => None,
        };
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            let reason = "a header that anybody could send says nothing";
            return Err(needs("--proxy-protocol", "--trusted-proxies", reason));
        }
        Ok(Entrance {
            tls,
            trusted_proxies: self.trusted_proxies.clone(),
            proxy_protocol: self.proxy_protocol,
        })
    }
}

fn needs(flag: &'static str, other: &'static str, reason: &'static str) -> InvalidConfig {
    InvalidConfig::Incomplete {
        flag,
        other,
        reason,
    }
}

/// Why a text is not a network of proxies.
#[derive(Debug, thiserror::Error)]
enum InvalidNetwork {
    #[error("write a network or an address, such as 10.0.0.0/8, fd00::/8 or 192.0.2.7")]
    Malformed,
    #[error(
        "a network of all addresses would let every client choose the address that it is known by; name the networks of your proxies"
    )]
    Everybody,
}

/// Reads a network, or one address as the network of it alone; IPv4 in the clothes of IPv6 is IPv4.
fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network = network.map_err(|_| InvalidNetwork::Malformed)?.trunc();
    let network = match network {
        IpNet::V6(wide) if wide.prefix_len() >= 96 => as_ipv4(wide.addr().to_ipv4_mapped(), wide),
        other => other,
    };
    if network.prefix_len() == 0 {
        return Err(InvalidNetwork::Everybody);
    }
    Ok(network)
}

fn as_ipv4(mapped: Option<Ipv4Addr>, wide: ipnet::Ipv6Net) -> IpNet {
    let narrow = mapped.and_then(|address| Ipv4Net::new(address, wide.prefix_len() - 96).ok());
    narrow.map_or(IpNet::V6(wide), IpNet::V4)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        entrance: EntranceArgs,
    }

    fn parse(flags: &[&str]) -> Result<Entrance, String> {
        let words = ["hookgate"].iter().chain(flags);
        let command = Command::try_parse_from(words).map_err(|error| error.to_string())?;
        let entrance = command.entrance.checked();
        entrance.map_err(|error| error.to_string())
    }

    #[test]
    fn deliveries_come_over_plain_http_past_no_proxy_unless_told_otherwise() {
        assert_eq!(parse(&[]), Ok(Entrance::default()));
    }

    #[test]
    fn the_files_of_cert_manager_are_taken() {
        let entrance = parse(&[
            "--tls-cert-file=/tls/tls.crt",
            "--tls-key-file=/tls/tls.key",
            "--client-ca-file=/tls/ca.crt",
        ]);
        let tls = entrance.unwrap().tls.unwrap();
        assert_eq!(tls.certificate, PathBuf::from("/tls/tls.crt"));
        assert_eq!(tls.key, PathBuf::from("/tls/tls.key"));
        assert_eq!(tls.client_authorities, Some("/tls/ca.crt".into()));
    }

    #[test]
    fn networks_are_read_as_they_are_meant() {
        let flag = "--trusted-proxies=10.1.2.3/8, fd00::/8,192.0.2.7,::1,::ffff:172.16.0.0/108";
        let entrance = parse(&[flag, "--proxy-protocol"]).unwrap();
        let networks = entrance.trusted_proxies.iter().map(ToString::to_string);
        let networks: Vec<_> = networks.collect();
        let expected = [
            "10.0.0.0/8",
            "fd00::/8",
            "192.0.2.7/32",
            "::1/128",
            "172.16.0.0/12",
        ];
        assert_eq!(networks, expected);
        assert!(entrance.proxy_protocol);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let check = |flags: &[&str], named: &[&str]| {
            let error = parse(flags).unwrap_err();
            for name in named {
                assert!(error.contains(name), "{flags:?}: {error}");
            }
        };
        check(&["--tls-cert-file=a"], &["--tls-key-file"]);
        check(&["--tls-key-file=a"], &["--tls-cert-file"]);
        let where_tls_ends = ["--tls-cert-file", "where TLS ends"];
        check(&["--client-ca-file=a"], &where_tls_ends);
        check(&["--proxy-protocol"], &["--trusted-proxies"]);
        check(&["--trusted-proxies=proxy"], &["--trusted-proxies"]);
        check(&["--trusted-proxies=10.0.0.0/33"], &["--trusted-proxies"]);
        check(&["--trusted-proxies=0.0.0.0/0"], &["every client"]);
        check(&["--trusted-proxies=10.0.0.1,::/0"], &["every client"]);
        check(&["--trusted-proxies=::ffff:0.0.0.0/96"], &["every client"]);
    }
}
