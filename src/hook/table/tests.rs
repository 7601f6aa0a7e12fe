//! Which hook a path leads to as Receivers come, change and go.

use super::*;

fn receiver(name: &str) -> ReceiverRef {
    ReceiverRef {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn closed(path: HookPath, created: i64, reason: Closed) -> Listing {
    Listing {
        paths: vec![path.into()],
        created,
        entry: Entry::Closed(reason),
        denied: None,
    }
}

fn found(table: &HookTable, path: HookPath) -> Option<Closed> {
    match table.locate(&path.reveal(), Timestamp::UNIX_EPOCH)? {
        Entry::Closed(reason) => Some(reason),
        Entry::Open(_) | Entry::Pathless(_) | Entry::Unread(_) => None,
    }
}

#[test]
fn every_one_of_many_receivers_is_found_until_it_is_withdrawn() {
    let table = HookTable::default();
    let path = |number: u32| HookPath::derive(None, &number.to_string(), "default");
    for number in 0..1000 {
        let listing = closed(path(number), 1, Closed::Suspended);
        table.publish(&receiver(&number.to_string()), &listing);
    }
    for number in (0..1000).step_by(2) {
        table.withdraw(&receiver(&number.to_string()));
    }
    let is_found = |number: &u32| found(&table, path(*number)).is_some();
    let left: Vec<u32> = (0..1000).filter(is_found).collect();
    assert!(left.iter().copied().eq((1..1000).step_by(2)));
    assert_eq!(table.len(), 500);
}

#[test]
fn a_changed_path_no_longer_leads_anywhere() {
    let (old, new) = (
        HookPath::derive(None, "old", ""),
        HookPath::derive(None, "new", ""),
    );
    let table = HookTable::default();
    table.publish(&receiver("a"), &closed(old, 1, Closed::Suspended));
    table.publish(&receiver("a"), &closed(new, 1, Closed::NotReady));
    assert_eq!(
        (found(&table, old), found(&table, new)),
        (None, Some(Closed::NotReady))
    );
    table.withdraw(&receiver("a"));
    assert_eq!((found(&table, new), table.len()), (None, 0));
}

#[test]
fn of_two_receivers_with_one_path_the_older_wins_and_both_know() {
    let path = HookPath::derive(None, "ab", "c");
    let table = HookTable::default();
    table.publish(&receiver("young"), &closed(path, 2, Closed::NotReady));
    table.publish(&receiver("old"), &closed(path, 1, Closed::Suspended));
    assert_eq!(found(&table, path), Some(Closed::Suspended));
    assert_eq!(table.rivals(&receiver("old"), &path), [receiver("young")]);
    assert_eq!(table.rivals(&receiver("young"), &path), [receiver("old")]);
    table.withdraw(&receiver("old"));
    assert_eq!(found(&table, path), Some(Closed::NotReady));
    assert!(table.rivals(&receiver("young"), &path).is_empty());
}

#[test]
fn kinds_are_in_use_as_long_as_a_hook_must_know_of_them() {
    let table = HookTable::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (observed, sizes) = (table.clone(), Arc::clone(&seen));
    table.on_change(move || sizes.lock().unwrap().push(observed.details().len()));
    let resources = serde_json::json!([
        {"kind": "Bucket", "name": "*", "matchLabels": {"a": "b"}},
        {"kind": "Bucket", "name": "*", "matchLabels": {}, "namespace": "apps"},
        {"kind": "Bucket", "name": "a", "namespace": "apps", "filter": "true"},
        {"kind": "Bucket", "name": "b"},
        {"kind": "GitRepository", "name": "web", "filter": "true"},
    ]);
    let object = serde_json::from_value(serde_json::json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
        "metadata": {"name": "ci", "namespace": "default"},
        "spec": {"type": "github", "secretRef": {"name": "s"}, "resources": resources},
    }));
    let policy = crate::hook::Policy {
        cross_namespace_refs: crate::hook::CrossNamespaceRefs::Allowed,
        plain_issuers: crate::hook::PlainIssuers::Denied,
        certificate_checks: crate::hook::CertificateChecks::Possible,
    };
    let hook = Hook::compile(&object.unwrap(), policy).unwrap();
    let path = HookPath::derive(None, "ci", "");
    let hook = Arc::new(hook);
    let pathless = Listing {
        entry: Entry::Pathless(Arc::clone(&hook)),
        paths: Vec::new(),
        ..closed(path, 1, Closed::NotReady)
    };
    let open = Listing {
        entry: Entry::Open(hook),
        ..closed(path, 1, Closed::NotReady)
    };
    table.publish(&receiver("ci"), &pathless);
    assert!(
        table
            .locate(&path.reveal(), Timestamp::UNIX_EPOCH)
            .is_none()
    );
    table.publish(&receiver("ci"), &open);
    assert!(
        table
            .locate(&path.reveal(), Timestamp::UNIX_EPOCH)
            .is_some()
    );
    assert_eq!(table.hooks().len(), 1);
    let details = table.details();
    let details: Vec<_> = details
        .iter()
        .map(|((kind, namespace), detail)| (kind.plural.as_str(), namespace.as_str(), *detail))
        .collect();
    let wanted = [
        ("buckets", "apps", Detail::Metadata),
        ("buckets", "default", Detail::Labels),
        ("gitrepositories", "default", Detail::Metadata),
    ];
    assert_eq!(details, wanted);
    table.publish(&receiver("ci"), &closed(path, 1, Closed::Suspended));
    assert_eq!(*seen.lock().unwrap(), [3, 3, 0]);
    assert!(table.hooks().is_empty());
}

