//! What a request asks for, read from its path: a document, or an operation on objects of a type.
//!
//! Pure; whether the type exists is for the registry to say.

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/version`.
    Version,
    /// `/healthz`, `/livez`, `/readyz`.
    Health,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(&'a str),
    /// `/api/VERSION` or `/apis/GROUP/VERSION`.
    Resources {
        /// The API group; empty for the core group.
        group: &'a str,
        /// The version.
        version: &'a str,
    },
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApi,
    /// `/openapi/v3/api/VERSION` or `/openapi/v3/apis/GROUP/VERSION`.
    OpenApiOf {
        /// The API group; empty for the core group.
        group: &'a str,
        /// The version.
        version: &'a str,
    },
    /// Objects of a type, or one of them.
    Objects(Target<'a>),
}

/// Objects of a type, or one of them.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The API group; empty for the core group.
    pub(crate) group: &'a str,
    /// The version.
    pub(crate) version: &'a str,
    /// The plural of the type.
    pub(crate) plural: &'a str,
    /// The namespace, when the path names one.
    pub(crate) namespace: Option<&'a str>,
    /// The object, when the path names one.
    pub(crate) name: Option<&'a str>,
    /// The subresource, such as `status`.
    pub(crate) subresource: Option<&'a str>,
}

/// Reads a path; nothing when no server of this kind has it.
pub(crate) fn route(path: &str) -> Option<Route<'_>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["version"] => Some(Route::Version),
        ["healthz" | "livez" | "readyz"] => Some(Route::Health),
        ["api"] => Some(Route::CoreVersions),
        ["apis"] => Some(Route::Groups),
        ["apis", group] => Some(Route::Group(group)),
        ["api", version] => Some(Route::Resources { group: "", version }),
        ["apis", group, version] => Some(Route::Resources { group, version }),
        ["openapi", "v2"] => Some(Route::OpenApiV2),
        ["openapi", "v3"] => Some(Route::OpenApi),
        ["openapi", "v3", "api", version] => Some(Route::OpenApiOf { group: "", version }),
        ["openapi", "v3", "apis", group, version] => Some(Route::OpenApiOf { group, version }),
        ["api", version, rest @ ..] => objects("", version, rest),
        ["apis", group, version, rest @ ..] => objects(group, version, rest),
        _ => None,
    }
}

fn objects<'a>(group: &'a str, version: &'a str, rest: &[&'a str]) -> Option<Route<'a>> {
    let (namespace, rest) = match rest {
        // A namespace itself and its subresources, not something in it.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => {
            (None, rest)
        }
        ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(*name), None),
        [plural, name, subresource] => (plural, Some(*name), Some(*subresource)),
        _ => return None,
    };
    Some(Route::Objects(Target {
        group,
        version,
        plural,
        namespace,
        name,
        subresource,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found<'a> = (
        &'a str,
        &'a str,
        Option<&'a str>,
        Option<&'a str>,
        Option<&'a str>,
    );

    fn check(path: &str, expected: Option<Found<'_>>) {
        let found = route(path).map(|route| match route {
            Route::Objects(target) => target,
            other => panic!("{path} is {other:?}"),
        });
        let found = found.map(|found| {
            (
                found.group,
                found.plural,
                found.namespace,
                found.name,
                found.subresource,
            )
        });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn objects_are_found_by_path() {
        check("/api/v1/secrets", Some(("", "secrets", None, None, None)));
        check(
            "/api/v1/namespaces/n/secrets/",
            Some(("", "secrets", Some("n"), None, None)),
        );
        check(
            "/api/v1/namespaces/n/secrets/x",
            Some(("", "secrets", Some("n"), Some("x"), None)),
        );
        check(
            "/apis/g.io/v1/namespaces/n/things/x/status",
            Some(("g.io", "things", Some("n"), Some("x"), Some("status"))),
        );
        check(
            "/apis/g.io/v1/things/x",
            Some(("g.io", "things", None, Some("x"), None)),
        );
    }

    #[test]
    fn namespace_itself_is_told_from_what_is_in_it() {
        check(
            "/api/v1/namespaces",
            Some(("", "namespaces", None, None, None)),
        );
        check(
            "/api/v1/namespaces/n",
            Some(("", "namespaces", None, Some("n"), None)),
        );
        check(
            "/api/v1/namespaces/n/status",
            Some(("", "namespaces", None, Some("n"), Some("status"))),
        );
        check(
            "/api/v1/namespaces/n/finalize",
            Some(("", "namespaces", None, Some("n"), Some("finalize"))),
        );
    }

    #[test]
    fn other_paths_are_unknown() {
        for path in [
            "/",
            "/metrics",
            "/openapi/v1",
            "/apis/g/v/namespaces/n/things/x/status/more",
            "/api/v1/a/b/c/d",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn documents_are_found_by_path() {
        assert_eq!(route("/apis/g.io"), Some(Route::Group("g.io")));
        assert_eq!(
            route("/api/v1"),
            Some(Route::Resources {
                group: "",
                version: "v1"
            })
        );
        assert_eq!(
            route("/openapi/v3/apis/g.io/v1"),
            Some(Route::OpenApiOf {
                group: "g.io",
                version: "v1"
            })
        );
        assert_eq!(route("/readyz"), Some(Route::Health));
    }
}
