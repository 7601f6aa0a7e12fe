//! What must hold of what proxies say, and of what strangers say in their place.
//!
//! One address is a stranger's and one a proxy's; neither is in any input by chance.

use std::net::IpAddr;

use hookgate::ingress::{ProxyHeader, TrustedProxies};
use http::{HeaderMap, HeaderName, HeaderValue};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const STRANGER: &str = "198.51.100.7";
const PROXY: &str = "10.0.0.1";

/// What begins a connection is a header, the beginning of one, or none, and what follows it changes nothing of that.
pub fn proxy_header(bytes: &[u8]) {
    let followed = [bytes, b"\n"].concat();
    match ProxyHeader::parse(bytes) {
        Ok(Some(header)) => {
            assert!(header.length <= bytes.len() && header.length <= ProxyHeader::MAX_BYTES);
            assert_eq!(ProxyHeader::parse(&followed), Ok(Some(header)));
            assert_eq!(
                ProxyHeader::parse(&bytes[..header.length]),
                Ok(Some(header))
            );
            for end in 0..header.length {
                assert_eq!(
                    ProxyHeader::parse(&bytes[..end]),
                    Ok(None),
                    "cut off at {end}"
                );
            }
        }
        Ok(None) => assert!(bytes.len() < ProxyHeader::MAX_BYTES, "it never ends"),
        Err(malformed) => assert_eq!(ProxyHeader::parse(&followed), Err(malformed)),
    }
}

/// Nobody chooses the address that it is known by: not a stranger, and not who comes through a proxy.
///
/// The input is lines of the header.
pub fn forwarded_for(input: &[u8]) {
    let (stranger, proxy): (IpAddr, IpAddr) = (address(STRANGER), address(PROXY));
    let network = "10.0.0.0/8".parse().expect("a network");
    let proxies = TrustedProxies::new(vec![network]);
    let lines = input.split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let headers = with_lines(&lines);
    assert_eq!(proxies.client(stranger, &headers), stranger);
    let told = HeaderValue::from_static(STRANGER);
    let on_a_line_of_its_own = [lines.as_slice(), &[told]].concat();
    assert_eq!(
        proxies.client(proxy, &with_lines(&on_a_line_of_its_own)),
        stranger
    );
    if let Some((last, before)) = lines.split_last() {
        let appended = [last.as_bytes(), b", ", STRANGER.as_bytes()].concat();
        let appended = HeaderValue::from_bytes(&appended).expect("still a value");
        let appended = [before, &[appended]].concat();
        assert_eq!(proxies.client(proxy, &with_lines(&appended)), stranger);
    }
    let client = proxies.client(proxy, &headers);
    assert_eq!(client, client.to_canonical());
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn with_lines(lines: &[HeaderValue]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(FORWARDED, line.clone());
    }
    headers
}
