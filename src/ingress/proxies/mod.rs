//! Which proxies are believed when they say who a client is, and what they say.
//!
//! Nobody else is believed: anybody can write a header.

mod forwarded;
mod header;
mod read;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

pub use self::header::{MalformedHeader, ProxyHeader};
pub(super) use self::read::{HeaderError, read_header};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of a listener.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    proxy_protocol: bool,
}

impl TrustedProxies {
    /// Believes the proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks,
            proxy_protocol: false,
        }
    }

    /// The same, if each of them begins its connections with a header of the PROXY protocol.
    #[must_use]
    pub fn speaking_proxy_protocol(self) -> Self {
        Self {
            proxy_protocol: true,
            ..self
        }
    }

    /// Whether there are any.
    #[must_use]
    pub fn are_named(&self) -> bool {
        !self.networks.is_empty()
    }

    /// Whether what is at this address is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut networks = self.networks.iter();
        networks.any(|network| network.contains(&address))
    }

    /// Whether a connection from this address begins with a header of the PROXY protocol; from elsewhere none is read.
    pub(super) fn announces_clients(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.trusts(peer)
    }

    /// Where a request comes from that arrives from `peer`: what a chain of trusted proxies says, as far as it goes.
    ///
    /// A proxy appends whom it speaks for to `X-Forwarded-For`, so that the last address is told by the peer, and each
    /// other by the one to its right.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let lines = lines.map(HeaderValue::as_bytes);
        forwarded::client(peer, lines, |address| self.trusts(address))
    }

    /// Whether a peer that is not believed says that it speaks for somebody.
    pub(super) fn disbelieve(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        headers.contains_key(X_FORWARDED_FOR) && !self.trusts(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies() -> TrustedProxies {
        let networks = ["10.0.0.0/8", "fd00::/8"];
        TrustedProxies::new(networks.map(|network| network.parse().unwrap()).to_vec())
    }

    fn check(peer: &str, lines: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let client = proxies().client(address(peer), &headers);
        assert_eq!(client, address(expected), "{peer} {lines:?}");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("192.0.2.1", &["10.0.0.1"], "192.0.2.1");
        check("2001:db8::1", &["198.51.100.7"], "2001:db8::1");
    }

    #[test]
    fn a_trusted_proxy_tells_for_whom_it_speaks() {
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("fd00::1", &["2001:db8::7"], "2001:db8::7");
        check("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_itself_is_to_the_left_and_does_not_count() {
        check("10.0.0.1", &["1.1.1.1, 198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["10.0.0.9, 198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7");
    }

    #[test]
    fn proxies_behind_proxies_are_passed() {
        check(
            "10.0.0.1",
            &["1.1.1.1, 198.51.100.7, 10.0.0.3,10.0.0.2"],
            "198.51.100.7",
        );
        check("10.0.0.1", &["198.51.100.7", "10.0.0.2"], "198.51.100.7");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn only_a_stranger_is_disbelieved() {
        let value = HeaderValue::from_static("198.51.100.7");
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, value)]);
        assert!(proxies().disbelieve(address("192.0.2.1"), &headers));
        assert!(!proxies().disbelieve(address("10.0.0.1"), &headers));
        assert!(!proxies().disbelieve(address("192.0.2.1"), &HeaderMap::new()));
    }

    #[test]
    fn the_proxy_protocol_is_read_from_trusted_proxies_that_speak_it() {
        let (silent, speaking) = (proxies(), proxies().speaking_proxy_protocol());
        assert!(!silent.announces_clients(address("10.0.0.1")));
        assert!(speaking.announces_clients(address("::ffff:10.0.0.1")));
        assert!(!speaking.announces_clients(address("192.0.2.1")));
        assert!(!TrustedProxies::default().are_named() && silent.are_named());
    }
}
