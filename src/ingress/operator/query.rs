//! The query of a list of deliveries.
//!
//! Pure; what is not understood is refused, so that a typing error does not show everything.

use crate::hook::ReceiverRef;

/// How many deliveries are shown when nothing is said.
const DEFAULT_LIMIT: usize = 100;
/// The most that can be asked for; there are seldom more.
const MAX_LIMIT: usize = 10_000;

/// Which deliveries are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Whose; everybody's when it is not said.
    pub receiver: Option<ReceiverRef>,
    /// How many, at most.
    pub limit: usize,
    /// Whether to go on with what comes and changes.
    pub is_watch: bool,
}

/// What is wrong with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// A parameter that there is not.
    #[error("the query knows `receiver`, `limit` and `watch` only, and each of them once")]
    Parameter,
    /// Not a Receiver.
    #[error("`receiver` is written NAMESPACE/NAME")]
    Receiver,
    /// Not a number in bounds.
    #[error("`limit` is a number from 1 to 10000")]
    Limit,
    /// Not a boolean.
    #[error("`watch` is true or false")]
    Watch,
}

impl Query {
    /// Reads the part of a URL after the question mark.
    pub fn parse(query: &str) -> Result<Self, InvalidQuery> {
        let (mut receiver, mut limit, mut is_watch) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_first = match &*name {
                "receiver" => receiver.replace(parse_receiver(&value)?).is_none(),
                "limit" => limit.replace(parse_limit(&value)?).is_none(),
                "watch" => is_watch.replace(parse_watch(&value)?).is_none(),
                _ => false,
            };
            if !is_first {
                return Err(InvalidQuery::Parameter);
            }
        }
        Ok(Self {
            receiver,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            is_watch: is_watch.unwrap_or_default(),
        })
    }
}

fn parse_receiver(text: &str) -> Result<ReceiverRef, InvalidQuery> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(ReceiverRef {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        }
        _ => Err(InvalidQuery::Receiver),
    }
}

fn parse_limit(text: &str) -> Result<usize, InvalidQuery> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or(InvalidQuery::Limit)
}

fn parse_watch(text: &str) -> Result<bool, InvalidQuery> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(InvalidQuery::Watch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_deliveries() {
        let everything = Query {
            receiver: None,
            limit: 100,
            is_watch: false,
        };
        assert_eq!(Query::parse(""), Ok(everything));
        let query = Query::parse("receiver=apps%2Fhook&limit=7&watch=true").unwrap();
        assert_eq!(query.receiver.unwrap().to_string(), "apps/hook");
        assert_eq!((query.limit, query.is_watch), (7, true));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (query, error) in [
            ("receivers=a/b", InvalidQuery::Parameter),
            ("limit=1&limit=2", InvalidQuery::Parameter),
            ("receiver=a", InvalidQuery::Receiver),
            ("receiver=a/b/c", InvalidQuery::Receiver),
            ("receiver=/", InvalidQuery::Receiver),
            ("limit=0", InvalidQuery::Limit),
            ("limit=10001", InvalidQuery::Limit),
            ("limit=-1", InvalidQuery::Limit),
            ("watch", InvalidQuery::Watch),
        ] {
            assert_eq!(Query::parse(query), Err(error), "{query}");
        }
    }
}
