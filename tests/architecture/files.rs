//! How a file looks: its opening, its length, its names, and what must not be in it.
//!
//! Layout is rustfmt's business and most habits are clippy's; these are the ones they cannot see.

use crate::source::{Source, Token, Violation, bracketed, with_rest};

/// The most lines that a file may have.
const MOST_LINES: usize = 500;

/// Names that say nothing of what a thing is.
const EMPTY_NAMES: [&str; 8] = [
    "common",
    "helper",
    "helpers",
    "manager",
    "misc",
    "util",
    "utils",
    "utilities",
];

/// Refuses a file that does not open with what it is for.
pub(crate) fn check_opening(source: &Source) -> Vec<Violation> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    let rule = "the file does not open with `//!`".to_owned();
    let reason = "say in one or two sentences what it is for, and one thing it does not do";
    vec![source.violation(1, rule, reason)]
}

/// Refuses a file that is too long.
pub(crate) fn check_length(source: &Source) -> Vec<Violation> {
    let lines = source.text.lines().count();
    if lines <= MOST_LINES {
        return Vec::new();
    }
    let rule = format!("the file has {lines} lines, more than {MOST_LINES}");
    vec![source.violation(lines, rule, "split it where it has two reasons to change")]
}

/// Refuses `#[allow(..)]` in every spelling.
pub(crate) fn check_lints(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for_each_attribute(source, |line, attribute, _| {
        if allows(attribute) {
            let rule = "a lint is allowed".to_owned();
            let reason = "write `#[expect(.., reason = \"..\")]`, which ends with its cause";
            found.push(source.violation(line, rule, reason));
        }
    });
    found
}

/// Refuses notes of unfinished work and the macros that stand for it.
pub(crate) fn check_finished(source: &Source) -> Vec<Violation> {
    let reason = "finish it, or describe it in an issue";
    let mut found: Vec<Violation> = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for note in unfinished_notes() {
            if line.contains(&note) {
                found.push(source.violation(index + 1, format!("`{note}` is left"), reason));
            }
        }
    }
    for (token, rest) in with_rest(&source.tokens) {
        let name = token.text.as_str();
        if next_text(rest) == "!" && (name == "todo" || name == "unimplemented") {
            found.push(source.violation(token.line, format!("`{name}!` is left"), reason));
        }
    }
    found
}

/// Refuses `cfg(test)` anywhere but on `mod tests`.
pub(crate) fn check_test_switches(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    if source.is_test() {
        return found;
    }
    for_each_attribute(source, |line, attribute, next| {
        let is_switch = attribute.starts_with("cfg") && names_test(attribute);
        if is_switch && (attribute != "cfg(test)" || next != ["mod", "tests"]) {
            let rule = "`cfg(test)` is not on `mod tests`".to_owned();
            let reason = "what is tested must be what runs";
            found.push(source.violation(line, rule, reason));
        }
    });
    found
}

/// Refuses file names that say nothing, and `get_` before the name of a function.
pub(crate) fn check_names(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/') {
        if part.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
            let rule = format!("`{part}` says nothing of what is in it");
            found.push(source.violation(1, rule, "name it after what it is about"));
        }
    }
    for (token, rest) in with_rest(&source.tokens) {
        let name = next_text(rest);
        if token.text == "fn" && name.starts_with("get_") {
            let rule = format!("`{name}` begins with `get_`");
            found.push(source.violation(token.line, rule, "name it after what it gives"));
        }
    }
    found
}

/// Calls `visit` with the line, the text without spaces, and the two words after each attribute.
fn for_each_attribute(source: &Source, mut visit: impl FnMut(usize, &str, [&str; 2])) {
    for (token, rest) in with_rest(&source.tokens) {
        let rest = match rest {
            [bang, rest @ ..] if bang.text == "!" => rest,
            rest => rest,
        };
        if token.text == "#"
            && next_text(rest) == "["
            && let Some((within, after)) = bracketed(rest)
        {
            let text: String = within.iter().map(|token| token.text.as_str()).collect();
            let next = [
                next_text(after),
                after.get(1).map_or("", |it| it.text.as_str()),
            ];
            visit(token.line, &text, next);
        }
    }
}

fn next_text(rest: &[Token]) -> &str {
    rest.first().map_or("", |next| next.text.as_str())
}

