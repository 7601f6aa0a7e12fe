//! JSON as Go's `encoding/json` reads it into a struct, for the bodies that Flux reads.
//!
//! Field names match without case, `null` fits everything, of fields that are there twice the last wins, and what
//! no field asks for is skipped without being built, however deep it is. Values have fixed types.
//! Unlike in Go, half a surrogate pair in a text that is asked for is an error.

use std::{fmt, mem};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{fold::equal_fold, malformed::Malformed};

/// The type that a value must have.
pub(super) enum Shape {
    /// A text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text or an object, whatever is in it.
    TextOrObject,
    /// An array of values of one type; the values are checked and not kept.
    Array(&'static Shape),
    /// An object with fields of these names and types, and any others.
    Object(Fields),
}

/// The fields that are asked for.
pub(super) type Fields = &'static [(&'static str, Shape)];

/// Reads the first value of a body, an object, and ignores what follows, as Go's streaming decoder does.
///
/// The result has only fields that were asked for, under the names they were asked for by, and no `null`.
pub(super) fn read_first(body: &[u8], fields: Fields) -> Result<Map<String, Value>, Malformed> {
    read(body, fields, Rest::Ignored)
}

/// Reads a body that must be one object and nothing else, like [`read_first`].
pub(super) fn read_whole(body: &[u8], fields: Fields) -> Result<Map<String, Value>, Malformed> {
    read(body, fields, Rest::Refused)
}

/// The text of a field, empty when it is not there.
pub(super) fn text(object: &Map<String, Value>, field: &str) -> String {
    let text = object.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// What becomes of bytes behind the first value.
#[derive(Clone, Copy, PartialEq)]
enum Rest {
    Ignored,
    Refused,
}

fn read(body: &[u8], fields: Fields, rest: Rest) -> Result<Map<String, Value>, Malformed> {
    let text = String::from_utf8_lossy(body);
    let mut reader = serde_json::Deserializer::from_str(&text);
    let mut found = Value::Null;
    let place = Place {
        name: "the body",
        shape: &Shape::Object(fields),
        into: &mut found,
    };
    let mut outcome = place.deserialize(&mut reader);
    if rest == Rest::Refused {
        outcome = outcome.and_then(|()| reader.end());
    }
    outcome.map_err(|error| Malformed::new(error.to_string()))?;
    match found {
        Value::Object(object) => Ok(object),
        _ => Ok(Map::new()),
    }
}

/// The field that a value belongs to: its name, its type, and what was found so far.
struct Place<'p> {
    name: &'static str,
    shape: &'p Shape,
    into: &'p mut Value,
}

impl Place<'_> {
    /// The error for a value of the wrong type, which does not quote the value.
    fn mismatch<E: Error>(&self) -> E {
        let name = self.name;
        match self.shape {
            Shape::Text => E::custom(format_args!("`{name}` must be a string")),
            Shape::OneOf(texts) => {
                let texts = texts.join(", ");
                E::custom(format_args!("`{name}` must be one of {texts}"))
            }
            Shape::TextOrObject => {
                E::custom(format_args!("`{name}` must be a string or an object"))
            }
            Shape::Array(_) => E::custom(format_args!("`{name}` must be an array")),
            Shape::Object(_) => E::custom(format_args!("`{name}` must be an object")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.mismatch())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.mismatch())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.mismatch())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.mismatch())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.shape {
            Shape::Text => *self.into = Value::String(text.to_owned()),
            Shape::OneOf(texts) if texts.contains(&text) => {}
            Shape::TextOrObject => {}
            _ => return Err(self.mismatch()),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let Shape::Array(shape) = self.shape else {
            return Err(self.mismatch());
        };
        let name = self.name;
        let mut element = Value::Null;
        loop {
            let place = Place {
                name,
                shape,
                into: &mut element,
            };
            if array.next_element_seed(place)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let fields: Fields = match self.shape {
            Shape::Object(fields) => fields,
            Shape::TextOrObject => &[],
            _ => return Err(self.mismatch()),
        };
        let mut found = match mem::take(self.into) {
            Value::Object(found) => found,
            _ => Map::new(),
        };
        while let Some(key) = object.next_key::<String>()? {
            let Some((name, shape)) = field(fields, &key) else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let into = found.entry(*name).or_insert(Value::Null);
            object.next_value_seed(Place { name, shape, into })?;
            if found.get(*name).is_some_and(Value::is_null) {
                found.remove(*name);
            }
        }
        *self.into = Value::Object(found);
        Ok(())
    }
}

