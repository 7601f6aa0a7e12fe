//! `anyOf`, `oneOf`, `allOf` and `not`: checks made of other checks.
//!
//! Failed alternatives are reported as the API server does it: the closest one with all its mistakes.

use serde_json::Value;

use super::{
    error::{FieldError, Reason, go_quote},
    node::Node,
    validate::{Findings, check as check_node},
};

/// Checks a value against the alternatives of a node.
pub(super) fn check(node: &Node, value: &Value, path: &str, findings: &mut Findings) {
    if !node.any_of.is_empty() {
        check_any(&node.any_of, value, path, findings);
    }
    if !node.one_of.is_empty() {
        check_one(&node.one_of, value, path, findings);
    }
    if !node.all_of.is_empty() {
        check_all(&node.all_of, value, path, findings);
    }
    if let Some(not) = &node.not
        && try_node(not, value, path).errors.is_empty()
    {
        findings.push(about(path, "must not validate the schema (not)"));
    }
}

fn check_any(nodes: &[Node], value: &Value, path: &str, findings: &mut Findings) {
    let mut closest = None;
    for node in nodes {
        let result = try_node(node, value, path);
        if result.errors.is_empty() {
            findings.merge(result);
            return;
        }
        keep_closest(&mut closest, result);
    }
    findings.push(about(path, "must validate at least one schema (anyOf)"));
    findings.merge(closest.unwrap_or_default());
}

fn check_one(nodes: &[Node], value: &Value, path: &str, findings: &mut Findings) {
    let mut closest = None;
    let mut valid = Vec::new();
    for node in nodes {
        let result = try_node(node, value, path);
        if result.errors.is_empty() {
            valid.push(result);
        } else if valid.is_empty() {
            keep_closest(&mut closest, result);
        }
    }
    let found = match valid.len() {
        0 => "Found none valid".to_owned(),
        1 => {
            findings.merge(valid.pop().unwrap_or_default());
            return;
        }
        many => format!("Found {many} valid alternatives"),
    };
    let message = format!("must validate one and only one schema (oneOf). {found}");
    findings.push(about(path, &message));
    findings.merge(closest.unwrap_or_default());
}

fn check_all(nodes: &[Node], value: &Value, path: &str, findings: &mut Findings) {
    let mut failed = 0;
    for node in nodes {
        let result = try_node(node, value, path);
        failed += usize::from(!result.errors.is_empty());
        findings.merge(result);
    }
    if failed > 0 {
        let none = if failed == nodes.len() {
            ". None validated"
        } else {
            ""
        };
        findings.push(about(
            path,
            &format!("must validate all the schemas (allOf){none}"),
        ));
    }
}

fn try_node(node: &Node, value: &Value, path: &str) -> Findings {
    let mut findings = Findings::default();
    check_node(node, value, None, path, &mut findings);
    findings
}

fn keep_closest(closest: &mut Option<Findings>, candidate: Findings) {
    if closest
        .as_ref()
        .is_none_or(|best| candidate.checked > best.checked)
    {
        *closest = Some(candidate);
    }
}

/// A mistake that the API server reports about the whole object, naming the place in the message.
fn about(path: &str, message: &str) -> FieldError {
    let detail = format!("{} {message}", go_quote(path));
    FieldError::new("", Reason::Invalid, Some("\"\"".to_owned()), detail)
}
