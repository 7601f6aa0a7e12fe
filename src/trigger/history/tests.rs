//! The history as a whole: what it keeps, for how long, and what it learns afterwards.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::json;

use super::{
    Delivery, State, Triggered,
    book::{Book, End},
    lookups::Lookups,
    revision::Observation,
};
use crate::{
    hook::{ReceiverRef, Target},
    trigger::tests,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_700_000_000 + seconds, 0).unwrap()
}

fn target(name: &str) -> Arc<Target> {
    Arc::new(tests::target(name))
}

fn receiver(name: &str) -> ReceiverRef {
    ReceiverRef {
        namespace: "apps".to_owned(),
        name: name.to_owned(),
    }
}

fn delivery(of: &str, seconds: i64, targets: &[(&str, State)]) -> Delivery {
    let targets = targets.iter().map(|(name, state)| Triggered {
        target: target(name),
        state: state.clone(),
    });
    Delivery {
        id: 0,
        delivery: format!("{of}-{seconds}"),
        receiver: receiver(of),
        sender: "github".into(),
        event: "push".to_owned(),
        received_at: at(seconds),
        outcome: "triggered".into(),
        is_redelivery: false,
        secret: None,
        redelivers: None,
        client: Some([127, 0, 0, 1].into()),
        headers: vec![("user-agent".into(), "GitHub-Hookshot".to_owned())],
        targets: targets.collect(),
        more_targets: 0,
        notes: Vec::new(),
    }
}

fn pending() -> State {
    State::Pending { reason: None }
}

fn triggered(seconds: i64, revision: Option<&str>) -> State {
    State::Triggered {
        at: at(seconds),
        revision: revision.map(str::to_owned),
    }
}

fn worked(seconds: i64) -> End {
    End {
        sent: at(seconds),
        given_up: None,
    }
}

fn state(book: &Book, id: u64) -> State {
    let delivery = book.find(&id.to_string()).unwrap();
    delivery.targets[0].state.clone()
}

fn observation(handled: i64, revision: &str) -> Observation {
    Observation::of(&json!({"status": {
        "lastHandledReconcileAt": at(handled).to_string(),
        "artifact": {"revision": revision},
    }}))
}

/// What would be on disk.
#[derive(Default)]
struct File(BTreeMap<u64, Vec<u8>>);

impl File {
    fn write(&mut self, book: &mut Book) {
        for (id, row) in book.rows() {
            match row {
                Some(row) => self.0.insert(id, row),
                None => self.0.remove(&id),
            };
        }
    }

    fn load(&self, now: i64) -> Book {
        Book::load(self.0.clone(), at(now), |_| true)
    }
}

#[test]
fn the_last_hundred_of_each_receiver_are_kept() {
    let (mut book, mut file) = (Book::default(), File::default());
    book.add(delivery("quiet", 0, &[]), at(0));
    for seconds in 0..1000 {
        book.add(
            delivery("busy", seconds, &[("web", pending())]),
            at(seconds),
        );
        if seconds % 7 == 0 {
            file.write(&mut book);
        }
    }
    let busy = receiver("busy");
    let last: Vec<_> = book
        .last(Some(&busy))
        .map(|delivery| delivery.received_at)
        .collect();
    assert_eq!(last, (900..1000).rev().map(at).collect::<Vec<_>>());
    assert_eq!(
        book.last(None).count(),
        101,
        "a busy one does not push out a quiet one"
    );
    file.write(&mut book);
    assert_eq!(file.0.len(), 101);
    let loaded = file.load(1000);
    assert!(loaded.last(None).eq(book.last(None)));
    book.expire(at(1000 + 3 * 24 * 3600));
    assert_eq!(book.last(None).count(), 0);
    file.write(&mut book);
    assert_eq!(file.0.len(), 0);
}

#[test]
fn bytes_are_bounded_however_many_receivers_there_are() {
    let mut book = Book::default();
    let long = "x".repeat(1000);
    for number in 0..20_000 {
        let mut delivery = delivery(&number.to_string(), number, &[("web", pending())]);
        delivery.event.clone_from(&long);
        delivery.notes = vec![long.clone(); 40];
        book.add(delivery, at(number));
    }
    let bytes: usize = book
        .last(None)
        .map(|delivery| serde_json::to_vec(delivery).unwrap().len())
        .sum();
    assert!((4 << 20..=8 << 20).contains(&bytes), "{bytes}");
    let newest = book.last(None).next().unwrap();
    assert_eq!(newest.receiver, receiver("19999"));
    assert_eq!(newest.event.len(), 256);
    assert!(newest.event.ends_with('…'));
}

#[test]
fn a_pending_target_is_followed_to_its_revision() {
    let mut book = Book::default();
    let id = book.add(delivery("hook", 10, &[("web", pending())]), at(10));
    book.failed(&target("web"), "no connection");
    let reason = Some("no connection".to_owned());
    assert_eq!(state(&book, id), State::Pending { reason });
    assert!(book.ended(&target("web"), &worked(12)));
    assert_eq!(state(&book, id), triggered(12, None));
    assert!(
        book.observed(&target("web"), &observation(11, "old")),
        "an older request was handled"
    );
    assert!(!book.observed(&target("web"), &observation(12, "main@sha1:1")));
    assert_eq!(state(&book, id), triggered(12, Some("main@sha1:1")));
    assert!(
        !book.ended(&target("web"), &worked(20)),
        "that was not for this delivery"
    );
    assert_eq!(state(&book, id), triggered(12, Some("main@sha1:1")));
}

#[test]
fn a_target_that_is_given_up_says_why() {
    let mut book = Book::default();
    let id = book.add(delivery("hook", 10, &[("web", pending())]), at(10));
    let given_up = End {
        given_up: Some("it does not exist".to_owned()),
        ..worked(12)
    };
    book.ended(&target("web"), &given_up);
    let reason = "it does not exist".to_owned();
    assert_eq!(state(&book, id), State::Ended { reason });
}