#[test]
fn each_path_of_a_receiver_leads_to_it_until_its_end() {
    let [current, previous] = ["new", "old"].map(|name| HookPath::derive(None, name, ""));
    let end = Timestamp::from_second(1_800_000_000).unwrap();
    let ending = LivePath {
        path: previous,
        until: Some(end),
    };
    let listing = Listing {
        paths: vec![current.into(), ending],
        ..closed(current, 1, Closed::Suspended)
    };
    let table = HookTable::default();
    table.publish(&receiver("a"), &listing);
    let is_found = |path: HookPath, now| table.locate(&path.reveal(), now).is_some();
    assert!(is_found(current, end) && is_found(previous, end));
    let after = end + jiff::SignedDuration::from_nanos(1);
    assert!(is_found(current, after) && !is_found(previous, after));
    let rival = closed(previous, 2, Closed::NotReady);
    table.publish(&receiver("b"), &rival);
    assert_eq!(table.rivals(&receiver("b"), &previous), [receiver("a")]);
    assert!(table.rivals(&receiver("a"), &current).is_empty());
    table.withdraw(&receiver("a"));
    assert!(!is_found(current, end) && is_found(previous, end));
}

/// A hook of a Receiver with a Secret `s-<name>`, whose token is `token`.
fn hook(name: &str, token: &str) -> Arc<Hook> {
    let object = serde_json::from_value(serde_json::json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "github", "secretRef": {"name": format!("s-{name}")}, "resources": []},
    }));
    let policy = crate::hook::Policy {
        cross_namespace_refs: crate::hook::CrossNamespaceRefs::Allowed,
        plain_issuers: crate::hook::PlainIssuers::Denied,
        certificate_checks: crate::hook::CertificateChecks::Possible,
    };
    let hook = Hook::compile(&object.unwrap(), policy).unwrap();
    let token = crate::hook::Token::new(token.into()).unwrap();
    let hook = hook.with_secrets(&token.into(), Timestamp::UNIX_EPOCH);
    Arc::new(hook.unwrap())
}

fn open(hook: &Arc<Hook>) -> Listing {
    Listing {
        paths: hook.sets().map(SetIdentity::path).collect(),
        created: 1,
        entry: Entry::Open(Arc::clone(hook)),
        denied: None,
    }
}

#[test]
fn new_keys_bring_their_path_and_the_old_one_stays() {
    let table = HookTable::default();
    let (old, new) = (hook("web", "old"), hook("web", "new"));
    table.publish(&receiver("web"), &open(&old));
    table.replace(&old, &new);
    table.replace(&old, &hook("web", "late"));
    for hook in [&old, &new] {
        let path = hook.sets().next().unwrap().path().path.reveal();
        let entry = table.locate(&path, Timestamp::UNIX_EPOCH);
        let found = entry.as_ref().and_then(Entry::hook);
        assert!(found.is_some_and(|found| Arc::ptr_eq(found, &new)));
    }
    assert_eq!(table.listing(&receiver("web")).unwrap().paths.len(), 2);
}

#[test]
fn hooks_of_unwatched_secrets_come_in_turn() {
    let table = HookTable::default();
    for name in ["a", "b", "c", "d"] {
        table.publish(&receiver(name), &open(&hook(name, "token")));
    }
    table.publish(
        &receiver("e"),
        &closed(HookPath::derive(None, "e", ""), 1, Closed::Suspended),
    );
    let names = |last: Option<&str>, limit| {
        let last = last.map(receiver);
        let hooks = table.unwatched(last.as_ref(), limit);
        let names = hooks.iter().map(|hook| hook.receiver().name.clone());
        names.collect::<String>()
    };
    assert_eq!(names(None, 9), "abcd");
    assert_eq!(names(Some("b"), 3), "cda");
    assert_eq!(names(Some("d"), 2), "ab");
    let secret = |name: &str| ("default".to_owned(), format!("s-{name}"));
    table.watch_secret(secret("a"));
    table.watch_secret(secret("c"));
    assert_eq!(names(Some("aa"), 9), "bd");
    table.unwatch_secret(&secret("a"));
    assert_eq!(names(None, 9), "abd");
    table.watch_secrets([secret("b")].into());
    assert_eq!(names(None, 9), "acd");
}

#[test]
fn a_secret_that_is_read_at_last_makes_the_paths() {
    let (unread, read) = (hook("a", "unknown"), hook("a", "token"));
    let stale = HookPath::derive(None, "stale", "");
    let table = HookTable::default();
    let listing = Listing {
        paths: vec![stale.into()],
        entry: Entry::Unread(Arc::clone(&unread)),
        ..open(&unread)
    };
    table.publish(unread.receiver(), &listing);
    let leads_to = |path: HookPath| table.locate(&path.reveal(), Timestamp::UNIX_EPOCH);
    assert!(matches!(leads_to(stale), Some(Entry::Unread(_))));
    assert_eq!(table.unwatched(None, 9).len(), 1);
    table.replace(&unread, &read);
    assert!(leads_to(stale).is_none());
    let path = open(&read).path().unwrap();
    assert!(matches!(leads_to(path), Some(Entry::Open(_))));
}
