//! Which annotation a Receiver should carry, and when it is written: pure.
//!
//! Several gateways tell the same Receivers, so that an entry is taken away only by one that has seen it and then worked.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{api::denied::DeniedTargets, hook::ReceiverRef};

/// The shortest time between two writes to one Receiver.
const INTERVAL: Duration = Duration::from_mins(1);

/// What this process knows of one target, or of one selection by labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::trigger) enum Access {
    /// It is denied; this must be granted.
    Denied { grant: String },
    /// It worked, last at this time.
    Granted { at: Instant },
    /// Nothing.
    Unknown,
}

/// How a Receiver stands.
#[derive(Clone, Debug)]
pub(super) struct Standing<'r> {
    pub(super) receiver: &'r ReceiverRef,
    /// What it says.
    pub(super) told: Option<&'r DeniedTargets>,
    /// What is known of its targets; those that neither are denied nor are in `told` may be left out.
    pub(super) access: BTreeMap<String, Access>,
}

/// What to do about a Receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It says what it should.
    Nothing,
    /// Write this annotation, or take it away.
    Write(Option<String>),
    /// Look again at this time.
    Later(Instant),
}

/// What has been seen and written.
#[derive(Debug, Default)]
pub(super) struct Notices {
    receivers: HashMap<ReceiverRef, Notice>,
}

#[derive(Debug, Default)]
struct Notice {
    /// Since when each target is known to be in the annotation.
    since: HashMap<String, Instant>,
    written: Option<Instant>,
}

impl Notices {
    /// Compares what a Receiver says with what it should say.
    pub(super) fn review(&mut self, standing: &Standing<'_>, now: Instant) -> Step {
        let is_of_interest = standing.told.is_some() || !standing.access.is_empty();
        if !is_of_interest && !self.receivers.contains_key(standing.receiver) {
            return Step::Nothing;
        }
        let notice = self.receivers.entry(standing.receiver.clone()).or_default();
        notice.see(standing.told, now);
        let wanted = notice.wanted(standing);
        if wanted == standing.told.cloned().unwrap_or_default() {
            return Step::Nothing;
        }
        if let Some(next) = notice
            .written
            .map(|at| at + INTERVAL)
            .filter(|at| *at > now)
        {
            return Step::Later(next);
        }
        notice.written = Some(now);
        for (target, _) in wanted.iter() {
            notice.since.entry(target.to_owned()).or_insert(now);
        }
        Step::Write(wanted.annotation())
    }

    /// Forgets the Receivers that are gone.
    pub(super) fn keep(&mut self, receivers: &HashSet<&ReceiverRef>) {
        self.receivers
            .retain(|receiver, _| receivers.contains(receiver));
    }

    /// The targets of which it is worth knowing that they work.
    pub(super) fn told(&self) -> HashSet<String> {
        let notices = self.receivers.values();
        notices
            .flat_map(|notice| notice.since.keys().cloned())
            .collect()
    }
}

impl Notice {
    /// What was written shows a moment later only.
    fn see(&mut self, told: Option<&DeniedTargets>, now: Instant) {
        let told: HashSet<&str> = told
            .into_iter()
            .flat_map(DeniedTargets::iter)
            .map(|(target, _)| target)
            .collect();
        let is_fresh = |since: Instant| self.written == Some(since) && now < since + INTERVAL;
        self.since
            .retain(|target, since| told.contains(target.as_str()) || is_fresh(*since));
        for target in told {
            if !self.since.contains_key(target) {
                self.since.insert(target.to_owned(), now);
            }
        }
    }

