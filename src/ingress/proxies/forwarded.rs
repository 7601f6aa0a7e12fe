//! The chain of addresses in `X-Forwarded-For`, read from its end.
//!
//! Pure. There is no standard for the header; this is what proxies write: addresses, some with a port.

use std::net::{IpAddr, SocketAddr};

/// How many proxies in a row are passed; no honest chain is longer.
const MAX_PROXIES: usize = 16;

/// Where a request comes from that arrives from `peer`, given the lines of the header, the last one first.
///
/// Goes on as long as who speaks is trusted and what it says is an address.
pub(super) fn client<'a>(
    peer: IpAddr,
    lines: impl Iterator<Item = &'a [u8]>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let entries = lines.flat_map(|line| line.rsplit(|byte| *byte == b','));
    let mut client = peer;
    for entry in entries.take(MAX_PROXIES) {
        if !is_trusted(client) {
            return client;
        }
        match address(entry) {
            Some(said) => client = said,
            None => return client,
        }
    }
    client
}

/// An address, or one with a port, IPv6 with or without brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let text = text.trim_matches([' ', '\t']);
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => text
            .parse()
            .ok()
            .or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_proxies_write_them() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("\t 192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            let expected = expected.parse().unwrap();
            assert_eq!(address(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in [
            "",
            " ",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.01",
            "192.0.2.1:",
            "192.0.2.1:99999",
            "[192.0.2.1]",
            "[2001:db8::1",
            "fe80::1%eth0",
            "\"192.0.2.1\"",
            "for=192.0.2.1",
            "192.0.2.1\u{a0}",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(address(&[0xff]), None);
    }

    fn through_anybody(line: &str) -> IpAddr {
        let peer = IpAddr::from([10, 0, 0, 1]);
        client(peer, std::iter::once(line.as_bytes()), |_| true)
    }

    #[test]
    fn a_word_that_is_no_address_ends_the_chain() {
        let before = IpAddr::from([10, 0, 0, 2]);
        for line in [
            "192.0.2.1, unknown, 10.0.0.2",
            "192.0.2.1,,10.0.0.2",
            ", 10.0.0.2",
        ] {
            assert_eq!(through_anybody(line), before, "{line}");
        }
        assert_eq!(through_anybody(""), IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn a_chain_has_an_end() {
        let line = (0..200).rev().map(|last| format!("10.0.0.{last}"));
        let line = line.collect::<Vec<_>>().join(",");
        let last = u8::try_from(MAX_PROXIES - 1).unwrap();
        assert_eq!(through_anybody(&line), IpAddr::from([10, 0, 0, last]));
    }
}
