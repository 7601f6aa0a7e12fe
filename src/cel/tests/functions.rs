//! Each function of each library that Flux has, with the results that cel-go documents.

use super::{fails, holds, refused};

#[track_caller]
fn all_hold(expressions: &[&str]) {
    for expression in expressions {
        holds(expression);
    }
}

#[test]
fn conversions_of_the_standard_library() {
    all_hold(&[
        "bool('true') && bool('T') && !bool('0') && bool(true)",
        "bytes('é') == b'\\xc3\\xa9' && bytes(b'a') == b'a'",
        "double('1.5') == 1.5 && double(2) == 2.0 && double(3u) == 3.0 && double(.5) == .5",
        "int('-12') == -12 && int(2.9) == 2 && int(-2.9) == -2 && int(3u) == 3 && int(4) == 4",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60",
        "uint('7') == 7u && uint(7.5) == 7u && uint(7) == 7u && uint(7u) == 7u",
        "string(true) == 'true' && string(-3) == '-3' && string(3u) == '3' && string(b'a') == 'a'",
        "string(1.5) == '1.5' && string(1.0) == '1' && string(100000.0) == '100000'",
        "string(req.big) == '1.234567e+06' && string(1e-7) == '1e-07' && string(0.0001) == '0.0001'",
        "string(duration('1h1.5s')) == '3601.5s' && string(duration('-1ms')) == '-0.001s'",
        "string(timestamp('2023-02-03T23:31:20+01:00')) == '2023-02-03T22:31:20Z'",
        "type(1) == int && type(1u) == uint && type('') == string && type(b'') == bytes",
        "type([]) == list && type({}) == map && type(null) == null_type && type(1.0) == double",
        "type(type(1)) == type && type(req.number) == double && type(true) == bool",
        "type(duration('1s')) == google.protobuf.Duration",
        "type(timestamp(0)) == google.protobuf.Timestamp && type(optional.none()) == optional_type",
        "dyn(1) == 1 && dyn([1, 'a'.size()]) == [1, 1]",
    ]);
    fails("int('x')", "type conversion error from 'string' to 'int'");
    fails("uint(-1)", "unsigned integer overflow");
    fails("int(1e99)", "integer overflow");
    fails(
        "bool('yes')",
        "type conversion error from 'string' to 'bool'",
    );
    fails(
        "string(b'\\xff')",
        "invalid UTF-8 in bytes, cannot convert to string",
    );
}

#[test]
fn sizes_count_characters_items_and_bytes() {
    all_hold(&[
        "size('héé') == 3 && 'héé'.size() == 3",
        "size(b'\\xff\\x00') == 2 && b'a'.size() == 1",
        "size([1, 2]) == 2 && req.commits.size() == 2",
        "size({'a': 1}) == 1 && size(req.repository) == 2",
    ]);
}

