//! Step three of reconciling a Receiver: put the decision into the table of hooks, on every replica.
//!
//! It writes nothing to the cluster.

use crate::hook::{HookPath, HookTable, Listing, ReceiverRef, SetProblem};

/// How a Receiver stands among those that ask for the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No other asks for it.
    Alone,
    /// It is the oldest, and the others get no deliveries.
    Owner(Vec<ReceiverRef>),
    /// An older one has it.
    Shadowed(ReceiverRef),
}

/// Lists or withdraws a Receiver; says how it stands, and for whom else that changed.
pub(super) fn act(
    table: &HookTable,
    receiver: &ReceiverRef,
    listing: Option<&Listing>,
) -> (Standing, Vec<ReceiverRef>) {
    let paths = |listing: Option<&Listing>| -> Vec<HookPath> {
        let paths = listing.into_iter().flat_map(|listing| &listing.paths);
        paths.map(|live| live.path).collect()
    };
    let (old, new) = (paths(table.listing(receiver).as_ref()), paths(listing));
    let is_in_both = |path: &&HookPath| old.contains(path) && new.contains(path);
    let changed = old.iter().chain(&new).filter(|path| !is_in_both(path));
    let mut affected: Vec<_> = changed
        .flat_map(|path| table.rivals(receiver, path))
        .collect();
    affected.sort_unstable();
    affected.dedup();
    match listing {
        Some(listing) => table.publish(receiver, listing),
        None => table.withdraw(receiver),
    }
    (standing(table, receiver), affected)
}

/// How a listed Receiver stands with the path of its current token; the rule is the table's: the older creation wins, then
/// the lower name.
pub(super) fn standing(table: &HookTable, receiver: &ReceiverRef) -> Standing {
    let own = table.listing(receiver);
    let Some((own, path)) = own.and_then(|own| Some((own.created, own.path()?))) else {
        return Standing::Alone;
    };
    let rivals = table.rivals(receiver, &path);
    match owner(table, receiver, own, &rivals) {
        Some(owner) => Standing::Shadowed(owner.clone()),
        None if rivals.is_empty() => Standing::Alone,
        None => Standing::Owner(rivals),
    }
}

/// The secrets beside the current ones whose paths belong to older Receivers.
pub(super) fn shadowed(table: &HookTable, receiver: &ReceiverRef) -> Vec<SetProblem> {
    let Some(listing) = table.listing(receiver) else {
        return Vec::new();
    };
    let current = listing.path();
    let sets = listing
        .entry
        .hook()
        .into_iter()
        .flat_map(|hook| hook.sets());
    let sets = sets.filter(|set| Some(set.path().path) != current);
    sets.filter_map(|set| {
        let rivals = table.rivals(receiver, &set.path().path);
        let owner = owner(table, receiver, listing.created, &rivals)?;
        Some(SetProblem::Shadowed {
            name: set.name().to_owned(),
            owner: owner.clone(),
        })
    })
    .collect()
}

