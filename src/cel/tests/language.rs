//! Operators, macros and values, with the results that the language definition gives.

use super::{fails, holds, refused};

#[track_caller]
fn all_hold(expressions: &[&str]) {
    for expression in expressions {
        holds(expression);
    }
}

#[test]
fn numbers_of_json_are_doubles_and_compare_with_every_number() {
    all_hold(&[
        "req.number == 7 && req.number == 7u && req.number == 7.0 && req.number != 8",
        "req.number < 8 && req.number <= 7u && req.number > 6.5 && req.number >= 7",
        "dyn(1) == 1.0 && dyn(1u) == 1 && dyn(9007199254740993) != 9007199254740992.0",
        "1 < 1.5 && 2u > 1 && -1 < 1u && 1 in [dyn(1.0)] && 9223372036854775807 < 1e300",
        "[1, 2] == [dyn(1.0), 2u] && {'a': 1} == {'a': dyn(1.0)} && {dyn(1): 'a'}[dyn(1u)] == 'a'",
        "double('NaN') != double('NaN')",
    ]);
    fails("req.number + 1 == 8", "no such overload");
    fails("double('NaN') < 1.0", "NaN values cannot be ordered");
    holds("req.number + 1.0 == 8.0");
}

#[test]
fn operators_calculate() {
    all_hold(&[
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -7 / 2 == -3 && 7 % 4 == 3 && 10 - 2 - 3 == 5",
        "1u + 2u == 3u && 7u / 2u == 3u && 7u % 4u == 3u && 2u * 3u - 1u == 5u",
        "1.5 + 1.5 == 3.0 && 1.0 / 4.0 == 0.25 && 1.0 / 0.0 > 1e308 && 2.0 * -1.5 - 1.0 == -4.0",
        "'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]",
        "-(1) == -1 && --1 == 1 && !!true && !(!(!false)) && -(-1.5) == 1.5 && 3 - -1 == 4",
        "'a' < 'b' && b'a' < b'b' && false < true && 'b' >= 'a' && 'Z' < 'a'",
        "0x10 == 16 && -9223372036854775808 < 0 && 1e3 == 1000.0",
    ]);
    for expression in [
        "9223372036854775807 + 1",
        "-9223372036854775808 - 1",
        "-(-9223372036854775808)",
        "9223372036854775807 * 2",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
    ] {
        fails(expression, "integer overflow");
    }
    for expression in ["0u - 1u", "18446744073709551615u + 1u"] {
        fails(expression, "unsigned integer overflow");
    }
    fails("1 / 0", "division by zero");
    fails("1u % 0u", "modulus by zero");
    fails("dyn(1) + dyn('a')", "no such overload");
}

#[test]
fn values_are_found_by_field_key_and_index() {
    all_hold(&[
        "req.repository.name == 'podinfo' && req['repository']['name'] == 'podinfo'",
        "req.commits[0].id == 'a1' && req.commits[1.0]['id'] == 'b2' && [1, 2][1] == 2",
        "{'a': {'b': 1}}.a.b == 1 && {1: 'x'}[1] == 'x' && {true: 'y'}[true] == 'y'",
        "'ref' in req && !('missing' in req) && 2 in [1, 2] && 'a' in {'a': 1} && !(dyn(1) in req)",
        "has(req.ref) && !has(req.missing) && has(req.nothing) && req.nothing == null",
    ]);
    fails("req.missing", "no such key: missing");
    fails("req['missing']", "no such key: missing");
    fails("req.repository.missing", "no such key: missing");
    fails("req.ref.missing", "no such overload");
    fails("has(req.missing.deeper)", "no such key: missing");
    fails("req[req.ref]", "no such key");
    fails("req.commits[9]", "index out of bounds");
    fails("req.commits[0.5]", "no such overload");
    fails("req.commits['a']", "no such overload");
    fails("res.metadata", "no such attribute(s): res");
    fails("{'a': 1, 'a': 2}", "Failed with repeated key");
    fails("{dyn(null): 1}", "unsupported key type");
}

