//! What is answered, and what is left, with a journal on disk.
//!
//! On a clock that runs, since the disk takes the time that it takes.

use tempfile::TempDir;

use super::*;

fn open(folder: &TempDir) -> Opened {
    Journal::open(folder.path()).unwrap()
}

fn away() -> Answer {
    status(503, json!({}))
}

/// What a journal holds after everybody let go of it.
fn left(folder: &TempDir) -> Vec<String> {
    let marks = open(folder).marks.into_iter();
    marks.map(|(target, _)| target.name).collect()
}

#[tokio::test]
async fn what_is_accepted_in_an_outage_is_patched_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(PATCHES_AHEAD, (0..1000).map(|_| away()));
    let (trigger, dispatching) = server.dispatching(open(&folder), &plenty());
    let before = Timestamp::now();
    let report = accept(&trigger, &[named("web"), named("api")]).await;
    assert_eq!(report.verdict(), Verdict::Pending, "{report:?}");
    dispatching.abort();
    assert!(dispatching.await.unwrap_err().is_cancelled());
    drop(trigger);

    let server = Server::new(PATCHES_AHEAD, []);
    let (trigger, dispatching) = server.dispatching(open(&folder), &plenty());
    server.sees(2).await;
    trigger.end();
    dispatching.await.unwrap();
    drop(trigger);
    for value in server.annotations() {
        assert!(value.parse::<Timestamp>().unwrap() > before, "{value}");
    }
    assert!(left(&folder).is_empty());
}

#[tokio::test]
async fn a_healthy_api_server_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(PATCHES_AHEAD, []);
    let (trigger, dispatching) = server.dispatching(open(&folder), &plenty());
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(report.verdict(), Verdict::AllDone, "{report:?}");
    trigger.end();
    dispatching.await.unwrap();
    drop(trigger);
    assert!(left(&folder).is_empty());
}

#[tokio::test]
async fn a_slow_api_server_is_waited_for_a_quarter_of_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(0, []);
    let trigger = server.trigger_with(open(&folder), &plenty());
    let before = Instant::now();
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(report.verdict(), Verdict::Pending);
    assert!(before.elapsed() >= PATIENCE);
    assert_eq!(server.seen().len(), 1);

    let before = Instant::now();
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(
        report.verdict(),
        Verdict::Pending,
        "a mark for the next patch"
    );
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(report.verdict(), Verdict::Pending, "covered by that mark");
    let marks = before.elapsed();
    assert!(
        marks < Duration::from_secs(5),
        "nobody waits for the patch: {marks:?}"
    );
    server.open();
    server.sees(2).await;
}

#[tokio::test]
async fn what_is_refused_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let missing = json!({"kind": "Status", "code": 404, "details": {"name": "web"}});
    let server = Server::new(PATCHES_AHEAD, [status(404, missing)]);
    let (trigger, dispatching) = server.dispatching(open(&folder), &plenty());
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(report.verdict(), Verdict::NoneAccepted);
    trigger.end();
    dispatching.await.unwrap();
    drop(trigger);
    assert!(left(&folder).is_empty());
}

#[tokio::test]
async fn what_is_forbidden_is_refused_and_kept_for_when_it_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(PATCHES_AHEAD, [status(403, json!({}))]);
    let (trigger, dispatching) = server.dispatching(open(&folder), &plenty());
    let report = accept(&trigger, &[named("web")]).await;
    assert_eq!(report.verdict(), Verdict::NoneAccepted);
    trigger.0.journal.flush().await.unwrap();
    trigger.end();
    dispatching.await.unwrap();
    drop(trigger);
    assert_eq!(left(&folder), ["web"]);
}

#[tokio::test]
async fn a_sweep_is_durable_and_comes_after_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(PATCHES_AHEAD, []);
    let trigger = server.idle(open(&folder), &plenty());
    let swept = (0..20).map(|index| (target(&format!("swept-{index}")), receiver()));
    trigger.sweep(swept).await.unwrap();
    drop(trigger);

    let trigger = server.idle(open(&folder), &plenty());
    let pushed = spawn_accept(&trigger, "pushed");
    pending(&trigger, 21).await;
    let dispatcher = trigger.clone();
    let dispatching = tokio::spawn(async move { dispatcher.dispatch().await });
    pushed.await.unwrap();
    server.sees(21).await;
    assert!(server.seen()[0].contains("/pushed?"), "{:?}", server.seen());
    trigger.end();
    dispatching.await.unwrap();
    drop(trigger);
    assert!(left(&folder).is_empty());
}
