//! Writes to standard output, and remarks to standard error, for whoever ran the command.
//!
//! A reader that has seen enough and closed the pipe is not an error.

use std::io::{self, Write as _};

use anyhow::Context;

/// Writes a text as it is.
pub(super) fn write(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes to standard error what is not part of the output, so that the output can be piped.
pub(super) fn remark(text: &str) -> anyhow::Result<()> {
    let written = io::stderr().lock().write_all(text.as_bytes());
    written.context("cannot write to standard error")
}
