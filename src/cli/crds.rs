//! `hookgate crds`: prints the CustomResourceDefinitions that hookgate reads.
//!
//! What they say is decided by `api`; `dev` installs them by itself, elsewhere `kubectl apply -f -` or the chart does.

use std::io::{self, Write};

use anyhow::Context;

use crate::api::crds;

/// Writes all definitions to standard output as one YAML stream.
pub(super) fn print() -> anyhow::Result<()> {
    let documents = crds::documents().context("cannot write the definitions as YAML")?;
    let yaml = documents
        .iter()
        .flat_map(|document| ["---\n", &document.yaml])
        .collect::<String>();
    let mut out = io::stdout().lock();
    match out.write_all(yaml.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
