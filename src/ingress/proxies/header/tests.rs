//! What proxies write, whole and cut off, and what they must not write.

use super::*;

/// A header of version 2.
fn binary(version_and_command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    let fixed = [version_and_command, family, length[0], length[1]];
    [SIGNATURE.as_slice(), &fixed, addresses].concat()
}

/// The addresses and ports of a connection from 192.0.2.7 and of one from `2001:db8::7`.
fn addresses() -> (Vec<u8>, Vec<u8>) {
    let ports = [0xdc, 0x04, 0x01, 0xbb];
    let v4 = [[192, 0, 2, 7], [10, 0, 0, 1], ports].concat();
    let source: Ipv6Addr = "2001:db8::7".parse().unwrap();
    let destination: Ipv6Addr = "fd00::1".parse().unwrap();
    let v6 = [&source.octets()[..], &destination.octets()[..], &ports[..]];
    (v4, v6.concat())
}

/// The header is read however much follows it, and not before it is whole.
fn check(header: &[u8], expected: Option<&str>) {
    let shown = header.escape_ascii().to_string();
    let expected = ProxyHeader {
        client: expected.map(|address| address.parse().unwrap()),
        length: header.len(),
    };
    for followed in [&b""[..], b"POST /", b"\r\n"] {
        let bytes = [header, followed].concat();
        assert_eq!(ProxyHeader::parse(&bytes), Ok(Some(expected)), "{shown}");
    }
    for end in 0..header.len() {
        let cut = ProxyHeader::parse(&header[..end]);
        assert_eq!(cut, Ok(None), "{shown} up to {end}");
    }
}

#[test]
fn a_line_names_the_client() {
    check(
        b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n",
        Some("192.0.2.7"),
    );
    check(
        b"PROXY TCP6 2001:db8::7 fd00::1 0 65535\r\n",
        Some("2001:db8::7"),
    );
    check(
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 1 2\r\n",
        Some("192.0.2.7"),
    );
}

#[test]
fn a_line_may_name_nobody() {
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN 192.0.2.7 whatever else\r\n", None);
}

#[test]
fn a_binary_header_names_the_client() {
    let (v4, v6) = addresses();
    check(&binary(0x21, 0x11, &v4), Some("192.0.2.7"));
    check(&binary(0x21, 0x21, &v6), Some("2001:db8::7"));
    let with_extensions = [&v4[..], &[0xea, 0, 2, 1, 2], &[0; 900]].concat();
    check(&binary(0x21, 0x11, &with_extensions), Some("192.0.2.7"));
}

#[test]
fn a_binary_header_may_name_nobody() {
    let (v4, _) = addresses();
    check(&binary(0x20, 0x00, &[]), None);
    check(&binary(0x20, 0x11, &v4), None);
    check(&binary(0x21, 0x00, &[]), None);
    check(&binary(0x21, 0x31, &[0; 216]), None);
}

#[test]
fn what_is_not_written_as_it_must_be_is_refused() {
    let (v4, v6) = addresses();
    let long = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 100]].concat();
    let refused: Vec<Vec<u8>> = vec![
        b"POST /hook/0 HTTP/1.1\r\n".to_vec(),
        b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY  TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 \r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::7 fd00::1 1 2\r\n".to_vec(),
        b"PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 fd00::1 1 2\r\n".to_vec(),
        b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
        b"PROXY UNKNOWNS\r\n".to_vec(),
        b"PROXY \xff\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00".to_vec(),
        long,
        binary(0x11, 0x11, &v4),
        binary(0x22, 0x11, &v4),
        binary(0x21, 0x12, &v4),
        binary(0x21, 0x41, &v4),
        binary(0x21, 0x11, &v4[..11]),
        binary(0x21, 0x21, &v6[..35]),
        binary(0x21, 0x11, &[0; ProxyHeader::MAX_BYTES]),
    ];
    for bytes in refused {
        let read = ProxyHeader::parse(&bytes);
        assert!(read.is_err(), "{}: {read:?}", bytes.escape_ascii());
    }
}
