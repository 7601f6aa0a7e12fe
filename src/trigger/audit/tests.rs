//! The audit record in real files.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use super::*;
use crate::{
    hook::ReceiverRef,
    trigger::{
        report::{Entry, Outcome, Subject},
        tests::target,
    },
};

fn delivery(id: &str) -> Delivery {
    let delivery = json!({
        "id": 0, "delivery": id, "receiver": "apps/hook", "sender": "github", "event": "push\n",
        "receivedAt": "2026-01-05T09:30:00Z", "outcome": "triggered", "client": "192.0.2.7", "secret": "current",
    });
    serde_json::from_value(delivery).unwrap()
}

fn report() -> Report {
    let entry = |name: &str, outcome| Entry {
        subject: Subject::Target(Arc::new(target(name))),
        outcome,
    };
    let reason = "it does not exist".to_owned();
    Report {
        is_above_rate: false,
        entries: vec![
            entry("web", Outcome::Pending),
            entry("old", Outcome::Refused { reason }),
        ],
    }
}

fn audit(path: &Path, metrics: &Metrics) -> Result<Audit, AuditError> {
    Audit::open(AuditSink::File(path.to_owned()), metrics.clone())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_line_says_who_triggered_what() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    for id in ["1", "2"] {
        let audit = audit(&path, &Metrics::new()).unwrap();
        audit.record(&delivery(id), &report());
    }
    let lines = lines(&path);
    assert_eq!(lines.len(), 2, "what was there stays: {lines:?}");
    assert_eq!(
        lines[1],
        json!({
            "timestamp": "2026-01-05T09:30:00Z", "receiver": "apps/hook", "sender": "github", "delivery": "2",
            "event": "push\n", "isRedelivery": false, "client": "192.0.2.7", "secret": "current",
            "outcome": "triggered", "targets": [
                {"target": "GitRepository/apps/web", "outcome": "pending"},
                {"target": "GitRepository/apps/old", "outcome": "refused", "reason": "it does not exist"},
            ],
        })
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("audit"), folder.path().join("audit.1"));
    let open = Output::open(AuditSink::File(path.clone()));
    let mut output = open.unwrap();
    output.append(b"{\"n\":1}\n").unwrap();
    fs::rename(&path, &moved).unwrap();
    output.append(b"{\"n\":2}\n").unwrap();
    output.append(b"{\"n\":3}\n").unwrap();
    assert_eq!(lines(&moved), [json!({"n": 1})]);
    assert_eq!(lines(&path), [json!({"n": 2}), json!({"n": 3})]);
}

#[test]
fn what_cannot_be_written_is_named_at_the_start_and_counted_later() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/audit");
    let error = audit(&missing, &Metrics::new()).unwrap_err().to_string();
    assert!(error.contains("none/audit"), "{error}");

    let metrics = Metrics::new();
    let audit = audit(Path::new("/dev/full"), &metrics).unwrap();
    audit.record(&delivery("1"), &report());
    drop(audit);
    let text = metrics.encode();
    assert!(text.contains("hookgate_audit_lost_lines_total 1"), "{text}");
}

#[test]
fn lines_that_wait_are_bounded() {
    let metrics = Metrics::new();
    let (lines, waiting) = mpsc::channel();
    let audit = Audit {
        lines: Mutex::new(Some(lines)),
        waiting: Arc::default(),
        metrics: metrics.clone(),
        thread: None,
    };
    let long = ReceiverRef {
        name: "a".repeat(MAX_WAITING_BYTES / 4),
        ..delivery("1").receiver
    };
    for _ in 0..10 {
        let delivery = Delivery {
            receiver: long.clone(),
            ..delivery("1")
        };
        audit.record(&delivery, &Report::default());
    }
    drop(audit);
    assert_eq!(waiting.iter().count(), 3);
    let text = metrics.encode();
    assert!(text.contains("hookgate_audit_lost_lines_total 7"), "{text}");
}
