//! How a mark looks in the file: a dedicated shape, so that our own types can change without it.
//!
//! Pure. Names are JSON strings, so that no name, however odd, can be taken for another.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Mark;
use crate::hook::{ReceiverRef, Target, TargetKind};

/// One line of the table of marks, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The target: group, version, kind, plural, namespace and name as a JSON array.
    pub key: String,
    /// What is pending for it, as a JSON object.
    pub value: String,
}

/// A line of the file that is not what this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mark in it cannot be read")]
pub struct Unreadable;

#[derive(Serialize, Deserialize)]
struct StoredMark {
    /// Seconds since 1970 and the nanoseconds of that second.
    at: (i64, i32),
    /// Namespace and name of the Receiver.
    receiver: (String, String),
    delivery: String,
}

impl Entry {
    /// Reads a line as the program would after a restart; the result is written back the same way.
    pub fn normalised(&self) -> Result<Self, Unreadable> {
        let (target, mark) = decode(&self.key, &self.value)?;
        encode(&target, &mark).ok_or(Unreadable)
    }
}

/// The key of a target.
pub(super) fn key(target: &Target) -> Option<String> {
    let Target {
        kind,
        namespace,
        name,
    } = target;
    serde_json::to_string(&[
        &kind.group,
        &kind.version,
        &kind.kind,
        &kind.plural,
        namespace,
        name,
    ])
    .ok()
}

/// The line of a mark; there is none for what JSON cannot hold, which no value of these types is.
pub(super) fn encode(target: &Target, mark: &Mark) -> Option<Entry> {
    let at = mark.requested_at;
    let stored = StoredMark {
        at: (at.as_second(), at.subsec_nanosecond()),
        receiver: (mark.receiver.namespace.clone(), mark.receiver.name.clone()),
        delivery: mark.delivery.clone(),
    };
    Some(Entry {
        key: key(target)?,
        value: serde_json::to_string(&stored).ok()?,
    })
}

/// The mark of a line.
pub(super) fn decode(key: &str, value: &str) -> Result<(Target, Mark), Unreadable> {
    let [group, version, kind, plural, namespace, name] =
        serde_json::from_str(key).map_err(|_| Unreadable)?;
    let stored: StoredMark = serde_json::from_str(value).map_err(|_| Unreadable)?;
    let (seconds, nanoseconds) = stored.at;
    let target = Target {
        kind: TargetKind {
            group,
            version,
            kind,
            plural,
        },
        namespace,
        name,
    };
    let (namespace, name) = stored.receiver;
    let mark = Mark {
        requested_at: Timestamp::new(seconds, nanoseconds).map_err(|_| Unreadable)?,
        receiver: ReceiverRef { namespace, name },
        delivery: stored.delivery,
    };
    Ok((target, mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::tests::target;

    #[test]
    fn odd_names_stay_apart_and_come_back() {
        let odd = [
            "",
            "\"",
            "\\",
            "a\0b",
            "[\"a\",\"b\"]",
            ",",
            "ä\u{202e}",
            "\n",
        ];
        let mut keys = std::collections::HashSet::new();
        for namespace in odd {
            for name in odd {
                let mut target = target(name);
                namespace.clone_into(&mut target.namespace);
                let mark = Mark {
                    requested_at: Timestamp::MAX,
                    receiver: ReceiverRef {
                        namespace: name.to_owned(),
                        name: namespace.to_owned(),
                    },
                    delivery: format!("{name}{namespace}"),
                };
                let entry = encode(&target, &mark).unwrap();
                assert_eq!(decode(&entry.key, &entry.value), Ok((target, mark)));
                assert!(keys.insert(entry.key));
            }
        }
    }

    #[test]
    fn the_stored_shape_is_the_one_of_format_1() {
        let key =
            r#"["source.toolkit.fluxcd.io","v1","GitRepository","gitrepositories","apps","web"]"#;
        let value = r#"{"at":[1700000000,5],"receiver":["apps","hook"],"delivery":"d"}"#;
        let (target, mark) = decode(key, value).unwrap();
        assert_eq!(target, self::target("web"));
        assert_eq!(mark.requested_at.as_nanosecond(), 1_700_000_000_000_000_005);
        let entry = encode(&target, &mark).unwrap();
        assert_eq!((entry.key.as_str(), entry.value.as_str()), (key, value));

        let later = r#"{"at":[1700000000,5],"receiver":["apps","hook"],"delivery":"d","new":1}"#;
        assert_eq!(decode(key, later), Ok((target, mark)));
    }

    #[test]
    fn what_is_not_a_mark_is_unreadable() {
        let key = r#"["g","v","K","p","ns","n"]"#;
        let value = r#"{"at":[0,0],"receiver":["a","b"],"delivery":"d"}"#;
        assert!(decode(key, value).is_ok());
        for (key, value) in [
            ("", value),
            (r#"["g","v","K","p","ns"]"#, value),
            (key, ""),
            (key, r#"{"receiver":["a","b"],"delivery":"d"}"#),
            (
                key,
                r#"{"at":[9223372036854775807,0],"receiver":["a","b"],"delivery":"d"}"#,
            ),
        ] {
            assert_eq!(decode(key, value), Err(Unreadable), "{key} {value}");
        }
    }
}
