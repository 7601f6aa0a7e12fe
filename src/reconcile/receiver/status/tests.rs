//! The status that follows from each outcome, held against what Flux writes.

use std::time::Duration as StdDuration;

use serde_json::{Value, json};

use super::*;
use crate::hook::HookPath;

const NOW: &str = "2026-01-02T03:04:05Z";

fn stamp() -> Stamp {
    Stamp {
        generation: 3,
        now: NOW.parse().unwrap(),
    }
}

fn path() -> HookPath {
    HookPath::derive(None, "web", "apps")
}

fn ready() -> Outcome {
    Outcome::Ready {
        path: path(),
        doubt: None,
        set_problems: Vec::new(),
    }
}

fn stalled() -> Outcome {
    Outcome::Stalled {
        fault: Fault::Field,
        problems: "a; b".to_owned(),
    }
}

fn no_token(is_path_gone: bool) -> Outcome {
    Outcome::TokenNotFound {
        message: "no token".to_owned(),
        is_path_gone,
    }
}

fn receiver(name: &str) -> ReceiverRef {
    ReceiverRef {
        namespace: "apps".to_owned(),
        name: name.to_owned(),
    }
}

fn after(old: &ReceiverStatus, outcome: &Outcome) -> ReceiverStatus {
    status(old, outcome, &Standing::Alone, None, stamp())
}

fn as_json(status: &ReceiverStatus) -> Value {
    serde_json::to_value(status).unwrap()
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": NOW, "observedGeneration": 3,
    })
}

fn never_reconciled() -> ReceiverStatus {
    ReceiverStatus {
        observed_generation: Some(-1),
        ..ReceiverStatus::default()
    }
}

#[test]
fn success() {
    let path = path().reveal();
    let message = format!("Receiver initialized for path: {path}");
    let expected = json!({
        "conditions": [condition("Ready", "True", "Succeeded", &message)],
        "observedGeneration": 3,
        "webhookPath": path,
    });
    for old in [
        never_reconciled(),
        after(&never_reconciled(), &stalled()),
        after(&never_reconciled(), &no_token(true)),
        after(&never_reconciled(), &ready()),
    ] {
        assert_eq!(as_json(&after(&old, &ready())), expected);
    }
}

#[test]
fn a_missing_token_clears_the_path_and_leaves_the_generation() {
    let old = ReceiverStatus {
        observed_generation: Some(2),
        ..after(&never_reconciled(), &ready())
    };
    let expected = json!({
        "conditions": [
            condition("Reconciling", "True", "ProgressingWithRetry", "Reconciliation in progress"),
            condition("Ready", "False", "TokenNotFound", "no token"),
        ],
        "observedGeneration": 2,
    });
    assert_eq!(as_json(&after(&old, &no_token(true))), expected);
}

#[test]
fn a_secret_that_cannot_be_read_keeps_the_path() {
    let old = after(&never_reconciled(), &ready());
    assert_eq!(
        after(&old, &no_token(false)).webhook_path,
        Some(path().reveal())
    );
}

#[test]
fn a_mistake_stalls_and_keeps_the_path() {
    let message = "Reconciliation failed terminally due to configuration error: a; b";
    let expected = json!({
        "conditions": [
            condition("Stalled", "True", "ValidationFailed", message),
            condition("Ready", "False", "ValidationFailed", message),
        ],
        "observedGeneration": 3,
        "webhookPath": path().reveal(),
    });
    let old = after(&never_reconciled(), &ready());
    assert_eq!(as_json(&after(&old, &stalled())), expected);
}

#[test]
fn a_mistake_in_an_expression_has_a_reason_of_its_own() {
    let outcome = Outcome::Stalled {
        fault: Fault::Expression,
        problems: "a".to_owned(),
    };
    let old = after(&never_reconciled(), &ready());
    let stalled = after(&old, &outcome);
    for type_ in ["Stalled", "Ready"] {
        let condition = stalled.conditions.find(type_).unwrap();
        assert_eq!(condition.reason, "InvalidCELExpression");
    }
    let message = "Reconciliation failed terminally due to configuration error: a";
    let events = happenings(&old, &stalled, &Standing::Alone, minutes(10));
    assert_eq!(
        events,
        [warning(INVALID_CEL_EXPRESSION, message.to_owned())]
    );
}

#[test]
fn a_suspended_receiver_keeps_its_conditions() {
    let old = after(&never_reconciled(), &no_token(true));
    assert_eq!(after(&old, &Outcome::Suspended), old);
    let old = ReceiverStatus {
        observed_generation: Some(2),
        ..after(&never_reconciled(), &ready())
    };
    let new = after(&old, &Outcome::Suspended);
    assert_eq!(new.observed_generation, Some(3), "as in Flux");
}

#[test]
fn a_request_is_noted_as_handled_whatever_the_outcome() {
    for outcome in [ready(), stalled(), no_token(true), Outcome::Suspended] {
        let old = never_reconciled();
        let new = status(&old, &outcome, &Standing::Alone, Some("now"), stamp());
        assert_eq!(new.last_handled_reconcile_at.as_deref(), Some("now"));
        let newer = status(&new, &outcome, &Standing::Alone, None, stamp());
        assert_eq!(newer.last_handled_reconcile_at.as_deref(), Some("now"));
    }
}