/// Whether `allow(` stands for itself, and not in a reason.
fn allows(attribute: &str) -> bool {
    attribute.starts_with("allow(")
        || attribute.starts_with("cfg_attr(") && attribute.contains(",allow(")
}

fn names_test(attribute: &str) -> bool {
    attribute
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '"')
        .any(|word| word == "test")
}

/// Put together here, so that this file does not contain them.
fn unfinished_notes() -> [String; 3] {
    [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat())
}

fn check(rule: fn(&Source) -> Vec<Violation>, path: &str, text: &str, expected: &[&str]) {
    let found = rule(&Source::parse(path, text));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let start = format!("{path}:{expected}");
        assert!(
            found.starts_with(&start),
            "{found} does not start with {start}"
        );
    }
}

#[test]
fn a_file_without_an_opening_is_refused() {
    let refused = ["1: the file does not open"];
    check(check_opening, "src/a.rs", "//! What it is.\n", &[]);
    check(
        check_opening,
        "src/a.rs",
        "fn f() {}\n//! Late.\n",
        &refused,
    );
    check(check_opening, "src/a.rs", "/// No.\nfn f() {}\n", &refused);
    check(check_opening, "src/a.rs", "", &refused);
}

#[test]
fn a_long_file_is_refused() {
    check(check_length, "src/a.rs", &"\n".repeat(500), &[]);
    let refused = ["501: the file has 501 lines"];
    check(check_length, "src/a.rs", &"\n".repeat(501), &refused);
}

#[test]
fn an_allowed_lint_is_refused() {
    let refused = ["2: a lint is allowed"];
    check(
        check_lints,
        "src/a.rs",
        "\n#[allow(dead_code)]\nfn f() {}",
        &refused,
    );
    check(check_lints, "src/a.rs", "\n#![allow(dead_code)]", &refused);
    check(
        check_lints,
        "src/a.rs",
        "\n#[cfg_attr(a, allow(b))]\nfn f() {}",
        &refused,
    );
    check(
        check_lints,
        "src/a.rs",
        "fn f() {\n #[allow(b)]\n g() }",
        &refused,
    );
    check(
        check_lints,
        "src/a.rs",
        "#[expect(a, reason = \"b\")]\nfn f() { allow(1) }",
        &[],
    );
}

#[test]
fn unfinished_work_is_refused() {
    for note in unfinished_notes() {
        let text = format!("\n// {note}: more\n");
        let refused = [format!("2: `{note}` is left")];
        check(check_finished, "src/a.rs", &text, &[&refused[0]]);
    }
    check(
        check_finished,
        "src/a.rs",
        "fn f() {\n todo!() }",
        &["2: `todo!`"],
    );
    check(
        check_finished,
        "src/a.rs",
        "fn f() { unimplemented!(\"a\") }",
        &["1: `unimpl"],
    );
    check(
        check_finished,
        "src/a.rs",
        "fn todo() { if !todo { } }",
        &[],
    );
}

#[test]
fn a_test_switch_in_production_code_is_refused() {
    let refused = ["1: `cfg(test)` is not on"];
    for text in [
        "#[cfg(test)] fn f() {}",
        "#[cfg(any(test, feature = \"a\"))] mod tests {}",
        "#[cfg(not(test))] fn f() {}",
        "#[cfg_attr(test, derive(Debug))] struct A;",
        "#[cfg(test)] mod other {}",
    ] {
        check(check_test_switches, "src/a.rs", text, &refused);
    }
    check(
        check_test_switches,
        "src/a.rs",
        "#[cfg(test)] mod tests;",
        &[],
    );
    check(
        check_test_switches,
        "src/a.rs",
        "#[cfg(feature = \"test\")] fn f() {}",
        &[],
    );
    check(
        check_test_switches,
        "tests/a.rs",
        "#[cfg(test)] fn f() {}",
        &[],
    );
}

#[test]
fn a_name_that_says_nothing_is_refused() {
    check(
        check_names,
        "src/hook/utils.rs",
        "",
        &["1: `utils` says nothing"],
    );
    check(
        check_names,
        "src/test_helper/a.rs",
        "",
        &["1: `test_helper` says"],
    );
    check(
        check_names,
        "src/a.rs",
        "fn get_a() {}",
        &["1: `get_a` begins"],
    );
    check(
        check_names,
        "src/a.rs",
        "fn get() { a.get_or_insert() }",
        &[],
    );
    check(check_names, "src/hook/mod.rs", "fn f() {}", &[]);
}
