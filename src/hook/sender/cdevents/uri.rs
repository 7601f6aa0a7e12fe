//! Whether texts are URI references or package URLs, as far as CDEvents asks.
//!
//! Nothing is fetched or resolved.

/// Whether a text is a URI reference as Go's `url.Parse` takes it: a URL, or a relative one; an empty text is one.
pub(super) fn is_reference(text: &str) -> bool {
    if text.chars().any(char::is_control) {
        return false;
    }
    let without_fragment = text.split('#').next().unwrap_or_default();
    let path = without_fragment.split('?').next().unwrap_or_default();
    let first_segment = path.split('/').next().unwrap_or_default();
    let has_scheme = match first_segment.split_once(':') {
        Some((scheme, _)) => is_scheme(scheme),
        None => true,
    };
    has_scheme && has_whole_escapes(path)
}

/// Whether a text is a package URL: `pkg:`, a type and a name, such as `pkg:oci/podinfo@sha256%3A…`.
///
/// <https://github.com/package-url/purl-spec>.
pub(super) fn is_package_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let Some((type_, path)) = rest.trim_start_matches('/').split_once('/') else {
        return false;
    };
    let path = path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = last.split('@').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("pkg") && is_scheme(type_) && !name.is_empty() && is_reference(text)
}

/// A letter, and then letters, digits and `+-.`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether each `%` is followed by two hexadecimal digits.
fn has_whole_escapes(text: &str) -> bool {
    let mut escapes = text.split('%');
    escapes.next();
    escapes.all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_urls_and_relative_ones() {
        for text in [
            "",
            "github",
            "/event/source/123",
            "https://ci.example.com/a?b=c#d",
            "urn:example:a",
            "a/b:c",
            "%20",
        ] {
            assert!(is_reference(text), "{text:?}");
        }
        for text in [":a", "1a:b", "a b:c", "a\n", "%", "%2", "%zz", "a%2"] {
            assert!(!is_reference(text), "{text:?}");
        }
    }

    #[test]
    fn package_urls_have_a_type_and_a_name() {
        for text in [
            "pkg:oci/podinfo",
            "pkg:oci/podinfo@sha256%3A0b31b1c0?tag=6.9.4",
            "pkg:golang/example.com/org/app@v1#sub/folder",
            "PKG://oci/podinfo/",
        ] {
            assert!(is_package_url(text), "{text:?}");
        }
        for text in [
            "",
            "podinfo",
            "pkg:",
            "pkg:oci",
            "pkg:oci/",
            "pkg:oci/@1",
            "pkg:1oci/a",
            "npm:oci/a",
            "pkg:oci/%zz",
        ] {
            assert!(!is_package_url(text), "{text:?}");
        }
    }
}
