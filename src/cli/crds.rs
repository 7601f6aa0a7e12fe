//! `hookgate crds`: prints or writes the CustomResourceDefinitions that hookgate reads.
//!
//! What they say is decided by `api`; `dev` installs them by itself, elsewhere `kubectl apply -f -` or the chart does.

use std::{fs, path::Path};

use anyhow::Context;

use super::output;
use crate::{
    api::crds::{self, Document},
    config,
};

/// Writes all definitions to a folder if one is given, else to standard output.
pub(super) fn run(args: &config::Crds) -> anyhow::Result<()> {
    let documents = crds::documents().context("cannot write the definitions as YAML")?;
    match &args.output {
        Some(folder) => write(&documents, folder),
        None => print(&documents),
    }
}

/// One file for each definition, named by the plural of its kind.
fn write(documents: &[Document], folder: &Path) -> anyhow::Result<()> {
    for Document { plural, yaml } in documents {
        let file = folder.join(plural).with_extension("yaml");
        fs::write(&file, yaml).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    Ok(())
}

/// One YAML stream.
fn print(documents: &[Document]) -> anyhow::Result<()> {
    let yaml = documents
        .iter()
        .flat_map(|document| ["---\n", &document.yaml])
        .collect::<String>();
    output::write(&yaml)
}
