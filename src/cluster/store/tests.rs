//! Tests of the store on disk: what survives, and what is refused.

use std::{fs, path::Path};

use serde_json::json;

use super::{OpenError, Storage, Store};
use crate::cluster::object::{GroupResource, Key, ObjectName};

fn open(directory: &Path) -> Result<Store, OpenError> {
    Store::open(&Storage::Directory(directory.to_owned()))
}

fn key() -> Key {
    Key {
        resource: GroupResource::new("", "configmaps"),
        name: ObjectName::new("default", "x"),
    }
}

fn put(store: &Store, value: u64) -> u64 {
    let mut transaction = store.begin().unwrap();
    let object = transaction.put(
        &key(),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "value": value}),
    );
    transaction.commit(|| (), &[]).unwrap();
    object.revision()
}

/// Makes a database with one object in it.
fn made(directory: &Path) {
    put(&open(directory).unwrap(), 1);
}

fn refusal(directory: &Path) -> String {
    let message = open(directory).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains(directory.to_str().unwrap()), "{message}");
    message
}

/// Refuses a file and leaves every byte of it as it is.
fn check_damaged(directory: &Path, content: &[u8]) {
    let path = directory.join("cluster.redb");
    fs::write(&path, content).unwrap();
    assert!(refusal(directory).contains("is damaged and was left as it is"));
    assert!(fs::read(&path).unwrap() == content);
}

#[test]
fn objects_and_versions_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    put(&store, 1);
    let last = put(&store, 2);
    let mut removal = store.begin().unwrap();
    let other = Key {
        name: ObjectName::new("default", "y"),
        ..key()
    };
    removal.put(&other, json!({}));
    removal.remove(&other);
    removal.commit(|| (), &[]).unwrap();
    drop(store);

    let store = open(directory.path()).unwrap();
    let object = store.object(&key().resource, &key().name).unwrap();
    assert_eq!(
        (&object.value["value"], object.revision()),
        (&json!(2), last)
    );
    assert_eq!(store.revision(), last + 2);
    assert!(store.object(&other.resource, &other.name).is_none());
    assert!(
        store
            .events_after(&key().resource, last, 10, |_| true)
            .is_err(),
        "what was before is forgotten"
    );
    assert!(put(&store, 3) > last + 2);
}

#[test]
fn numbers_survive_a_restart_to_the_last_digit() {
    let directory = tempfile::tempdir().unwrap();
    let numbers = "[187.24158270135618,0.1,-2.5e-17,1.7976931348623157e308]";
    let store = open(directory.path()).unwrap();
    let mut transaction = store.begin().unwrap();
    let sent: serde_json::Value = serde_json::from_str(numbers).unwrap();
    transaction.put(
        &key(),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "value": sent}),
    );
    transaction.commit(|| (), &[]).unwrap();
    drop(store);

    let store = open(directory.path()).unwrap();
    let object = store.object(&key().resource, &key().name).unwrap();
    assert_eq!(object.value["value"], sent);
    assert_eq!(
        sent,
        json!([187.241_582_701_356_18, 0.1, -2.5e-17, f64::MAX])
    );
}

#[test]
fn uncommitted_change_is_none() {
    let store = Store::open(&Storage::Memory).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.put(&key(), json!({}));
    assert!(transaction.object(&key()).is_some());
    drop(transaction);
    assert!(store.object(&key().resource, &key().name).is_none());
    assert_eq!(store.revision(), 0);
}

#[test]
fn earlier_moment_is_reconstructed() {
    let store = Store::open(&Storage::Memory).unwrap();
    store.declare(&key().resource);
    let first = put(&store, 1);
    put(&store, 2);
    let value = |revision| {
        let objects = store
            .snapshot_at(&key().resource, revision)
            .unwrap()
            .objects;
        objects
            .values()
            .map(|object| object.value["value"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(value(0), Vec::<serde_json::Value>::new());
    assert_eq!(value(first), [json!(1)]);
    assert_eq!(value(store.revision()), [json!(2)]);
}

#[test]
fn database_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    made(&directory);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("cluster.redb")), 0o600);
}

#[test]
fn locked_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    assert!(refusal(directory.path()).contains("in use by another process"));
    store.close();
    drop(open(directory.path()).unwrap());
}

#[test]
fn newer_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path());
    let database = redb::Database::create(directory.path().join("cluster.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", 7)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        assert!(refusal(directory.path()).contains("newer version (format 7, this one knows 1)"));
    }
}

#[test]
fn damaged_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path());
    let whole = fs::read(directory.path().join("cluster.redb")).unwrap();
    check_damaged(directory.path(), b"not a database");
    check_damaged(directory.path(), &[0; 8192]);
    check_damaged(directory.path(), &whole[..whole.len() / 3]);
}

#[test]
fn half_made_database_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("cluster.redb.new"), [0; 4096]).unwrap();
    put(&open(directory.path()).unwrap(), 1);
    assert!(!directory.path().join("cluster.redb.new").exists());
}

#[test]
fn new_database_appears_with_its_first_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster.redb");
    let store = open(directory.path()).unwrap();
    assert!(!path.exists());
    assert!(refusal(directory.path()).contains("in use by another process"));
    put(&store, 1);
    // What a crash would leave: nothing is closed, and the lock goes with the process.
    let crashed = tempfile::tempdir().unwrap();
    fs::copy(&path, crashed.path().join("cluster.redb")).unwrap();
    assert!(refusal(directory.path()).contains("in use by another process"));
    let again = open(crashed.path()).unwrap();
    assert_eq!(again.revision(), 1);
    assert!(again.object(&key().resource, &key().name).is_some());
}

#[test]
fn first_change_is_made_again_after_it_failed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster.redb");
    let store = open(directory.path()).unwrap();
    // A directory in the place of the file cannot be replaced by it.
    fs::create_dir_all(path.join("in the way")).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.put(&key(), json!({}));
    transaction.commit(|| (), &[]).unwrap_err();
    assert_eq!(store.revision(), 0);
    assert!(store.begin().is_err());
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(put(&store, 2), 1);
    drop(store);
    assert_eq!(open(directory.path()).unwrap().revision(), 1);
}

#[test]
fn unusable_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, OpenError::Directory { .. } | OpenError::File { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(file.to_str().unwrap()));
}
