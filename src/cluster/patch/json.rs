//! JSON patches (RFC 6902) as Go's implementation reads them: `test` of a missing path against null holds.
//!
//! Clients rely on that rule to add the first finalizer.

use json_patch::{PatchErrorKind, PatchOperation, TestOperation};
use serde_json::Value;

use crate::cluster::{
    object::{DEEPEST, nests_within},
    status::Failure,
};

/// The most operations in one patch (Kubernetes: 10,000).
const MOST_OPERATIONS: usize = 10_000;
/// The most bytes that the `copy` operations of one patch may add.
const MOST_COPIED: usize = 3 << 20;

/// The operations of a patch.
pub(crate) struct Operations(Vec<PatchOperation>);

impl Operations {
    /// Reads a patch.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let operations: Vec<PatchOperation> = serde_json::from_slice(body)
            .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))?;
        if operations.len() > MOST_OPERATIONS {
            let found = operations.len();
            let message = format!(
                "the allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {found}"
            );
            return Err(Failure::too_long(message));
        }
        Ok(Self(operations))
    }

    /// Applies the operations in order; the value is half changed when one of them fails.
    pub(super) fn apply(&self, value: &mut Value) -> Result<(), Failure> {
        let mut copied = 0;
        for (index, operation) in self.0.iter().enumerate() {
            if let PatchOperation::Copy(copy) = operation {
                copied += copy
                    .from
                    .resolve(value)
                    .map_or(0, |copied| copied.to_string().len());
                if copied > MOST_COPIED {
                    return Err(Failure::unprocessable(
                        "the copy operations make the object too large",
                    ));
                }
            }
            if holds_in_go(operation, value) {
                continue;
            }
            if !stays_shallow(operation, value) {
                let message = format!("operation {index} nests deeper than {DEEPEST} levels");
                return Err(Failure::unprocessable(&message));
            }
            json_patch::patch(value, std::slice::from_ref(operation)).map_err(|error| {
                let detail = match error.kind {
                    PatchErrorKind::TestFailed => {
                        format!("testing value {} failed", operation.path())
                    }
                    kind => format!("operation {index} failed at {}: {kind}", operation.path()),
                };
                Failure::unprocessable(&detail)
            })?;
        }
        Ok(())
    }
}

fn holds_in_go(operation: &PatchOperation, value: &Value) -> bool {
    matches!(operation, PatchOperation::Test(TestOperation { path, value: Value::Null })
        if path.resolve(value).is_err())
}

/// Whether what an operation puts somewhere is not too deep there.
fn stays_shallow(operation: &PatchOperation, value: &Value) -> bool {
    let put = match operation {
        PatchOperation::Add(add) => Some(&add.value),
        PatchOperation::Replace(replace) => Some(&replace.value),
        PatchOperation::Copy(copy) => copy.from.resolve(value).ok(),
        PatchOperation::Move(moved) => moved.from.resolve(value).ok(),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    };
    let left = DEEPEST.checked_sub(operation.path().count());
    put.is_none_or(|put| left.is_some_and(|left| nests_within(put, left)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(mut value: Value, patch: &Value) -> Result<Value, Failure> {
        Operations::parse(patch.to_string().as_bytes())?.apply(&mut value)?;
        Ok(value)
    }

    #[test]
    fn missing_path_equals_null() {
        let patch = json!([
            {"op": "test", "path": "/metadata/finalizers", "value": null},
            {"op": "add", "path": "/metadata/finalizers", "value": ["x.io/a"]},
        ]);
        assert_eq!(
            apply(json!({"metadata": {}}), &patch).unwrap(),
            json!({"metadata": {"finalizers": ["x.io/a"]}})
        );
        assert_eq!(
            apply(json!({"metadata": {"finalizers": ["y"]}}), &patch)
                .unwrap_err()
                .code,
            422
        );
    }

    #[test]
    fn failures_are_named() {
        let test = json!([{"op": "test", "path": "/a", "value": 1}]);
        assert!(
            apply(json!({"a": 2}), &test)
                .unwrap_err()
                .message
                .ends_with("testing value /a failed")
        );
        let remove = json!([{"op": "remove", "path": "/b"}]);
        assert!(
            apply(json!({"a": 2}), &remove)
                .unwrap_err()
                .message
                .contains("failed at /b")
        );
        assert_eq!(
            apply(json!({}), &json!([{"op": "dance"}]))
                .unwrap_err()
                .code,
            400
        );
    }

    #[test]
    fn copies_do_not_explode() {
        let double = json!({"op": "copy", "from": "", "path": "/a/-"});
        let patch = Value::Array(vec![double; 60]);
        assert_eq!(apply(json!({"a": ["x"]}), &patch).unwrap_err().code, 422);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        let check = |levels: usize, patch: &Value, is_fine: bool| {
            assert_eq!(
                apply(nested(levels), patch).is_ok(),
                is_fine,
                "{levels} {patch}"
            );
        };
        for op in ["copy", "move"] {
            let patch = json!([{"op": op, "from": "/a", "path": "/b"}]);
            check(DEEPEST, &patch, true);
            let copy = json!([{"op": "copy", "from": "", "path": "/b"}, {"op": op, "from": "/a", "path": "/b/c"}]);
            check(DEEPEST - 1, &copy, true);
            check(DEEPEST, &copy, false);
        }
        let path = "/a".repeat(100);
        for op in ["add", "replace"] {
            check(
                101,
                &json!([{"op": op, "path": path, "value": nested(27)}]),
                true,
            );
            check(
                101,
                &json!([{"op": op, "path": path, "value": nested(28)}]),
                false,
            );
        }
        check(
            101,
            &json!([{"op": "add", "path": path, "value": {}}, {"op": "remove", "path": path}]),
            true,
        );
        let far = json!([{"op": "add", "path": "/a".repeat(1000), "value": 1}]);
        check(1, &far, false);
    }

    #[test]
    fn number_of_operations_is_bounded() {
        let patch = Value::Array(vec![
            json!({"op": "test", "path": "", "value": {}});
            MOST_OPERATIONS + 1
        ]);
        assert_eq!(apply(json!({}), &patch).unwrap_err().code, 413);
    }
}
