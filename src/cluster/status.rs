//! The `Status` objects that say why a request was refused, worded as Kubernetes words them.
//!
//! Each constructor is one case that clients branch on; it decides nothing itself.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    object::GroupResource,
    resource::Resource,
    schema::FieldError,
    store::{Expired, WriteError},
};

/// A refused request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub(crate) code: StatusCode,
    /// The reason, one word that programs understand.
    pub(crate) reason: &'static str,
    /// The reason, one sentence that people understand.
    pub(crate) message: String,
    details: Map<String, Value>,
}

impl Failure {
    /// 404: there is no such object.
    pub(crate) fn not_found(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} not found", Value::from(name));
        Self::of(StatusCode::NOT_FOUND, "NotFound", message, resource, name)
    }

    /// 404: there is nothing at this path.
    pub(crate) fn unknown_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 405: the path does not do this.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// 409: the name is taken.
    pub(crate) fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} already exists", Value::from(name));
        Self::of(
            StatusCode::CONFLICT,
            "AlreadyExists",
            message,
            resource,
            name,
        )
    }

    /// 409: the object is not what the client thinks it is.
    pub(crate) fn conflict(resource: &GroupResource, name: &str, detail: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {resource} {}: {detail}",
            Value::from(name)
        );
        Self::of(StatusCode::CONFLICT, "Conflict", message, resource, name)
    }

    /// 409: the object was changed since the client read it.
    pub(crate) fn stale(resource: &GroupResource, name: &str) -> Self {
        let detail = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, detail)
    }

    /// 403: the request is understood and refused.
    pub(crate) fn forbidden(resource: &GroupResource, name: &str, detail: &str) -> Self {
        let message = format!("{resource} {} is forbidden: {detail}", Value::from(name));
        Self::of(StatusCode::FORBIDDEN, "Forbidden", message, resource, name)
    }

    /// 422: the object is wrong in these fields.
    pub(crate) fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        let kind = GroupResource::new(&resource.group, &resource.kind);
        Self::wrong(&kind, name, errors)
    }

    /// 422: the object is replaced without saying which version of it; it is named by its plural, as in Kubernetes.
    pub(crate) fn unconditional(resource: &GroupResource, name: &str) -> Self {
        let detail = "must be specified for an update";
        let mut error = FieldError::invalid("metadata.resourceVersion", &Value::Null, detail);
        error.value = Some("0x0".to_owned());
        Self::wrong(resource, name, &[error])
    }

    /// 422: the options of a request, such as `ListOptions`, are wrong in these fields.
    pub(crate) fn wrong_options(kind: &str, errors: &[FieldError]) -> Self {
        Self::wrong(&GroupResource::new("meta.k8s.io", kind), "", errors)
    }

    fn wrong(kind: &GroupResource, name: &str, errors: &[FieldError]) -> Self {
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let words = match words.as_slice() {
            [error] => error.clone(),
            errors => format!("[{}]", errors.join(", ")),
        };
        let message = format!("{kind} {} is invalid: {words}", Value::from(name));
        let mut failure = Self::of(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            message,
            kind,
            name,
        );
        let causes = errors
            .iter()
            .map(|error| cause(error.reason.as_str(), &error.message(), error.field()));
        failure
            .details
            .insert("causes".to_owned(), causes.collect());
        failure
    }

    /// 422: the patch cannot be applied to the object.
    pub(crate) fn unprocessable(detail: &str) -> Self {
        let message =
            format!("the server rejected our request due to an error in our request: {detail}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    /// 400: the request makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 406: none of the forms that the client accepts can be given, not as a stream or not at all.
    pub(crate) fn not_acceptable(is_stream: bool) -> Self {
        let types = if is_stream {
            "application/json;stream=watch"
        } else {
            "application/json, application/yaml"
        };
        let message = format!("only the following media types are accepted: {types}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    /// 415: the body is in a form that is not understood.
    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    /// 413: the body is too long.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::too_long(format!("limit is {limit}"))
    }

    /// 413: the request has too much of something.
    pub(crate) fn too_long(detail: impl std::fmt::Display) -> Self {
        let message = format!("Request entity too large: {detail}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        )
    }

    /// 504: the client knows a resourceVersion that does not exist yet.
    pub(crate) fn too_new(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let failure = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        failure.because("ResourceVersionTooLarge", "Too large resource version", "")
    }

    /// 500: something failed here.
    pub(crate) fn internal(detail: impl std::fmt::Display) -> Self {
        let message = format!("Internal error occurred: {detail}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Adds a cause to the details, for refusals that programs tell apart by it.
    pub(crate) fn because(mut self, reason: &str, message: &str, field: &str) -> Self {
        self.details
            .insert("causes".to_owned(), json!([cause(reason, message, field)]));
        self
    }

    /// The `Status` object.
    pub(crate) fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if !self.details.is_empty() {
            super::object::as_map(&mut status)
                .insert("details".to_owned(), Value::Object(self.details.clone()));
        }
        status
    }

    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Map::new(),
        }
    }

    fn of(
        code: StatusCode,
        reason: &'static str,
        message: String,
        resource: &GroupResource,
        name: &str,
    ) -> Self {
        let mut failure = Self::new(code, reason, message);
        for (key, text) in [
            ("name", name),
            ("group", resource.group.as_str()),
            ("kind", resource.plural.as_str()),
        ] {
            if !text.is_empty() {
                failure.details.insert(key.to_owned(), text.into());
            }
        }
        failure
    }
}

impl From<Expired> for Failure {
    fn from(_: Expired) -> Self {
        let message = "The resourceVersion for the provided list or watch is too old.";
        Self::new(StatusCode::GONE, "Expired", message)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                error.to_string(),
            ),
            // What Kubernetes answers when the database behind it is full or fails.
            WriteError::Disk(_)
            | WriteError::Panic
            | WriteError::Reopen(_)
            | WriteError::Foreign => Self::internal(error),
        }
    }
}

