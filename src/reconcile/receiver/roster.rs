//! What this process remembers of each Receiver: what it last saw, the token, and how often it failed.
//!
//! Plain state without I/O; what should be for a Receiver is decided elsewhere.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kube::api::ObjectMeta;

use super::decide::{Outcome, Remembered};
use crate::{
    api::annotations::{REQUESTED_AT, SETTINGS},
    hook::{Listing, ReceiverRef},
};

/// All Receivers that exist, as far as this process has seen.
#[derive(Default)]
pub(super) struct Roster {
    members: HashMap<ReceiverRef, Member>,
    /// The Receivers of the list that is being received, in its order.
    listing: Vec<(ReceiverRef, Version)>,
    /// What the Receivers of the first list say of themselves.
    stored: Vec<(ReceiverRef, Listing)>,
    /// Those that said enough of themselves to be served meanwhile.
    believable: Vec<ReceiverRef>,
    awaited: Awaited,
}

#[derive(Default)]
struct Member {
    version: Version,
    failures: u32,
    remembered: Option<Remembered>,
    outcome: Option<Outcome>,
}

/// What makes a Receiver worth reconciling when it changes; its status does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    generation: Option<i64>,
    requested_at: Option<String>,
    settings: [Option<String>; SETTINGS.len()],
    is_deleting: bool,
}

/// Which Receivers of the first list have not been acted on yet.
#[derive(Default)]
enum Awaited {
    #[default]
    FirstList,
    These(HashSet<ReceiverRef>),
    Nothing,
}

/// What a complete list showed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Receivers to reconcile.
    pub(super) changed: Vec<ReceiverRef>,
    /// Receivers that went away unseen.
    pub(super) gone: Vec<ReceiverRef>,
    /// What the Receivers of the first list say of themselves.
    pub(super) stored: Vec<(ReceiverRef, Listing)>,
}

impl Roster {
    /// A Receiver was added or modified: says whether it must be reconciled.
    pub(super) fn apply(&mut self, metadata: &ObjectMeta) -> bool {
        self.see(ReceiverRef::of(metadata), Version::of(metadata))
    }

    /// A Receiver is gone.
    pub(super) fn remove(&mut self, receiver: &ReceiverRef) {
        self.members.remove(receiver);
        self.settle(receiver);
    }

    /// A list of all Receivers begins.
    pub(super) fn begin_list(&mut self) {
        self.listing.clear();
        self.stored.clear();
    }

    /// One Receiver of the list; in the first list, `stored` tells what it says of itself.
    pub(super) fn list(&mut self, metadata: &ObjectMeta, stored: impl FnOnce() -> Option<Listing>) {
        let receiver = ReceiverRef::of(metadata);
        if matches!(self.awaited, Awaited::FirstList)
            && let Some(listing) = stored()
        {
            self.stored.push((receiver.clone(), listing));
        }
        self.listing.push((receiver, Version::of(metadata)));
    }

    /// The list is complete.
    pub(super) fn end_list(&mut self) -> Listed {
        let listing = std::mem::take(&mut self.listing);
        let present: HashSet<_> = listing.iter().map(|(receiver, _)| receiver).collect();
        let is_gone = |receiver: &&ReceiverRef| !present.contains(receiver);
        let gone = self.members.keys().filter(is_gone).cloned().collect();
        let stored = std::mem::take(&mut self.stored);
        if matches!(self.awaited, Awaited::FirstList) {
            self.awaited = Awaited::These(present.into_iter().cloned().collect());
            self.believable = stored
                .iter()
                .map(|(receiver, _)| receiver.clone())
                .collect();
        }
        let mut changed = Vec::new();
        for (receiver, version) in listing {
            if self.see(receiver.clone(), version) {
                changed.push(receiver);
            }
        }
        Listed {
            changed,
            gone,
            stored,
        }
    }

    /// Whether a Receiver exists.
    pub(super) fn contains(&self, receiver: &ReceiverRef) -> bool {
        self.members.contains_key(receiver)
    }

    /// A Receiver has been acted on, or is gone, which is all that the first list waits for.
    pub(super) fn settle(&mut self, receiver: &ReceiverRef) {
        if let Awaited::These(receivers) = &mut self.awaited {
            receivers.remove(receiver);
        }
    }

    /// Those of the first list that said enough of themselves are waited for no longer.
    pub(super) fn believe(&mut self) {
        for receiver in std::mem::take(&mut self.believable) {
            self.settle(&receiver);
        }
    }

