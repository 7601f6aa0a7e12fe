//! The rules of setting conditions; the schema of a condition is tested with the CRDs.

use super::*;

const FIRST: &str = "2026-01-02T03:04:05Z";
const LATER: &str = "2026-01-02T03:05:00Z";

fn stamp(now: &str, generation: i64) -> Stamp {
    Stamp {
        generation,
        now: now.parse().unwrap(),
    }
}

fn ready(status: ConditionStatus, reason: &str, message: &str) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.set(READY, status, reason, message, stamp(FIRST, 1));
    conditions
}

fn check_transition(reason: &str, message: &str, status: ConditionStatus, expected: &str) {
    let mut conditions = ready(ConditionStatus::True, "Succeeded", "all is well");
    conditions.set(READY, status, reason, message, stamp(LATER, 2));
    let found = conditions.find(READY).unwrap();
    assert_eq!(found.last_transition_time, expected);
    assert_eq!(found.observed_generation, Some(2));
}

#[test]
fn transition_time_moves_only_with_status_reason_or_message() {
    check_transition("Succeeded", "all is well", ConditionStatus::True, FIRST);
    check_transition("Succeeded", "all is well", ConditionStatus::Unknown, LATER);
    check_transition("Progressing", "all is well", ConditionStatus::True, LATER);
    check_transition("Succeeded", "still well", ConditionStatus::True, LATER);
}

#[test]
fn transition_time_is_cut_to_whole_seconds() {
    let mut conditions = Conditions::default();
    let stamp = stamp("2026-01-02T03:04:05.987654321Z", 1);
    conditions.set(READY, ConditionStatus::True, "Succeeded", "", stamp);
    assert_eq!(conditions.find(READY).unwrap().last_transition_time, FIRST);
}

#[test]
fn an_unchanged_long_message_is_no_transition() {
    let long = "x".repeat(MAX_MESSAGE_BYTES + 1);
    let mut conditions = ready(ConditionStatus::False, "Failed", &long);
    let again = stamp(LATER, 1);
    conditions.set(READY, ConditionStatus::False, "Failed", &long, again);
    assert_eq!(conditions.find(READY).unwrap().last_transition_time, FIRST);
}

fn check_message(message: &str, bytes: usize, is_cut: bool) {
    let conditions = ready(ConditionStatus::False, "Failed", message);
    let stored = &conditions.find(READY).unwrap().message;
    assert_eq!(stored.len(), bytes);
    assert_eq!(stored.ends_with("..."), is_cut);
    assert!(message.starts_with(stored.trim_end_matches('.')));
}

#[test]
fn long_messages_are_cut_between_characters() {
    check_message(&"x".repeat(MAX_MESSAGE_BYTES), MAX_MESSAGE_BYTES, false);
    check_message(&"x".repeat(MAX_MESSAGE_BYTES + 1), MAX_MESSAGE_BYTES, true);
    // 32765 bytes of room hold 16382 two-byte characters and leave one byte.
    check_message(&"é".repeat(MAX_MESSAGE_BYTES), MAX_MESSAGE_BYTES - 1, true);
}

fn check_order(set: &[(&str, i64)], stored: &[&str]) {
    let mut conditions = Conditions::default();
    for (type_, generation) in set {
        let stamp = stamp(FIRST, *generation);
        conditions.set(type_, ConditionStatus::True, "Reason", "", stamp);
    }
    let types: Vec<&str> = conditions.iter().map(|c| c.type_.as_str()).collect();
    assert_eq!(types, stored);
}

#[test]
fn conditions_are_stored_in_the_order_of_flux() {
    check_order(&[(READY, 1), (STALLED, 1)], &[STALLED, READY]);
    check_order(
        &[("Alpha", 1), ("Zulu", 2), (READY, 1), (RECONCILING, 1)],
        &[RECONCILING, READY, "Zulu", "Alpha"],
    );
    check_order(
        &[("Zulu", 1), ("Alpha", 1), (READY, 3)],
        &[READY, "Alpha", "Zulu"],
    );
}

#[test]
fn reconciling_and_stalled_replace_each_other() {
    check_order(&[(STALLED, 1), (RECONCILING, 1)], &[RECONCILING]);
    check_order(&[(RECONCILING, 1), (STALLED, 1)], &[STALLED]);
}

#[test]
fn a_removed_condition_is_gone_and_the_others_stay() {
    let mut conditions = ready(ConditionStatus::True, "Succeeded", "");
    let stamp = stamp(FIRST, 1);
    conditions.set(HEALTHY, ConditionStatus::True, "Succeeded", "", stamp);
    conditions.remove(READY);
    assert!(conditions.find(READY).is_none());
    assert!(conditions.is_true(HEALTHY));
}

fn check_ready(true_types: &[&str], expected: bool) {
    let conditions: Vec<Condition> = true_types
        .iter()
        .map(|type_| Condition {
            last_transition_time: FIRST.to_owned(),
            message: String::new(),
            observed_generation: None,
            reason: "Reason".to_owned(),
            status: ConditionStatus::True,
            type_: (*type_).to_owned(),
        })
        .collect();
    assert_eq!(
        Conditions::from(conditions).is_ready(),
        expected,
        "{true_types:?}"
    );
}

#[test]
fn ready_is_spoilt_by_stalled_alone_and_by_reconciling_alone() {
    check_ready(&[], false);
    check_ready(&[READY], true);
    check_ready(&[READY, STALLED], false);
    check_ready(&[READY, RECONCILING], false);
    check_ready(&[READY, STALLED, RECONCILING], true);
    check_ready(&[STALLED], false);
}

#[test]
fn what_other_writers_left_survives_a_round_trip() {
    let written = serde_json::json!([
        {
            "lastTransitionTime": "2026-01-02T03:04:05.5+02:00",
            "message": "",
            "reason": "Because",
            "status": "Perhaps",
            "type": "example.com/Foreign",
        },
        {
            "lastTransitionTime": FIRST,
            "message": "well",
            "observedGeneration": 4,
            "reason": "Succeeded",
            "status": "True",
            "type": "Ready",
        },
    ]);
    let read: Conditions = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), written);

    let mut changed = read;
    changed.set(READY, ConditionStatus::False, "Failed", "", stamp(LATER, 5));
    let foreign = changed.find("example.com/Foreign").unwrap();
    let foreign = serde_json::to_value(foreign).unwrap();
    assert_eq!(Some(&foreign), written.get(0));
}
