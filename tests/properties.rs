//! Replays seeds and their mutations through the fuzz properties, so that a property that broke fails `cargo test`.
//!
//! Searching for new inputs is left to the fuzz targets.

#[expect(
    clippy::missing_panics_doc,
    reason = "a property panics when it does not hold"
)]
#[path = "../fuzz/src/properties.rs"]
pub mod properties;

use std::{fs, path::Path};

/// Runs a property over each seed, each of its prefixes, and each single flipped bit of its first kilobyte.
fn replay(property: fn(&[u8]), seeds: &[Vec<u8>]) {
    assert!(!seeds.is_empty(), "there are no seeds");
    for seed in seeds {
        property(seed);
        for end in (0..seed.len().min(1024)).step_by(7) {
            property(&seed[..end]);
        }
        for bit in (0..seed.len().min(1024) * 8).step_by(5) {
            let mut mutation = seed.clone();
            mutation[bit / 8] ^= 1 << (bit % 8);
            property(&mutation);
        }
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// All files of the catalogue with this extension.
fn catalogue(extension: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers");
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = folders
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn nobody_is_authentic_without_the_credential() {
    let signature = "83eee066cf716dd10bc327e341a581ae657bf26d8815c9334434f470c12d3079";
    replay(
        properties::delivery,
        &texts(&["", "\n", "token\n{}", &format!("sha256={signature}\n{{}}")]),
    );
    let mut recordings = catalogue("http");
    recordings.retain(|recording| recording.len() < 700);
    replay(properties::delivery, &recordings);
}

#[test]
fn nobody_is_authentic_with_another_token_than_the_issuers() {
    let mut seeds = texts(&[
        "",
        "Bearer ",
        "a.b.c",
        "e30.e30.",
        "eyJhbGciOiJub25lIn0.e30.",
    ]);
    for sender in ["gcr", "generic-oidc"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers");
        let text = fs::read_to_string(root.join(sender).join("push.http")).unwrap();
        let header = text
            .lines()
            .find_map(|line| line.strip_prefix("Authorization: "));
        seeds.extend(header.map(|value| value.as_bytes().to_vec()));
    }
    replay(properties::id_token, &seeds);
}

#[test]
fn a_document_of_an_issuer_is_understood_or_refused() {
    replay(properties::issuer_document, &catalogue("json"));
    let discovery = r#"{"issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/keys","id_token_signing_alg_values_supported":["ES256"]}"#;
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"},{"kty":"OKP","crv":"Ed25519","x":""},{}]}"#;
    replay(
        properties::issuer_document,
        &texts(&[discovery, keys, "", "[]"]),
    );
}

#[test]
fn a_message_of_pub_sub_holds_an_event() {
    replay(
        properties::pub_sub,
        &texts(&[
            r#"{"message":{"data":"eyJhY3Rpb24iOiJJTlNFUlQiLCJ0YWciOiJhOjEifQ==","messageId":"1","publishTime":"2026-01-05T09:32:31.204Z"}}"#,
            r#"{"MESSAGE":{"data":null,"data":"e30="}} {"#,
            "null",
            "",
        ]),
    );
}

#[test]
fn a_body_that_is_understood_is_json() {
    let mut recordings = catalogue("http");
    recordings.retain(|recording| recording.len() < 1000);
    let bodies = recordings.into_iter().map(|recording| {
        let end = recording.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        recording[end.unwrap() + 4..].to_vec()
    });
    replay(properties::interpret, &bodies.collect::<Vec<_>>());
    replay(
        properties::interpret,
        &texts(&["null", "{}", "{} {}", r#"{"TARGET":{"tag":null}}"#, "[[[[["]),
    );
}

#[test]
fn a_form_is_signed_like_the_json_in_it() {
    replay(
        properties::form,
        &texts(&[
            "",
            "payload=",
            "payload=a+b%2B%25-_.~",
            "payload=%7B%22a%22%3A+%22%C3%A4%22%7D",
            "payload=%7B%7D&payload=%7B%7D",
        ]),
    );
}

#[test]
fn a_path_is_written_back_as_it_was() {
    let digest = "38300c7414d0efe04342418b3f5d225a95e87e2a712f6b48d870df50528318a9";
    replay(
        properties::hook_path,
        &texts(&[
            &format!("/hook/{digest}"),
            &format!("/hook/{digest}?a"),
            "/hook/",
        ]),
    );
}

#[test]
fn a_duration_survives_being_printed() {
    replay(
        properties::duration,
        &texts(&[
            "1h30m",
            "10m0s",
            "250ms",
            "0.000001ms",
            "1.5h",
            "2562047h47m16.854s",
        ]),
    );
}

#[test]
fn what_is_told_of_denied_targets_is_read_again() {
    replay(
        properties::denied_targets,
        &texts(&[
            r#"{"GitRepository/apps/web":"patch on gitrepositories.source.toolkit.fluxcd.io","Bucket/apps/*":"list and watch on buckets"}"#,
            "{}",
        ]),
    );
}

#[test]
fn what_is_told_of_the_last_trigger_is_read_again() {
    replay(
        properties::last_trigger,
        &texts(&[
            r#"{"at":"2026-01-05T09:30:00.5Z","delivery":"72d3162e","event":"push"}"#,
            r#"{"at":"-009999-01-01T00:00:00Z","delivery":"","event":""}"#,
            "{}",
        ]),
    );
}

#[test]
fn named_live_secrets_are_read_again() {
    replay(
        properties::live_secrets,
        &texts(&[
            "previous until 2026-12-01T00:00:00Z, next",
            "a, b until 9999-12-30T22:00:00.999999999Z,c until -009999-01-02T01:59:59Z, d, e",
            "current, a, a, ,",
        ]),
    );
}

#[test]
fn any_manifest_compiles_or_has_a_problem() {
    let manifests = catalogue("yaml").into_iter().flat_map(|file| {
        let text = String::from_utf8(file).unwrap();
        text.split("\n---\n")
            .map(|document| document.as_bytes().to_vec())
            .collect::<Vec<_>>()
    });
    replay(properties::receiver, &manifests.collect::<Vec<_>>());
}

#[test]
fn any_file_is_a_recording_or_an_error() {
    replay(properties::recording, &catalogue("http"));
    replay(
        properties::recording,
        &texts(&[
            "POST / HTTP/1.1\r\n\r\n",
            "POST /hook/a HTTP/1.1\nHost: a\n\n{}",
        ]),
    );
}

#[test]
fn any_protobuf_body_is_stored_or_the_fault_of_who_sent_it() {
    let type_ = b"\x0a\x0c\x0a\x02v1\x12\x06Secret";
    let metadata = b"\x0a\x09\x0a\x05token\x12\x00";
    let data = b"\x12\x08\x0a\x03key\x12\x01\xff\x1a\x06Opaque";
    let object = [metadata.as_slice(), data].concat();
    let length = u8::try_from(object.len()).unwrap();
    let body = [
        b"k8s\0",
        type_.as_slice(),
        &[0x12, length],
        &object,
        b"\x1a\0\x22\0",
    ]
    .concat();
    replay(properties::protobuf, &[body]);
    replay(properties::protobuf, &texts(&["", "k8s\0", "{}"]));
}

#[test]
fn a_line_of_the_journal_reads_the_same_when_it_is_written_back() {
    let key = r#"["source.toolkit.fluxcd.io","v1","GitRepository","gitrepositories","apps","web"]"#;
    let value = r#"{"at":[1700000000,5],"receiver":["apps","hook"],"delivery":"d","later":{}}"#;
    replay(
        properties::journal_entry,
        &texts(&[&format!("{key}\n{value}"), "[]\n{}", "\n"]),
    );
}

#[test]
fn any_yaml_body_is_stored_or_the_fault_of_who_sent_it() {
    let object = r#"
metadata: &m {name: a, labels: {a: "b"}}
data:
  yes: "no"
  folded: >
    a b
     c

  literal: |+
    a: b

  quoted: "\u00e9\ttab\x01 \\ end "
  number: "1_000"
  long: aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccccccccccc ddddd
  <<: {a: 'it''s'}
binaryData: {b: AAEC}
"#;
    let bomb =
        "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nmetadata: {name: x, y: *c}\n";
    replay(
        properties::yaml,
        &texts(&[object, bomb, "", "- a", "{}\n---\n{}"]),
    );
}

#[test]
fn a_row_of_the_history_reads_the_same_when_it_is_written_back() {
    let row = r#"{"id":7,"delivery":"d","receiver":"apps/hook","sender":"github","event":"push","receivedAt":"2026-01-01T00:00:00Z","outcome":"pending","redelivers":3,"client":"::1","headers":[["user-agent","a"]],"targets":[{"group":"g","version":"v1","kind":"K","plural":"ks","namespace":"apps","name":"web","state":"triggered","at":"2026-01-01T00:00:01Z","revision":"r"}],"moreTargets":2,"notes":["n"]}"#;
    replay(properties::history_row, &texts(&[row, "{}", ""]));
}

#[test]
fn any_filter_on_any_body_ends() {
    replay(
        properties::filter,
        &texts(&[
            "req.ref == 'main' && res.metadata.name in req.names\n{\"ref\":\"main\",\"names\":[\"web\"]} x",
            "has(req.a.b) || req.a.b.exists(x, x > 1.5)\n{\"a\":{\"b\":[1,2e3,null,{}]}}",
            "true\n[",
            "\n{}",
        ]),
    );
}

#[test]
fn any_text_is_an_expression_that_ends_or_is_refused() {
    replay(
        properties::expression,
        &texts(&[
            "req.n.all(x, req.n.exists(y, x == y || !has(req.a.b[0]))) ? 1u : -1.5e3\n{}",
            "'%s %.2f'.format([req.ref, 1.0]) + r'\\d' + \"\"\"a\"\"\" + '\\u00e9\\x41'\n{\"ref\":[1,{}]}",
            "[?req.?ref, 'a'].map(x, x != '', x.split('').last().orValue('é').charAt(0))",
            "timestamp('2023-05-28T23:59:58.9Z').getHours('+02:30') + duration('1h.5s').getSeconds()",
            "{?'a': optional.of(1)}.a.matches('(a|b)+c{2,30}$') in [1, 2, dyn(3u)]",
            "req.ref.replace('', req.ref).substring(1, 2).lastIndexOf('a', 1) == req.n[?0]",
            "!!--(((((((((((req.n.map(x, x, x)",
        ]),
    );
}

#[test]
fn a_query_of_the_operator_is_understood_or_refused() {
    replay(
        properties::deliveries_query,
        &texts(&[
            "receiver=apps%2Fhook&limit=7&watch=true",
            "limit=10000",
            "&&=",
            "",
        ]),
    );
}
