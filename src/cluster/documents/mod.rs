//! The documents that tell clients what is served: version, health, discovery, OpenAPI.
//!
//! What depends on nothing but what is served is made once for each state of the registry.

mod cache;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use serde_json::{Value, json};

pub(crate) use self::cache::Cache;
use super::{
    discovery::{self, Form, Part},
    openapi::{self, v2},
    registry::Registry,
    request::Route,
    response::{self, Body},
    status::Failure,
};

/// The version of Kubernetes whose behaviour is meant.
const VERSION: (&str, &str) = ("1", "33");

/// Answers a request for a document.
pub(crate) fn answer(
    registry: &Registry,
    route: &Route<'_>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Failure> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let form = match route {
        Route::CoreVersions | Route::Groups => Form::accepted(text(&header::ACCEPT)),
        _ => Form::Plain,
    };
    let json = |value: &Value| Ok(response::value(StatusCode::OK, value));
    match route {
        Route::Health => Ok(response::plain("ok")),
        Route::Version => json(&version()),
        Route::CoreVersions if form == Form::Plain => {
            json(&discovery::core_versions(text(&header::HOST)))
        }
        Route::OpenApiV2 if text(&header::ACCEPT).contains("openapi.spec.v2") => {
            Ok(response::binary(v2::PROTOBUF, v2::protobuf()))
        }
        Route::OpenApiV2 => json(&v2::document()),
        route => {
            let document = served(registry, route, form).ok_or_else(Failure::unknown_path)?;
            Ok(response::typed(form.content_type(), document))
        }
    }
}

/// A document about what is served.
fn served(registry: &Registry, route: &Route<'_>, form: Form) -> Option<Bytes> {
    let resources = registry.resources();
    let cached = |path: String, make: &dyn Fn() -> Option<Value>| {
        let make = || make().map(|document| document.to_string().into());
        registry.documents().document(path, form, make)
    };
    let aggregated = |part| discovery::aggregated(resources, part, form);
    match *route {
        Route::CoreVersions => cached("api".to_owned(), &|| Some(aggregated(Part::Core))),
        Route::Groups => cached("apis".to_owned(), &|| match form {
            Form::Plain => Some(discovery::groups(resources)),
            _ => Some(aggregated(Part::Named)),
        }),
        Route::Group(name) => cached(format!("apis/{name}"), &|| {
            discovery::group(resources, name)
        }),
        Route::Resources { group, version } => cached(format!("apis/{group}/{version}"), &|| {
            discovery::version(resources, group, version)
        }),
        Route::OpenApi => cached("openapi".to_owned(), &|| Some(openapi::index(resources))),
        Route::OpenApiOf { group, version } => {
            cached(format!("openapi/{group}/{version}"), &|| {
                openapi::document(resources, group, version)
            })
        }
        Route::Health | Route::Version | Route::OpenApiV2 | Route::Objects(_) => None,
    }
}

fn version() -> Value {
    let (major, minor) = VERSION;
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+embedded"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}
