//! What names, labels and annotations may look like (RFC 1123, and the rules of Kubernetes' metadata).
//!
//! Pure; where these rules apply is decided elsewhere.

use getrandom::fill;

/// The most bytes of a label's name or value, and of a DNS label (RFC 1123).
const LABEL: usize = 63;
/// The most bytes of a DNS subdomain (RFC 1123).
const SUBDOMAIN: usize = 253;
/// The characters of generated names: no vowels, so that no words come out.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many of them a generated name ends with.
const GENERATED: usize = 5;

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
    and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', \
    start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', \
    regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', \
    regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
    regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Checks a DNS subdomain: the name of most objects. The error says what is wrong.
pub(crate) fn subdomain(name: &str) -> Result<(), String> {
    at_most(name, SUBDOMAIN)?;
    let is_valid = !name.is_empty() && name.split('.').all(is_dns_label);
    if is_valid {
        Ok(())
    } else {
        Err(SUBDOMAIN_RULE.to_owned())
    }
}

/// Checks a DNS label: the name of a namespace. The error says what is wrong.
pub(crate) fn dns_label(name: &str) -> Result<(), String> {
    at_most(name, LABEL)?;
    if is_dns_label(name) {
        Ok(())
    } else {
        Err(LABEL_RULE.to_owned())
    }
}

/// Checks a DNS label that begins with a letter (RFC 1035): the name of a type. The error says what is wrong.
pub(crate) fn rfc_1035_label(name: &str) -> Result<(), String> {
    at_most(name, LABEL)?;
    if is_dns_label(name) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        Ok(())
    } else {
        Err(LABEL_1035_RULE.to_owned())
    }
}

/// Checks the key of a label or annotation: a name, perhaps after a subdomain and a slash.
pub(crate) fn qualified_name(key: &str) -> Result<(), String> {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        subdomain(prefix).map_err(|rule| format!("prefix part {rule}"))?;
    }
    at_most(name, LABEL).map_err(|rule| format!("name part {rule}"))?;
    if is_word(name) {
        Ok(())
    } else {
        Err(QUALIFIED_RULE.to_owned())
    }
}

/// Checks the value of a label.
pub(crate) fn label_value(value: &str) -> Result<(), String> {
    at_most(value, LABEL)?;
    if value.is_empty() || is_word(value) {
        Ok(())
    } else {
        Err(VALUE_RULE.to_owned())
    }
}

/// Completes `generateName`: the prefix, cut so that the result fits a DNS label, and random characters.
pub(crate) fn generate(prefix: &str) -> Result<String, getrandom::Error> {
    let mut random = [0_u8; GENERATED * 4];
    fill(&mut random)?;
    let mut name: String = prefix.chars().take(LABEL - GENERATED).collect();
    // Bytes above the last multiple of the alphabet's length would make some characters likelier.
    let fair = random
        .iter()
        .filter(|byte| usize::from(**byte) < 256 / ALPHABET.len() * ALPHABET.len());
    name.extend(
        fair.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
            .take(GENERATED)
            .map(|byte| char::from(*byte)),
    );
    Ok(name)
}

fn at_most(text: &str, limit: usize) -> Result<(), String> {
    if text.len() > limit {
        return Err(format!("must be no more than {limit} bytes"));
    }
    Ok(())
}

fn is_dns_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.bytes().all(is_inner) && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

fn is_word(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    bytes.iter().all(is_inner) && is_end(bytes.first()) && is_end(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Result<(), String>, valid: &[&str], invalid: &[&str]) {
        for name in valid {
            assert_eq!(rule(name), Ok(()), "{name}");
        }
        for name in invalid {
            assert!(rule(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_of_objects() {
        check(
            subdomain,
            &["a", "a-b.c", "1.2"],
            &[
                "",
                "A",
                "-a",
                "a-",
                "a..b",
                ".a",
                "a_b",
                "a/b",
                &"a".repeat(254),
            ],
        );
        check(
            dns_label,
            &["a", "a-b", &"a".repeat(63)],
            &["a.b", "", "Ä", &"a".repeat(64)],
        );
        check(
            rfc_1035_label,
            &["a", "a-1", &"a".repeat(63)],
            &["1a", "a.b", "", "A", "-a", &"a".repeat(64)],
        );
    }

    #[test]
    fn keys_and_values() {
        check(
            qualified_name,
            &["a", "A_b.c", "x.io/a"],
            &["", "/a", "x.io/", "a/b/c", "X.io/a", "-a", "a b"],
        );
        check(
            label_value,
            &["", "a", "A.b-c_d"],
            &["-", "a-", "a b", &"a".repeat(64)],
        );
    }

    #[test]
    fn generated_names_fit_and_differ() {
        let names: std::collections::HashSet<String> = (0..50)
            .map(|_| generate(&"p".repeat(80)).unwrap())
            .collect();
        assert!(names.len() > 45);
        assert!(
            names
                .iter()
                .all(|name| dns_label(name).is_ok() && name.len() == 63),
            "{names:?}"
        );
    }
}