#[test]
fn a_path_collision_is_told_to_both() {
    let loser = Standing::Shadowed(receiver("old"));
    let new = status(&never_reconciled(), &ready(), &loser, None, stamp());
    assert!(new.conditions.is_true(STALLED) && !new.conditions.is_ready());
    let message = &new.conditions.find(READY).unwrap().message;
    assert!(message.contains("older Receiver `apps/old`"), "{message}");

    let owner = Standing::Owner(vec![receiver("young")]);
    let new = status(&never_reconciled(), &ready(), &owner, None, stamp());
    assert!(new.conditions.is_ready());
    let message = &new.conditions.find(READY).unwrap().message;
    assert!(message.contains("`apps/young`"), "{message}");
    let happenings = happenings(&never_reconciled(), &new, &owner, minutes(10));
    let reasons: Vec<_> = happenings.iter().map(|h| h.reason).collect();
    assert_eq!(reasons, ["Succeeded", "PathCollision"]);
}

fn minutes(minutes: u64) -> Duration {
    Duration::new(StdDuration::from_mins(minutes))
}

fn check_event(outcome: &Outcome, severity: Severity, reason: &str, message: &str) {
    let new = after(&never_reconciled(), outcome);
    let told = happenings(&never_reconciled(), &new, &Standing::Alone, minutes(10));
    let [happening] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(happening.severity, severity);
    assert_eq!(happening.reason, reason);
    assert_eq!(happening.message, message);
    let again = after(&new, outcome);
    let told = happenings(&new, &again, &Standing::Alone, minutes(10));
    assert_eq!(told, [], "the outcome is the same");
}

#[test]
fn events_tell_of_a_new_outcome_once() {
    check_event(
        &ready(),
        Severity::Normal,
        "Succeeded",
        "Reconciliation finished, next run in 10m0s",
    );
    check_event(&no_token(true), Severity::Warning, "Failed", "no token");
    check_event(
        &stalled(),
        Severity::Warning,
        "ValidationFailed",
        "Reconciliation failed terminally due to configuration error: a; b",
    );
}

#[test]
fn denied_targets_are_a_condition_of_their_own_that_goes_away_with_them() {
    let ready = after(&never_reconciled(), &ready());
    let mut denied = DeniedTargets::default();
    denied.deny("GitRepository/apps/web", "patch on gitrepositories");
    let mut told = ready.clone();
    show_inaccessible(&mut told.conditions, Some(&denied), &[], stamp());
    let message = "hookgate may not trigger `GitRepository/apps/web`: \
                   grant `patch on gitrepositories` to the service account of the gateway";
    let expected = condition("TargetsAccessible", "False", "Forbidden", message);
    let conditions = as_json(&told)["conditions"].clone();
    assert_eq!(
        conditions,
        json!([as_json(&ready)["conditions"][0], expected])
    );
    let interval = Duration::new(StdDuration::ZERO);
    let events = happenings(&ready, &told, &Standing::Alone, interval);
    assert_eq!(events, [warning(FORBIDDEN, message.to_owned())]);
    assert!(happenings(&told, &told, &Standing::Alone, interval).is_empty());
    let mut again = told.clone();
    show_inaccessible(&mut again.conditions, None, &[], stamp());
    assert_eq!(again, ready);
    assert!(happenings(&told, &again, &Standing::Alone, interval).is_empty());
}

#[test]
fn unusable_live_secrets_are_told_while_the_receiver_is_ready() {
    let name = "previous".to_owned();
    let problems = vec![
        SetProblem::NoToken { name: name.clone() },
        SetProblem::Shadowed {
            name,
            owner: receiver("old"),
        },
    ];
    let outcome = Outcome::Ready {
        path: path(),
        doubt: None,
        set_problems: problems.clone(),
    };
    let old = after(&never_reconciled(), &ready());
    let new = after(&old, &outcome);
    let message = format!("{}; {}", problems[0], problems[1]);
    assert_eq!(
        as_json(&new)["conditions"][1],
        condition("LiveSecretsUsable", "False", "InvalidLiveSecrets", &message)
    );
    assert!(new.conditions.is_ready());
    let told = happenings(&old, &new, &Standing::Alone, minutes(10));
    assert_eq!(told, [warning("InvalidLiveSecrets", message)]);
    assert_eq!(happenings(&new, &new, &Standing::Alone, minutes(10)), []);
    assert_eq!(as_json(&after(&new, &ready())), as_json(&old));
}

#[test]
fn targets_that_can_never_be_triggered_are_told_with_those_that_are_denied() {
    let ready = after(&never_reconciled(), &ready());
    let refusal = Refusal {
        target: "Bucket/other/logs".to_owned(),
        reason: "cross-namespace references are not allowed".to_owned(),
    };
    let refusals = [refusal];
    let mut told = ready.clone();
    show_inaccessible(&mut told.conditions, None, &refusals, stamp());
    let message =
        "`Bucket/other/logs` is never triggered: cross-namespace references are not allowed";
    let shown = told.conditions.find(TARGETS_ACCESSIBLE).unwrap();
    assert_eq!(
        (shown.reason.as_str(), shown.message.as_str()),
        (REFUSED, message)
    );
    let interval = Duration::new(StdDuration::ZERO);
    let events = happenings(&ready, &told, &Standing::Alone, interval);
    assert_eq!(events, [warning(REFUSED, message.to_owned())]);

    let mut denied = DeniedTargets::default();
    denied.deny("GitRepository/apps/web", "patch on gitrepositories");
    show_inaccessible(&mut told.conditions, Some(&denied), &refusals, stamp());
    let shown = told.conditions.find(TARGETS_ACCESSIBLE).unwrap();
    assert_eq!(shown.message, format!("{message}; {denied}"));
    assert_eq!(shown.reason, FORBIDDEN);
}
