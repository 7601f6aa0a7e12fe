//! What the READMEs of the catalogue say of its senders, held to what the senders do.
//!
//! How to set up a host is for people to check.

use std::fs;

use super::{Folder, catalogue, folders};

/// What the catalogue says of each sender, as the README of its folder spells it.
const FACTS: [&str; 4] = ["Credential", "Algorithm", "Replay protection", "Events"];

/// What the README of a folder says after `- **<fact>:**`.
fn facts(folder: &Folder) -> [String; 4] {
    let readme = fs::read_to_string(folder.path.join("README.md")).unwrap();
    let title = format!("# {}\n", folder.name);
    assert!(readme.starts_with(&title), "{readme}");
    FACTS.map(|fact| {
        let prefix = format!("- **{fact}:** ");
        let mut lines = readme.lines().filter_map(|line| line.strip_prefix(&prefix));
        let found = lines
            .next()
            .unwrap_or_else(|| panic!("{title} lacks `{prefix}`"));
        assert!(!found.contains('|') && lines.next().is_none(), "{found}");
        found.to_owned()
    })
}

#[test]
fn the_facts_of_a_folder_are_those_of_its_sender() {
    for folder in folders() {
        let [credential, algorithm, _, events] = facts(&folder);
        let name = &folder.name;
        let credential = credential.to_lowercase();
        let headers = folder.credential_headers();
        assert_eq!(
            credential == "the path alone",
            headers.is_empty(),
            "{name}: {credential}"
        );
        for header in headers {
            assert!(credential.contains(header.as_str()), "{name}: {header}");
        }
        let is_signature = algorithm.contains("HMAC") || algorithm.contains("ed25519");
        assert_eq!(is_signature, folder.signs_body(), "{name}");
        assert_eq!(
            events.contains(", such as `"),
            folder.sender().names_events(),
            "{name}"
        );
    }
}

#[test]
fn the_table_of_senders_is_that_of_the_folders() {
    let row = |folder: Folder| {
        let name = &folder.name;
        let facts = facts(&folder).join(" | ");
        format!("| `{name}` | {facts} | [{name}]({name}) |\n")
    };
    let table: String = folders().map(row).collect();
    let readme = fs::read_to_string(catalogue().join("README.md")).unwrap();
    let (_, from_rule) = readme.split_once("|---|---|---|---|---|---|\n").unwrap();
    let (found, _) = from_rule.split_once("<!-- /senders -->").unwrap();
    assert!(
        found == table,
        "the table in `receivers/README.md` is stale; its rows are\n\n{table}"
    );
}

#[test]
fn the_fields_of_a_senders_form_are_those_in_its_folder() {
    for folder in folders().filter(|folder| folder.name == folder.sender().as_str()) {
        let readme = fs::read_to_string(folder.path.join("README.md")).unwrap();
        let readme = readme.to_lowercase();
        for (label, _) in folder.sender().setup().fields {
            let label = label.to_lowercase();
            assert!(readme.contains(&label), "{}: {label}", folder.name);
        }
    }
}
