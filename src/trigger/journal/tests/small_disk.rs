//! A file system that is really full: this test runs itself again in a namespace with one of its own.

use std::{collections::BTreeSet, env, fs, io::Write as _, path::Path, process::Command};

use super::{super::*, mark, open, target, time};

const SELF: &str = concat!(module_path!(), "::a_full_disk_is_said_and_overcome");
/// Written beside the journal on the small file system, and only there.
const HERE: &str = "this-is-the-small-file-system";
/// Mounts the small file system on `$1` and runs the test `$2` of the program `$0` there.
const SCRIPT: &str = r#"mount -t tmpfs -o size=4m tmpfs "$1" && cd "$1" && touch this-is-the-small-file-system && exec "$0" --exact "$2" --nocapture"#;

#[tokio::test]
async fn a_full_disk_is_said_and_overcome() {
    if Path::new(HERE).exists() {
        return on_the_small_file_system().await;
    }
    let mut can_mount = Command::new("unshare");
    can_mount.args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    if !can_mount.status().is_ok_and(|status| status.success()) {
        return; // This user cannot mount a file system in a namespace of its own.
    }
    let folder = tempfile::tempdir().unwrap();
    let name = SELF.split_once("::").unwrap().1;
    let run = Command::new("unshare")
        .args(["-rm", "sh", "-c", SCRIPT])
        .args([env::current_exe().unwrap().as_path(), folder.path()])
        .arg(name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

async fn on_the_small_file_system() {
    let journal = open(Path::new("journal")).journal;
    let mut acknowledged = BTreeSet::new();
    for name in ["kept", "cleared"] {
        journal.mark(&target(name), mark(1)).await.unwrap();
        acknowledged.insert(name.to_owned());
    }
    fill(Path::new("filler"));
    let refused = loop {
        let name = format!("{}-{}", acknowledged.len(), "x".repeat(10_000));
        match journal.mark(&target(&name), mark(2)).await {
            Ok(()) => assert!(acknowledged.insert(name), "it is not full"),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, NotDurable::Full(_)), "{refused}");
    assert!(
        refused.to_string().contains("journal.redb` is full"),
        "{refused}"
    );
    let again = journal.mark(&target("refused"), mark(3)).await;
    assert_eq!(again, Err(refused.clone()));
    let (receiver, message) = (mark(1).receiver, MessageDigest::of(b"signed"));
    let unseen = journal.see(&receiver, &message).await;
    assert_eq!(unseen, Err(refused.clone()));
    assert!(!journal.has_seen(&receiver, &message), "it may come again");
    journal.clear(&target("cleared"), time(1));
    assert_eq!(journal.flush().await, Err(refused));

    fs::remove_file("filler").unwrap();
    while journal.mark(&target("after"), mark(4)).await.is_err() {}
    journal.see(&receiver, &message).await.unwrap();
    drop(journal);
    acknowledged.insert("after".to_owned());
    acknowledged.remove("cleared");
    let opened = open(Path::new("journal"));
    let stored: BTreeSet<_> = opened
        .marks
        .into_iter()
        .map(|(target, _)| target.name)
        .collect();
    assert!(
        stored == acknowledged,
        "what was refused is not there, and all else is"
    );
    assert_eq!(opened.origin, Origin::Continued);
    assert!(opened.journal.has_seen(&receiver, &message));
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut filler = fs::File::create(path).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
}
