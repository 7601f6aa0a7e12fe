//! Reading: one object, or a page of a list.
//!
//! Pages of one list all show the moment the list began, as long as the log remembers it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    object::{GroupResource, Object, ObjectName},
    options::{Options, RevisionMatch},
    selector::Selector,
    status::Failure,
    store::{Snapshot, Store},
    view::View,
};

/// Lists the objects of a type that a selector takes, of one namespace or all.
pub(crate) fn list(
    store: &Store,
    view: &View,
    namespace: Option<&str>,
    selector: &Selector,
    options: &Options,
) -> Result<Bytes, Failure> {
    let resource = view.resource().group_resource();
    let start = options
        .continuation
        .as_deref()
        .map(Continuation::parse)
        .transpose()?;
    let snapshot = snapshot(store, &resource, start.as_ref(), options)?;
    let after = start.as_ref().map(|start| &start.after);
    let mut rest = snapshot
        .objects
        .range(namespace, after)
        .filter(|(_, object)| selector.matches(&object.record.attributes));
    let page: Vec<(&ObjectName, &Arc<Object>)> = rest
        .by_ref()
        .take(options.limit.unwrap_or(usize::MAX))
        .collect();
    let mut metadata = json!({"resourceVersion": snapshot.revision.to_string()});
    let remaining = rest.count();
    if let (1.., Some((last, _))) = (remaining, page.last()) {
        let after = Continuation {
            revision: snapshot.revision,
            after: (*last).clone(),
        };
        let members = super::object::as_map(&mut metadata);
        members.insert("continue".to_owned(), after.to_token().into());
        if selector.is_empty() {
            members.insert("remainingItemCount".to_owned(), remaining.into());
        }
    }
    let objects: Vec<Arc<Object>> = page
        .into_iter()
        .map(|(_, object)| Arc::clone(object))
        .collect();
    Ok(view.list(&metadata, &objects))
}

fn snapshot(
    store: &Store,
    resource: &GroupResource,
    start: Option<&Continuation>,
    options: &Options,
) -> Result<Snapshot, Failure> {
    match (start, options.revision, options.revision_match) {
        (Some(start), ..) => Ok(store.snapshot_at(resource, start.revision)?),
        (None, Some(revision), _) if revision > store.revision() => {
            Err(Failure::too_new(revision, store.revision()))
        }
        (None, Some(revision), Some(RevisionMatch::Exact)) => {
            Ok(store.snapshot_at(resource, revision)?)
        }
        _ => Ok(store.snapshot(resource)),
    }
}

/// Where a page ended.
#[derive(Debug, PartialEq, Eq)]
struct Continuation {
    revision: u64,
    after: ObjectName,
}

impl Continuation {
    fn to_token(&self) -> String {
        let start = format!("{}/{}", self.after.namespace, self.after.name);
        URL_SAFE_NO_PAD
            .encode(json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start}).to_string())
    }

    fn parse(token: &str) -> Result<Self, Failure> {
        let read = || {
            let json: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let (namespace, name) = json.get("start")?.as_str()?.split_once('/')?;
            Some(Self {
                revision: json.get("rv")?.as_u64()?,
                after: ObjectName::new(namespace, name),
            })
        };
        read().ok_or_else(|| {
            Failure::bad_request("continue key is not valid: it was not given out by this server")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_survives_its_token() {
        let there = Continuation {
            revision: 12,
            after: ObjectName::new("n", "x"),
        };
        assert_eq!(Continuation::parse(&there.to_token()), Ok(there));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        for token in ["x", "", "e30"] {
            assert_eq!(Continuation::parse(token).unwrap_err().code, 400);
        }
    }
}
