//! What the metrics look like to who scrapes them.

use super::*;

fn check(metrics: &Metrics, line: &str) {
    let text = metrics.encode();
    assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
}

#[test]
fn requests_carry_the_labels_and_buckets_of_flux() {
    let metrics = Metrics::new();
    metrics.request_answered("POST", 200, Duration::from_millis(30), 0);
    for (bucket, count) in [("0.005", 0), ("0.05", 1), ("10.0", 1)] {
        let name = "gotk_receiver_http_request_duration_seconds_bucket";
        let labels = r#"service="",handler="/hook/",method="POST",code="200""#;
        check(
            &metrics,
            &format!(r#"{name}{{le="{bucket}",{labels}}} {count}"#),
        );
    }
    check(
        &metrics,
        r#"gotk_receiver_http_response_size_bytes_count{service="",handler="/hook/",method="POST",code="200"} 1"#,
    );
}

#[test]
fn an_invented_method_adds_no_series() {
    let metrics = Metrics::new();
    metrics.request_answered("BREW", 405, Duration::ZERO, 0);
    metrics.request_answered("brew", 405, Duration::ZERO, 0);
    check(
        &metrics,
        r#"gotk_receiver_http_request_duration_seconds_count{service="",handler="/hook/",method="other",code="405"} 2"#,
    );
}

#[test]
fn a_request_is_in_flight_until_dropped() {
    let metrics = Metrics::new();
    let line = r#"gotk_receiver_http_requests_inflight{service="",handler="/hook/"}"#;
    let (first, second) = (metrics.request_started(), metrics.request_started());
    check(&metrics, &format!("{line} 2"));
    drop(first);
    check(&metrics, &format!("{line} 1"));
    drop(second);
    check(&metrics, &format!("{line} 0"));
}

#[test]
fn a_delivery_that_is_answered_after_its_receiver_is_gone_leaves_no_series() {
    let metrics = Metrics::new();
    metrics.delivery("apps", "gone", "github", "triggered", || true);
    metrics.forget_receiver("apps", "gone");
    metrics.delivery("apps", "gone", "github", "triggered", || false);
    assert!(!metrics.encode().contains("gone"));
}

#[test]
fn a_receiver_that_is_gone_leaves_no_series() {
    let metrics = Metrics::new();
    metrics.delivery("apps", "gone", "github", "done", || true);
    metrics.delivery("apps", "gone", "github", "not wanted", || true);
    metrics.delivery("apps", "stays", "github", "done", || true);
    metrics.reconciliation("Receiver", "apps", "gone", Duration::ZERO);
    metrics.forget_receiver("apps", "gone");
    check(
        &metrics,
        r#"hookgate_deliveries_total{namespace="apps",name="stays",type="github",outcome="done"} 1"#,
    );
    assert!(!metrics.encode().contains("gone"), "{}", metrics.encode());
}

#[test]
fn refusals_and_patches_are_counted() {
    let metrics = Metrics::new();
    metrics.refusal("authenticate", 401);
    metrics.trigger_patch(PatchResult::Done, Duration::from_millis(3));
    metrics.issuer_fetch(false);
    check(
        &metrics,
        r#"hookgate_issuer_fetches_total{result="failed"} 1"#,
    );
    check(
        &metrics,
        r#"hookgate_refusals_total{phase="authenticate",code="401"} 1"#,
    );
    check(
        &metrics,
        r#"hookgate_trigger_patches_total{result="done"} 1"#,
    );
    check(&metrics, "hookgate_trigger_patch_duration_seconds_count 1");
}

#[test]
fn reconciliations_use_ten_buckets_up_to_half_an_hour() {
    let metrics = Metrics::new();
    metrics.reconciliation("Receiver", "apps", "app", Duration::from_secs(1));
    let buckets = metrics
        .encode()
        .lines()
        .filter(|l| l.starts_with("gotk_reconcile_duration_seconds_bucket"))
        .count();
    assert_eq!(buckets, 11, "ten and +Inf");
    check(
        &metrics,
        r#"gotk_reconcile_duration_seconds_count{kind="Receiver",name="app",namespace="apps"} 1"#,
    );
}
