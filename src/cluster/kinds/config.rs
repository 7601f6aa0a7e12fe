//! Secrets and ConfigMaps: keys, types, immutability.
//!
//! It never puts a value of a Secret into an error.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::cluster::{
    object::{as_map, member_mut, text},
    schema::FieldError,
};

/// The most bytes of a Secret's or ConfigMap's data (Kubernetes: 1 MiB).
const MOST_DATA: i64 = 1 << 20;
/// The most bytes of a key.
const MOST_KEY: usize = 253;
const KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// Moves `stringData` into `data` and fills in the type.
pub(super) fn prepare_secret(value: &mut Value, live: Option<&Value>) {
    let secret = as_map(value);
    if let Some(Value::Object(texts)) = secret.remove("stringData") {
        let data = member_mut(value, "data");
        data.extend(texts.into_iter().map(|(key, text)| {
            (
                key,
                Value::from(STANDARD.encode(text.as_str().unwrap_or_default())),
            )
        }));
    }
    let secret = as_map(value);
    if secret
        .get("data")
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        secret.remove("data");
    }
    let type_ = live
        .and_then(|live| text(live, &["type"]))
        .unwrap_or("Opaque");
    if text(value, &["type"]).unwrap_or_default().is_empty() {
        as_map(value).insert("type".to_owned(), type_.into());
    }
}

/// Says what is wrong with a Secret.
pub(super) fn validate_secret(value: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let mut errors = keys(value, "data");
    let decoded = |text: &Value| text.as_str().map_or(0, |text| text.len() / 4 * 3);
    if size(value, "data", decoded) > MOST_DATA {
        errors.push(FieldError::too_long("data", MOST_DATA));
    }
    let type_ = text(value, &["type"]).unwrap_or_default();
    let has = |key: &str| {
        value
            .get("data")
            .is_some_and(|data| data.get(key).is_some())
    };
    let required: &[&str] = match type_ {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        _ => &[],
    };
    errors.extend(
        required
            .iter()
            .filter(|key| !has(key))
            .map(|key| FieldError::required(format!("data[{key}]"), "")),
    );
    if type_ == "kubernetes.io/basic-auth" && !has("username") && !has("password") {
        errors.push(FieldError::required("data[username]", ""));
        errors.push(FieldError::required("data[password]", ""));
    }
    if live
        .and_then(|live| text(live, &["type"]))
        .is_some_and(|before| before != type_)
    {
        errors.push(FieldError::invalid(
            "type",
            &json!(type_),
            "field is immutable",
        ));
    }
    errors.extend(immutable(value, live, &["data"]));
    errors
}

/// Says what is wrong with a ConfigMap.
pub(super) fn validate_config_map(value: &Value, live: Option<&Value>) -> Vec<FieldError> {
    let mut errors = keys(value, "data");
    errors.extend(keys(value, "binaryData"));
    let map = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    let both = map("data").filter(|(key, _)| map("binaryData").any(|(other, _)| other == *key));
    errors.extend(both.map(|(key, _)| {
        FieldError::invalid(
            format!("data[{key}]"),
            &json!(key),
            "duplicate of key present in binaryData",
        )
    }));
    let length = |text: &Value| text.as_str().map_or(0, str::len);
    if size(value, "data", length) + size(value, "binaryData", length) > MOST_DATA {
        errors.push(FieldError::too_long("", MOST_DATA));
    }
    errors.extend(immutable(value, live, &["data", "binaryData"]));
    errors
}

fn keys(value: &Value, field: &str) -> Vec<FieldError> {
    let is_valid = |key: &str| {
        let is_character = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=MOST_KEY).contains(&key.len())
            && key.bytes().all(is_character)
            && key != "."
            && !key.starts_with("..")
    };
    let keys = value
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, _)| key);
    let wrong = keys.filter(|key| !is_valid(key));
    wrong
        .map(|key| FieldError::invalid(format!("{field}[{key}]"), &json!(key), KEY_RULE))
        .collect()
}

fn size(value: &Value, field: &str, length: impl Fn(&Value) -> usize) -> i64 {
    let values = value
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let total: usize = values.map(|(_, value)| length(value)).sum();
    i64::try_from(total).unwrap_or(i64::MAX)
}

fn immutable(value: &Value, live: Option<&Value>, fields: &[&str]) -> Vec<FieldError> {
    let Some(live) = live.filter(|live| live.get("immutable") == Some(&Value::Bool(true))) else {
        return Vec::new();
    };
    let changed = fields
        .iter()
        .chain(&["immutable"])
        .filter(|field| value.get(**field) != live.get(**field));
    changed
        .map(|field| FieldError::forbidden(*field, IMMUTABLE))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_secret(value: &Value, live: Option<&Value>, expected: &[&str]) {
        let errors = validate_secret(value, live);
        assert_eq!(
            errors.iter().map(FieldError::field).collect::<Vec<_>>(),
            expected,
            "{value}"
        );
    }

    #[test]
    fn texts_become_data_and_the_type_is_filled_in() {
        let mut value = json!({"data": {"a": "YQ==", "b": "Yg=="}, "stringData": {"b": "new"}});
        prepare_secret(&mut value, None);
        assert_eq!(
            value,
            json!({"data": {"a": "YQ==", "b": "bmV3"}, "type": "Opaque"})
        );
    }

    #[test]
    fn typed_secrets_have_their_keys() {
        check_secret(
            &json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}),
            None,
            &["data[tls.key]"],
        );
        check_secret(
            &json!({"type": "kubernetes.io/basic-auth"}),
            None,
            &["data[username]", "data[password]"],
        );
        check_secret(
            &json!({"type": "kubernetes.io/basic-auth", "data": {"password": ""}}),
            None,
            &[],
        );
        check_secret(&json!({"type": "any/thing"}), None, &[]);
    }

    #[test]
    fn keys_are_file_names() {
        check_secret(
            &json!({"data": {"a.b_c-D": "", "a/b": ""}}),
            None,
            &["data[a/b]"],
        );
    }

    #[test]
    fn type_and_immutable_data_stay() {
        let live = json!({"type": "Opaque", "immutable": true, "data": {"a": "YQ=="}});
        check_secret(&live, Some(&live), &[]);
        check_secret(
            &json!({"type": "x", "immutable": true, "data": {"a": "YQ=="}}),
            Some(&live),
            &["type"],
        );
        check_secret(
            &json!({"type": "Opaque", "data": {"a": "YQ=="}}),
            Some(&live),
            &["immutable"],
        );
        check_secret(
            &json!({"type": "Opaque", "immutable": true}),
            Some(&live),
            &["data"],
        );
    }

    #[test]
    fn config_map_keys_are_in_one_place() {
        let errors =
            validate_config_map(&json!({"data": {"a": ""}, "binaryData": {"a": ""}}), None);
        assert_eq!(
            errors.iter().map(FieldError::field).collect::<Vec<_>>(),
            ["data[a]"]
        );
    }
}
