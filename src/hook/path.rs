//! The path that deliveries for one Receiver arrive at.
//!
//! Whoever knows a path may speak to its hook, so a path is a credential: it has no `Debug` that shows it.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::token::Token;

const PREFIX: &str = "/hook/";
const DIGEST_BYTES: usize = 32;

/// `/hook/` and the digest that tells one Receiver from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookPath([u8; DIGEST_BYTES]);

/// A path, and how long it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivePath {
    /// The path.
    pub path: HookPath,
    /// The last moment at which it leads anywhere; for ever when absent.
    pub until: Option<Timestamp>,
}

impl LivePath {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until)
    }

    /// Each path once, with the latest of its ends, in the order in which they come first.
    pub(super) fn merge(paths: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for path in paths {
            match merged.iter_mut().find(|known| known.path == path.path) {
                Some(known) => known.until = known.until.zip(path.until).map(|(a, b)| a.max(b)),
                None => merged.push(path),
            }
        }
        merged
    }
}

impl From<HookPath> for LivePath {
    /// A path without an end.
    fn from(path: HookPath) -> Self {
        Self { path, until: None }
    }
}

impl HookPath {
    /// Derives the path of a Receiver as Flux does: SHA-256 over token, name and namespace, without separators.
    ///
    /// A Receiver without a Secret has no token.
    #[must_use]
    pub fn derive(token: Option<&Token>, name: &str, namespace: &str) -> Self {
        let mut digest = Sha256::new();
        if let Some(token) = token {
            digest.update(token.as_bytes());
        }
        digest.update(name);
        digest.update(namespace);
        Self(digest.finalize().into())
    }

    /// Reads a path exactly as it is written in a request or a status: 64 lowercase hexadecimal digits, nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix(PREFIX)?;
        if hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut digest = [0; DIGEST_BYTES];
        hex::decode_to_slice(hex, &mut digest).ok()?;
        Some(Self(digest))
    }

    /// The first byte of the digest, which spreads paths evenly.
    pub(super) fn first_byte(&self) -> u8 {
        let [first, ..] = self.0;
        first
    }

    /// Writes the path out, for the status of its Receiver and for the operator who asks.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for HookPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookPath(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(token: &str, name: &str, namespace: &str) -> String {
        let token = (!token.is_empty()).then(|| Token::new(token.into()).unwrap());
        HookPath::derive(token.as_ref(), name, namespace).reveal()
    }

    #[test]
    fn paths_are_those_of_flux() {
        for (token, name, namespace, digest) in [
            (
                "token",
                "test-receiver",
                "",
                "38300c7414d0efe04342418b3f5d225a95e87e2a712f6b48d870df50528318a9",
            ),
            (
                "test-token",
                "github-receiver",
                "flux-system",
                "df3ebadde655d58cd8236886baaaca95ff9c420f4c89e11a5d91965baa0cdf0f",
            ),
            (
                "",
                "generic-oidc-receiver",
                "default",
                "4399e88762a0abe9a87e588d0c42b27f13ac7a4fb04bb1ed28be8cb4b2fb4f31",
            ),
        ] {
            assert_eq!(derive(token, name, namespace), format!("/hook/{digest}"));
        }
        assert_eq!(derive("", "ab", "c"), derive("", "a", "bc"));
    }

    #[test]
    fn a_path_is_read_only_as_it_was_written() {
        let path = derive("token", "test-receiver", "");
        assert_eq!(HookPath::parse(&path).unwrap().reveal(), path);
        for other in [
            path.to_uppercase(),
            path.replace("/hook/3", "/hook/"),
            format!("{path}/"),
            format!("{path}?x=y"),
            format!("{path}00"),
            path.replace("/hook/", "/hook//"),
            path.replace("/hook/", "/HOOK/"),
            path.replace("38", "3A"),
            path.replace("/hook/", ""),
            "/hook/".to_owned(),
            String::new(),
        ] {
            assert_eq!(HookPath::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn a_path_that_comes_twice_ends_with_the_later() {
        let [a, b] = ["a", "b"].map(|name| HookPath::derive(None, name, ""));
        let until = |second| Timestamp::from_second(second).ok();
        let live = |path, until| LivePath { path, until };
        let paths = [live(a, until(2)), live(b, until(1)), live(a, until(3))];
        let merged = LivePath::merge(paths.into_iter());
        assert_eq!(merged, [live(a, until(3)), live(b, until(1))]);
        let merged = LivePath::merge([live(a, until(2)), live(a, None)].into_iter());
        assert_eq!(merged, [live(a, None)]);
    }

    #[test]
    fn debug_output_does_not_show_a_path() {
        let path = HookPath::derive(None, "a", "b");
        assert_eq!(format!("{path:?}"), "HookPath(..)");
    }
}
