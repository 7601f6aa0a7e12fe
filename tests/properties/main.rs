//! Replays seeds and their mutations through the fuzz properties, so that a property that broke fails `cargo test`.
//!
//! Searching for new inputs is left to the fuzz targets, which start from the same seeds (`fuzz/README.md`).

mod frames;
#[expect(
    clippy::missing_panics_doc,
    reason = "a property panics when it does not hold"
)]
#[path = "../../fuzz/src/properties.rs"]
pub mod properties;
mod seeds;

use std::{collections::BTreeSet, fs, path::Path};

/// How often a property is run over mutations, about; more seeds are mutated in fewer places each.
const MUTATIONS: usize = 6000;

/// Runs a property over each seed, and over prefixes and single flipped bits of its first kilobyte.
fn replay(property: fn(&[u8]), seeds: &[Vec<u8>]) {
    assert!(!seeds.is_empty(), "there are no seeds");
    let reach = |seed: &Vec<u8>| seed.len().min(1024);
    let bits = 8 * seeds.iter().map(reach).sum::<usize>();
    // Odd, so that each of the eight bits has its turn.
    let step = (bits / MUTATIONS).max(5) | 1;
    for seed in seeds {
        property(seed);
        for end in (0..reach(seed)).step_by(step + 2) {
            property(&seed[..end]);
        }
        for bit in (0..reach(seed) * 8).step_by(step) {
            let mut mutation = seed.clone();
            mutation[bit / 8] ^= 1 << (bit % 8);
            property(&mutation);
        }
    }
}

/// One test for each property, and the list of all of them.
macro_rules! replayed {
    ($($property:ident: $behaviour:ident,)*) => {
        $(
            #[test]
            fn $behaviour() {
                replay(properties::$property, &seeds::$property());
            }
        )*

        const ALL: &[(&str, fn() -> Vec<Vec<u8>>)] = &[$((stringify!($property), seeds::$property)),*];
    };
}

replayed! {
    wire: whatever_arrives_at_the_port_is_answered_and_nobody_is_believed_unsigned,
    signature_headers: no_headers_prove_a_sender_without_the_credential,
    delivery: nobody_is_authentic_without_the_credential,
    standard_webhooks: a_message_is_authentic_by_its_signature_within_its_time_only,
    secret: a_token_is_refused_or_proves_what_it_signs,
    id_token: nobody_is_authentic_with_another_token_than_the_issuers,
    issuer_document: a_document_of_an_issuer_is_understood_or_refused,
    pub_sub: a_message_of_pub_sub_holds_an_event,
    interpret: a_body_that_is_understood_is_json,
    form: a_form_is_signed_like_the_json_in_it,
    hook_path: a_path_is_written_back_as_it_was,
    allowed_clients: networks_contain_their_own_addresses,
    rate: a_rate_gives_back_what_it_lets_through,
    duration: a_duration_survives_being_printed,
    denied_targets: what_is_told_of_denied_targets_is_read_again,
    last_trigger: what_is_told_of_the_last_trigger_is_read_again,
    live_secrets: named_live_secrets_are_read_again,
    receiver: any_manifest_compiles_or_has_a_problem,
    recording: any_file_is_a_recording_or_an_error,
    protobuf: any_protobuf_body_is_stored_or_the_fault_of_who_sent_it,
    yaml: any_yaml_body_is_stored_or_the_fault_of_who_sent_it,
    journal_entry: a_line_of_the_journal_reads_the_same_when_it_is_written_back,
    history_row: a_row_of_the_history_reads_the_same_when_it_is_written_back,
    filter: any_filter_on_any_body_ends,
    expression: any_text_is_an_expression_that_ends_or_is_refused,
    proxy_header: what_begins_a_connection_is_a_header_or_none,
    forwarded_for: nobody_chooses_the_address_that_it_is_known_by,
    deliveries_query: a_query_of_the_operator_is_understood_or_refused,
}

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

#[test]
fn every_target_is_replayed() {
    let targets = fs::read_dir(fuzz().join("fuzz_targets")).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let targets: BTreeSet<_> = targets.map(|it| stem(&it.unwrap().path())).collect();
    let replayed: BTreeSet<_> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, replayed);
}

/// Not a test: `cargo test --test properties write_the_seeds -- --ignored` gives the fuzz targets what they start from.
#[test]
#[ignore = "it writes to fuzz/corpus"]
fn write_the_seeds() {
    for (name, seeds) in ALL {
        let corpus = fuzz().join("corpus").join(name);
        fs::create_dir_all(&corpus).unwrap();
        for (index, seed) in seeds().iter().enumerate() {
            fs::write(corpus.join(format!("seed-{index:02}")), seed).unwrap();
        }
    }
}
