//! The documents that tell clients what is served: version, health, discovery, OpenAPI.
//!
//! They are made anew for each request, from what is served at that moment.

use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use serde_json::{Value, json};

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
    let resources = registry.resources();
    let aggregated = |part| match Form::accepted(text(&header::ACCEPT)) {
        Form::Plain => None,
        form => Some(response::typed(
            form.content_type(),
            &discovery::aggregated(resources, part, form),
        )),
    };
    let document = match route {
        Route::Health => return Ok(response::plain("ok")),
        Route::Version => Some(version()),
        Route::CoreVersions => match aggregated(Part::Core) {
            Some(response) => return Ok(response),
            None => Some(discovery::core_versions(text(&header::HOST))),
        },
        Route::Groups => match aggregated(Part::Named) {
            Some(response) => return Ok(response),
            None => Some(discovery::groups(resources)),
        },
        Route::Group(name) => discovery::group(resources, name),
        Route::Resources { group, version } => discovery::version(resources, group, version),
        Route::OpenApiV2 if text(&header::ACCEPT).contains("openapi.spec.v2") => {
            return Ok(response::binary(v2::PROTOBUF, v2::protobuf()));
        }
        Route::OpenApiV2 => Some(v2::document()),
        Route::OpenApi => Some(openapi::index(resources)),
        Route::OpenApiOf { group, version } => openapi::document(resources, group, version),
        Route::Objects(_) => None,
    };
    let document = document.ok_or_else(Failure::unknown_path)?;
    Ok(response::value(StatusCode::OK, &document))
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
