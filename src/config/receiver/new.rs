//! What `hookgate receiver new` is told.
//!
//! Whether sender, type and Secret go together is for `hook` to say.

use std::str::FromStr;

use clap::Args;

use super::super::values::{name, namespace_name};

/// Flags of `hookgate receiver new`.
#[derive(Args, Clone, Debug)]
pub struct New {
    /// What the Receiver is called
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,
    /// Who sends: a `spec.type` of Flux, such as github, or one of hookgate's own senders, such as gitea
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "sender")]
    pub type_: Option<String>,
    /// One of hookgate's own senders, such as gitea; alone, it chooses the type too
    #[arg(long, value_name = "SENDER")]
    pub sender: Option<String>,
    /// What to trigger: KIND/NAME, KIND/NAMESPACE/NAME, or with `*` for a name, all that carry the labels; may be repeated [default: GitRepository/NAME]
    #[arg(long = "resource", value_name = "KIND/NAME", value_delimiter = ',')]
    pub resources: Vec<TargetName>,
    /// The labels of what `--resource 'KIND/*'` triggers
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub match_labels: Vec<MatchLabel>,
    /// The events that trigger, in the sender's words; empty for all [default: pushes, and the sender's ping]
    #[arg(
        long = "events",
        visible_alias = "event",
        value_name = "EVENT",
        value_delimiter = ','
    )]
    pub events: Option<Vec<String>>,
    /// Where the gateway is seen from the sender, such as <https://hooks.example.com>
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The namespace of the Receiver, which its path depends on
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace_name, default_value = "default")]
    pub namespace: String,
    /// What the Secret is called [default: NAME-token]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub secret: Option<String>,
    /// Take the token from standard input instead of making one up; one line end is taken off
    #[arg(long)]
    pub token_stdin: bool,
}

/// An object to trigger, as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetName {
    /// The kind as written; whether there is such a kind is not known here.
    pub kind: String,
    /// The namespace, when it is another than the Receiver's.
    pub namespace: Option<String>,
    /// The name, or `*`.
    pub name: String,
}

/// Why a text is not a [`TargetName`].
#[derive(Debug, thiserror::Error)]
#[error("write KIND/NAME or KIND/NAMESPACE/NAME, such as GitRepository/podinfo")]
pub struct InvalidTargetName;

impl FromStr for TargetName {
    type Err = InvalidTargetName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, namespace, name) = match *text.split('/').collect::<Vec<_>>() {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(InvalidTargetName),
        };
        let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_name = name == "*" || self::name(name).is_ok();
        if !is_kind || !is_name || namespace.is_some_and(|it| namespace_name(it).is_err()) {
            return Err(InvalidTargetName);
        }
        Ok(Self {
            kind: kind.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        })
    }
}

/// One label, as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchLabel {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Why a text is not a [`MatchLabel`].
#[derive(Debug, thiserror::Error)]
#[error("write KEY=VALUE, such as app=web")]
pub struct InvalidLabel;

impl FromStr for MatchLabel {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or(InvalidLabel)?;
        let is_written = !key.is_empty() && !text.contains(char::is_whitespace);
        is_written
            .then(|| Self {
                key: key.to_owned(),
                value: value.to_owned(),
            })
            .ok_or(InvalidLabel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_kind_and_name_with_or_without_a_namespace() {
        let read = |text: &str| text.parse::<TargetName>().ok();
        let target = |kind: &str, namespace: Option<&str>, name: &str| TargetName {
            kind: kind.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        };
        for (text, expected) in [
            ("GitRepository/web", target("GitRepository", None, "web")),
            ("Bucket/apps/b.1", target("Bucket", Some("apps"), "b.1")),
            ("OCIRepository/*", target("OCIRepository", None, "*")),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "web",
            "/web",
            "Kind/",
            "Kind//web",
            "a/b/c/d",
            "Ki nd/web",
            "Kind/*/web",
            "Kind/W",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_label_has_a_key() {
        let label: MatchLabel = "app.example/name=".parse().unwrap();
        assert_eq!(
            (label.key.as_str(), label.value.as_str()),
            ("app.example/name", "")
        );
        for text in ["", "app", "=web", "app=w b"] {
            assert!(text.parse::<MatchLabel>().is_err(), "{text:?}");
        }
    }
}
