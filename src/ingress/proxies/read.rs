//! Takes the header of the PROXY protocol off a connection, and not a byte more.
//!
//! What is in it is for `header` to say; how long it may take is for the listener.

use std::io;

use tokio::{io::AsyncReadExt as _, net::TcpStream};

use super::{MalformedHeader, ProxyHeader};

/// Why a trusted proxy did not say for whom it speaks.
#[derive(Debug, thiserror::Error)]
pub(in crate::ingress) enum HeaderError {
    #[error("{0}")]
    Malformed(#[from] MalformedHeader),
    #[error("it ended before its header did")]
    Ended,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads the header that a connection must begin with.
///
/// Bytes are looked at before they are taken, so that what follows is left for whoever reads next.
pub(in crate::ingress) async fn read_header(
    stream: &mut TcpStream,
) -> Result<ProxyHeader, HeaderError> {
    let mut bytes = vec![0; ProxyHeader::MAX_BYTES];
    let mut taken = 0;
    loop {
        let room = bytes.get_mut(taken..).unwrap_or_default();
        let seen = stream.peek(room).await?;
        if seen == 0 {
            return Err(HeaderError::Ended);
        }
        let header = ProxyHeader::parse(bytes.get(..taken + seen).unwrap_or_default())?;
        let end = header.map_or(taken + seen, |header| header.length);
        let part = bytes.get_mut(taken..end).unwrap_or_default();
        stream.read_exact(part).await?;
        if let Some(header) = header {
            return Ok(header);
        }
        taken = end;
    }
}
