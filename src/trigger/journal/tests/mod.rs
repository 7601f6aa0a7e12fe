//! The journal as a whole, on real files.

mod file;
mod ledger;
mod small_disk;
pub(super) mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use self::support::{mark, time};
use super::{Journal, Mark, NotDurable, OpenError, Opened, Origin};
use crate::{
    hook::{ReceiverRef, Target},
    trigger::tests::target,
};

/// The marks of an opened journal, by name of the target.
fn pending(opened: &Opened) -> Vec<(String, Mark)> {
    let named = |(target, mark): &(Target, Mark)| (target.name.clone(), mark.clone());
    let mut pending: Vec<_> = opened.marks.iter().map(named).collect();
    pending.sort_by(|a, b| a.0.cmp(&b.0));
    pending
}

fn open(directory: &Path) -> Opened {
    Journal::open(directory).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path());
    assert_eq!((opened.origin, opened.marks), (Origin::New, Vec::new()));
    let journal = opened.journal;
    let replica = journal.replica();
    journal.mark(&target("web"), mark(1)).await.unwrap();
    journal.mark(&target("web"), mark(3)).await.unwrap();
    journal.mark(&target("api"), mark(2)).await.unwrap();
    journal.mark(&target("old"), mark(4)).await.unwrap();
    journal.clear(&target("old"), time(4));
    journal.clear(&target("web"), time(2));
    journal.flush().await.unwrap();
    drop(journal);

    let opened = open(directory.path());
    let expected = [("api".to_owned(), mark(2)), ("web".to_owned(), mark(3))];
    assert_eq!(pending(&opened), expected);
    assert_eq!(opened.origin, Origin::Continued);
    assert_eq!(opened.journal.replica(), replica);
}

#[tokio::test]
async fn the_last_handle_writes_what_nobody_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).journal;
    journal.mark(&target("web"), mark(1)).await.unwrap();
    journal.clear(&target("web"), time(1));
    let receiver = ReceiverRef {
        namespace: "apps".to_owned(),
        name: "hook".to_owned(),
    };
    assert!(
        journal.recognise(&receiver, "delivery-1"),
        "marking is seeing"
    );
    assert!(!journal.recognise(&receiver, "another"));
    drop(journal);

    let opened = open(directory.path());
    assert_eq!(opened.origin, Origin::Continued);
    assert_eq!(pending(&opened), []);
    for id in ["delivery-1", "another"] {
        assert!(opened.journal.recognise(&receiver, id), "{id}");
    }
    assert!(!opened.journal.recognise(&receiver, "a third"));
}

#[tokio::test]
async fn marks_of_many_tasks_are_all_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).journal;
    let marks = (0..500).map(|at| journal.mark(&target(&(at % 50).to_string()), mark(at)));
    for marked in futures::future::join_all(marks).await {
        assert_eq!(marked, Ok(()));
    }
    drop(journal);
    let opened = open(directory.path());
    assert_eq!(opened.marks.len(), 50);
    for (_, mark) in &opened.marks {
        assert!(
            mark.requested_at >= time(450),
            "the newest is kept: {mark:?}"
        );
    }
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_is_written_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).journal;
    journal.mark(&target("web"), mark(1)).await.unwrap();
    journal.clear(&target("web"), time(1));
    let file = directory.path().join("journal.redb");
    let before = fs::read(&file).unwrap();
    tokio::task::spawn_blocking(move || while fs::read(&file).unwrap() == before {})
        .await
        .unwrap();
}

#[tokio::test]
async fn without_a_journal_no_mark_is_durable() {
    let opened = Journal::off();
    assert_eq!(opened.origin, Origin::New);
    let journal = opened.journal;
    let marked = journal.mark(&target("web"), mark(1)).await;
    assert_eq!(marked, Err(NotDurable::Off));
    journal.clear(&target("web"), time(1));
    assert_eq!(journal.flush().await, Ok(()));
    assert!(journal.recognise(&mark(1).receiver, "delivery-1"));
    assert!(!journal.recognise(&mark(1).receiver, "delivery-2"));
}

#[test]
fn one_process_has_it_and_nobody_else_reads_it() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("a/b");
    let opened = open(&directory);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("journal.redb")), 0o600);
    let second = Journal::open(&directory).unwrap_err();
    assert!(matches!(second, OpenError::Locked { .. }), "{second}");
    drop(opened);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(
        directory.join("journal.redb"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    open(&directory);
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("journal.redb")), 0o600);
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let outer = tempfile::tempdir().unwrap();
    let (real, link) = (outer.path().join("real"), outer.path().join("link"));
    drop(open(&real));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let refused = Journal::open(&link).unwrap_err().to_string();
    assert!(refused.contains("is not a directory"), "{refused}");

    let (file, moved) = (real.join("journal.redb"), outer.path().join("moved"));
    fs::rename(&file, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &file).unwrap();
    let refused = Journal::open(&real).unwrap_err().to_string();
    assert!(refused.contains("is not a regular file"), "{refused}");
    assert!(moved.metadata().unwrap().len() > 0);

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(Journal::open(&real).is_err());

    let blocked = Journal::open(&moved).unwrap_err();
    assert!(matches!(blocked, OpenError::Directory { .. }), "{blocked}");
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let somebody_else = 54_321;
    if std::os::unix::fs::chown(directory.path(), Some(somebody_else), None).is_err() {
        return; // Only root can make one.
    }
    let refused = Journal::open(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("belongs to user 54321"), "{refused}");
}