    /// Whether every Receiver of the first list has been settled.
    pub(super) fn is_synced(&mut self) -> bool {
        if matches!(&self.awaited, Awaited::These(receivers) if receivers.is_empty()) {
            self.awaited = Awaited::Nothing;
        }
        matches!(self.awaited, Awaited::Nothing)
    }

    /// The token that was last read for a Receiver.
    pub(super) fn remembered(&self, receiver: &ReceiverRef) -> Option<Remembered> {
        self.members.get(receiver)?.remembered.clone()
    }

    /// Remembers the token of a Receiver, or that it has none.
    pub(super) fn remember(&mut self, receiver: &ReceiverRef, remembered: Option<Remembered>) {
        if let Some(member) = self.members.get_mut(receiver) {
            member.remembered = remembered;
        }
    }

    /// Whether the token of a Receiver was read from exactly this version of its Secret.
    pub(super) fn has_read(&self, receiver: &ReceiverRef, version: Option<&str>) -> bool {
        let member = self.members.get(receiver);
        let remembered = member.and_then(|member| member.remembered.as_ref());
        remembered
            .is_some_and(|known| known.version.is_some() && known.version.as_deref() == version)
    }

    /// Notes the outcome of a Receiver, and says whether it is another than before.
    pub(super) fn note(&mut self, receiver: &ReceiverRef, outcome: &Outcome) -> bool {
        let Some(member) = self.members.get_mut(receiver) else {
            return false;
        };
        let is_new = member.outcome.as_ref() != Some(outcome);
        member.outcome = Some(outcome.clone());
        is_new
    }

    /// A Receiver went well: the next failure is its first.
    pub(super) fn succeed(&mut self, receiver: &ReceiverRef) {
        if let Some(member) = self.members.get_mut(receiver) {
            member.failures = 0;
        }
    }

    /// A Receiver failed: says how long to wait before trying again, twice as long each time.
    pub(super) fn fail(
        &mut self,
        receiver: &ReceiverRef,
        min: Duration,
        max: Duration,
    ) -> Duration {
        let Some(member) = self.members.get_mut(receiver) else {
            return min;
        };
        let factor = 2_u32.checked_pow(member.failures).unwrap_or(u32::MAX);
        member.failures = member.failures.saturating_add(1);
        min.saturating_mul(factor).min(max)
    }

    fn see(&mut self, receiver: ReceiverRef, version: Version) -> bool {
        let member = self.members.entry(receiver).or_default();
        let is_due = version.is_due_after(&member.version);
        if member.version.uid != version.uid {
            *member = Member::default();
        }
        member.version = version;
        is_due
    }
}

impl Version {
    fn of(metadata: &ObjectMeta) -> Self {
        let annotations = metadata.annotations.as_ref();
        let annotation = |key| annotations.and_then(|all| all.get(key).cloned());
        Self {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            requested_at: annotation(REQUESTED_AT),
            settings: SETTINGS.map(annotation),
            is_deleting: metadata.deletion_timestamp.is_some(),
        }
    }

