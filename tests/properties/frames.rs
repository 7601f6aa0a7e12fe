//! Frames of HTTP/2 (RFC 9113), written as bytes; whether they may follow each other is for the reader to judge.

/// What a client sends first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;

/// The flag of the last frame of a request, on [`HEADERS`] and [`DATA`].
pub(crate) const END_STREAM: u8 = 1;
/// The flag of the last piece of a head, on [`HEADERS`] and [`CONTINUATION`].
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame has at most 16 MiB");
    let head = [
        &length.to_be_bytes()[1..],
        &[kind, flags],
        &stream.to_be_bytes(),
    ]
    .concat();
    [&head, payload].concat()
}

/// A head in HPACK (RFC 7541, 6.2.2), nothing of it indexed or compressed.
pub(crate) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            number(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
fn number(block: &mut Vec<u8>, number: usize) {
    let byte = |number: usize| u8::try_from(number).expect("seven bits");
    let Some(mut rest) = number.checked_sub(127) else {
        return block.push(byte(number));
    };
    block.push(127);
    while rest >= 128 {
        block.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    block.push(byte(rest));
}
