//! Expressions as an author writes them, with what they give or why they are refused.

mod checks;
mod functions;
mod language;
mod limits;

use serde_json::{Value as Json, json};

use super::*;

/// What the variable `req` is in these tests.
fn request() -> Json {
    json!({
        "ref": "refs/heads/main",
        "number": 7,
        "deleted": false,
        "nothing": null,
        "big": 1_234_567,
        "commits": [
            { "id": "a1", "modified": ["deploy/app.yaml", "README.md"] },
            { "id": "b2", "modified": [] },
        ],
        "repository": { "name": "podinfo", "private": true },
    })
}

fn compile(expression: &str, output: Output) -> Result<Program, String> {
    let program = Program::compile(expression, &["req", "res"], output);
    program.map_err(|error| error.to_string())
}

fn evaluate<T>(expression: &str, look_at: impl FnOnce(Result<Value<'_>, String>) -> T) -> T {
    let program = compile(expression, Output::Any).unwrap();
    let request = request();
    let variables = Variables::default().with("req", &request);
    let result = program.evaluate(&variables, &mut Meter::new(&|| false));
    look_at(result.map_err(|error| error.to_string()))
}

/// The expression is true.
#[track_caller]
fn holds(expression: &str) {
    let program = compile(expression, Output::Bool).unwrap();
    let request = request();
    let variables = Variables::default().with("req", &request);
    let result = program.holds(&variables, &mut Meter::new(&|| false));
    assert_eq!(
        result.map_err(|error| error.to_string()),
        Ok(true),
        "{expression}"
    );
}

/// The expression compiles, and evaluating it ends with this error.
#[track_caller]
fn fails(expression: &str, wanted: &str) {
    let expected = format!("failed to evaluate the CEL expression '{expression}': {wanted}");
    evaluate(expression, |result| match result {
        Err(error) => assert_eq!(error, expected),
        Ok(value) => panic!("{expression}: {value:?}"),
    });
}

/// The expression does not compile, for this reason.
#[track_caller]
fn refused(expression: &str, wanted: &str) {
    let error = compile(expression, Output::Any).expect_err(expression);
    let expected =
        format!("failed to parse the CEL expression '{expression}': ERROR: <input>:{wanted}");
    assert_eq!(error, expected);
}
