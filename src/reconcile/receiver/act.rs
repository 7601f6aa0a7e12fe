//! Step three of reconciling a Receiver: put the decision into the table of hooks, on every replica.
//!
//! It writes nothing to the cluster.

use crate::hook::{HookTable, Listing, ReceiverRef};

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
    let old_path = table.listing(receiver).and_then(|old| old.path);
    let mut rivals = table.rivals(receiver);
    match listing {
        Some(listing) => table.publish(receiver, listing),
        None => table.withdraw(receiver),
    }
    let standing = standing(table, receiver);
    if old_path == listing.and_then(|listing| listing.path) {
        return (standing, Vec::new());
    }
    for rival in table.rivals(receiver) {
        if !rivals.contains(&rival) {
            rivals.push(rival);
        }
    }
    (standing, rivals)
}

/// How a listed Receiver stands; the rule is the table's: the older creation wins, then the lower name.
pub(super) fn standing(table: &HookTable, receiver: &ReceiverRef) -> Standing {
    let rivals = table.rivals(receiver);
    let (Some(oldest), Some(own)) = (rivals.first(), table.listing(receiver)) else {
        return Standing::Alone;
    };
    let is_owner = table
        .listing(oldest)
        .is_none_or(|other| (own.created, receiver) < (other.created, oldest));
    if is_owner {
        Standing::Owner(rivals)
    } else {
        Standing::Shadowed(oldest.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::{Closed, Entry, HookPath};

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    fn listing(path: &str, created: i64) -> Listing {
        Listing {
            path: Some(HookPath::derive(None, path, "")),
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
}