#[test]
fn times_of_the_standard_library() {
    all_hold(&[
        "timestamp('2023-05-28T23:59:58.987Z').getFullYear() == 2023",
        "timestamp('2023-05-28T23:59:58.987Z').getMonth() == 4",
        "timestamp('2023-05-28T23:59:58.987Z').getDayOfMonth() == 27",
        "timestamp('2023-05-28T23:59:58.987Z').getDate() == 28",
        "timestamp('2023-05-28T23:59:58.987Z').getDayOfWeek() == 0",
        "timestamp('2023-05-28T23:59:58.987Z').getDayOfYear() == 147",
        "timestamp('2023-05-28T23:59:58.987Z').getHours() == 23",
        "timestamp('2023-05-28T23:59:58.987Z').getMinutes() == 59",
        "timestamp('2023-05-28T23:59:58.987Z').getSeconds() == 58",
        "timestamp('2023-05-28T23:59:58.987Z').getMilliseconds() == 987",
        "timestamp('2023-05-28T23:59:58Z').getHours('+02:30') == 2",
        "timestamp('2023-05-28T23:59:58Z').getMinutes('+02:30') == 29",
        "timestamp('2023-05-28T23:59:58Z').getDate('-8:00') == 28",
        "timestamp('2023-05-28T23:59:58Z').getHours('UTC') == 23",
        "timestamp(90).getSeconds() == 30",
        "duration('1h30m').getHours() == 1 && duration('1h30m').getMinutes() == 90",
        "duration('90s').getSeconds() == 90 && duration('1.5s').getMilliseconds() == 1500",
        "duration('1us') + duration('1ns') == duration('1001ns') && duration('0') == duration('0s')",
        "duration('.5h') == duration('30m') && duration('+1m') - duration('2m') == duration('-60s')",
        "timestamp(60) + duration('1m') == timestamp(120) && duration('1m') + timestamp(0) == timestamp(60)",
        "timestamp(120) - duration('1m') == timestamp(60) && timestamp(9) - timestamp(0) == duration('9s')",
        "timestamp('2024-01-01T00:00:00Z') > timestamp('2023-12-31T23:59:59.9Z')",
        "duration('1m') < duration('61s')",
        "int(duration('1s')) == 1000000000",
    ]);
    for text in [
        "2023-13-01T00:00:00Z",
        "2023-01-01",
        "2023-01-01 00:00:00Z",
        "2023-01-01t00:00:00Z",
        "0000-01-01T00:00:00Z",
        "x",
    ] {
        fails(
            &format!("timestamp('{text}')"),
            "type conversion error from 'string' to 'timestamp'",
        );
    }
    for text in ["1", "s", "1x", "1..5s", "1h-1m", "", "999999999h"] {
        fails(
            &format!("duration('{text}')"),
            "type conversion error from 'string' to 'duration'",
        );
    }
    fails(
        "timestamp('9999-12-30T22:00:00Z') + duration('1s')",
        "timestamp overflow",
    );
    fails("timestamp(-62135596801)", "timestamp overflow");
    fails(
        "timestamp(0).getHours(string(req.ref))",
        "unknown time zone",
    );
    refused(
        "timestamp(0).getHours('Europe/Berlin')",
        "1:22: time zone 'Europe/Berlin' is not supported; write UTC or an offset such as '+02:00'",
    );
}

#[test]
fn texts_of_the_standard_library() {
    all_hold(&[
        "req.ref.startsWith('refs/') && req.ref.endsWith('/main') && req.ref.contains('heads')",
        "!'abc'.contains('ac') && 'abc'.contains('')",
        "'abc'.matches('^a.c$') && matches('xabcx', 'b') && !'abc'.matches('^b')",
        "'refs/tags/v1.2.3'.matches(r'^refs/tags/v\\d+\\.\\d+\\.\\d+$')",
        "req.ref.matches('^refs/' + 'heads/')",
    ]);
    refused(
        "req.ref.matches('(')",
        "1:16: it is not a regular expression",
    );
    fails("'a'.matches('(' + '')", "it is not a regular expression");
}

