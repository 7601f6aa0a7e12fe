//! A token for a Receiver: made up, or taken from standard input.
//!
//! It is wiped from memory after use; where it is printed is for the commands to decide.

use std::io::{self, Read as _};

use anyhow::{Context, ensure};
use zeroize::Zeroizing;

use crate::hook::Sender;

/// The longest token that is read, in bytes.
const MAX_BYTES: u64 = 4096;

/// The token that is piped in if that is wanted, else one in the shape that the sender takes.
pub(super) fn new(sender: Sender, is_given: bool) -> anyhow::Result<Zeroizing<String>> {
    if is_given {
        return given(io::stdin().lock());
    }
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *random).map_err(|_| anyhow::anyhow!("no token can be made up: the system gives no random numbers; give one with `--token-stdin`"))?;
    Ok(Zeroizing::new(sender.setup().token.write(*random)))
}

/// The token that is piped in, without the line end that `echo` adds.
fn given(from: impl io::Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .context("cannot read a token of plain text from standard input")?;
    ensure!(
        text.len() as u64 <= MAX_BYTES,
        "the token is longer than {MAX_BYTES} bytes"
    );
    let token = text.strip_suffix('\n').unwrap_or(&text);
    let token = token.strip_suffix('\r').unwrap_or(token);
    ensure!(
        !token.contains(char::is_control) && token.trim() == token,
        "the token has a line end or white space that no form would keep; give it without"
    );
    Ok(Zeroizing::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_piped_in_loses_one_line_end_and_nothing_else() {
        for (text, expected) in [
            ("s3cret", Some("s3cret")),
            ("s3cret\n", Some("s3cret")),
            ("s3cret\r\n", Some("s3cret")),
            ("s3cret\n\n", None),
            (" s3cret", None),
        ] {
            let token = given(text.as_bytes()).ok();
            assert_eq!(token.as_ref().map(|it| it.as_str()), expected, "{text:?}");
        }
        assert!(given("a".repeat(5000).as_bytes()).is_err());
        assert!(given(&[0xff][..]).is_err());
    }
}
