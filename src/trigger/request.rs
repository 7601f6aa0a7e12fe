//! The one request that triggering sends, the smallest merge patch of one annotation, and a look at what came of it.
//!
//! It does not retry and does not decide when to send; that is for the queue.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, header, response::Parts};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use kube::{
    Client, Resource,
    api::{ListParams, Patch, PatchParams, PostParams},
    client::Body,
    core::Status,
};
use serde_json::{Value, json};
use tokio::time::{error::Elapsed, timeout};

use super::{
    denied::Question,
    failure::{Failure, Verb, kind_of},
};
use crate::{
    api::{
        annotations::{DENIED_TARGETS, LAST_TRIGGER, REQUESTED_AT},
        receiver::Receiver,
    },
    hook::{ReceiverRef, Selector, Target, TargetKind},
};

/// Who patches, in `managedFields` and in the audit log.
const FIELD_MANAGER: &str = "hookgate";
const USER_AGENT: &str = concat!("hookgate/", env!("CARGO_PKG_VERSION"));
/// The metadata is all that the answer needs to hold; a server that cannot leave out the rest may send it.
const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";
const JSON: &str = "application/json";
/// A connection that hangs must not hold a target for ever.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Sends the requests of the trigger to the API server.
#[derive(Clone)]
pub(super) struct Requests {
    client: Client,
}

impl Requests {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Annotates one object with the time of sending.
    pub(super) async fn patch(&self, target: &Target, sent: Timestamp) -> Result<(), Failure> {
        let value = Value::String(annotation(sent));
        self.annotate(target, REQUESTED_AT, value).await
    }

    /// Writes the annotation of a Receiver that tells which of its targets are denied, or takes it away.
    pub(super) async fn tell_denied(
        &self,
        receiver: &ReceiverRef,
        denied: Option<&str>,
    ) -> Result<(), Failure> {
        self.tell(receiver, DENIED_TARGETS, json!(denied)).await
    }

    /// Writes the annotation of a Receiver that tells which delivery last triggered something.
    pub(super) async fn tell_last(
        &self,
        receiver: &ReceiverRef,
        last: &str,
    ) -> Result<(), Failure> {
        self.tell(receiver, LAST_TRIGGER, json!(last)).await
    }

    /// Asks whether objects may be patched; nothing when the API server does not say.
    pub(super) async fn may_patch(&self, question: &Question) -> Option<bool> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": "patch",
                "group": question.kind.group,
                "version": question.kind.version,
                "resource": question.kind.plural,
                "namespace": question.namespace,
                "name": question.name,
            }},
        });
        let request =
            kube::core::Request::new("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        let request = request.create(&PostParams::default(), review.to_string().into_bytes());
        let (head, body) = self.exchange(request.ok()?, JSON).await.ok()??;
        let review: Value = serde_json::from_slice(&body).ok()?;
        if !head.status.is_success() {
            return None;
        }
        review.pointer("/status/allowed").and_then(Value::as_bool)
    }

    async fn tell(&self, receiver: &ReceiverRef, key: &str, value: Value) -> Result<(), Failure> {
        let target = Target {
            kind: TargetKind {
                group: Receiver::group(&()).into_owned(),
                version: Receiver::version(&()).into_owned(),
                kind: Receiver::kind(&()).into_owned(),
                plural: Receiver::plural(&()).into_owned(),
            },
            namespace: receiver.namespace.clone(),
            name: receiver.name.clone(),
        };
        self.annotate(&target, key, value).await
    }

    async fn annotate(&self, target: &Target, key: &str, value: Value) -> Result<(), Failure> {
        let selector = Selector::Named(target.clone());
        check_names(&selector)?;
        let body = json!({"metadata": {"annotations": {key: value}}});
        let request = kube::core::Request::new(collection(&target.kind, &target.namespace))
            .patch(
                &target.name,
                &PatchParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PatchParams::default()
                },
                &Patch::Merge(body),
            )
            .map_err(|_| Failure::unspeakable(&selector, &target.name))?;
        self.send(request, METADATA_ONLY, Verb::Patch, &selector)
            .await
            .map(drop)
    }

    /// Reads one object, with the right to list that selecting by labels needs too; nothing when it does not exist.
    pub(super) async fn object(&self, target: &Target) -> Result<Option<Value>, Failure> {
        let selector = Selector::Named(target.clone());
        check_names(&selector)?;
        let params = ListParams::default().fields(&format!("metadata.name={}", target.name));
        let request = kube::core::Request::new(collection(&target.kind, &target.namespace))
            .list(&params)
            .map_err(|_| Failure::unspeakable(&selector, &target.name))?;
        let answer = self.send(request, JSON, Verb::List, &selector).await?;
        let list: Value = serde_json::from_slice(&answer)
            .map_err(|_| Failure::unreachable(Verb::List, &selector))?;
        Ok(list.pointer("/items/0").cloned())
    }

    async fn send(
        &self,
        request: Request<Vec<u8>>,
        accept: &'static str,
        verb: Verb,
        selector: &Selector,
    ) -> Result<Bytes, Failure> {
        let (head, body) = self
            .exchange(request, accept)
            .await
            .map_err(|_| Failure::timed_out(verb, selector))?
            .ok_or_else(|| Failure::unreachable(verb, selector))?;
        if head.status.is_success() {
            return Ok(body);
        }
        let mut status: Status = serde_json::from_slice(&body).unwrap_or_default();
        status.code = head.status.as_u16();
        let wait = retry_after(&head.headers, &status);
        Err(Failure::from_status(verb, selector, &status, wait))
    }

    /// Sends one request and takes in the answer; nothing when the connection fails.
    async fn exchange(
        &self,
        request: Request<Vec<u8>>,
        accept: &'static str,
    ) -> Result<Option<(Parts, Bytes)>, Elapsed> {
        let mut request = request.map(Body::from);
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let exchange = async {
            let (head, body) = self.client.send(request).await.ok()?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.ok()?;
            Some((head, body.to_bytes()))
        };
        timeout(REQUEST_TIMEOUT, exchange).await
    }
}

