//! The architecture, enforced: who may name whom, what the core may not do, how a file looks.
//!
//! What the compiler and clippy check is not repeated here.
//! Files that are generated are compared where they are made: the definitions of the chart in
//! `src/api/crds/tests.rs`, the table of senders in `tests/receivers/`.

mod files;
mod imports;
mod purity;
mod source;

use std::{collections::BTreeSet, fs, path::Path};

use source::{Source, Violation};

/// The folders that hold Rust, below the root of the package.
const FOLDERS: [&str; 3] = ["src", "tests", "fuzz"];

type Rule = fn(&Source) -> Vec<Violation>;

fn check_tree(rule: Rule) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(sources.len() > 10, "the tree was not found");
    let violations: Vec<String> = sources
        .iter()
        .flat_map(rule)
        .map(|violation| violation.to_string())
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    if !folder.exists() || folder.ends_with("target") {
        return;
    }
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap();
            sources.push(Source::parse(path.to_str().unwrap(), &text));
        }
    }
}

#[test]
fn modules_name_only_whom_they_may() {
    check_tree(imports::check);
}

#[test]
fn the_core_is_pure() {
    check_tree(purity::check);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    check_tree(files::check_opening);
}

#[test]
fn no_file_is_too_long() {
    check_tree(files::check_length);
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    check_tree(files::check_lints);
}

#[test]
fn nothing_is_left_to_do() {
    check_tree(files::check_finished);
}

#[test]
fn production_code_does_not_know_that_it_is_tested() {
    check_tree(files::check_test_switches);
}

#[test]
fn names_say_what_a_thing_is() {
    check_tree(files::check_names);
}

#[test]
fn the_chart_has_no_definition_that_is_not_made_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate/crds");
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let made: BTreeSet<String> = hookgate::api::crds::documents()
        .unwrap()
        .into_iter()
        .map(|document| format!("{}.yaml", document.plural))
        .collect();
    assert_eq!(found, made);
}