    /// A request that is taken away does not count.
    fn is_due_after(&self, old: &Self) -> bool {
        self.uid != old.uid
            || self.generation != old.generation
            || self.is_deleting != old.is_deleting
            || self.settings != old.settings
            || (self.requested_at.is_some() && self.requested_at != old.requested_at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::annotations::{DENIED_TARGETS, LAST_TRIGGER, SENDER},
        hook::{Closed, Entry},
    };

    fn metadata(name: &str, more: &Value) -> ObjectMeta {
        let mut metadata = json!({"name": name, "namespace": "apps", "uid": name, "generation": 1});
        json_patch::merge(&mut metadata, more);
        serde_json::from_value(metadata).unwrap()
    }

    fn receiver(name: &str) -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
        }
    }

    fn check(old: &Value, new: &Value, is_due: bool) {
        let mut roster = Roster::default();
        roster.apply(&metadata("web", old));
        assert_eq!(
            roster.apply(&metadata("web", new)),
            is_due,
            "{old} to {new}"
        );
    }

    #[test]
    fn only_changes_that_ask_for_something_are_reconciled() {
        let requested = |at| json!({"annotations": {REQUESTED_AT: at}});
        check(&json!({}), &json!({"generation": 2}), true);
        check(&json!({}), &json!({"resourceVersion": "2"}), false);
        check(&json!({}), &json!({"labels": {"a": "b"}}), false);
        check(
            &json!({}),
            &json!({"finalizers": ["finalizers.fluxcd.io"]}),
            false,
        );
        check(&json!({}), &requested("1"), true);
        check(&requested("1"), &requested("2"), true);
        check(&requested("1"), &requested("1"), false);
        check(&requested("1"), &json!({}), false);
        let denied = |value| json!({"annotations": {DENIED_TARGETS: value}});
        check(&json!({}), &denied("{}"), true);
        check(&denied("{}"), &json!({}), true);
        check(&denied("{}"), &denied("{}"), false);
        let last = json!({"annotations": {LAST_TRIGGER: "{}"}});
        check(&json!({}), &last, false);
        check(&last, &json!({}), false);
        let gitea = json!({"annotations": {SENDER: "gitea"}});
        check(&json!({}), &gitea, true);
        check(&gitea, &json!({}), true);
        check(&gitea, &gitea, false);
        check(
            &json!({}),
            &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            true,
        );
        check(&json!({}), &json!({"uid": "another"}), true);
    }

    fn list(roster: &mut Roster, names: &[&str]) -> Listed {
        roster.begin_list();
        for name in names {
            roster.list(&metadata(name, &json!({})), || None);
        }
        roster.end_list()
    }

    #[test]
    fn a_second_list_shows_what_was_missed() {
        let mut roster = Roster::default();
        assert_eq!(
            list(&mut roster, &["a", "b"]).changed,
            [receiver("a"), receiver("b")]
        );
        let listed = list(&mut roster, &["b", "c"]);
        assert_eq!(listed.changed, [receiver("c")]);
        assert_eq!(listed.gone, [receiver("a")]);
    }

    #[test]
    fn it_is_synced_when_the_first_list_has_been_worked_through() {
        let mut roster = Roster::default();
        roster.apply(&metadata("early", &json!({})));
        roster.settle(&receiver("early"));
        assert!(!roster.is_synced(), "there was no list yet");
        list(&mut roster, &["a", "b"]);
        roster.settle(&receiver("a"));
        assert!(!roster.is_synced());
        roster.remove(&receiver("b"));
        assert!(roster.is_synced());
        list(&mut roster, &["c"]);
        assert!(roster.is_synced(), "it stays so");
    }

    #[test]
    fn receivers_that_say_enough_of_themselves_need_not_be_waited_for() {
        let closed = || Listing {
            paths: Vec::new(),
            created: 0,
            entry: Entry::Closed(Closed::Suspended),
            denied: None,
        };
        let mut roster = Roster::default();
        roster.begin_list();
        roster.list(&metadata("stale", &json!({})), || Some(closed()));
        roster.begin_list();
        roster.list(&metadata("a", &json!({})), || Some(closed()));
        roster.list(&metadata("b", &json!({})), || None);
        let listed = roster.end_list();
        let stored: Vec<_> = listed.stored.iter().map(|(receiver, _)| receiver).collect();
        assert_eq!(stored, [&receiver("a")]);
        assert_eq!(listed.changed, [receiver("a"), receiver("b")]);
        roster.settle(&receiver("b"));
        assert!(!roster.is_synced());
        roster.believe();
        assert!(roster.is_synced());
        roster.begin_list();
        roster.list(&metadata("c", &json!({})), || {
            panic!("only the first list is believed")
        });
    }

    #[test]
    fn an_empty_list_is_worked_through_at_once() {
        let mut roster = Roster::default();
        list(&mut roster, &[]);
        assert!(roster.is_synced());
    }

    #[test]
    fn retries_wait_twice_as_long_each_time_up_to_the_limit() {
        let (min, max) = (Duration::from_millis(750), Duration::from_mins(15));
        let mut roster = Roster::default();
        roster.apply(&metadata("web", &json!({})));
        let web = receiver("web");
        let waits: Vec<_> = (0..60).map(|_| roster.fail(&web, min, max)).collect();
        assert_eq!(waits[..3], [min, min * 2, min * 4]);
        assert_eq!(waits[59], max);
        roster.succeed(&web);
        assert_eq!(roster.fail(&web, min, max), min);
    }

    #[test]
    fn a_receiver_made_anew_inherits_nothing() {
        let mut roster = Roster::default();
        roster.apply(&metadata("web", &json!({})));
        roster.note(&receiver("web"), &Outcome::Suspended);
        roster.apply(&metadata("web", &json!({"uid": "another"})));
        assert!(roster.note(&receiver("web"), &Outcome::Suspended));
    }
}
