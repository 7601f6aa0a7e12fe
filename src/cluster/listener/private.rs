//! Files that only the owner of the process may read, replaced as a whole or not at all.
//!
//! What is in them is for the callers to know.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::ListenError;

/// Makes a directory with mode 0700; one that is there gets that mode.
pub(super) fn directory(path: &Path) -> Result<(), ListenError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700))
    };
    make().map_err(|source| ListenError::file(path, source))
}

/// Reads a file; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, ListenError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ListenError::file(path, source)),
    }
}

/// Writes a file with mode 0600; a reader sees the old one or the new one.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), ListenError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    let replace = || {
        match fs::remove_file(draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(draft, path)
    };
    replace().map_err(|source| ListenError::file(path, source))
}
