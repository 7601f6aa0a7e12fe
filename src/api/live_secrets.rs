//! Which secrets of a Receiver are live beside the current ones: the value of the annotation `hookgate.dev/live-secrets`.
//!
//! Whether its Secret holds them is not looked at here.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::LIVE_SECRETS;

/// The name under which the secrets without a suffix are shown; no other set can have it.
pub const CURRENT: &str = "current";

/// Names of sets of secrets, each with its end, as in `previous until 2026-12-01T00:00:00Z, next`.
///
/// The set `previous` is made of the keys `token.previous`, `signing-token.previous` and so on of the Receiver's Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSets {
    sets: Vec<NamedSet>,
    mistakes: Vec<Mistake>,
}

/// A set of secrets that is live beside the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSet {
    /// The name, a DNS label: what follows the dot in the keys of the Secret.
    pub name: String,
    /// The last moment at which it is live; for ever when absent.
    pub until: Option<Timestamp>,
}

/// What is wrong with a part of the annotation; that part counts for nothing, and the others count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The annotation is longer than [`LiveSets::MAX_BYTES`].
    #[error(
        "annotation {LIVE_SECRETS} is longer than {} bytes and not read; name at most {} sets",
        LiveSets::MAX_BYTES,
        LiveSets::MAX_SETS
    )]
    TooLong,
    /// There are more sets than [`LiveSets::MAX_SETS`].
    #[error(
        "annotation {LIVE_SECRETS} names more than {} sets, and `{name}` is not live; remove those that have ended",
        LiveSets::MAX_SETS
    )]
    TooMany {
        /// The first that is too many.
        name: String,
    },
    /// A part is not a name, or a name and its end.
    #[error(
        "annotation {LIVE_SECRETS} has the part `{part}`, which is not live; write a name of small letters, digits \
         and dashes, and its end if it has one, such as `previous until 2026-12-01T00:00:00Z`"
    )]
    Unreadable {
        /// The part as written.
        part: String,
    },
    /// The name is that of the secrets without a suffix.
    #[error(
        "annotation {LIVE_SECRETS} names `{CURRENT}`, which is what the keys without a suffix are; remove it"
    )]
    Current,
    /// A name is there more than once.
    #[error("annotation {LIVE_SECRETS} names `{name}` twice, and the first counts; remove one")]
    Twice {
        /// The name.
        name: String,
    },
}

impl LiveSets {
    /// The longest annotation that is read, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// How many sets can be live beside the current one; each is tried with every delivery.
    pub const MAX_SETS: usize = 4;

    /// The sets that a Receiver names as live; none when it has no such annotation.
    #[must_use]
    pub fn of(receiver: &ObjectMeta) -> Self {
        let annotations = receiver.annotations.as_ref();
        let annotation = annotations.and_then(|all| all.get(LIVE_SECRETS));
        annotation.map_or_else(Self::default, |text| Self::parse(text))
    }

    /// Reads the annotation; each part is judged for itself.
    #[must_use]
    pub fn parse(annotation: &str) -> Self {
        let mut live = Self::default();
        if annotation.len() > Self::MAX_BYTES {
            live.mistakes.push(Mistake::TooLong);
            return live;
        }
        for part in annotation.split(',').map(str::trim) {
            if part.is_empty() {
                continue;
            }
            match live.read(part) {
                Ok(set) => live.sets.push(set),
                Err(mistake) => live.mistakes.push(mistake),
            }
            if matches!(live.mistakes.last(), Some(Mistake::TooMany { .. })) {
                break;
            }
        }
        live
    }

    fn read(&self, part: &str) -> Result<NamedSet, Mistake> {
        let set = NamedSet::parse(part).ok_or_else(|| Mistake::Unreadable {
            part: part.to_owned(),
        })?;
        if set.name == CURRENT {
            Err(Mistake::Current)
        } else if self.find(&set.name).is_some() {
            Err(Mistake::Twice { name: set.name })
        } else if self.sets.len() == Self::MAX_SETS {
            Err(Mistake::TooMany { name: set.name })
        } else {
            Ok(set)
        }
    }

    /// The sets, in the order in which they are named.
    #[must_use]
    pub fn sets(&self) -> &[NamedSet] {
        &self.sets
    }

    /// The set of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&NamedSet> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// What is wrong with the annotation.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Names a set, in place of the one of that name; where there is no room, sets that have ended make it.
    pub fn insert(&mut self, set: NamedSet, now: Timestamp) -> Result<(), Mistake> {
        self.remove(&set.name);
        if self.sets.len() >= Self::MAX_SETS {
            self.sets.retain(|set| set.is_live(now));
        }
        if self.sets.len() >= Self::MAX_SETS {
            return Err(Mistake::TooMany { name: set.name });
        }
        self.sets.push(set);
        Ok(())
    }

