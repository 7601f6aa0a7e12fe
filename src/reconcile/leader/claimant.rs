//! What one replica knows of a lease, and what it would write into it.
//!
//! Pure: the time is given, and nothing here talks to the API server.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::LeaseSettings;

/// One replica that wants the lease.
pub(super) struct Claimant {
    pub(super) settings: LeaseSettings,
    seen: Option<Sighting>,
}

/// What a lease said, and when this process first saw it say so.
struct Sighting {
    spec: LeaseSpec,
    since: Instant,
}

impl Claimant {
    pub(super) fn new(settings: LeaseSettings) -> Self {
        Self {
            settings,
            seen: None,
        }
    }

    /// Takes note of what the lease says; the time counts from when it last changed.
    pub(super) fn observe(&mut self, spec: &LeaseSpec, now: Instant) {
        if self.seen.as_ref().is_none_or(|seen| seen.spec != *spec) {
            self.seen = Some(Sighting {
                spec: spec.clone(),
                since: now,
            });
        }
    }

    /// Who else holds the lease that was last observed, unless it has run out.
    pub(super) fn rival(&self, now: Instant) -> Option<&str> {
        let Sighting { spec, since } = self.seen.as_ref()?;
        let holder = spec
            .holder_identity
            .as_deref()
            .filter(|holder| !holder.is_empty() && *holder != self.settings.identity)?;
        let duration = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.settings.duration, Duration::from_secs);
        (now < *since + duration).then_some(holder)
    }

    /// The lease as it is when this replica holds it; the resource version in `metadata` guards against a faster one.
    pub(super) fn claim(&self, metadata: ObjectMeta, old: &LeaseSpec, now: Timestamp) -> Lease {
        let now = MicroTime(now);
        let transitions = old.lease_transitions.unwrap_or(0);
        let (acquire_time, lease_transitions) = match &old.acquire_time {
            Some(_) if self.is_ours(old) => (old.acquire_time.clone(), transitions),
            Some(_) => (Some(now.clone()), transitions.saturating_add(1)),
            None => (Some(now.clone()), transitions),
        };
        let seconds = self.settings.duration.as_secs();
        Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                ..metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.settings.identity.clone()),
                lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
                acquire_time,
                renew_time: Some(now),
                lease_transitions: Some(lease_transitions),
                ..old.clone()
            }),
        }
    }

    /// The lease as it is when this replica has given it up; nothing if it does not hold it.
    pub(super) fn released(&self, lease: Lease, now: Timestamp) -> Option<Lease> {
        let spec = lease.spec.filter(|spec| self.is_ours(spec))?;
        let mut claim = self.claim(lease.metadata, &spec, now);
        let spec = claim.spec.as_mut()?;
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        Some(claim)
    }

    fn is_ours(&self, spec: &LeaseSpec) -> bool {
        spec.holder_identity.as_deref() == Some(&self.settings.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(identity: &str) -> Claimant {
        Claimant::new(LeaseSettings::new(
            "flux-system".to_owned(),
            "hookgate".to_owned(),
            identity.to_owned(),
        ))
    }

    fn held_by(holder: &str, renewed: &str) -> LeaseSpec {
        let now = renewed.parse().unwrap();
        let claim = claimant(holder).claim(ObjectMeta::default(), &LeaseSpec::default(), now);
        claim.spec.unwrap()
    }

    const LONG_AGO: &str = "1999-01-01T00:00:00Z";
    const FAR_OFF: &str = "2999-01-01T00:00:00Z";

    #[test]
    fn a_lease_runs_out_when_it_was_not_seen_to_change() {
        let start = Instant::now();
        for renewed in [LONG_AGO, FAR_OFF] {
            let mut claimant = claimant("b");
            let spec = held_by("a", renewed);
            claimant.observe(&spec, start);
            let later = start + Duration::from_secs(34);
            claimant.observe(&spec, later);
            assert_eq!(claimant.rival(later), Some("a"), "{renewed}");
            assert_eq!(claimant.rival(start + Duration::from_secs(35)), None);
        }
    }

    #[test]
    fn a_renewal_starts_the_wait_again() {
        let start = Instant::now();
        let mut claimant = claimant("b");
        claimant.observe(&held_by("a", LONG_AGO), start);
        let later = start + Duration::from_secs(34);
        claimant.observe(&held_by("a", FAR_OFF), later);
        assert_eq!(claimant.rival(later + Duration::from_secs(34)), Some("a"));
    }

    #[test]
    fn the_duration_that_the_holder_wrote_counts() {
        let start = Instant::now();
        let mut claimant = claimant("b");
        let spec = LeaseSpec {
            lease_duration_seconds: Some(60),
            ..held_by("a", LONG_AGO)
        };
        claimant.observe(&spec, start);
        assert_eq!(claimant.rival(start + Duration::from_secs(59)), Some("a"));
    }

    #[test]
    fn a_free_lease_and_our_own_have_no_rival() {
        let now = Instant::now();
        for holder in ["", "b"] {
            let mut claimant = claimant("b");
            claimant.observe(&held_by(holder, LONG_AGO), now);
            assert_eq!(claimant.rival(now), None, "{holder:?}");
        }
    }

    #[test]
    fn a_new_holder_is_a_transition_and_a_renewal_is_none() {
        let now: Timestamp = FAR_OFF.parse().unwrap();
        let old = held_by("a", LONG_AGO);
        let renewed = claimant("a").claim(ObjectMeta::default(), &old, now);
        let renewed = renewed.spec.unwrap();
        assert_eq!(renewed.lease_transitions, Some(0));
        assert_eq!(renewed.acquire_time, old.acquire_time);
        assert_eq!(renewed.renew_time, Some(MicroTime(now)));
        let taken = claimant("b").claim(ObjectMeta::default(), &old, now);
        let taken = taken.spec.unwrap();
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(taken.acquire_time, Some(MicroTime(now)));
    }

    #[test]
    fn only_the_holder_releases() {
        let now: Timestamp = FAR_OFF.parse().unwrap();
        let lease = Lease {
            spec: Some(held_by("a", LONG_AGO)),
            ..Lease::default()
        };
        assert_eq!(claimant("b").released(lease.clone(), now), None);
        let released = claimant("a").released(lease, now).unwrap().spec.unwrap();
        assert_eq!(released.holder_identity.as_deref(), Some(""));
        assert_eq!(released.lease_duration_seconds, Some(1));
    }
}