/// The first of the rivals for a path, if it goes before the Receiver itself.
fn owner<'r>(
    table: &HookTable,
    receiver: &ReceiverRef,
    created: i64,
    rivals: &'r [ReceiverRef],
) -> Option<&'r ReceiverRef> {
    let oldest = rivals.first()?;
    let other = table.listing(oldest)?;
    ((other.created, oldest) < (created, receiver)).then_some(oldest)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::ByteString;

    use super::*;
    use crate::hook::{Closed, Entry, Hook, Secrets, SetIdentity};

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    fn listing(path: &str, created: i64) -> Listing {
        Listing {
            paths: vec![HookPath::derive(None, path, "").into()],
            created,
            entry: Entry::Closed(Closed::NotReady),
            denied: None,
        }
    }

    #[test]
    fn the_oldest_owns_a_path_and_each_is_told_of_a_change() {
        let table = HookTable::default();
        let (old, young) = (receiver("z-old"), receiver("a-young"));
        let (shared, other) = (listing("shared", 2), listing("other", 2));
        assert_eq!(
            act(&table, &young, Some(&shared)),
            (Standing::Alone, vec![])
        );
        assert_eq!(
            act(&table, &old, Some(&listing("shared", 1))),
            (Standing::Owner(vec![young.clone()]), vec![young.clone()])
        );
        assert_eq!(standing(&table, &young), Standing::Shadowed(old.clone()));
        assert_eq!(
            act(&table, &young, Some(&shared)),
            (Standing::Shadowed(old.clone()), vec![]),
            "nothing changed"
        );
        assert_eq!(
            act(&table, &young, Some(&other)),
            (Standing::Alone, vec![old.clone()])
        );
        assert_eq!(standing(&table, &old), Standing::Alone);
    }

    #[test]
    fn a_withdrawn_owner_leaves_the_path_to_the_next() {
        let table = HookTable::default();
        let (old, young) = (receiver("old"), receiver("young"));
        act(&table, &old, Some(&listing("shared", 1)));
        act(&table, &young, Some(&listing("shared", 2)));
        assert_eq!(
            act(&table, &old, None),
            (Standing::Alone, vec![young.clone()])
        );
        assert_eq!(standing(&table, &young), Standing::Alone);
    }

    #[test]
    fn of_two_of_the_same_age_the_lower_name_wins() {
        let table = HookTable::default();
        act(&table, &receiver("b"), Some(&listing("shared", 1)));
        act(&table, &receiver("a"), Some(&listing("shared", 1)));
        assert_eq!(
            standing(&table, &receiver("a")),
            Standing::Owner(vec![receiver("b")])
        );
        assert_eq!(
            standing(&table, &receiver("b")),
            Standing::Shadowed(receiver("a"))
        );
    }

    /// A listing of a Receiver `name` whose live set `previous` has the token `token`.
    fn with_previous(name: &str, token: &str, created: i64) -> Listing {
        let object = serde_json::from_value(serde_json::json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
            "metadata": {
                "name": name, "namespace": "apps",
                "annotations": {"hookgate.dev/live-secrets": "previous"},
            },
            "spec": {"type": "github", "secretRef": {"name": "s"}, "resources": []},
        }));
        let policy = crate::hook::Policy {
            cross_namespace_refs: crate::hook::CrossNamespaceRefs::Allowed,
            plain_issuers: crate::hook::PlainIssuers::Denied,
            certificate_checks: crate::hook::CertificateChecks::Possible,
        };
        let hook = Hook::compile(&object.unwrap(), policy).unwrap();
        let data = [
            ("token", format!("{name}-current")),
            ("token.previous", token.to_owned()),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())));
        let secrets = Secrets::of(data.into()).unwrap();
        let hook = hook.with_secrets(&secrets, Timestamp::UNIX_EPOCH).unwrap();
        Listing {
            paths: hook.sets().map(SetIdentity::path).collect(),
            created,
            entry: Entry::Open(hook.into()),
            denied: None,
        }
    }

    #[test]
    fn each_path_is_judged_for_itself() {
        let table = HookTable::default();
        let (old, young) = (receiver("b"), receiver("ab"));
        // Token, name and namespace are joined without separators.
        let (of_old, of_young) = (with_previous("b", "sa", 1), with_previous("ab", "s", 2));
        act(&table, &old, Some(&of_old));
        let (standing, affected) = act(&table, &young, Some(&of_young));
        assert_eq!((standing, affected), (Standing::Alone, vec![old.clone()]));
        assert_eq!(shadowed(&table, &old), []);
        let told = SetProblem::Shadowed {
            name: "previous".to_owned(),
            owner: old.clone(),
        };
        assert_eq!(shadowed(&table, &young), [told]);
        let (_, affected) = act(&table, &old, None);
        assert_eq!(affected, std::slice::from_ref(&young));
        assert_eq!(shadowed(&table, &young), []);
    }
}
