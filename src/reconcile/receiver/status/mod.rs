//! The status of a Receiver, from its outcome; reasons and messages are those of Flux.
//!
//! Pure; writing it is the last step, and not this file's.

use crate::{
    api::{
        condition::{
            ConditionStatus, Conditions, LIVE_SECRETS_USABLE, READY, RECONCILING, STALLED, Stamp,
            TARGETS_ACCESSIBLE,
        },
        denied::DeniedTargets,
        duration::Duration,
        event::{Happening, Severity},
        receiver::ReceiverStatus,
    },
    hook::{ReceiverRef, Refusal, SetProblem},
};

use super::{
    act::Standing,
    decide::{Fault, Outcome},
};

const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";
const TOKEN_NOT_FOUND: &str = "TokenNotFound";
const VALIDATION_FAILED: &str = "ValidationFailed";
const INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";
const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
/// Not in Flux, where such a target is an error in the log.
const FORBIDDEN: &str = "Forbidden";
/// Not in Flux, which has one secret at a time.
const INVALID_LIVE_SECRETS: &str = "InvalidLiveSecrets";
/// Not in Flux, which finds out when a delivery comes.
const REFUSED: &str = "Refused";
/// Not in Flux, which lets any of the Receivers with one path win.
const PATH_COLLISION: &str = "PathCollision";

/// The status that a Receiver should have, given the one it has.
pub(super) fn status(
    old: &ReceiverStatus,
    outcome: &Outcome,
    standing: &Standing,
    requested_at: Option<&str>,
    stamp: Stamp,
) -> ReceiverStatus {
    let mut status = old.clone();
    if let Some(requested_at) = requested_at {
        status.last_handled_reconcile_at = Some(requested_at.to_owned());
    }
    match outcome {
        Outcome::Deleting => return status,
        Outcome::Suspended => {}
        Outcome::Ready {
            path, set_problems, ..
        } => {
            show_set_problems(&mut status.conditions, set_problems, stamp);
            let path = path.reveal();
            match standing {
                Standing::Shadowed(owner) => {
                    let message = shadowed(owner);
                    stall(&mut status.conditions, PATH_COLLISION, &message, stamp);
                    status.observed_generation = Some(stamp.generation);
                }
                Standing::Alone | Standing::Owner(_) => {
                    let message = initialized(&path, standing);
                    succeed(&mut status.conditions, &message, stamp);
                }
            }
            status.webhook_path = Some(path);
        }
        Outcome::Stalled { fault, problems } => {
            let reason = match fault {
                Fault::Field => VALIDATION_FAILED,
                Fault::Expression => INVALID_CEL_EXPRESSION,
            };
            let message = terminal(problems);
            stall(&mut status.conditions, reason, &message, stamp);
            status.observed_generation = Some(stamp.generation);
        }
        Outcome::TokenNotFound {
            message,
            is_path_gone,
        } => {
            retry(&mut status.conditions, message, stamp);
            if *is_path_gone {
                status.webhook_path = None;
            }
        }
    }
    if status.conditions.is_true(READY) {
        status.conditions.remove(RECONCILING);
        status.observed_generation = Some(stamp.generation);
    }
    status
}

/// Shows what is wrong with secrets that are to be live beside the current ones; Ready does not depend on it.
fn show_set_problems(conditions: &mut Conditions, problems: &[SetProblem], stamp: Stamp) {
    if problems.is_empty() {
        conditions.remove(LIVE_SECRETS_USABLE);
        return;
    }
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let (is_false, message) = (ConditionStatus::False, problems.join("; "));
    conditions.set(
        LIVE_SECRETS_USABLE,
        is_false,
        INVALID_LIVE_SECRETS,
        &message,
        stamp,
    );
}

/// Shows what can never be triggered, and what the gateway says it may not; Ready does not depend on it.
pub(super) fn show_inaccessible(
    conditions: &mut Conditions,
    denied: Option<&DeniedTargets>,
    refusals: &[Refusal],
    stamp: Stamp,
) {
    let refused = refusals
        .iter()
        .map(|Refusal { target, reason }| format!("`{target}` is never triggered: {reason}"));
    let messages: Vec<_> = refused.chain(denied.map(ToString::to_string)).collect();
    if messages.is_empty() {
        conditions.remove(TARGETS_ACCESSIBLE);
        return;
    }
    let reason = if denied.is_some() { FORBIDDEN } else { REFUSED };
    let (is_false, message) = (ConditionStatus::False, messages.join("; "));
    conditions.set(TARGETS_ACCESSIBLE, is_false, reason, &message, stamp);
}

