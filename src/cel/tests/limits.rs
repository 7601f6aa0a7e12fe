//! Expressions that want too much end within the bounds.

use std::{cell::Cell, time::Instant};

use serde_json::{Value as Json, json};

use super::{compile, *};

/// What evaluating ends with; it must do so long before anybody would notice.
fn end(expression: &str, request: &Json) -> Failure {
    let program = compile(expression, Output::Any).unwrap();
    let variables = Variables::default().with("req", request);
    let started = Instant::now();
    let end = program.evaluate(&variables, &mut Meter::new(&|| false));
    let took = started.elapsed();
    assert!(took.as_secs() < 20, "{expression}: {took:?}");
    match end {
        Err(Unevaluable::Failed { failure, .. }) => failure,
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn loops_within_loops_end() {
    let request = json!({ "list": vec![0; 100_000], "text": "x".repeat(1 << 20) });
    for expression in [
        "req.list.all(a, req.list.all(b, req.list.all(c, a == b)))",
        "req.list.map(a, req.list)  == req.list.map(a, req.list)",
        "req.list.all(a, a in [1] || !(1 in req.list))",
        "sets.intersects(req.list.map(x, 1), req.list)",
        "req.list.map(x, req.text.size())",
        "req.list.map(x, req.text.contains('y'))",
        "req.list.map(x, req.text.matches('(x+x+)+y'))",
        "req.list.map(x, 'a'.matches('x{' + '500}'))",
        "req.list.map(x, req.text == req.text + 'a')",
    ] {
        let end = end(expression, &request);
        assert!(
            matches!(end, Failure::TooExpensive | Failure::TooLarge),
            "{expression}: {end}"
        );
    }
}

#[test]
fn values_do_not_grow_without_end() {
    let request = json!({ "list": vec![0; 100_000], "text": "x".repeat(1 << 20) });
    let doubled = |grow: &str| {
        let start = "optional.of('xxxxxxxx')".to_owned();
        (0..60).fold(start, |made, _| format!("{made}.optMap(x, {grow})"))
    };
    for expression in [
        doubled("x + x"),
        doubled("x.replace('', 'xx')"),
        doubled("[x, x].join()"),
        doubled("'%s%s'.format([x, x])"),
        "req.list.map(x, req.text.split(''))".to_owned(),
        "req.list.map(x, req.text.lowerAscii())".to_owned(),
        "req.list.map(x, bytes(req.text))".to_owned(),
        "req.list.map(x, req.list + req.list)".to_owned(),
        "'%s'.format([req.list.map(x, req.list)])".to_owned(),
        "req.list.map(x, '%.100f%.100f%.100f%.100f'.format([1.0, 1.0, 1.0, 1.0]))".to_owned(),
    ] {
        let end = end(&expression, &request);
        assert!(
            matches!(end, Failure::TooExpensive | Failure::TooLarge),
            "{expression}: {end}"
        );
    }
}

#[test]
fn a_limit_is_not_taken_for_an_error_beside_what_decides() {
    let request = json!({ "list": vec![0; 10_000] });
    let expression = "req.list.all(a, req.list.all(b, a == b)) || true";
    assert_eq!(end(expression, &request), Failure::TooExpensive);
}

#[test]
fn whoever_waits_can_end_it() {
    let program = compile("req.list.all(a, a == 0)", Output::Bool).unwrap();
    let request = json!({ "list": vec![0; 100_000] });
    let variables = Variables::default().with("req", &request);
    let asked = Cell::new(0);
    let is_over = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let end = program.holds(&variables, &mut Meter::new(&is_over));
    let told = end.unwrap_err().to_string();
    assert!(
        told.ends_with(": it was interrupted, because it took too long"),
        "{told}"
    );
}

#[test]
fn a_large_request_is_within_the_limits() {
    let commits: Vec<_> = (0..2000)
        .map(|id| json!({ "id": id, "modified": vec!["services/app/main.rs"; 20] }))
        .collect();
    let request = json!({ "commits": commits });
    let program = compile(
        "req.commits.exists(c, c.modified.exists(f, f.startsWith('deploy/') || f.matches('^charts/.*')))",
        Output::Bool,
    );
    let variables = Variables::default().with("req", &request);
    let end = program
        .unwrap()
        .holds(&variables, &mut Meter::new(&|| false));
    assert_eq!(end, Ok(false));
}

#[test]
fn hostile_texts_are_refused_in_time() {
    let repeated = |part: &str| part.repeat(MAX_BYTES / part.len() - 4);
    let nested = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(64), close.repeat(64))
    };
    let started = Instant::now();
    for expression in [
        format!("{}true", repeated("!")),
        format!("{}1", repeated("-")),
        format!("{}1", repeated("- ")),
        format!("req{}", repeated(".b")),
        format!("req{}", repeated(".?b")),
        format!("req{}", repeated("[0]")),
        format!("1{}", repeated("+1")),
        format!("1{}", repeated("<1")),
        format!("{}1", repeated("true?1:")),
        format!("{}1", repeated("true?")),
        nested("!!(", "true", ")"),
        nested("--(", "1", ")"),
        nested("(1+", "1", ")"),
        nested("[", "", "]"),
        nested("{1:", "1", "}"),
        nested("[1].map(x,", "x", ")"),
        "(".repeat(64),
        repeated("\\"),
        repeated("'"),
        repeated("🦀"),
        format!("'a'.matches('{}')", "(a{100}){100}"),
        format!("'a'.matches('{}')", "(".repeat(40)),
        "x".repeat(MAX_BYTES + 1),
        "(".repeat(65),
    ] {
        let compiled = compile(&expression, Output::Any);
        if let Ok(program) = compiled {
            let request = json!({});
            let variables = Variables::default().with("req", &request);
            let _ = program.evaluate(&variables, &mut Meter::new(&|| false));
        }
    }
    assert!(started.elapsed().as_secs() < 20);
    let many = format!("true{}", repeated("&&true"));
    assert!(compile(&many, Output::Bool).is_ok());
}

#[test]
fn what_was_compiled_fits_an_ordinary_stack() {
    let deepest = format!("1{}", "+1".repeat(bounds::MAX_DEPTH - 1));
    let work = move || {
        let program = compile(&deepest, Output::Any).unwrap();
        let sum = program.evaluate(&Variables::default(), &mut Meter::new(&|| false));
        let depth = i64::try_from(bounds::MAX_DEPTH).unwrap();
        assert!(matches!(sum, Ok(Value::Int(sum)) if sum == depth));
        let deeper = compile(&format!("{deepest}+1"), Output::Any);
        assert!(deeper.unwrap_err().contains("nests more than"));
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn no_error_quotes_what_an_expression_was_given() {
    let request = json!({ "secret": "hush", "list": ["hush"], "map": { "a": "hush" } });
    for expression in [
        "req[req.secret]",
        "int(req.secret)",
        "timestamp(req.secret)",
        "duration(req.secret)",
        "bool(req.secret)",
        "req.secret + 1.0",
        "req.secret.substring(99)",
        "'%d'.format([req.secret])",
        "base64.decode(req.secret + '!')",
        "'a'.matches(req.secret + '(')",
        "timestamp(0).getHours(req.secret)",
        "req.map < req.list",
        "{'a': 1}[req.secret]",
        "{req.secret: 1, 'hu' + 'sh': 2}",
    ] {
        let program = compile(expression, Output::Any).unwrap();
        let variables = Variables::default().with("req", &request);
        let end = program.evaluate(&variables, &mut Meter::new(&|| false));
        let told = end.unwrap_err().to_string();
        assert!(!told.contains("hush"), "{told}");
    }
}