#[test]
fn an_error_beside_what_decides_does_not_count() {
    all_hold(&[
        "true || req.missing && true",
        "req.missing == 1 || true",
        "!(false && req.missing == 1) && !(req.missing == 1 && false)",
        "[1, 2].exists(x, x == 1 || req.missing == x) && [0, 2].exists(x, 4 / x == 2)",
        "![0, 3].all(x, 4 / x == 2)",
        "true ? true : req.missing == 1",
    ]);
    fails("req.missing == 1 || false", "no such key: missing");
    fails("req.missing == 1 && true", "no such key: missing");
    fails("[0, 3].exists(x, 4 / x == 2)", "division by zero");
    fails("[0, 2].all(x, 4 / x == 2)", "division by zero");
    fails("req.ref && true", "no such overload");
    fails("req.ref ? 1 : 2", "no such overload");
}

#[test]
fn macros_loop_over_lists_and_the_keys_of_maps() {
    all_hold(&[
        "req.commits.exists(c, c.modified.exists(f, f.startsWith('deploy/')))",
        "[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, x > 1) && ![].exists(x, true)",
        "[1, 2].exists_one(x, x > 1) && ![2, 2].exists_one(x, x > 1) && [1].existsOne(x, true)",
        "[1, 2].map(x, x * 2) == [2, 4] && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
        "[1, 2].filter(x, x > 1) == [2] && req.repository.filter(k, k == 'name') == ['name']",
        "req.repository.all(key, key in ['name', 'private']) && {'a': 1}.map(k, k) == ['a']",
        "[[1], [2, 3]].map(x, x.map(y, y + x[0])) == [[2], [4, 5]]",
        "[1].map(req, req + 1) == [2] && [1].map(x, [2].map(x, x)) == [[2]]",
    ]);
    fails(
        "req.ref.all(x, true)",
        "expected a list or a map to loop over",
    );
    fails("[1, 0].exists_one(x, 1 / x == 1)", "division by zero");
}

#[test]
fn texts_and_layout_are_read_as_written() {
    all_hold(&[
        "\"a'b\" == 'a\\'b' && '''a'b''' == \"a'b\" && r'\\d' == '\\\\d'",
        "'é😀'.size() == 2 && '\\u00e9' == 'é' && b'\\377' == b'\\xff'",
        "true // a comment\n && // another\n true",
        "\ttrue\r\n&&\x0c true",
        "[1, 2,] == [1, 2] && {'a': 1,} == {'a': 1}",
        "false ? true : false ? false : true",
        "!has(req.missing) && true || false",
    ]);
}

#[test]
fn what_is_not_cel_is_refused_with_its_place() {
    for (expression, wanted) in [
        (
            "1 +",
            "1:4: Syntax error: mismatched input '<EOF>' expecting 'an expression'",
        ),
        (
            "req.",
            "1:5: Syntax error: mismatched input '<EOF>' expecting 'IDENTIFIER'",
        ),
        (
            "",
            "1:1: Syntax error: mismatched input '<EOF>' expecting 'an expression'",
        ),
        (
            "(1",
            "1:3: Syntax error: mismatched input '<EOF>' expecting ')'",
        ),
        (
            "true\n  true",
            "2:3: Syntax error: mismatched input 'a literal' expecting '<EOF>'",
        ),
        (
            "req.in",
            "1:5: Syntax error: mismatched input 'in' expecting 'IDENTIFIER'",
        ),
        (
            "'é' == 'a",
            "1:8: Syntax error: a text has no closing quote",
        ),
        (
            "1 $ 2",
            "1:3: Syntax error: token recognition error at: '$'",
        ),
        ("for == 1", "1:1: reserved identifier: for"),
        ("9223372036854775808", "1:1: invalid int literal"),
        ("has(req)", "1:5: invalid argument to has() macro"),
        ("[1].all(x.y, true)", "1:10: argument must be a simple name"),
        (
            "a && = b",
            "1:6: Syntax error: token recognition error at: '='",
        ),
        (
            "google.protobuf.Int32Value{value: 1}",
            "1:27: messages are not supported; write a map, such as {'a': 1}",
        ),
    ] {
        refused(expression, wanted);
    }
}
