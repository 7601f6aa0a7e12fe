//! Bodies as Go writes them, and bodies as nobody should.

use serde_json::json;

use super::*;

fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn varint(field: u64, value: u64) -> Vec<u8> {
    [number(field << 3), number(value)].concat()
}

fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = number(field << 3 | 2);
    field.extend(number(content.len() as u64));
    field.extend(content);
    field
}

fn entry(field: u64, key: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    bytes(field, [bytes(1, key), bytes(2, value)].concat())
}

fn body(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let type_ = [bytes(1, api_version), bytes(2, kind)].concat();
    let envelope = [
        bytes(1, type_),
        bytes(2, object),
        bytes(3, ""),
        bytes(4, ""),
    ];
    [MAGIC, &envelope.concat()].concat()
}

/// Metadata as Go writes it: with all fields that are not pointers, empty or not.
fn metadata(name: &str) -> Vec<u8> {
    let fields = [
        bytes(1, name),
        bytes(2, ""),
        bytes(3, "default"),
        bytes(4, ""),
        bytes(5, ""),
        bytes(6, ""),
        varint(7, 0),
        bytes(8, ""),
    ];
    bytes(1, fields.concat())
}

fn secret() -> Vec<u8> {
    let object = [
        metadata("token"),
        entry(2, "key", [0xff, 0x00]),
        entry(2, "empty", ""),
        bytes(3, ""),
        entry(4, "text", "äöü"),
        varint(5, 0),
    ];
    body("v1", "Secret", &object.concat())
}

#[test]
fn empty_values_vanish_and_pointers_stay() {
    let expected = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "token", "namespace": "default"},
        "data": {"key": "/wA=", "empty": ""},
        "stringData": {"text": "äöü"},
        "immutable": false,
    });
    assert_eq!(decode(&secret()), Ok(expected));
}

#[test]
fn times_numbers_lists_and_json_are_read() {
    let fields = br#"{"f:data":{".":{}}}"#;
    let owner = [
        bytes(1, "K"),
        bytes(3, "n"),
        bytes(4, ""),
        bytes(5, "v1"),
        varint(6, 1),
    ];
    let managed = [
        bytes(1, "kubectl"),
        bytes(4, [varint(1, 1_700_000_000), varint(2, 5)].concat()),
        bytes(7, bytes(1, fields)),
    ];
    let metadata = [
        bytes(13, owner.concat()),
        bytes(14, "a/b"),
        bytes(14, "c/d"),
        bytes(17, managed.concat()),
    ];
    let spec = [
        bytes(1, ""),
        varint(2, 15),
        bytes(
            4,
            [varint(1, 1_700_000_000), varint(2, 123_456_789)].concat(),
        ),
        varint(5, 0),
    ];
    let object = [bytes(1, metadata.concat()), bytes(2, spec.concat())].concat();
    let expected = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "ownerReferences": [{"kind": "K", "name": "n", "uid": "", "apiVersion": "v1", "controller": true}],
            "finalizers": ["a/b", "c/d"],
            "managedFields": [{"manager": "kubectl", "time": "2023-11-14T22:13:20Z", "fieldsV1": {"f:data": {".": {}}}}],
        },
        "spec": {
            "holderIdentity": "", "leaseDurationSeconds": 15, "leaseTransitions": 0,
            "renewTime": "2023-11-14T22:13:20.123456Z",
        },
    });
    assert_eq!(
        decode(&body("coordination.k8s.io/v1", "Lease", &object)),
        Ok(expected)
    );
}

#[test]
fn fields_of_the_future_are_passed_over_and_parts_are_put_together() {
    let object = [
        bytes(1, bytes(1, "old")),
        varint(900, 7),
        bytes(1, [bytes(1, "new"), entry(11, "a", "b")].concat()),
        bytes(1, entry(11, "c", "d")),
    ];
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "new", "labels": {"a": "b", "c": "d"}},
    });
    assert_eq!(
        decode(&body("v1", "ConfigMap", &object.concat())),
        Ok(expected)
    );
}

#[test]
fn options_of_deletions_carry_any_version() {
    let options = [
        bytes(2, bytes(1, "uid")),
        bytes(4, "Foreground"),
        bytes(5, "All"),
    ]
    .concat();
    let found = decode(&body("coordination.k8s.io/v1", "DeleteOptions", &options)).unwrap();
    assert_eq!(found["preconditions"], json!({"uid": "uid"}));
    assert_eq!(
        (&found["propagationPolicy"], &found["dryRun"]),
        (&json!("Foreground"), &json!(["All"]))
    );
}

#[track_caller]
fn check_refused(body: &[u8], expected: &str) {
    let error = decode(body).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn wrong_bodies_are_refused_and_what_is_wrong_is_named() {
    let config = |object: &[u8]| body("v1", "ConfigMap", object);
    check_refused(b"", "does not begin with");
    check_refused(b"{}", "does not begin with");
    check_refused(MAGIC, "no kind ``");
    check_refused(&body("v1", "Pod", b""), "no kind `Pod` in version `v1`");
    check_refused(&config(&varint(1, 1)), "the field `metadata` is not bytes");
    check_refused(
        &config(&bytes(4, "x")),
        "the field `immutable` is not a number",
    );
    check_refused(
        &config(&bytes(1, bytes(1, [0xff]))),
        "the field `name` is not UTF-8",
    );
    check_refused(
        &config(&bytes(1, bytes(9, varint(1, u64::MAX >> 1)))),
        "`deletionTimestamp` is not a time",
    );
    check_refused(
        &config(&bytes(1, bytes(17, bytes(7, bytes(1, "{"))))),
        "`fieldsV1` is not JSON",
    );
    check_refused(&config(&[0x0b]), "the wire type 3");
    let lease = bytes(2, varint(2, 1 << 40));
    check_refused(
        &body("coordination.k8s.io/v1", "Lease", &lease),
        "`leaseDurationSeconds` is not a number of 32 bits",
    );
    let packed = [MAGIC, &bytes(3, "gzip")].concat();
    check_refused(&packed, "encoded as `gzip`");
}

#[test]
fn number_of_values_is_bounded() {
    let empty_entry = bytes(2, "");
    check_refused(
        &body(
            "v1",
            "ConfigMap",
            &empty_entry.repeat(message::MOST_VALUES + 1),
        ),
        "more than",
    );
    let few = decode(&body("v1", "ConfigMap", &empty_entry.repeat(1000))).unwrap();
    assert_eq!(few["data"], json!({"": ""}));
}

#[test]
fn no_prefix_and_no_flipped_bit_does_harm() {
    let whole = secret();
    let intact = decode(&whole).unwrap();
    // Without the two empty fields at its end, it is the same object.
    for end in 0..whole.len() - 4 {
        assert_ne!(decode(&whole[..end]).as_ref(), Ok(&intact), "{end}");
    }
    for bit in 0..whole.len() * 8 {
        let mut mutation = whole.clone();
        mutation[bit / 8] ^= 1 << (bit % 8);
        if let Err(error) = decode(&mutation) {
            assert!(!error.to_string().is_empty());
        }
    }
}