/// The field that a key means: the one with this very name, or else one that differs by case.
fn field(fields: Fields, key: &str) -> Option<&'static (&'static str, Shape)> {
    let exact = fields.iter().find(|(name, _)| *name == key);
    exact.or_else(|| fields.iter().find(|(name, _)| equal_fold(name, key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVENT: Fields = &[
        ("action", Shape::Text),
        (
            "target",
            Shape::Object(&[("tag", Shape::Text), ("repository", Shape::Text)]),
        ),
        ("tags", Shape::Array(&Shape::Text)),
        (
            "links",
            Shape::Array(&Shape::Object(&[("type", Shape::OneOf(&["A", "B"]))])),
        ),
        ("data", Shape::TextOrObject),
    ];

    fn first(body: &[u8]) -> Result<Value, String> {
        let found = read_first(body, EVENT);
        found
            .map(Value::Object)
            .map_err(|malformed| malformed.to_string())
    }

    #[test]
    fn field_names_match_without_case() {
        let event = first(br#"{"ACTION":"push","Target":{"tAg":"v1"},"other":[{}]}"#);
        let expected = json!({ "action": "push", "target": { "tag": "v1" } });
        assert_eq!(event, Ok(expected));
        let folded = first("{\"lin\u{212a}\u{17f}\":[5]}".as_bytes());
        assert!(folded.unwrap_err().starts_with("`links` must be an object"));
    }

    #[test]
    fn of_duplicates_the_last_wins_and_objects_are_merged() {
        let event = first(
            br#"{"action":"a","ACTION":"b","target":{"tag":"1"},"target":{"repository":"r"}}"#,
        );
        let expected = json!({ "action": "b", "target": { "tag": "1", "repository": "r" } });
        assert_eq!(event, Ok(expected));
    }

    #[test]
    fn null_fits_everything_and_changes_nothing() {
        for body in [
            "null",
            r#"{"action":null,"target":null,"tags":null,"links":null,"data":null}"#,
            r#"{"tags":[null],"links":[null,{"type":null}]}"#,
            "{}",
        ] {
            assert_eq!(first(body.as_bytes()), Ok(json!({})), "{body}");
        }
        let event = first(br#"{"action":"a","action":null}"#);
        assert_eq!(event, Ok(json!({ "action": "a" })));
    }

    #[test]
    fn a_value_of_another_type_is_named_and_not_quoted() {
        for (body, problem) in [
            (r#"{"action":5}"#, "`action` must be a string"),
            (r#"{"action":{"hush":1}}"#, "`action` must be a string"),
            (r#"{"target":"hush"}"#, "`target` must be an object"),
            (r#"{"target":{"TAG":[]}}"#, "`tag` must be a string"),
            (r#"{"tags":"hush"}"#, "`tags` must be an array"),
            (r#"{"tags":[true]}"#, "`tags` must be a string"),
            (
                r#"{"links":[{"type":"hush"}]}"#,
                "`type` must be one of A, B",
            ),
            (r#"{"data":[]}"#, "`data` must be a string or an object"),
            (r#"{"data":-1.5}"#, "`data` must be a string or an object"),
            (r#"["hush"]"#, "`the body` must be an object"),
            (r#""hush""#, "`the body` must be an object"),
            ("5", "`the body` must be an object"),
        ] {
            let error = first(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(problem), "{body}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn only_the_first_value_is_read_unless_the_whole_body_must_be_one() {
        let body = br#"{"action":"a"} trailing"#;
        assert_eq!(first(body), Ok(json!({ "action": "a" })));
        assert!(read_whole(body, EVENT).is_err());
        assert!(read_whole(b" {} \n", EVENT).is_ok());
        for empty in ["", " ", "{", "{\"action\":"] {
            assert!(first(empty.as_bytes()).is_err(), "{empty:?}");
        }
    }

    #[test]
    fn what_is_not_asked_for_may_be_deep_and_is_skipped() {
        let depth = 500_000;
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let deep = format!("{open}1{close}");
            let body =
                format!(r#"{{"other":{deep},"data":{{"a":{deep}}},"links":[{{"a":{deep}}}]}}"#);
            assert_eq!(first(body.as_bytes()), Ok(json!({ "data": {} })));
            assert!(first(format!(r#"{{"other":{open}"#).as_bytes()).is_err());
            assert!(first(open.as_bytes()).is_err());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let event = first(b"{\"action\":\"a\xff\",\"other\":\"\xff\"}");
        assert_eq!(event, Ok(json!({ "action": "a\u{fffd}" })));
        assert!(first(b"\xff{}").is_err());
        assert!(first(br#"{"other":"\ud800"}"#).is_ok());
        assert!(first(br#"{"action":"\ud800"}"#).is_err());
    }
}
