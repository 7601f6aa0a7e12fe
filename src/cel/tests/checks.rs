//! What is known to fail before it is evaluated, and how it is told.

use super::{Output, Program, compile, refused};

#[test]
fn undeclared_names_and_unknown_functions_are_refused() {
    for (expression, wanted) in [
        (
            "foo == 1",
            "1:1: undeclared reference to 'foo' (in container '')",
        ),
        (
            "req.ref == foo.bar",
            "1:12: undeclared reference to 'foo' (in container '')",
        ),
        (
            "claims.sub == 'a'",
            "1:1: undeclared reference to 'claims' (in container '')",
        ),
        (
            "[1].all(x, y)",
            "1:12: undeclared reference to 'y' (in container '')",
        ),
        (
            "[1].all(x, true) && x == 1",
            "1:21: undeclared reference to 'x' (in container '')",
        ),
        (
            "foo(req)",
            "1:4: undeclared reference to 'foo' (in container '')",
        ),
        (
            "req.foo()",
            "1:8: undeclared reference to 'foo' (in container '')",
        ),
        (
            "sets.foo([])",
            "1:9: undeclared reference to 'foo' (in container '')",
        ),
        (
            "math.greatest(1, 2)",
            "1:14: undeclared reference to 'greatest' (in container '')",
        ),
        (
            "cel.bind(x, 1, x)",
            "1:9: undeclared reference to 'bind' (in container '')",
        ),
        (
            "[1].flatten()",
            "1:12: undeclared reference to 'flatten' (in container '')",
        ),
        (
            "isURL('a')",
            "1:6: undeclared reference to 'isURL' (in container '')",
        ),
        (
            "now()",
            "1:4: undeclared reference to 'now' (in container '')",
        ),
    ] {
        refused(expression, wanted);
    }
}

#[test]
fn operands_of_the_wrong_type_are_refused() {
    let overload = |at: &str, function: &str, applied: &str| {
        format!("{at}: found no matching overload for '{function}' applied to '{applied}'")
    };
    for (expression, wanted) in [
        (
            "req == 'a'",
            overload("1:5", "_==_", "(map(string, dyn), string)"),
        ),
        ("1 + 'a'", overload("1:3", "_+_", "(int, string)")),
        ("1 + 1.0", overload("1:3", "_+_", "(int, double)")),
        ("1 && true", overload("1:3", "_&&_", "(bool, int)")),
        ("!1", overload("1:1", "!_", "(int)")),
        ("-'a'", overload("1:1", "-_", "(string)")),
        (
            "'a'.startsWith(1)",
            overload("1:15", "startsWith", "string.(int)"),
        ),
        (
            "startsWith('a', 'b')",
            overload("1:11", "startsWith", "(string, string)"),
        ),
        ("size(1)", overload("1:5", "size", "(int)")),
        (
            "true ? 1 : 'a'",
            overload("1:6", "_?_:_", "(bool, int, string)"),
        ),
        ("[1][true]", overload("1:4", "_[_]", "(list(int), bool)")),
        ("1 in 'a'", overload("1:3", "@in", "(int, string)")),
        (
            "{'a': 1}[1]",
            overload("1:9", "_[_]", "(map(string, int), int)"),
        ),
        ("'a' < 1", overload("1:5", "_<_", "(string, int)")),
        (
            "[1] == ['a']",
            overload("1:5", "_==_", "(list(int), list(string))"),
        ),
        (
            "duration('1s') + 1",
            overload("1:16", "_+_", "(duration, int)"),
        ),
        (
            "optional.of(1).orValue('a')",
            overload("1:23", "orValue", "optional_type(int).(string)"),
        ),
        (
            "'a'.split(',').join(1)",
            overload("1:20", "join", "list(string).(int)"),
        ),
    ] {
        refused(expression, &wanted);
    }
}

#[test]
fn what_has_no_fields_and_what_is_no_list_is_refused() {
    refused(
        "'a'.b",
        "1:4: type 'string' does not support field selection",
    );
    refused(
        "1.all(x, true)",
        "1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    );
    refused(
        "[1].all(x, 'a')",
        "1:12: expected type 'bool' but found 'string'",
    );
    refused(
        "optional.of(1).optFlatMap(x, x)",
        "1:30: expected type 'optional_type(dyn)' but found 'int'",
    );
}

#[test]
fn lists_and_maps_hold_one_type_unless_it_is_dynamic() {
    refused("[1, 'a']", "1:5: expected type 'int' but found 'string'");
    refused(
        "{'a': 1, 'b': 'c'}",
        "1:15: expected type 'int' but found 'string'",
    );
    refused(
        "{'a': 1, 2: 3}",
        "1:10: expected type 'string' but found 'int'",
    );
    refused(
        "[?1]",
        "1:3: expected type 'optional_type(dyn)' but found 'int'",
    );
    for expression in [
        "[1, req.a]",
        "[req.a, 1, 'a']",
        "[dyn(1), 'a']",
        "[[], [1]]",
        "{'a': [], 'b': [1]}",
    ] {
        assert!(compile(expression, Output::Any).is_ok(), "{expression}");
    }
}

#[test]
fn a_filter_must_be_known_to_be_a_truth_value() {
    let mismatch =
        |found: &str| format!("CEL expression output type mismatch: expected bool, got {found}");
    for (expression, found) in [
        ("req.flag", "dyn"),
        ("1", "int"),
        ("req", "map(string, dyn)"),
        ("'a'", "string"),
        ("true ? req.flag : false", "dyn"),
        ("req.flag ? req.a : req.b", "dyn"),
        ("[true]", "list(bool)"),
        ("req.?flag", "optional_type(dyn)"),
        ("req.?flag.orValue(false)", "dyn"),
        ("optional.none().value()", "dyn"),
        ("null", "null"),
        ("type(1)", "type"),
        ("duration('1s')", "duration"),
        ("timestamp(1)", "timestamp"),
        ("req.list.map(x, 1)", "list(int)"),
        ("req.list.filter(x, true)", "list(dyn)"),
    ] {
        assert_eq!(
            compile(expression, Output::Bool).err(),
            Some(mismatch(found)),
            "{expression}"
        );
        assert!(compile(expression, Output::Any).is_ok(), "{expression}");
    }
    for expression in [
        "req.flag == true",
        "bool(req.flag)",
        "has(req.x)",
        "req.a || req.b",
        "!req.flag",
        "req.list.exists(x, x)",
        "true ? true : false",
        "optional.of(true).orValue(false)",
        "[true][0]",
        "req.a in req.list",
        "'a'.matches('b')",
    ] {
        assert_eq!(
            compile(expression, Output::Bool).err(),
            None,
            "{expression}"
        );
    }
}

#[test]
fn only_the_variables_that_are_declared_are_known() {
    let compile = |variables: &[&str]| {
        Program::compile("claims.sub == vars.subject", variables, Output::Bool).is_ok()
    };
    assert!(compile(&["claims", "vars"]));
    assert!(!compile(&["claims"]));
    assert!(!compile(&["req", "res"]));
}
