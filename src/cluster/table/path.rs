//! The JSON paths of printer columns, such as `.status.conditions[?(@.type=="Ready")].status`.
//!
//! Kubernetes' dialect is translated to that of RFC 9535; evaluation is the `jsonpath-rust` crate's.

use jsonpath_rust::{
    parser::{model::JpQuery, parse_json_path},
    query::js_path_process,
};
use serde_json::Value;

/// A path, ready to be looked up.
#[derive(Debug)]
pub(super) struct Path(JpQuery);

impl Path {
    /// Parses a path as a definition writes it; nothing when it is no path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        parse_json_path(&translate(text)).ok().map(Self)
    }

    /// The first value at the path.
    pub(super) fn first<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        let found = js_path_process(&self.0, object).ok()?;
        found.into_iter().next().map(|found| found.val)
    }
}

/// Quotes the names outside of brackets, where Kubernetes allows dashes, and dots and slashes behind a backslash.
fn translate(text: &str) -> String {
    let mut path = String::from("$");
    let mut rest = text.trim().trim_start_matches('$');
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '[' => {
                let end = end_of_brackets(rest);
                path.push_str(rest.get(..end).unwrap_or(rest));
                end
            }
            '.' if rest.starts_with("..") => {
                path.push_str("..");
                2
            }
            '.' => 1,
            '*' => {
                path.push_str(if path.ends_with('.') { "*" } else { "[*]" });
                1
            }
            _ => {
                let (name, taken) = take_name(rest);
                path.extend(["[", &Value::from(name).to_string(), "]"]);
                taken
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    path
}

/// The name at the start of a path without its backslashes, and how many bytes it takes.
fn take_name(text: &str) -> (String, usize) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, position),
            letter => name.push(letter),
        }
    }
    (name, text.len())
}

/// Where the brackets at the start of a path end, quoted brackets aside.
fn end_of_brackets(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    for (position, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 1 => return position + 1,
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&Value>) {
        let object = json!({
            "metadata": { "name": "a", "labels": { "app.kubernetes.io/name": "b", "my-label": "c" } },
            "spec": { "list": [1, 2, 3] },
            "status": { "conditions": [
                { "type": "Stalled", "status": "False" },
                { "type": "Ready", "status": "True" },
            ]},
        });
        let parsed = Path::parse(path).expect("is a path");
        assert_eq!(parsed.first(&object), expected, "{path}");
    }

    #[test]
    fn paths_of_kubernetes_are_understood() {
        check(".metadata.name", Some(&json!("a")));
        check(".metadata.labels.my-label", Some(&json!("c")));
        check(
            ".metadata.labels.app\\.kubernetes\\.io/name",
            Some(&json!("b")),
        );
        check(
            ".metadata.labels['app.kubernetes.io/name']",
            Some(&json!("b")),
        );
        check(
            r#".status.conditions[?(@.type=="Ready")].status"#,
            Some(&json!("True")),
        );
        check(
            ".status.conditions[?(@.type=='Ready')].status",
            Some(&json!("True")),
        );
        check(r#".status.conditions[?(@.type == "Other")].status"#, None);
        check(".spec.list[0]", Some(&json!(1)));
        check(".spec.list[-1:]", Some(&json!(3)));
        check(".spec.list[*]", Some(&json!(1)));
        check("..type", Some(&json!("Stalled")));
        check(".spec.missing.below", None);
    }

    #[test]
    fn other_texts_are_no_paths() {
        assert!(Path::parse(".spec[").is_none());
        assert!(Path::parse(".spec[?(").is_none());
    }
}
