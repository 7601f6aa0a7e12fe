//! The header with which a proxy begins a connection: the PROXY protocol, versions 1 and 2.
//!
//! Pure, and as strict as <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt> asks. Extensions (TLVs) are
//! bounded and passed over; their checksum is not looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What version 2 begins with (2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with (2.1).
const WORD: &[u8; 6] = b"PROXY ";
/// The longest line of version 1, its end included (2.1).
const MAX_LINE_BYTES: usize = 107;
/// Signature, version and command, family, length (2.2).
const FIXED_BYTES: usize = 16;
/// The addresses of IPv4 and of IPv6, with their ports (2.2).
const IPV4_BYTES: usize = 12;
const IPV6_BYTES: usize = 36;

/// What a proxy says before it passes on what a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Whom it speaks for; nothing when it speaks for itself or does not know.
    pub client: Option<IpAddr>,
    /// How long the header is, in bytes; what follows is the client's.
    pub length: usize,
}

/// Why what a connection begins with is no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not begin with a header of the PROXY protocol, version 1 or 2: {0}")]
pub struct MalformedHeader(&'static str);

impl ProxyHeader {
    /// The longest header that is read, in bytes; 2.2 asks for room for 536, and clouds add some hundred.
    pub const MAX_BYTES: usize = 4096;

    /// Reads the header that `bytes` begin with; nothing when there may be more of it to come.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, MalformedHeader> {
        if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
            return binary(rest);
        }
        if let Some(rest) = bytes.strip_prefix(WORD) {
            return line(rest);
        }
        if SIGNATURE.starts_with(bytes) || WORD.starts_with(bytes) {
            return Ok(None);
        }
        Err(MalformedHeader("other bytes"))
    }
}

/// Version 1, behind its first word.
fn line(rest: &[u8]) -> Result<Option<ProxyHeader>, MalformedHeader> {
    let longest = MAX_LINE_BYTES - WORD.len();
    let Some(end) = rest.iter().take(longest).position(|byte| *byte == b'\n') else {
        return if rest.len() < longest {
            Ok(None)
        } else {
            Err(MalformedHeader("a line without an end"))
        };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(MalformedHeader("a line that ends without CR"))?;
    Ok(Some(ProxyHeader {
        client: source(line)?,
        length: WORD.len() + end + 1,
    }))
}

/// The source address of a line of version 1.
fn source(line: &[u8]) -> Result<Option<IpAddr>, MalformedHeader> {
    let malformed = MalformedHeader("not two addresses of one family and two ports");
    let text = str::from_utf8(line).map_err(|_| malformed)?;
    // Whatever follows must be ignored (2.1).
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(None);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return Err(malformed);
    };
    if !is_port(source_port) || !is_port(destination_port) {
        return Err(malformed);
    }
    let source = match family {
        "TCP4" => both::<Ipv4Addr>(source, destination).map(IpAddr::V4),
        "TCP6" => both::<Ipv6Addr>(source, destination).map(IpAddr::V6),
        _ => None,
    };
    source
        .map(|source| Some(source.to_canonical()))
        .ok_or(malformed)
}

/// The first of two addresses, if both are such.
fn both<A: std::str::FromStr>(source: &str, destination: &str) -> Option<A> {
    destination.parse::<A>().ok()?;
    source.parse().ok()
}

/// A number of at most 65535 without leading zeros (2.1).
fn is_port(text: &str) -> bool {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (text == "0" || !text.starts_with('0')) && text.parse::<u16>().is_ok()
}

/// Version 2, behind its signature.
fn binary(rest: &[u8]) -> Result<Option<ProxyHeader>, MalformedHeader> {
    let Some(([version_and_command, family, high, low], rest)) = rest.split_first_chunk() else {
        return Ok(None);
    };
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(MalformedHeader("another version or command than there are")),
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if FIXED_BYTES + length > ProxyHeader::MAX_BYTES {
        return Err(MalformedHeader("a header that is too long"));
    }
    let Some(addresses) = rest.get(..length) else {
        return Ok(None);
    };
    let client = if is_local {
        None
    } else {
        match family {
            0x11 => Some(ipv4(addresses)?),
            0x21 => Some(ipv6(addresses)?),
            // Not known, or a socket of UNIX, whose address is nobody's on the network.
            0x00 | 0x31 => None,
            _ => return Err(MalformedHeader("another family or protocol than TCP")),
        }
    };
    Ok(Some(ProxyHeader {
        client,
        length: FIXED_BYTES + length,
    }))
}

const TOO_SHORT: MalformedHeader = MalformedHeader("too few bytes for its addresses");

fn ipv4(addresses: &[u8]) -> Result<IpAddr, MalformedHeader> {
    let addresses = addresses.first_chunk::<IPV4_BYTES>().ok_or(TOO_SHORT)?;
    let source = addresses.first_chunk::<4>().ok_or(TOO_SHORT)?;
    Ok(IpAddr::from(*source))
}

fn ipv6(addresses: &[u8]) -> Result<IpAddr, MalformedHeader> {
    let addresses = addresses.first_chunk::<IPV6_BYTES>().ok_or(TOO_SHORT)?;
    let source = addresses.first_chunk::<16>().ok_or(TOO_SHORT)?;
    Ok(IpAddr::from(*source).to_canonical())
}

#[cfg(test)]
mod tests;