/// The time as it is written to the annotation: RFC 3339 with nanoseconds.
pub(super) fn annotation(sent: Timestamp) -> String {
    format!("{sent:.9}")
}

fn collection(kind: &TargetKind, namespace: &str) -> String {
    let TargetKind {
        group,
        version,
        plural,
        ..
    } = kind;
    if group.is_empty() {
        format!("/api/{version}/namespaces/{namespace}/{plural}")
    } else {
        format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
    }
}

/// The CRD does not check the characters of names, and what is not a name must not change the URL.
pub(super) fn check_names(selector: &Selector) -> Result<(), Failure> {
    let kind = kind_of(selector);
    let mut segments = vec![&kind.version, &kind.plural];
    if !kind.group.is_empty() {
        segments.push(&kind.group);
    }
    match selector {
        Selector::Named(target) => segments.extend([&target.namespace, &target.name]),
        Selector::Labelled {
            namespace, labels, ..
        } => {
            segments.push(namespace);
            let unspeakable = labels
                .iter()
                .flat_map(|(key, value)| [key, value])
                .find(|text| !text.chars().all(|c| is_name_character(c) || c == '/'));
            if let Some(text) = unspeakable {
                return Err(Failure::unspeakable(selector, text));
            }
        }
    }
    match segments.into_iter().find(|text| !is_segment(text)) {
        Some(text) => Err(Failure::unspeakable(selector, text)),
        None => Ok(()),
    }
}

fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && text.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':')
}

fn retry_after(headers: &http::HeaderMap, status: &Status) -> Option<Duration> {
    let header = headers.get(header::RETRY_AFTER);
    let seconds = header
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .or_else(|| {
            let details = status.details.as_ref()?;
            (details.retry_after_seconds > 0).then_some(details.retry_after_seconds)
        })?;
    Some(Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::trigger::tests::target;

    fn named(namespace: &str, name: &str) -> Selector {
        Selector::Named(Target {
            kind: kind(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    fn kind() -> TargetKind {
        target("").kind
    }

    fn labelled(key: &str, value: &str) -> Selector {
        Selector::Labelled {
            kind: kind(),
            namespace: "apps".to_owned(),
            labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        }
    }

    #[test]
    fn a_name_cannot_change_the_url() {
        for name in [
            "..",
            ".",
            "",
            "a/b",
            "../../x",
            "a?dryRun=All",
            "a%2fb",
            "a#b",
            "a b",
            "ä",
        ] {
            assert!(check_names(&named("apps", name)).is_err(), "{name:?}");
            assert!(check_names(&named(name, "web")).is_err(), "{name:?}");
        }
        for name in ["web", "web.v1", "system:web", "1"] {
            assert_eq!(check_names(&named("apps", name)), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn a_label_cannot_change_the_selector() {
        for (key, value) in [
            ("app", "a,env=prod"),
            ("app!", "a"),
            ("app", "a b"),
            ("app", "a)"),
        ] {
            assert!(check_names(&labelled(key, value)).is_err(), "{key}={value}");
        }
        for (key, value) in [("app.kubernetes.io/name", "web"), ("app", "")] {
            assert_eq!(check_names(&labelled(key, value)), Ok(()), "{key}={value}");
        }
    }

    #[test]
    fn paths_follow_the_group() {
        assert_eq!(
            collection(&kind(), "apps"),
            "/apis/source.toolkit.fluxcd.io/v1/namespaces/apps/gitrepositories"
        );
        let core = TargetKind {
            group: String::new(),
            plural: "configmaps".to_owned(),
            ..kind()
        };
        assert_eq!(
            collection(&core, "apps"),
            "/api/v1/namespaces/apps/configmaps"
        );
    }
}