/// What to tell as events: nothing unless the outcome changed.
pub(super) fn happenings(
    old: &ReceiverStatus,
    new: &ReceiverStatus,
    standing: &Standing,
    interval: Duration,
) -> Vec<Happening> {
    let mut happenings = readiness(old, new, standing, interval);
    for type_ in [TARGETS_ACCESSIBLE, LIVE_SECRETS_USABLE] {
        let Some((_, reason, message)) = changed(old, new, type_) else {
            continue;
        };
        let reasons = [FORBIDDEN, REFUSED, INVALID_LIVE_SECRETS];
        let reason = reasons.into_iter().find(|known| *known == reason);
        happenings.extend(reason.map(|reason| warning(reason, message)));
    }
    happenings
}

fn readiness(
    old: &ReceiverStatus,
    new: &ReceiverStatus,
    standing: &Standing,
    interval: Duration,
) -> Vec<Happening> {
    let Some((status, reason, message)) = changed(old, new, READY) else {
        return Vec::new();
    };
    let mut happenings = vec![match reason.as_str() {
        _ if status == ConditionStatus::True => normal(finished(interval)),
        VALIDATION_FAILED => warning(VALIDATION_FAILED, message),
        INVALID_CEL_EXPRESSION => warning(INVALID_CEL_EXPRESSION, message),
        PATH_COLLISION => warning(PATH_COLLISION, message),
        _ => warning(FAILED, message),
    }];
    if let Standing::Owner(rivals) = standing {
        happenings.push(warning(PATH_COLLISION, shadows(rivals)));
    }
    happenings
}

/// What a condition says now, if it is there and did not say the same before.
fn changed(
    old: &ReceiverStatus,
    new: &ReceiverStatus,
    type_: &str,
) -> Option<(ConditionStatus, String, String)> {
    let said = |status: &ReceiverStatus| {
        let condition = status.conditions.find(type_)?;
        Some((
            condition.status.clone(),
            condition.reason.clone(),
            condition.message.clone(),
        ))
    };
    let now = said(new)?;
    (said(old).as_ref() != Some(&now)).then_some(now)
}

fn succeed(conditions: &mut Conditions, message: &str, stamp: Stamp) {
    conditions.remove(STALLED);
    conditions.remove(RECONCILING);
    conditions.set(READY, ConditionStatus::True, SUCCEEDED, message, stamp);
}

fn stall(conditions: &mut Conditions, reason: &str, message: &str, stamp: Stamp) {
    conditions.set(STALLED, ConditionStatus::True, reason, message, stamp);
    conditions.set(READY, ConditionStatus::False, reason, message, stamp);
}

fn retry(conditions: &mut Conditions, message: &str, stamp: Stamp) {
    let progress = "Reconciliation in progress";
    let is_true = ConditionStatus::True;
    conditions.set(
        RECONCILING,
        is_true,
        PROGRESSING_WITH_RETRY,
        progress,
        stamp,
    );
    let is_false = ConditionStatus::False;
    conditions.set(READY, is_false, TOKEN_NOT_FOUND, message, stamp);
}

fn initialized(path: &str, standing: &Standing) -> String {
    let message = format!("Receiver initialized for path: {path}");
    match standing {
        Standing::Owner(rivals) => format!("{message}; {}", shadows(rivals)),
        Standing::Alone | Standing::Shadowed(_) => message,
    }
}

fn terminal(problems: &str) -> String {
    format!("Reconciliation failed terminally due to configuration error: {problems}")
}

fn shadowed(owner: &ReceiverRef) -> String {
    format!(
        "the path belongs to the older Receiver `{owner}`, which gets the deliveries: change the token in the Secret of one of them, or the name of one that has no Secret"
    )
}

fn shadows(rivals: &[ReceiverRef]) -> String {
    let names: Vec<String> = rivals.iter().map(|rival| format!("`{rival}`")).collect();
    format!(
        "the same path is asked for by {}, which gets no deliveries",
        names.join(", ")
    )
}

fn finished(interval: Duration) -> String {
    if interval.get().is_zero() {
        "Reconciliation finished".to_owned()
    } else {
        format!("Reconciliation finished, next run in {interval}")
    }
}

fn normal(message: String) -> Happening {
    Happening {
        severity: Severity::Normal,
        reason: SUCCEEDED,
        message,
    }
}

fn warning(reason: &'static str, message: String) -> Happening {
    Happening {
        severity: Severity::Warning,
        reason,
        message,
    }
}

#[cfg(test)]
mod tests;
