//! Answers to clients that ask what they may do: everything, for whoever gets past the door is the only user.
//!
//! Nothing is stored, and no rules are evaluated.

use serde_json::{Value, json};

use super::{
    object::{as_map, text},
    resource::Resource,
    schema::FieldError,
    status::Failure,
    typed,
};

/// Why everything is allowed.
const REASON: &str = "this control plane has one user, who may do everything";

/// Answers a review of a type in `authorization.k8s.io/v1`.
pub(crate) fn answer(resource: &Resource, mut review: Value) -> Result<Value, Failure> {
    as_map(&mut review).remove("status");
    typed::object(&resource.served_as(), &mut review)?;
    let status = match resource.plural.as_str() {
        "selfsubjectrulesreviews" => rules(&review)?,
        _ => access(resource, &review)?,
    };
    as_map(&mut review).insert("status".to_owned(), status);
    Ok(review)
}

fn access(resource: &Resource, review: &Value) -> Result<Value, Failure> {
    let asks = |field: &str| review.pointer(&format!("/spec/{field}")).is_some();
    if asks("resourceAttributes") == asks("nonResourceAttributes") {
        let rule = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let error = FieldError::invalid("spec.resourceAttributes", &Value::Null, rule);
        return Err(Failure::invalid(resource, "", &[error]));
    }
    Ok(json!({"allowed": true, "reason": REASON}))
}

fn rules(review: &Value) -> Result<Value, Failure> {
    let namespace = text(review, &["spec", "namespace"]).unwrap_or_default();
    if namespace.is_empty() {
        return Err(Failure::bad_request("no namespace on request"));
    }
    Ok(json!({
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::registry::Registry;

    fn ask(plural: &str, spec: &Value) -> Result<Value, u16> {
        let registry = Registry::built_in();
        let resource = registry.find("authorization.k8s.io", "v1", plural).unwrap();
        answer(resource, json!({"spec": spec})).map_err(|failure| failure.code.as_u16())
    }

    #[test]
    fn everything_is_allowed_and_the_answer_says_why() {
        let spec = json!({"resourceAttributes": {"verb": "get", "resource": "secrets"}});
        let answer = ask("selfsubjectaccessreviews", &spec).unwrap();
        assert_eq!(answer["spec"], spec);
        assert_eq!(answer["status"], json!({"allowed": true, "reason": REASON}));
        let path = json!({"nonResourceAttributes": {"verb": "get", "path": "/healthz"}});
        assert!(ask("selfsubjectaccessreviews", &path).is_ok());
        let answer = ask("selfsubjectrulesreviews", &json!({"namespace": "n"})).unwrap();
        assert_eq!(answer["status"]["resourceRules"][0]["verbs"], json!(["*"]));
    }

    #[test]
    fn questions_about_nothing_are_refused() {
        assert_eq!(ask("selfsubjectaccessreviews", &json!({})), Err(422));
        let both = json!({"resourceAttributes": {}, "nonResourceAttributes": {}});
        assert_eq!(ask("selfsubjectaccessreviews", &both), Err(422));
        assert_eq!(ask("selfsubjectrulesreviews", &json!({})), Err(400));
        assert_eq!(ask("selfsubjectaccessreviews", &json!(1)), Err(400));
    }
}
