//! Where it is recorded who triggered what.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// Where the audit record goes, if it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AuditLog {
    /// It is not kept.
    #[default]
    Off,
    /// To standard output.
    Stdout,
    /// To the end of a file.
    File(PathBuf),
}

impl FromStr for AuditLog {
    type Err = Infallible;

    /// `-` is standard output, nothing is nowhere, and everything else a file.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "" => Self::Off,
            "-" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }
}