#[test]
fn the_strings_extension() {
    all_hold(&[
        "'hello'.charAt(4) == 'o' && 'hello'.charAt(5) == ''",
        "'hello mellow'.indexOf('') == 0 && 'hello mellow'.indexOf('ello') == 1",
        "'hello mellow'.indexOf('jello') == -1 && 'hello mellow'.indexOf('', 2) == 2",
        "'hello mellow'.indexOf('ello', 2) == 7 && 'hello mellow'.indexOf('ello', 20) == -1",
        "'ééa'.indexOf('a') == 2 && 'ééaé'.indexOf('é', 2) == 3",
        "['hello', 'mellow'].join() == 'hellomellow' && ['hello', 'mellow'].join(' ') == 'hello mellow'",
        "[].join() == '' && [].join('/') == ''",
        "'hello mellow'.lastIndexOf('') == 12 && 'hello mellow'.lastIndexOf('ello') == 7",
        "'hello mellow'.lastIndexOf('jello') == -1 && 'hello mellow'.lastIndexOf('ello', 6) == 1",
        "'hello mellow'.lastIndexOf('ello', 7) == 7 && 'hello mellow'.lastIndexOf('ello', 20) == -1",
        "'éaéa'.lastIndexOf('a', 2) == 1 && 'éaéa'.lastIndexOf('é') == 2",
        "'TacoCÆt Xii'.lowerAscii() == 'tacocÆt xii' && 'TacoCÆt Xii'.upperAscii() == 'TACOCÆT XII'",
        "'hello hello'.replace('he', 'we') == 'wello wello'",
        "'hello hello'.replace('he', 'we', -1) == 'wello wello'",
        "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
        "'hello hello'.replace('he', 'we', 0) == 'hello hello'",
        "'hello hello'.replace('', '_') == '_h_e_l_l_o_ _h_e_l_l_o_'",
        "'hello hello'.replace('h', '') == 'ello ello'",
        "'gums'.reverse() == 'smug' && 'John Smith'.reverse() == 'htimS nhoJ'",
        "'hello hello hello'.split(' ') == ['hello', 'hello', 'hello']",
        "'hello hello hello'.split(' ', 0) == [] && 'hello hello hello'.split(' ', -1).size() == 3",
        "'hello hello hello'.split(' ', 1) == ['hello hello hello']",
        "'hello hello hello'.split(' ', 2) == ['hello', 'hello hello']",
        "'héy'.split('') == ['h', 'é', 'y'] && 'héy'.split('', 2) == ['h', 'éy'] && ''.split('') == []",
        "''.split(',') == [''] && 'a,'.split(',') == ['a', '']",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
        "'tacocat'.substring(7) == '' && 'éaé'.substring(1, 2) == 'a'",
        "'  \\ttrim\\n    '.trim() == 'trim'",
        "strings.quote('single-quote with \"double quote\"') == '\"single-quote with \\\\\"double quote\\\\\"\"'",
        "strings.quote('two escape sequences \\a\\n') == '\"two escape sequences \\\\a\\\\n\"'",
        "req.ref.split('/').last().value() == 'main'",
    ]);
    fails("'hello'.charAt(-1)", "index out of range");
    fails("'hello'.charAt(6)", "index out of range");
    fails("'hello mellow'.indexOf('ello', -1)", "index out of range");
    fails(
        "'hello mellow'.lastIndexOf('ello', -1)",
        "index out of range",
    );
    fails("'tacocat'.substring(-1)", "index out of range");
    fails("'tacocat'.substring(8)", "index out of range");
    fails("'tacocat'.substring(2, 1)", "invalid substring range");
    fails("dyn(['a', dyn(1)]).join()", "no such overload");
}

#[test]
fn texts_are_formatted_as_cel_says() {
    all_hold(&[
        "'%s'.format(['foo']) == 'foo' && '%s'.format([b'foo']) == 'foo' && '%%%s%%'.format(['a']) == '%a%'",
        "'%d'.format([1]) == '1' && '%d'.format([1u]) == '1' && '%d'.format([3.14]) == '3.14'",
        "'%f'.format([1]) == '1.000000' && '%f'.format([1u]) == '1.000000'",
        "'%f'.format([3.14]) == '3.140000' && '%.1f'.format([3.14]) == '3.1' && '%.0f'.format([2.5]) == '2'",
        "'%.3f'.format([123.4999]) == '123.500' && '%.3f'.format([123.4994]) == '123.499'",
        "'%e'.format([1]) == '1.000000e+00' && '%e'.format([3.14]) == '3.140000e+00'",
        "'%.1e'.format([3.14]) == '3.1e+00' && '%.1e'.format([-3.14]) == '-3.1e+00'",
        "'%b'.format([5]) == '101' && '%b'.format([-5]) == '-101' && '%b'.format([true]) == '1'",
        "'%x'.format([26]) == '1a' && '%X'.format([26]) == '1A' && '%o'.format([30]) == '36'",
        "'%x'.format(['hey']) == '686579' && '%X'.format([b'\\xab']) == 'AB' && '%x'.format([-26]) == '-1a'",
        "'%s %d'.format([dyn('a'), 42]) == 'a 42'",
        "'%s %s'.format([true, false]) == 'true false' && '%s'.format([null]) == 'null'",
        "'%s'.format([type(string)]) == 'type' && '%s'.format([64.2]) == '64.2'",
        "'%s'.format([timestamp('2023-02-03T23:31:20+00:00')]) == '2023-02-03T23:31:20Z'",
        "'%s'.format([duration('1h45m47s')]) == '6347s'",
        "'%s'.format([[dyn(1), 'x', [2.5]]]) == '[1, x, [2.5]]'",
        "'%s'.format([{'b': 1, 'a': 2}]) == '{a: 2, b: 1}' && '%s'.format([{2: 'b', 10: 'a'}]) == '{10: a, 2: b}'",
        "'%f'.format([double('Infinity')]) == 'Infinity' && '%s'.format([double('NaN')]) == 'NaN'",
    ]);
    fails("'%s'.format([])", "format: too few values");
    fails("'%z'.format([1])", "format: unrecognized formatting clause");
    fails("'%'.format([1])", "unexpected end of format string");
    fails("'%d'.format(['a'])", "format: %d is for numbers");
    fails(
        "'%.999f'.format([1.0])",
        "format: the precision is not a number up to 100",
    );
}

