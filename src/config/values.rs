//! Single values as they are spelled on the command line: addresses, booleans, names.
//!
//! Each refuses what it cannot mean with one sentence; what values mean together is decided elsewhere.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

/// Flags that are fine alone but not together, or not in this place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidConfig {
    /// One bound of a pair exceeds the other.
    #[error(
        "`{low}` is {low_value}, which is more than `{high}`, {high_value}; lower the first or raise the second"
    )]
    OutOfOrder {
        /// The flag of the lower bound.
        low: &'static str,
        /// Its value.
        low_value: String,
        /// The flag of the upper bound.
        high: &'static str,
        /// Its value.
        high_value: String,
    },
    /// A flag that means nothing without another.
    #[error("`{flag}` needs `{other}` as well: {reason}")]
    Incomplete {
        /// The flag that was given.
        flag: &'static str,
        /// The flag that was not.
        other: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A Flux flag whose effect hookgate refuses to have.
    #[error("`{flag}` is refused: {reason}")]
    Refused {
        /// The flag as it was given.
        flag: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A feature gate that Flux does not have either, or a malformed one.
    #[error(
        "`--feature-gates` names `{0}`; write NAME=true or NAME=false, where NAME is one of CacheSecretsAndConfigMaps, DisableConfigWatchers, ObjectLevelWorkloadIdentity"
    )]
    UnknownFeatureGate(String),
    /// A Receiver is not named in a way that can be understood, or in two namespaces.
    #[error(
        "`{0}` does not name a Receiver; write NAMESPACE/NAME, or `--namespace NAMESPACE NAME`"
    )]
    Misnamed(String),
}

/// Where to listen: one address, or one port on every interface (Go's `:9292`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// One port on every interface, IPv6 and IPv4.
    AllInterfaces(u16),
    /// One address; port 0 lets the system choose.
    At(SocketAddr),
}

/// Why a text is not a [`ListenAddr`].
#[derive(Debug, thiserror::Error)]
#[error(
    "write an address and a port, such as 127.0.0.1:9292, or only a port for every interface, such as :9292"
)]
pub struct InvalidListenAddr;

impl ListenAddr {
    /// A port on the IPv4 loopback interface; 0 lets the system choose.
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self::At(SocketAddr::new(
            std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
            port,
        ))
    }

    /// The address to bind where IPv6 is there; every interface is `[::]`.
    #[must_use]
    pub const fn socket_addr(self) -> SocketAddr {
        match self {
            Self::At(address) => address,
            Self::AllInterfaces(port) => {
                SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
            }
        }
    }
}

impl FromStr for ListenAddr {
    type Err = InvalidListenAddr;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidListenAddr)?;
        let port_number = || port.parse().map_err(|_| InvalidListenAddr);
        match host {
            "" => port_number().map(Self::AllInterfaces),
            "localhost" => port_number().map(Self::loopback),
            _ => text.parse().map(Self::At).map_err(|_| InvalidListenAddr),
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllInterfaces(port) => write!(f, ":{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// A Receiver by namespace and name, written `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Why a text is not a [`ReceiverName`].
#[derive(Debug, thiserror::Error)]
#[error("write NAMESPACE/NAME, such as flux-system/github-receiver")]
pub struct InvalidReceiverName;

impl FromStr for ReceiverName {
    type Err = InvalidReceiverName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(InvalidReceiverName),
        }
    }
}

impl fmt::Display for ReceiverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why a text is not a boolean.
#[derive(Debug, thiserror::Error)]
#[error("write true or false")]
pub(super) struct InvalidBool;

/// Reads a boolean in any of the spellings that Go's flags accept (`true`, `T`, `1`, …).
pub(super) fn go_bool(text: &str) -> Result<bool, InvalidBool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(InvalidBool),
    }
}

/// Why a text is not a rate.
#[derive(Debug, thiserror::Error)]
#[error("write how many requests a second, more than 0, such as 50 or 0.5")]
pub(super) struct InvalidRate;

/// Reads how many times a second something may happen, as the time from one to the next.
pub(super) fn interval_of_rate(text: &str) -> Result<Duration, InvalidRate> {
    let per_second: f64 = text.parse().map_err(|_| InvalidRate)?;
    if per_second <= 0.0 {
        return Err(InvalidRate);
    }
    let interval = Duration::try_from_secs_f64(1.0 / per_second).map_err(|_| InvalidRate)?;
    Ok(interval.clamp(Duration::from_nanos(1), Duration::from_hours(1)))
}

/// Why a text is not a name.
#[derive(Debug, thiserror::Error)]
#[error("write a name of lower-case letters, digits, `-` and `.`")]
pub(super) struct InvalidName;

/// Reads the name of an object.
pub(super) fn name(text: &str) -> Result<String, InvalidName> {
    is_name(text).then(|| text.to_owned()).ok_or(InvalidName)
}

/// Reads the name of a namespace.
pub(super) fn namespace_name(text: &str) -> Result<String, InvalidName> {
    let is_label = text.len() <= 63 && !text.contains('.');
    is_label.then_some(text).ok_or(InvalidName).and_then(name)
}

/// Whether a text can name an object: lower-case letters, digits, `-` and `.`, at most 253.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_users_and_flux_write_them() {
        for (text, expected) in [
            (":9292", ListenAddr::AllInterfaces(9292)),
            ("127.0.0.1:0", ListenAddr::loopback(0)),
            ("localhost:9292", ListenAddr::loopback(9292)),
            ("[::1]:80", ListenAddr::At("[::1]:80".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<ListenAddr>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in ["", "9292", ":", ":http", ":65536", "gateway:9292", "::1:80"] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_receiver_is_named_by_namespace_and_name() {
        let receiver: ReceiverName = "flux-system/github".parse().unwrap();
        assert_eq!(receiver.to_string(), "flux-system/github");
        for text in ["", "github", "/github", "a/", "a/b/c", "A/b", "a/b c"] {
            assert!(text.parse::<ReceiverName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_rate_is_a_positive_number_a_second() {
        for (text, millis) in [("50", 20), ("0.5", 2000), ("50.0", 20), ("1e-9", 3_600_000)] {
            let interval = interval_of_rate(text).unwrap();
            assert_eq!(interval, Duration::from_millis(millis), "{text}");
        }
        assert_eq!(interval_of_rate("inf").unwrap(), Duration::from_nanos(1));
        for text in ["", "0", "-1", "NaN", "-inf", "fast", "50/s"] {
            assert!(interval_of_rate(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn booleans_read_as_go_reads_them() {
        assert!(go_bool("T").unwrap());
        assert!(!go_bool("0").unwrap());
        assert!(go_bool("yes").is_err());
    }
}
