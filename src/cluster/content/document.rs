//! A body as a value, from JSON or YAML, and the fields that it gives twice.
//!
//! Of a field that is given twice the last value counts, as in Kubernetes; whether that is refused is for others to say.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry};
use serde_saphyr::options::DuplicateKeyPolicy;

/// The most fields given twice that are named.
const MOST_DUPLICATES: usize = 100;
/// The deepest nesting in YAML, as in JSON.
const DEEPEST: usize = 127;
/// Stack for reading YAML that nests as deep as that, in bytes; it is only reserved, not used up.
const STACK_BYTES: usize = 16 << 20;
/// The most values in a YAML body; what an alias stands for counts each time.
const MOST_VALUES: usize = 1 << 18;
/// The most bytes of text in a YAML body; what an alias stands for counts each time.
const MOST_TEXT: usize = 8 << 20;

/// A body that was understood.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// The paths of fields that it gives more than once, at most 100.
    pub(crate) duplicates: Vec<String>,
}

impl Document {
    /// Reads JSON.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Reads the first document of a YAML text, in the dialect of Kubernetes (YAML 1.1). The error is one line.
    pub(crate) fn from_yaml(mut text: &[u8]) -> Result<Self, String> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: DEEPEST,
                flow_nesting_limit: DEEPEST,
                max_nodes: MOST_VALUES,
                max_total_scalar_bytes: MOST_TEXT,
                max_recorded_anchor_events: MOST_VALUES,
                max_recorded_anchor_bytes: MOST_TEXT,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: MOST_VALUES,
            },
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            legacy_octal_numbers: true,
            // A snippet of the body may be secret.
            with_snippet: false,
        };
        let mut documents = serde_saphyr::read_with_options(&mut text, options);
        let first = stacker::grow(STACK_BYTES, || documents.next());
        let document = first.unwrap_or_else(|| Ok(Self::default()));
        document.map_err(|error| {
            let words = error.to_string();
            words.lines().next().unwrap_or_default().to_owned()
        })
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self {
            value,
            duplicates: Vec::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut duplicates = Vec::new();
        let value = Reader(&mut duplicates).deserialize(deserializer)?;
        Ok(Self { value, duplicates })
    }
}

/// Reads a value and notes the paths of the fields below it that are given twice.
struct Reader<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let known = self.0.len();
            let Some(item) = items.next_element_seed(Reader(self.0))? else {
                return Ok(list.into());
            };
            let index = list.len();
            for path in self.0.iter_mut().skip(known) {
                *path = below(&format!("[{index}]"), path);
            }
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let known = self.0.len();
            let value = fields.next_value_seed(Reader(self.0))?;
            for path in self.0.iter_mut().skip(known) {
                *path = below(&key, path);
            }
            match map.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(value);
                }
                Entry::Occupied(mut taken) => {
                    if self.0.len() < MOST_DUPLICATES {
                        self.0.push(taken.key().clone());
                    }
                    taken.insert(value);
                }
            }
        }
        Ok(map.into())
    }
}

fn below(parent: &str, path: &str) -> String {
    let dot = if path.starts_with('[') { "" } else { "." };
    format!("{parent}{dot}{path}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn yaml(text: &str) -> Document {
        Document::from_yaml(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_value_counts_and_the_others_are_named() {
        let expected = Document {
            value: json!({"a": 2, "b": [{"c": {"d": 2}}]}),
            duplicates: vec!["b[0].c.d".to_owned(), "a".to_owned()],
        };
        let json = r#"{"a": 1, "b": [{"c": {"d": 1, "d": 2}}], "a": 2}"#;
        assert_eq!(Document::from_json(json.as_bytes()).unwrap(), expected);
        assert_eq!(yaml("a: 1\nb:\n- c: {d: 1, d: 2}\na: 2\n"), expected);
    }

    #[test]
    fn few_of_many_duplicates_are_named() {
        let text = "a: 1\n".repeat(MOST_DUPLICATES + 9);
        assert_eq!(yaml(&text).duplicates.len(), MOST_DUPLICATES);
    }

    #[test]
    fn yaml_is_that_of_kubernetes() {
        let text = "yes: no\noctal: 0644\nhex: 0x1f\nday: 2020-01-01\ntext: '1'\nempty:\nfloat: 1.5\n1: one\n---\nsecond: 1\n";
        let expected = json!({
            "yes": false, "octal": 420, "hex": 31, "day": "2020-01-01", "text": "1", "empty": null, "float": 1.5, "1": "one",
        });
        assert_eq!(yaml(text).value, expected);
        let merged = yaml("x: &x {a: b}\ny:\n  <<: *x\n  c: d\nz: *x\n").value;
        let expected = json!({"x": {"a": "b"}, "y": {"a": "b", "c": "d"}, "z": {"a": "b"}});
        assert_eq!(merged, expected);
        assert_eq!(yaml("").value, Value::Null);
    }

    #[test]
    fn what_is_not_yaml_is_said_in_one_line() {
        for text in ["a: {", "a: 'secret", "a: *nothing", "- a\nb: c", "a: .inf"] {
            let error = Document::from_yaml(text.as_bytes()).unwrap_err();
            assert!(
                !error.is_empty() && !error.contains('\n'),
                "{text}: {error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[track_caller]
    fn check_bomb(text: &str) {
        assert!(
            Document::from_yaml(text.as_bytes()).is_err(),
            "{}",
            text.len()
        );
    }

    #[test]
    fn bombs_are_refused() {
        let levels = (1..12).map(|level| {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("a{level}: &a{level} [{aliases}]\n")
        });
        check_bomb(&format!("a0: &a0 [x]\n{}", levels.collect::<String>()));
        let text = format!("a: &a {}\nb:\n", "x".repeat(1 << 20));
        check_bomb(&format!("{text}{}", "- *a\n".repeat(99)));
        check_bomb(&"[".repeat(DEEPEST + 2));
        check_bomb(&format!("{}x", "- ".repeat(DEEPEST + 2)));
        check_bomb(&"- 1\n".repeat(MOST_VALUES + 1));
    }
}