    fn wanted(&self, standing: &Standing<'_>) -> DeniedTargets {
        let told: HashMap<&str, &str> = standing
            .told
            .into_iter()
            .flat_map(DeniedTargets::iter)
            .collect();
        let mut wanted = DeniedTargets::default();
        for (target, access) in &standing.access {
            let was_told = told.get(target.as_str());
            match (access, was_told) {
                (Access::Denied { grant }, _) => wanted.deny(target, grant),
                (Access::Granted { at }, Some(_))
                    if self.since.get(target).is_some_and(|since| since < at) => {}
                (_, Some(grant)) => wanted.deny(target, grant),
                (_, None) => {}
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "GitRepository/apps/web";
    const API: &str = "GitRepository/apps/api";

    fn receiver() -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: "ci".to_owned(),
        }
    }

    fn denied() -> Access {
        Access::Denied {
            grant: "patch".to_owned(),
        }
    }

    fn telling(targets: &[&str]) -> DeniedTargets {
        let mut denied = DeniedTargets::default();
        for target in targets {
            denied.deny(target, "patch");
        }
        denied
    }

    /// One look at a Receiver that says `told`; what is to be written is given as its targets.
    fn look(
        notices: &mut Notices,
        told: &[&str],
        access: &[(&str, Access)],
        now: Instant,
    ) -> Option<Vec<String>> {
        let (receiver, told) = (receiver(), telling(told));
        let access = access
            .iter()
            .map(|(target, access)| ((*target).to_owned(), access.clone()));
        let standing = Standing {
            receiver: &receiver,
            told: told.annotation().is_some().then_some(&told),
            access: access.collect(),
        };
        let Step::Write(annotation) = notices.review(&standing, now) else {
            return None;
        };
        let wanted = annotation
            .and_then(|text| DeniedTargets::parse(&text))
            .unwrap_or_default();
        Some(wanted.iter().map(|(target, _)| target.to_owned()).collect())
    }

    #[test]
    fn what_is_denied_is_told_once() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        assert_eq!(
            look(&mut notices, &[], &[(WEB, denied())], now),
            Some(vec![WEB.to_owned()])
        );
        let soon = now + Duration::from_secs(5);
        assert_eq!(
            look(&mut notices, &[], &[(WEB, denied())], soon),
            None,
            "not seen yet"
        );
        assert_eq!(
            look(&mut notices, &[WEB], &[(WEB, denied())], now + INTERVAL * 2),
            None
        );
    }

    #[test]
    fn a_receiver_is_written_once_a_minute_at_most() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let mut writes = 0;
        for second in 0..3600 {
            let access = [(WEB, denied()), (API, denied())];
            let some = &access[..=usize::from(second % 2 == 0)];
            let now = start + Duration::from_secs(second);
            writes += usize::from(look(&mut notices, &[], some, now).is_some());
        }
        assert_eq!(writes, 60);
    }

    #[test]
    fn an_entry_goes_away_when_it_works_after_it_was_seen() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        let before = Access::Granted { at: now };
        let seen = now + Duration::from_secs(1);
        assert_eq!(
            look(&mut notices, &[WEB], &[(WEB, before.clone())], seen),
            None,
            "another gateway knows better"
        );
        assert_eq!(
            look(&mut notices, &[WEB], &[(WEB, Access::Unknown)], seen),
            None
        );
        let after = Access::Granted {
            at: seen + Duration::from_secs(1),
        };
        let later = seen + INTERVAL;
        assert_eq!(
            look(
                &mut notices,
                &[WEB, API],
                &[(WEB, after.clone()), (API, denied())],
                later
            ),
            Some(vec![API.to_owned()])
        );
        assert_eq!(
            look(
                &mut notices,
                &[API],
                &[(WEB, after), (API, denied())],
                later + INTERVAL
            ),
            None
        );
    }

    #[test]
    fn what_works_before_the_own_notice_is_seen_counts() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        look(&mut notices, &[], &[(WEB, denied())], now);
        assert!(notices.told().contains(WEB));
        let granted = Access::Granted {
            at: now + Duration::from_millis(10),
        };
        let seen = now + Duration::from_secs(1);
        assert_eq!(
            look(&mut notices, &[WEB], &[(WEB, granted.clone())], seen),
            None,
            "too soon"
        );
        assert_eq!(
            look(&mut notices, &[WEB], &[(WEB, granted)], now + INTERVAL),
            Some(vec![])
        );
    }

    #[test]
    fn what_the_receiver_no_longer_names_is_not_told_any_more() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        assert_eq!(
            look(&mut notices, &[WEB, API], &[(API, Access::Unknown)], now),
            Some(vec![API.to_owned()])
        );
    }

    #[test]
    fn nothing_is_remembered_of_receivers_that_are_gone_or_well() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        assert_eq!(look(&mut notices, &[], &[], now), None);
        assert!(notices.receivers.is_empty());
        look(&mut notices, &[WEB], &[(WEB, denied())], now);
        notices.keep(&HashSet::new());
        assert!(notices.told().is_empty());
    }
}
