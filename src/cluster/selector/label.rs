//! Label selectors: `=`, `==`, `!=`, `in`, `notin`, existence and absence, and numbers with `<` and `>`.
//!
//! The grammar is that of Kubernetes; the words `in` and `notin` are also valid keys, as there.

use super::attributes::Attributes;

/// Conditions on labels that all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

/// What is wrong with a selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LabelError {
    #[error("found '{found}', expected: {expected}")]
    Unexpected {
        found: String,
        expected: &'static str,
    },
    #[error("invalid label key {0:?}")]
    Key(String),
    #[error("invalid label value {0:?}")]
    Value(String),
}

impl LabelSelector {
    /// Reads a selector; the empty one takes everything.
    pub(super) fn parse(text: &str) -> Result<Self, LabelError> {
        let mut tokens = Tokens { rest: text.trim() };
        let mut requirements = Vec::new();
        while !tokens.rest.is_empty() {
            requirements.push(requirement(&mut tokens)?);
            match tokens.next() {
                "" => break,
                "," if !tokens.rest.is_empty() => {}
                "," => return Err(unexpected("", "identifier after ','")),
                found => return Err(unexpected(found, "',' or 'end of string'")),
            }
        }
        Ok(Self(requirements))
    }

    /// Whether it takes every object.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the labels of this object meet all conditions.
    pub(super) fn matches(&self, object: &Attributes) -> bool {
        self.0
            .iter()
            .all(|requirement| requirement.condition.holds(object.label(&requirement.key)))
    }
}

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => {
                value.is_some_and(|value| values.iter().any(|known| known == value))
            }
            Self::NotIn(values) => {
                value.is_none_or(|value| values.iter().all(|known| known != value))
            }
            Self::Greater(bound) => number().is_some_and(|number| number > *bound),
            Self::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The next token; empty at the end.
    fn next(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let length = ["==", "!=", "=", "!", ",", "(", ")", "<", ">"]
            .iter()
            .find(|symbol| self.rest.starts_with(**symbol))
            .map_or_else(|| word_length(self.rest), |symbol| symbol.len());
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        token
    }

    fn peek(&self) -> &'a str {
        Tokens { rest: self.rest }.next()
    }
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || "=!,()<>".contains(c))
        .unwrap_or(text.len())
}

fn is_word(token: &str) -> bool {
    word_length(token) == token.len() && !token.is_empty()
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, LabelError> {
    let first = tokens.next();
    let is_absent = first == "!";
    let key = if is_absent { tokens.next() } else { first };
    if !is_word(key) {
        return Err(unexpected(key, "!, identifier, or 'end of string'"));
    }
    if !is_key(key) {
        return Err(LabelError::Key(key.to_owned()));
    }
    let condition = if is_absent {
        Condition::Absent
    } else {
        condition(tokens)?
    };
    Ok(Requirement {
        key: key.to_owned(),
        condition,
    })
}

fn condition(tokens: &mut Tokens<'_>) -> Result<Condition, LabelError> {
    if matches!(tokens.peek(), "" | ",") {
        return Ok(Condition::Exists);
    }
    match tokens.next() {
        "=" | "==" => Ok(Condition::In(vec![value(tokens)?])),
        "!=" => Ok(Condition::NotIn(vec![value(tokens)?])),
        "in" => Ok(Condition::In(values(tokens)?)),
        "notin" => Ok(Condition::NotIn(values(tokens)?)),
        ">" => Ok(Condition::Greater(number(tokens)?)),
        "<" => Ok(Condition::Less(number(tokens)?)),
        found => Err(unexpected(found, "in, notin, =, ==, !=, gt, lt")),
    }
}

fn values(tokens: &mut Tokens<'_>) -> Result<Vec<String>, LabelError> {
    match tokens.next() {
        "(" => {}
        found => return Err(unexpected(found, "'('")),
    }
    let mut values = Vec::new();
    loop {
        values.push(value(tokens)?);
        match tokens.next() {
            "," => {}
            ")" => return Ok(values),
            found => return Err(unexpected(found, "',' or ')'")),
        }
    }
}

fn value(tokens: &mut Tokens<'_>) -> Result<String, LabelError> {
    if matches!(tokens.peek(), "" | "," | ")") {
        return Ok(String::new());
    }
    let value = tokens.next();
    if is_word(value) && is_value(value) {
        Ok(value.to_owned())
    } else {
        Err(LabelError::Value(value.to_owned()))
    }
}

fn number(tokens: &mut Tokens<'_>) -> Result<i64, LabelError> {
    let token = tokens.next();
    token
        .parse()
        .map_err(|_| LabelError::Value(token.to_owned()))
}

fn unexpected(found: &str, expected: &'static str) -> LabelError {
    LabelError::Unexpected {
        found: found.to_owned(),
        expected,
    }
}

fn is_key(key: &str) -> bool {
    crate::cluster::names::qualified_name(key).is_ok()
}

fn is_value(value: &str) -> bool {
    crate::cluster::names::label_value(value).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(selector: &str, matching: &[Value], other: &[Value]) {
        let parsed = LabelSelector::parse(selector).unwrap();
        for (labels, expected) in matching
            .iter()
            .map(|l| (l, true))
            .chain(other.iter().map(|l| (l, false)))
        {
            let object = json!({"metadata": {"labels": labels}});
            assert_eq!(
                parsed.matches(&Attributes::of(&object)),
                expected,
                "{selector} on {labels}"
            );
        }
    }

    #[test]
    fn equality_needs_the_label_and_inequality_does_not() {
        check(
            "a=b",
            &[json!({"a": "b"})],
            &[json!({"a": "c"}), json!({}), Value::Null],
        );
        check("a==b", &[json!({"a": "b"})], &[json!({})]);
        check(
            "a != b",
            &[json!({"a": "c"}), json!({})],
            &[json!({"a": "b"})],
        );
        check("a=", &[json!({"a": ""})], &[json!({}), json!({"a": "b"})]);
    }

    #[test]
    fn sets_list_the_values() {
        check(
            "a in (b, c)",
            &[json!({"a": "b"}), json!({"a": "c"})],
            &[json!({"a": "d"}), json!({})],
        );
        check(
            "a notin (b,c)",
            &[json!({"a": "d"}), json!({})],
            &[json!({"a": "b"})],
        );
        check("in in (in)", &[json!({"in": "in"})], &[json!({})]);
    }

    #[test]
    fn existence_and_absence() {
        check("x.io/a", &[json!({"x.io/a": ""})], &[json!({"a": ""})]);
        check("!a", &[json!({})], &[json!({"a": ""})]);
        check(
            "a>1,a<3",
            &[json!({"a": "2"})],
            &[json!({"a": "3"}), json!({"a": "x"})],
        );
    }

    #[test]
    fn conditions_are_joined_by_and() {
        check(
            "a=b,!c,d",
            &[json!({"a": "b", "d": ""})],
            &[json!({"a": "b"}), json!({"a": "b", "c": "", "d": ""})],
        );
        check("", &[json!({}), Value::Null], &[]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "a in b", "a in (b", "=", "a b", "a=b,", "a=b c", "!", "a=b(", "-a", "a=-b", "a>x",
            "x/y/z",
        ] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