    /// No longer names a set.
    pub fn remove(&mut self, name: &str) {
        self.sets.retain(|set| set.name != name);
    }
}

impl NamedSet {
    fn parse(part: &str) -> Option<Self> {
        let mut words = part.split_ascii_whitespace();
        let name = words.next().filter(|name| is_dns_label(name))?;
        let until = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some("until"), Some(time), None) => Some(time.parse().ok()?),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            until,
        })
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

fn is_dns_label(text: &str) -> bool {
    const MAX_BYTES: usize = 63;
    let is_inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty()
        && text.len() <= MAX_BYTES
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl fmt::Display for LiveSets {
    /// Writes the annotation, without what is wrong in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, NamedSet { name, until }) in self.sets.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(name)?;
            if let Some(until) = until {
                write!(f, " until {until}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(annotation: &str) -> Vec<String> {
        let live = LiveSets::parse(annotation);
        live.mistakes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sets_are_named_with_or_without_an_end() {
        let live = LiveSets::parse(" previous  until 2026-12-01T01:00:00+01:00,next ,");
        assert_eq!(live.mistakes(), []);
        assert_eq!(
            live.to_string(),
            "previous until 2026-12-01T00:00:00Z, next"
        );
        let until: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let previous = live.find("previous").unwrap();
        assert!(previous.is_live(until), "the end is the last moment");
        assert!(!previous.is_live(until + jiff::SignedDuration::from_nanos(1)));
        assert!(live.find("next").unwrap().is_live(Timestamp::MAX));
        assert_eq!(LiveSets::parse(""), LiveSets::default());
    }

    #[test]
    fn one_mistake_leaves_the_other_sets_alone() {
        for (part, words) in [
            ("Previous", "the part `Previous`, which is not live"),
            ("a.b", "the part `a.b`"),
            ("-a", "the part `-a`"),
            ("ä", "the part `ä`"),
            (&"a".repeat(64), "which is not live"),
            ("a until", "the part `a until`"),
            (
                "a until tomorrow",
                "such as `previous until 2026-12-01T00:00:00Z`",
            ),
            ("a before 2026-12-01T00:00:00Z", "the part `a before"),
            ("a until 2026-12-01T00:00:00Z b", "the part `a until"),
            ("until", ""),
            ("current", "names `current`"),
            ("next", "names `next` twice"),
        ] {
            let live = LiveSets::parse(&format!("next, {part}, previous"));
            assert!(live.find("next").is_some() && live.find("previous").is_some());
            let mistakes = mistakes(&format!("next, {part}, previous"));
            if words.is_empty() {
                assert_eq!(mistakes, [""; 0], "{part}");
            } else {
                assert_eq!(mistakes.len(), 1, "{part}");
                assert!(mistakes[0].contains(words), "{mistakes:?}");
            }
        }
    }

    #[test]
    fn there_are_bounds() {
        let live = LiveSets::parse("a, b, c, d, e, f");
        assert_eq!(live.sets().len(), LiveSets::MAX_SETS);
        assert_eq!(live.mistakes().len(), 1);
        assert!(mistakes("a, b, c, d, e, f")[0].contains("`e` is not live"));
        let long = "a,".repeat(LiveSets::MAX_BYTES);
        assert!(LiveSets::parse(&long).sets().is_empty());
        assert!(mistakes(&long)[0].contains("longer than 1024 bytes"));
    }

    #[test]
    fn a_set_takes_the_place_of_one_of_its_name_or_of_those_that_ended() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let set = |until| NamedSet {
            name: "previous".to_owned(),
            until,
        };
        let mut live = LiveSets::parse("previous until 2026-01-01T00:00:00Z, next");
        live.insert(set(Some(now)), now).unwrap();
        assert_eq!(
            live.to_string(),
            "next, previous until 2026-12-01T00:00:00Z"
        );
        live.remove("next");
        assert_eq!(live.to_string(), "previous until 2026-12-01T00:00:00Z");
        let mut live = LiveSets::parse("a, b until 2026-01-01T00:00:00Z, c, d");
        live.insert(set(None), now).unwrap();
        assert_eq!(live.to_string(), "a, c, d, previous");
        let mut live = LiveSets::parse("a, b, c, d");
        let refused = live.insert(set(None), now).unwrap_err().to_string();
        assert!(refused.contains("`previous` is not live"), "{refused}");
    }
}
