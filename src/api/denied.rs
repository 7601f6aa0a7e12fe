//! Which targets of a Receiver hookgate may not trigger: what the gateway tells in an annotation.
//!
//! The gateway may not write status, so that it tells the controller in this way, which makes a condition of it.

use std::{collections::BTreeMap, fmt};

/// Targets that may not be triggered, each with what to grant; the value of [`super::annotations::DENIED_TARGETS`].
///
/// A target is `Kind/namespace/name`, or `Kind/namespace/*` for what is selected by labels;
/// a grant is verbs and a resource, as in `patch on gitrepositories.source.toolkit.fluxcd.io`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeniedTargets(BTreeMap<String, String>);

impl DeniedTargets {
    /// The longest annotation that is read, in bytes.
    pub const MAX_BYTES: usize = 16 << 10;

    /// How many targets are told; the others are told when these are accessible.
    pub const MAX_TARGETS: usize = 16;

    /// Reads the annotation; nothing when no gateway can have written it.
    #[must_use]
    pub fn parse(annotation: &str) -> Option<Self> {
        if annotation.len() > Self::MAX_BYTES {
            return None;
        }
        let targets: BTreeMap<String, String> = serde_json::from_str(annotation).ok()?;
        let is_plausible = (1..=Self::MAX_TARGETS).contains(&targets.len());
        is_plausible.then_some(Self(targets))
    }

    /// The annotation, a JSON object; nothing when there are no such targets.
    #[must_use]
    pub fn annotation(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        serde_json::to_string(&self.0).ok()
    }

    /// Adds a target while there is room for it.
    pub fn deny(&mut self, target: &str, grant: &str) {
        let old = self.0.insert(target.to_owned(), grant.to_owned());
        let is_too_long = |text: String| text.len() > Self::MAX_BYTES;
        if self.0.len() <= Self::MAX_TARGETS && !self.annotation().is_some_and(is_too_long) {
            return;
        }
        match old {
            Some(old) => self.0.insert(target.to_owned(), old),
            None => self.0.remove(target),
        };
    }

    /// The targets, each with what to grant, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let targets = self.0.iter();
        targets.map(|(target, grant)| (target.as_str(), grant.as_str()))
    }
}

impl fmt::Display for DeniedTargets {
    /// Writes ``hookgate may not trigger `A`: grant `patch on as.example`; …``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hookgate may not trigger ")?;
        for (index, (target, grant)) in self.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}`{target}`: grant `{grant}`")?;
        }
        f.write_str(" to the service account of the gateway")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again() {
        let mut denied = DeniedTargets::default();
        assert_eq!(denied.annotation(), None);
        denied.deny(
            "GitRepository/apps/web",
            "patch on gitrepositories.source.toolkit.fluxcd.io",
        );
        denied.deny(
            "Bucket/apps/*",
            "list and watch on buckets.source.toolkit.fluxcd.io",
        );
        let annotation = denied.annotation().unwrap();
        assert_eq!(DeniedTargets::parse(&annotation), Some(denied.clone()));
        assert_eq!(
            denied.to_string(),
            "hookgate may not trigger `Bucket/apps/*`: grant `list and watch on buckets.source.toolkit.fluxcd.io`; \
             `GitRepository/apps/web`: grant `patch on gitrepositories.source.toolkit.fluxcd.io` \
             to the service account of the gateway"
        );
    }

    #[test]
    fn no_more_is_told_than_is_read() {
        let mut denied = DeniedTargets::default();
        for number in 0..100 {
            let long = "\u{1}".repeat(number * number * 4);
            denied.deny(&format!("GitRepository/apps/{number}{long}"), "patch");
        }
        assert_eq!(denied.iter().count(), DeniedTargets::MAX_TARGETS - 3);
        denied.deny("GitRepository/apps/1", &"\u{1}".repeat(20_000));
        let annotation = denied.annotation().unwrap();
        assert!(DeniedTargets::parse(&annotation).is_some(), "{annotation}");
        for nonsense in [
            "",
            "{}",
            "[]",
            "null",
            "{\"a\":1}",
            &format!("{{\"a\":\"{}\"}}", "b".repeat(20_000)),
        ] {
            assert_eq!(DeniedTargets::parse(nonsense), None, "{nonsense}");
        }
    }
}