#[test]
fn the_sets_extension() {
    all_hold(&[
        "sets.contains([], []) && !sets.contains([], [1]) && sets.contains([1, 2, 3, 4], [2, 3])",
        "sets.contains([dyn(1), 2.0, 3u], [dyn(1.0), 2u, 3])",
        "sets.equivalent([], []) && sets.equivalent([1], [1, 1]) && !sets.equivalent([1], [1, 2])",
        "sets.equivalent([dyn(1), 2u, 3.0], [dyn(3u), 2.0, 1])",
        "!sets.intersects([1], []) && sets.intersects([1], [1, 2])",
        "sets.intersects([[1], [2, 3]], [[1, 2], [2, 3]])",
        "sets.contains(['main', 'dev'], req.ref.split('/').filter(part, part == 'main'))",
    ]);
}

#[test]
fn the_encoders_extension() {
    all_hold(&[
        "base64.decode('aGVsbG8=') == b'hello' && base64.decode('aGVsbG8') == b'hello'",
        "base64.encode(b'hello') == 'aGVsbG8='",
    ]);
    fails("base64.decode('!')", "illegal base64 data");
}

#[test]
fn optional_values() {
    all_hold(&[
        "req.?repository.?name.value() == 'podinfo' && req.?repository.name.value() == 'podinfo'",
        "!req.?missing.hasValue() && !req.?missing.name.hasValue() && req.?ref.hasValue()",
        "req[?'ref'].orValue('') == 'refs/heads/main' && req[?'missing'].orValue('none') == 'none'",
        "req.commits[?5].hasValue() == false && req.commits[?0].id.value() == 'a1'",
        "req.?commits[0].id.value() == 'a1' && !req.?commits[9].hasValue() && !req.?missing['a'].hasValue()",
        "[1, ?optional.none(), ?optional.of(2)] == [1, 2] && [?req.?missing, ?req.?ref].size() == 1",
        "{?'a': optional.of(1), ?'b': optional.none()} == {'a': 1}",
        "optional.of(1).value() == 1 && optional.ofNonZeroValue('').hasValue() == false",
        "optional.ofNonZeroValue(5).value() == 5 && !optional.ofNonZeroValue([]).hasValue()",
        "optional.none().or(optional.of(2)).value() == 2 && optional.of(1).or(optional.of(2)).value() == 1",
        "optional.of(1).orValue(1 / 0) == 1",
        "optional.of(2).optMap(x, x * 2).value() == 4 && !optional.none().optMap(x, x).hasValue()",
        "optional.of(req).optFlatMap(r, r.?ref).value() == 'refs/heads/main'",
        "!optional.of(req).optFlatMap(r, r.?missing).hasValue()",
        "optional.unwrap([optional.of(1), optional.none()]) == [1]",
        "[optional.none(), optional.of('a')].unwrapOpt() == ['a']",
        "[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && !dyn([]).first().hasValue()",
        "req.commits.last().id.value() == 'b2' && has(req.?repository.name) && !has(req.?missing.name)",
        "optional.of(1) == optional.of(dyn(1.0)) && optional.of(1) != optional.none()",
    ]);
    fails("optional.none().value()", "optional.none() dereference");
    fails("dyn(1).value()", "no such overload");
    refused(
        "1.value()",
        "1:8: found no matching overload for 'value' applied to 'int.()'",
    );
}
