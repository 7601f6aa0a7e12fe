//! What a Receiver's Secret holds: the token, and the other keys that some senders need.
//!
//! Nothing in it can be printed; what a sender makes of it is in `keys.rs` and `sender/`.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::ByteString;

use super::token::{BlankToken, Token};
use crate::api::annotations::{REPLAYS, TOKEN_KEY};

/// The data of a Receiver's Secret, which always has a token.
#[derive(Clone)]
pub struct Secrets {
    token: Token,
    others: BTreeMap<String, Token>,
}

/// What is wrong with the data of a Secret, in words that follow `invalid '<namespace>/<name>' secret data:`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// There is no key `token`.
    #[error("required fields '{TOKEN_KEY}'")]
    NoToken,
    /// The token is blank.
    #[error(transparent)]
    BlankToken(#[from] BlankToken),
    /// Keys that the sender needs besides the token are not there, or empty.
    #[error("required fields '{}'", keys.join("', '"))]
    Missing {
        /// The keys.
        keys: Vec<&'static str>,
    },
    /// Replays are to be refused, and without this key the sender signs nothing that they could be known by.
    #[error(
        "required fields '{key}', without which replays cannot be refused as annotation {REPLAYS} asks"
    )]
    Unsigned {
        /// The key.
        key: &'static str,
    },
    /// A key holds something that its sender cannot use.
    #[error("field '{key}' {problem}")]
    IllFormed {
        /// The key.
        key: &'static str,
        /// What is wrong with its value, never the value itself.
        problem: &'static str,
    },
}

impl Secrets {
    /// Takes over the data of a Secret; other keys than the token matter only to senders that read them.
    pub fn of(data: BTreeMap<String, ByteString>) -> Result<Self, InvalidSecret> {
        let mut token = None;
        let mut others = BTreeMap::new();
        for (key, ByteString(value)) in data {
            if key == TOKEN_KEY {
                token = Some(Token::new(value)?);
            } else {
                others.insert(key, Token::unjudged(value));
            }
        }
        let token = token.ok_or(InvalidSecret::NoToken)?;
        Ok(Self { token, others })
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The secrets of the set `name`: those of the keys that end in a dot and the name, without that end.
    pub fn set(&self, name: &str) -> Result<Self, InvalidSecret> {
        let (mut token, mut others) = (None, BTreeMap::new());
        for (key, value) in &self.others {
            let Some((key, set)) = key.split_once('.') else {
                continue;
            };
            if set != name {
                continue;
            }
            if key == TOKEN_KEY {
                token = Some(Token::new(value.as_bytes().to_vec())?);
            } else {
                others.insert(key.to_owned(), value.clone());
            }
        }
        let token = token.ok_or(InvalidSecret::NoToken)?;
        Ok(Self { token, others })
    }

    /// The names of the sets that have a token, in no order that matters.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        let keys = self.others.keys().filter_map(|key| key.split_once('.'));
        keys.filter_map(|(key, set)| (key == TOKEN_KEY).then_some(set))
    }

    /// The keys that belong to no set, with their values.
    pub(super) fn of_one_set(&self) -> impl Iterator<Item = (&str, &Token)> {
        let others = self.others.iter().filter(|(key, _)| !key.contains('.'));
        let others = others.map(|(key, value)| (key.as_str(), value));
        others.chain([(TOKEN_KEY, &self.token)])
    }

    /// The value of another key, if it is there; it may be blank.
    pub(super) fn other(&self, key: &str) -> Option<&Token> {
        self.others.get(key)
    }
}

impl From<Token> for Secrets {
    /// A Secret that holds the token and nothing else.
    fn from(token: Token) -> Self {
        Self {
            token,
            others: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[(&str, &str)]) -> Result<Secrets, String> {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
        Secrets::of(data.collect()).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_secret_has_a_token_that_is_not_blank() {
        let secrets = read(&[("token", "s3cret"), ("email", " ")]).unwrap();
        assert!(secrets.token().matches(b"s3cret"));
        assert!(secrets.other("email").is_some() && secrets.other("audience").is_none());
        assert_eq!(
            read(&[("password", "s3cret")]).unwrap_err(),
            "required fields 'token'"
        );
        assert_eq!(
            read(&[("token", "\n")]).unwrap_err(),
            "the token is empty or blank; anyone could pass for the sender"
        );
    }

    #[test]
    fn keys_with_an_end_are_sets_of_their_own() {
        let secrets = read(&[
            ("token", "new"),
            ("token.previous", "old"),
            ("username.previous", "azure"),
            ("username", "git"),
            ("token.next", " "),
            ("signing-token.other", "hush"),
            ("token.a.b", "no set has such a name"),
        ])
        .unwrap();
        let previous = secrets.set("previous").unwrap();
        assert!(previous.token().matches(b"old"));
        assert!(previous.other("username").unwrap().matches(b"azure"));
        assert!(previous.other("token.next").is_none());
        assert!(matches!(
            secrets.set("next"),
            Err(InvalidSecret::BlankToken(_))
        ));
        for absent in ["other", "b", ""] {
            assert_eq!(secrets.set(absent).err(), Some(InvalidSecret::NoToken));
        }
        let sets: Vec<_> = secrets.sets().collect();
        assert_eq!(sets, ["a.b", "next", "previous"]);
        let own: Vec<_> = secrets.of_one_set().map(|(key, _)| key).collect();
        assert_eq!(own, ["username", "token"]);
    }

    #[test]
    fn debug_output_shows_nothing() {
        let secrets = read(&[("token", "s3cret"), ("signing-token", "hush")]).unwrap();
        assert_eq!(format!("{secrets:?}"), "Secrets(..)");
    }
}