#[test]
fn a_patch_that_ends_before_its_delivery_is_recorded_is_not_missed() {
    let mut book = Book::default();
    assert!(!book.ended(&target("web"), &worked(12)));
    let id = book.add(delivery("hook", 11, &[("web", pending())]), at(13));
    assert_eq!(state(&book, id), triggered(12, None));
    let id = book.add(delivery("hook", 13, &[("web", pending())]), at(13));
    assert_eq!(
        state(&book, id),
        pending(),
        "it came after the patch was sent"
    );
}

#[test]
fn after_a_restart_only_what_the_journal_has_is_pending() {
    let (mut book, mut file) = (Book::default(), File::default());
    let targets = [
        ("web", pending()),
        ("api", pending()),
        ("db", triggered(5, None)),
    ];
    let id = book.add(delivery("hook", 1, &targets), at(1));
    file.write(&mut book);
    file.0.insert(id + 1, b"{}".to_vec());
    let mut loaded = Book::load(file.0.clone(), at(2), |of| *of == *target("web"));
    let targets = loaded.find("hook-1").unwrap().targets.clone();
    assert_eq!(targets[0].state, pending());
    assert!(
        matches!(targets[1].state, State::Ended { .. }),
        "{targets:?}"
    );
    assert_eq!(targets[2].state, triggered(5, None));
    assert_eq!(
        loaded.add(delivery("hook", 3, &[]), at(3)),
        id + 2,
        "no number is given out twice"
    );
    file.write(&mut loaded);
    assert!(!file.0.contains_key(&(id + 1)), "what cannot be read goes");
}

#[test]
fn what_failed_to_be_written_is_written_later() {
    let (mut book, mut file) = (Book::default(), File::default());
    book.add(delivery("hook", 0, &[]), at(0));
    file.write(&mut book);
    for seconds in 1..200 {
        book.add(
            delivery("hook", seconds, &[("web", pending())]),
            at(seconds),
        );
        let rows = book.rows();
        book.not_written(rows);
    }
    book.ended(&target("web"), &worked(500));
    file.write(&mut book);
    assert!(file.load(500).last(None).eq(book.last(None)));
    assert_eq!(file.0.len(), 100);
}

#[test]
fn changes_are_told_once_and_to_whom_they_concern() {
    let mut book = Book::default();
    book.add(delivery("a", 0, &[("web", pending())]), at(0));
    let seen = book.version();
    book.add(delivery("b", 1, &[]), at(1));
    book.ended(&target("web"), &worked(2));
    let changed = |book: &Book, since, of: Option<&ReceiverRef>| {
        let changed = book.changed_since(since, of);
        changed
            .map(|delivery| delivery.delivery.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(&book, seen, None), ["a-0", "b-1"]);
    assert_eq!(changed(&book, seen, Some(&receiver("b"))), ["b-1"]);
    assert_eq!(changed(&book, book.version(), None), [""; 0]);
}

#[test]
fn a_delivery_has_one_shape_and_odd_names_survive_it() {
    let whole = delivery("hook", 1, &[("web", triggered(2, Some("main@sha1:1")))]);
    let written = serde_json::to_value(&whole).unwrap();
    assert_eq!(
        written,
        json!({
            "id": 0, "delivery": "hook-1", "receiver": "apps/hook", "sender": "github", "event": "push",
            "receivedAt": "2023-11-14T22:13:21Z", "outcome": "triggered", "isRedelivery": false,
            "client": "127.0.0.1", "headers": [["user-agent", "GitHub-Hookshot"]],
            "targets": [{
                "group": "source.toolkit.fluxcd.io", "version": "v1", "kind": "GitRepository",
                "plural": "gitrepositories", "namespace": "apps", "name": "web",
                "state": "triggered", "at": "2023-11-14T22:13:22Z", "revision": "main@sha1:1",
            }],
        })
    );
    for name in ["", "\"", "a\0b", "ä\u{202e}", "/"] {
        let states = [
            pending(),
            triggered(1, None),
            State::Ended {
                reason: name.to_owned(),
            },
            State::Unfinished {
                reason: name.to_owned(),
            },
        ];
        for state in states {
            let odd = Delivery {
                event: name.to_owned(),
                ..delivery("hook", 1, &[(name, state)])
            };
            let written = serde_json::to_vec(&odd).unwrap();
            assert_eq!(serde_json::from_slice::<Delivery>(&written).unwrap(), odd);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_is_looked_at_ever_less_often_and_then_no_more() {
    let start = tokio::time::Instant::now();
    let mut lookups = Lookups::default();
    assert!(lookups.triggered(&target("web"), start));
    let mut looks = Vec::new();
    while let Some(due) = lookups.due() {
        assert_eq!(
            lookups.next(due - std::time::Duration::from_millis(1)),
            None
        );
        assert_eq!(lookups.next(due), Some(target("web")));
        looks.push((due - start).as_secs());
    }
    assert_eq!(looks[..6], [3, 9, 21, 45, 93, 153]);
    assert!((540..=600).contains(looks.last().unwrap()), "{looks:?}");

    for seconds in 0..60 {
        let now = start + std::time::Duration::from_secs(seconds);
        let is_earlier = lookups.triggered(&target("web"), now);
        assert_eq!(is_earlier, seconds == 0, "the same look is still due");
    }
    assert_eq!(
        lookups.due(),
        Some(start + std::time::Duration::from_secs(3)),
        "a busy one is looked at too"
    );
    lookups.end(&target("web"));
    assert_eq!(lookups.due(), None);
}
