//! The directory of the journal: ours alone, held against other processes, with a damaged file moved aside.
//!
//! What is in the file is for `file` to know.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::{fs::OFlags, process::geteuid};

use super::OpenError;

const FILE: &str = "journal.redb";
const DRAFT: &str = "journal.redb.new";
const DAMAGED: &str = "journal.redb.damaged-";
const LOCK: &str = "journal.lock";
/// There while a sweep that a new journal asks for is not on disk.
const SWEEP_OWED: &str = "sweep.owed";
/// How many damaged files are kept for whoever wants to look at them; older ones go.
const DAMAGED_KEPT: usize = 3;

/// A directory that this process holds.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the directory when it is missing, readable by its owner only, and locks it for as long as the value lives.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(unusable)?;
        let found = fs::symlink_metadata(path).map_err(unusable)?;
        check(path, &found, found.is_dir(), "a directory")?;
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(unusable)?;
        }
        let lock = lock(&path.join(LOCK))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where the journal is, or will be.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Opens the journal; nothing when there is none.
    pub(super) fn open(&self) -> Result<Option<File>, OpenError> {
        let path = self.file();
        match fs::symlink_metadata(&path) {
            Ok(found) => check(&path, &found, found.is_file(), "a regular file")?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::File { path, source }),
        }
        let opened = open_file(&path, false).and_then(|file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(Some(file))
        });
        opened.map_err(|source| OpenError::File { path, source })
    }

    /// An empty file under another name, to be `adopt`ed once it is whole, so that a crash leaves no half of one.
    pub(super) fn draft(&self) -> Result<File, OpenError> {
        let path = self.path.join(DRAFT);
        let make = || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            open_file(&path, true)
        };
        make().map_err(|source| OpenError::File {
            path: path.clone(),
            source,
        })
    }

    /// Notes that a sweep is owed, before there is a journal that could tell so by being new.
    pub(super) fn owe_sweep(&self) -> Result<(), OpenError> {
        let path = self.sweep_owed();
        let made = match open_file(&path, true) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map(drop),
        };
        let made = made.and_then(|()| self.sync());
        made.map_err(|source| OpenError::File { path, source })
    }

    /// Whether a sweep was owed when the process before this one ended.
    pub(super) fn owes_sweep(&self) -> bool {
        fs::symlink_metadata(self.sweep_owed()).is_ok()
    }

    /// The note that a sweep is owed; whoever has swept removes it.
    pub(super) fn sweep_owed(&self) -> PathBuf {
        self.path.join(SWEEP_OWED)
    }

    /// Makes the draft the journal.
    pub(super) fn adopt(&self) -> Result<(), OpenError> {
        let path = self.file();
        let renamed = fs::rename(self.path.join(DRAFT), &path).and_then(|()| self.sync());
        renamed.map_err(|source| OpenError::File { path, source })
    }

    /// Gives a damaged journal another name, and says which.
    pub(super) fn move_aside(&self, now: Timestamp) -> Result<PathBuf, OpenError> {
        let path = self.file();
        let aside = self.path.join(format!("{DAMAGED}{now:.9}"));
        let renamed = fs::rename(&path, &aside)
            .and_then(|()| self.remove_old_damaged())
            .and_then(|()| self.sync());
        match renamed {
            Ok(()) => Ok(aside),
            Err(source) => Err(OpenError::File { path, source }),
        }
    }

    /// The times in the names sort as text.
    fn remove_old_damaged(&self) -> io::Result<()> {
        let entries = fs::read_dir(&self.path)?.collect::<io::Result<Vec<_>>>()?;
        let names = entries.into_iter().map(|entry| entry.file_name());
        let mut damaged: Vec<_> = names
            .filter(|name| name.to_string_lossy().starts_with(DAMAGED))
            .collect();
        damaged.sort();
        let kept_from = damaged.len().saturating_sub(DAMAGED_KEPT);
        damaged
            .into_iter()
            .take(kept_from)
            .try_for_each(|name| fs::remove_file(self.path.join(name)))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.with_file_name(""),
        }),
        // A file system without locks cannot tell two processes apart, and the operator chose it.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

fn open_file(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(is_new)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
}

fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// In a directory that others write to, a name may have been taken by somebody else.
fn check(
    path: &Path,
    found: &Metadata,
    is_expected: bool,
    expected: &'static str,
) -> Result<(), OpenError> {
    let path = path.to_owned();
    if !is_expected {
        return Err(OpenError::Kind { path, expected });
    }
    let (owner, own) = (found.uid(), geteuid().as_raw());
    if owner != own {
        return Err(OpenError::Owner { path, owner, own });
    }
    Ok(())
}
