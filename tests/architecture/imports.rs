//! Who may name whom: the table of the architecture document as code.
//!
//! Tests may name anything; they start whole systems.

use std::{collections::BTreeSet, fs, path::Path};

use crate::source::{NamedPath, Source, Violation};

/// What each module may name besides itself, and why no more.
const MAP: [(&str, &[&str], &str); 13] = [
    ("api", &[], "the API types stand on nothing of ours"),
    ("telemetry", &[], "telemetry stands on nothing of ours"),
    (
        "cel",
        &[],
        "an expression knows only the values it is given",
    ),
    (
        "hook",
        &["api", "cel"],
        "what a delivery means is a pure function of API types",
    ),
    (
        "sync",
        &["api", "kustomize"],
        "what a commit means does not know of deliveries",
    ),
    (
        "kustomize",
        &["api"],
        "an overlay build is a pure function of a tree of files",
    ),
    (
        "fetch",
        &["api", "sync"],
        "fetching is an adapter of `sync` alone",
    ),
    (
        "apply",
        &["api", "sync"],
        "applying is an adapter of `sync` alone",
    ),
    (
        "trigger",
        &["api", "hook", "telemetry"],
        "a trigger gets a selection and knows no HTTP",
    ),
    (
        "ingress",
        &["api", "hook", "trigger", "telemetry"],
        "`ingress` and `reconcile` meet only through objects and the `HookTable`",
    ),
    (
        "reconcile",
        &[
            "api",
            "hook",
            "sync",
            "kustomize",
            "fetch",
            "apply",
            "telemetry",
        ],
        "`ingress` and `reconcile` meet only through objects and the `HookTable`",
    ),
    (
        "cluster",
        &["cel"],
        "the embedded control plane is a server like any other",
    ),
    (
        "config",
        &["api"],
        "configuration is values; `cli` hands them out",
    ),
];

/// The module that may name everything.
const SHELL: &str = "cli";

/// Refuses each path into another module that the map does not have.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let module = source.module();
    let Some(own) = module.first().copied().filter(|own| *own != SHELL) else {
        return Vec::new();
    };
    let Some((_, may_name, reason)) = MAP.iter().find(|(name, ..)| *name == own) else {
        let rule = format!("module `{own}` has no row in the import map");
        return vec![source.violation(1, rule, "add it to the architecture document first")];
    };
    source
        .production_paths()
        .iter()
        .filter_map(|path| Some((path.line, target(path, &module)?)))
        .filter(|(_, named)| is_ours(named) && named != own && !may_name.contains(&named.as_str()))
        .map(|(line, named)| {
            let rule = format!("`{own}` may not name `{named}`");
            source.violation(line, rule, reason)
        })
        .collect()
}

/// The top-level module that a path leads to, if it leads into this crate.
fn target(path: &NamedPath, module: &[&str]) -> Option<String> {
    let mut segments = path.segments.iter();
    let mut base = match segments.next()?.as_str() {
        "crate" | "hookgate" => Vec::new(),
        "super" => module.split_last()?.1.to_vec(),
        _ => return None,
    };
    for segment in segments {
        match segment.as_str() {
            "super" => {
                base.pop();
            }
            _ if base.is_empty() => return Some(segment.clone()),
            _ => break,
        }
    }
    base.first().map(|top| (*top).to_owned())
}

fn is_ours(name: &str) -> bool {
    name == SHELL || MAP.iter().any(|(module, ..)| *module == name)
}

/// The rows of the table in the architecture document that are about modules that exist.
#[test]
fn the_architecture_document_has_this_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let exists = |module: &str| root.join(module).is_dir();
    let mut expected: Vec<(String, BTreeSet<String>)> = MAP
        .iter()
        .filter(|(module, ..)| exists(module))
        .map(|(module, may_name, _)| {
            let named = may_name.iter().filter(|named| exists(named));
            (
                (*module).to_owned(),
                named.map(|it| (*it).to_owned()).collect(),
            )
        })
        .collect();
    expected.sort();

    let document = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, table) = document
        .split_once("| module | may name |\n|---|---|\n")
        .unwrap();
    let mut found = Vec::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let mut cells = row.trim_matches('|').split('|').map(code_words);
        let (modules, named) = (cells.next().unwrap(), cells.next().unwrap());
        let shell = modules.iter().any(|module| module == SHELL);
        found.extend(
            modules
                .into_iter()
                .filter(|_| !shell)
                .map(|it| (it, named.clone())),
        );
    }
    found.sort();
    assert_eq!(found, expected);
}

/// The words between backticks.
fn code_words(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let source = Source::parse(path, text);
    check(&source).iter().map(ToString::to_string).collect()
}

fn check_refused(path: &str, text: &str, line: usize, named: &str) {
    let found = violations(path, text);
    let start = format!("{path}:{line}: ");
    let end = format!("may not name `{named}`");
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert!(
        found[0].starts_with(&start) && found[0].contains(&end),
        "{found:?}"
    );
}

fn check_accepted(path: &str, text: &str) {
    assert_eq!(violations(path, text), Vec::<String>::new(), "{text}");
}

#[test]
fn a_wrong_import_is_refused_however_it_is_written() {
    check_refused(
        "src/hook/mod.rs",
        "use crate::ingress::Gateway;",
        1,
        "ingress",
    );
    check_refused(
        "src/hook/a.rs",
        "\nuse crate::{api::A, cluster::B};",
        2,
        "cluster",
    );
    check_refused(
        "src/api/a.rs",
        "fn f() -> crate::hook::Hook { a() }",
        1,
        "hook",
    );
    check_refused(
        "src/hook/sender/a.rs",
        "use super::super::super::cli::A;",
        1,
        "cli",
    );
    check_refused("src/hook/a.rs", "use super::super::{sync::A};", 1, "sync");
    check_refused("src/sync/a.rs", "use crate::hook;", 1, "hook");
    check_refused(
        "src/ingress/a.rs",
        "use crate::reconcile::A;",
        1,
        "reconcile",
    );
    check_refused("src/telemetry/mod.rs", "use crate::api::A;", 1, "api");
    check_refused("src/config.rs", "use crate::{cli};", 1, "cli");
}

#[test]
fn what_the_map_has_is_accepted() {
    check_accepted("src/hook/mod.rs", "use crate::{api::A, hook::B};");
    check_accepted(
        "src/hook/sender/a.rs",
        "use super::super::{verify::A}; use super::b;",
    );
    check_accepted("src/cli/dev.rs", "use crate::{cluster::A, ingress::B};");
    check_accepted("src/lib.rs", "pub mod api; use crate::cli::A;");
    check_accepted("src/api/a.rs", "pub(crate) fn f(hook: std::fs::File) {}");
    check_accepted(
        "src/api/a.rs",
        "#[cfg(test)] mod tests { use crate::cli::A; }",
    );
    check_accepted("src/api/a/tests.rs", "use crate::cli::A;");
    check_accepted("tests/it/main.rs", "use crate::support::A;");
}

#[test]
fn a_module_without_a_row_is_refused() {
    let found = violations("src/misc.rs", "");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`misc` has no row"), "{found:?}");
}
