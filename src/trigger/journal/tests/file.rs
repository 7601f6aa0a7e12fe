//! Files that are not what was written.

use std::{fs, path::Path};

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::{super::*, mark, open, pending, target, time};

/// A closed journal with two marks.
async fn write(directory: &Path) -> (Uuid, Vec<(String, Mark)>) {
    let journal = open(directory).journal;
    journal.mark(&target("web"), mark(1)).await.unwrap();
    journal.mark(&target("api"), mark(2)).await.unwrap();
    journal.mark(&target("web"), mark(3)).await.unwrap();
    let pending = vec![("api".to_owned(), mark(2)), ("web".to_owned(), mark(3))];
    (journal.replica(), pending)
}

fn damaged_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().contains("journal.redb.damaged-"));
    files.sort();
    files
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (replica, _) = write(directory.path()).await;
    let file = directory.path().join("journal.redb");
    let intact = fs::read(&file).unwrap();
    let mut last = replica;
    for damaged in [
        b"".to_vec(),
        b"garbage".to_vec(),
        vec![0; intact.len()],
        intact[..4096].to_vec(),
        intact[..intact.len() / 2].to_vec(),
        [b"wrong magic", &intact[11..]].concat(),
    ] {
        fs::write(&file, &damaged).unwrap();
        let opened = open(directory.path());
        let Origin::Replaced { damaged: aside } = &opened.origin else {
            panic!("{:?} after {} bytes", opened.origin, damaged.len());
        };
        assert_eq!(fs::metadata(aside).unwrap().len() == 0, damaged.is_empty());
        assert_eq!(pending(&opened), []);
        assert_ne!(opened.journal.replica(), last, "it is not known who it was");
        last = opened.journal.replica();
        opened.journal.mark(&target("web"), mark(9)).await.unwrap();
        drop(opened);
        assert_eq!(open(directory.path()).origin, Origin::Continued);
        assert!(
            damaged_files(directory.path()).len() <= 3,
            "they are bounded"
        );
    }
}

/// Either everything acknowledged is there, or it is said that it may not be.
#[tokio::test]
async fn a_flipped_bit_loses_nothing_unnoticed() {
    let directory = tempfile::tempdir().unwrap();
    let (_, acknowledged) = write(directory.path()).await;
    let file = directory.path().join("journal.redb");
    let intact = fs::read(&file).unwrap();
    let is_used = |page: &&[u8]| page.iter().any(|byte| *byte != 0);
    let used_pages = intact
        .chunks(512)
        .enumerate()
        .filter(|(_, page)| is_used(page));
    let used: Vec<usize> = used_pages.map(|(number, _)| number * 512).collect();
    let positions = (0..320).step_by(5);
    let positions = positions.chain(used.iter().map(|start| start + start / 512 % 512));
    let (mut continued, mut replaced) = (0, 0);
    for position in positions {
        let mut flipped = intact.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&file, &flipped).unwrap();
        let opened = match Journal::open(directory.path()) {
            Ok(opened) => opened,
            Err(OpenError::Newer { .. }) => continue,
            Err(error) => panic!("bit in {position}: {error}"),
        };
        if opened.origin == Origin::Continued {
            assert_eq!(pending(&opened), acknowledged, "bit in {position}");
            continued += 1;
        } else {
            replaced += 1;
        }
    }
    assert!(continued > 0 && replaced > 0, "{continued} {replaced}");
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (_, acknowledged) = write(directory.path()).await;
    let file = directory.path().join("journal.redb");
    set_meta(&file, "format", "2");
    let refused = Journal::open(directory.path()).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
    set_meta(&file, "format", "1");
    assert_eq!(pending(&open(directory.path())), acknowledged);
    set_meta(&file, "format", "one");
    let origin = open(directory.path()).origin;
    assert!(matches!(origin, Origin::Replaced { .. }), "{origin:?}");
}

fn set_meta(file: &Path, key: &str, value: &str) {
    const META: TableDefinition<'static, &str, &str> = TableDefinition::new("meta");
    let database = Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(META)
        .unwrap()
        .insert(key, value)
        .unwrap();
    transaction.commit().unwrap();
    drop(database.begin_read().unwrap());
}

/// What a process that is killed leaves: the file as it is, without having been closed.
#[tokio::test]
async fn a_journal_that_was_not_closed_is_continued() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).journal;
    let copy = tempfile::tempdir().unwrap();
    for at in 1..=20 {
        journal.mark(&target("web"), mark(at)).await.unwrap();
        if at % 4 == 0 {
            journal.clear(&target("web"), time(at));
            journal.flush().await.unwrap();
        }
        fs::copy(
            directory.path().join("journal.redb"),
            copy.path().join("journal.redb"),
        )
        .unwrap();
        let opened = open(copy.path());
        assert_eq!(opened.origin, Origin::Continued);
        let expected = (at % 4 != 0).then(|| ("web".to_owned(), mark(at)));
        assert_eq!(pending(&opened), expected.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_sweep_is_owed_until_it_is_on_disk_however_often_the_process_dies() {
    let folder = tempfile::tempdir().unwrap();
    for origin in [Origin::New, Origin::Continued, Origin::Continued] {
        let opened = Journal::open(folder.path()).unwrap();
        assert_eq!((opened.origin, opened.owes_sweep), (origin, true));
    }
    Journal::open(folder.path()).unwrap().journal.swept();
    assert!(!Journal::open(folder.path()).unwrap().owes_sweep);
    std::fs::write(folder.path().join("journal.redb"), "nonsense").unwrap();
    let opened = Journal::open(folder.path()).unwrap();
    assert!(opened.owes_sweep && matches!(opened.origin, Origin::Replaced { .. }));
}
