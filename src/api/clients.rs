//! The networks that clients may come from: the value of the annotation `hookgate.dev/allowed-clients`.
//!
//! Which address a client has is not known here.

use core::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv6Net};

use super::annotations::ALLOWED_CLIENTS;

/// Networks and addresses, separated by commas, as in `192.30.252.0/22, 2001:db8::/32, 203.0.113.7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientNetworks(Arc<[IpNet]>);

/// Why an annotation names no networks; a list with one mistake counts as none, for what it lacks would be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetworks {
    /// There is nothing in it.
    #[error(
        "annotation {ALLOWED_CLIENTS} is empty; name networks such as `192.30.252.0/22`, or remove it"
    )]
    Empty,
    /// There are more than [`ClientNetworks::MAX`], or it is longer than [`ClientNetworks::MAX_BYTES`].
    #[error(
        "annotation {ALLOWED_CLIENTS} has more than {} networks or {} bytes; name larger networks",
        ClientNetworks::MAX,
        ClientNetworks::MAX_BYTES
    )]
    TooMany,
    /// A part is neither a network nor an address.
    #[error(
        "annotation {ALLOWED_CLIENTS} has the part `{part}`; write a network or an address, such as `192.30.252.0/22` or `2001:db8::1`"
    )]
    Unreadable {
        /// The part as written.
        part: String,
    },
    /// A part is an address with the length of a network, which may be meant as either.
    #[error(
        "annotation {ALLOWED_CLIENTS} has the part `{part}`; write `{network}` for the network, or the address alone"
    )]
    InNetwork {
        /// The part as written.
        part: String,
        /// The network that it is in.
        network: IpNet,
    },
    /// A part is IPv4 in the notation of IPv6, which no client is looked for under.
    #[error("annotation {ALLOWED_CLIENTS} has the part `{part}`; write it as IPv4")]
    Mapped {
        /// The part as written.
        part: String,
    },
}

impl ClientNetworks {
    /// How many networks can be named; each is compared with the client of every delivery.
    pub const MAX: usize = 256;

    /// The longest annotation that is read, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads the annotation, all of it or nothing.
    pub fn parse(annotation: &str) -> Result<Self, InvalidNetworks> {
        if annotation.len() > Self::MAX_BYTES {
            return Err(InvalidNetworks::TooMany);
        }
        let parts = annotation.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        let networks: Vec<IpNet> = parts.map(network).collect::<Result<_, _>>()?;
        if networks.is_empty() {
            Err(InvalidNetworks::Empty)
        } else if networks.len() > Self::MAX {
            Err(InvalidNetworks::TooMany)
        } else {
            Ok(Self(IpNet::aggregate(&networks).into()))
        }
    }

    /// Whether an address is in one of the networks; one of IPv4 is so in either notation.
    #[must_use]
    pub fn contain(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.0.iter().any(|network| network.contains(&client))
    }

    /// The networks, with those that are in others, or beside them, made one.
    #[must_use]
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }
}

fn network(part: &str) -> Result<IpNet, InvalidNetworks> {
    let written = || part.to_owned();
    let network = match part.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => match part.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => return Err(InvalidNetworks::Unreadable { part: written() }),
        },
    };
    let truncated = network.trunc();
    match network {
        IpNet::V6(network) if is_mapped(&network) => {
            Err(InvalidNetworks::Mapped { part: written() })
        }
        network if network.addr() != truncated.addr() => Err(InvalidNetworks::InNetwork {
            part: written(),
            network: truncated,
        }),
        network => Ok(network),
    }
}

fn is_mapped(network: &Ipv6Net) -> bool {
    network.prefix_len() >= 96 && network.addr().to_ipv4_mapped().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(annotation: &str, client: &str) -> bool {
        let networks = ClientNetworks::parse(annotation).unwrap();
        networks.contain(client.parse().unwrap())
    }

    #[test]
    fn a_client_is_in_a_network_or_is_an_address() {
        let networks = "192.30.252.0/22, 2001:db8::/32,203.0.113.7 , 2001:db9::1";
        for (client, is_in) in [
            ("192.30.251.255", false),
            ("192.30.252.0", true),
            ("192.30.255.255", true),
            ("192.31.0.0", false),
            ("::ffff:192.30.252.9", true),
            ("::ffff:192.30.0.9", false),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db7::1", false),
            ("203.0.113.7", true),
            ("203.0.113.6", false),
            ("2001:db9::1", true),
            ("2001:db9::2", false),
            ("0.0.0.0", false),
            ("::", false),
        ] {
            assert_eq!(contain(networks, client), is_in, "{client}");
        }
        assert!(contain("0.0.0.0/0", "198.51.100.1") && !contain("0.0.0.0/0", "2001:db8::1"));
        assert!(contain("::/0", "2001:db8::1") && !contain("::/0", "198.51.100.1"));
    }

    #[test]
    fn networks_that_are_one_are_kept_as_one() {
        let networks = ClientNetworks::parse("10.0.0.0/9, 10.128.0.0/9, 10.1.0.0/16").unwrap();
        assert_eq!(networks.networks(), ["10.0.0.0/8".parse().unwrap()]);
    }

    #[test]
    fn one_mistake_takes_the_whole_list() {
        let mistake = |annotation: &str| ClientNetworks::parse(annotation).unwrap_err().to_string();
        for annotation in ["", " ", ",", " , ,"] {
            assert!(mistake(annotation).contains("is empty"), "{annotation:?}");
        }
        for part in [
            "github.com",
            "10.0.0.0/33",
            "10.0.0.0/",
            "/8",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0-10.0.0.9",
            "::/129",
            "10.0.0.0 10.0.0.1",
            "0x0a.0.0.1",
            "fe80::1%eth0",
        ] {
            let told = mistake(&format!("192.0.2.0/24, {part}"));
            assert!(told.contains(&format!("`{part}`")), "{told}");
        }
        assert!(mistake("10.1.2.3/8").contains("write `10.0.0.0/8`"));
        for mapped in ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1"] {
            assert!(mistake(mapped).contains("write it as IPv4"), "{mapped}");
        }
    }

    #[test]
    fn a_list_has_a_bounded_length() {
        let many = |count: usize| {
            let networks = (0..count).map(|index| format!("10.{}.{}.1", index / 256, index % 256));
            networks.collect::<Vec<_>>().join(",")
        };
        assert!(ClientNetworks::parse(&many(ClientNetworks::MAX)).is_ok());
        let too_many = ClientNetworks::parse(&many(ClientNetworks::MAX + 1));
        assert_eq!(too_many, Err(InvalidNetworks::TooMany));
        let long = format!("10.0.0.0/8{}", " ".repeat(ClientNetworks::MAX_BYTES));
        assert_eq!(ClientNetworks::parse(&long), Err(InvalidNetworks::TooMany));
    }
}