/// The `Status` of a deletion that is complete.
pub(crate) fn deleted(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.plural, "uid": uid});
    if !resource.group.is_empty() {
        super::object::as_map(&mut details)
            .insert("group".to_owned(), resource.group.as_str().into());
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn cause(reason: &str, message: &str, field: &str) -> Value {
    match field {
        "" => json!({"reason": reason, "message": message}),
        field => json!({"reason": reason, "message": message, "field": field}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::resource::Origin;

    fn receivers() -> GroupResource {
        GroupResource::new("notification.toolkit.fluxcd.io", "receivers")
    }

    fn secret() -> Resource {
        Resource {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            list_kind: "SecretList".to_owned(),
            plural: "secrets".to_owned(),
            singular: "secret".to_owned(),
            short_names: vec![],
            categories: vec![],
            is_namespaced: true,
            has_status: false,
            origin: Origin::BuiltIn,
        }
    }

    #[test]
    fn missing_object_is_named_with_its_group() {
        let status = Failure::not_found(&receivers(), "x").to_value();
        assert_eq!(
            status["message"],
            "receivers.notification.toolkit.fluxcd.io \"x\" not found"
        );
        assert_eq!(status["code"], 404);
        let details =
            json!({"name": "x", "group": "notification.toolkit.fluxcd.io", "kind": "receivers"});
        assert_eq!(status["details"], details);
    }

    #[test]
    fn one_wrong_field_is_named_plainly_and_several_in_brackets() {
        let causes = [
            FieldError::required("a", ""),
            FieldError::invalid("b", &json!("c"), "too short"),
        ];
        let one = Failure::invalid(&secret(), "x", &causes[..1]).to_value();
        assert_eq!(one["message"], "Secret \"x\" is invalid: a: Required value");
        assert_eq!(one["details"]["causes"][0]["reason"], "FieldValueRequired");
        let two = Failure::invalid(&secret(), "x", &causes).to_value();
        let expected =
            "Secret \"x\" is invalid: [a: Required value, b: Invalid value: \"c\": too short]";
        assert_eq!(two["message"], expected);
    }

    #[test]
    fn unknown_path_has_no_details() {
        assert_eq!(Failure::unknown_path().to_value().get("details"), None);
    }
}
