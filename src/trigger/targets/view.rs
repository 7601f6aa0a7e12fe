//! What is known of one kind, from the events and errors of its watch.
//!
//! Pure: how the events come, and when to try again after an error, is the business of `watch`.

use std::sync::Arc;

use kube::{
    api::{DynamicObject, ObjectMeta},
    core::{PartialObjectMeta, Status},
    runtime::watcher::{Error, Event},
};

use tokio::time::Instant;

use super::index::Index;
use crate::{
    hook::{Detail, Selector},
    trigger::{
        denied::Access,
        failure::{Failure, Verb, grant},
    },
};

/// An object, as the watch shows it.
pub(super) type Metadata = PartialObjectMeta<DynamicObject>;

/// What is known of one kind.
#[derive(Debug)]
pub(super) enum View {
    /// No list was complete yet.
    Unsynced(Doubt),
    /// These objects were there when the API server last said something; the last list was complete at this time.
    Synced(Index, Instant),
    /// The API server will not show objects of this kind until somebody changes something.
    Refused(Box<Status>),
    /// So many kinds are in use that this one is not watched.
    TooMany,
}

/// Why there is no list yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Doubt {
    /// The API server has not answered yet.
    Waiting,
    /// It could not be reached, or the connection broke.
    Unreachable,
    /// It answered that it cannot at the moment.
    Answered(Box<Status>),
}

/// What an error of the watch asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Go on with the same watch after a pause.
    GoOn,
    /// Begin anew after a pause.
    BeginAnew,
    /// Begin anew at once with a list, for the server does not send lists as events.
    ListInstead,
}

/// How the first list of a watch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// As events, which saves the server from building the list, and this process from holding a page of it.
    AsEvents,
    /// Page by page, as every server can.
    InPages,
}

/// What an event changes for those that select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A list is complete.
    List,
    /// An object comes, goes or has other labels.
    Object,
    /// Nothing yet.
    None,
}

/// Follows the events of one watch.
#[derive(Debug)]
pub(super) struct Follower {
    detail: Detail,
    /// The list that is being received.
    listing: Option<Index>,
}

impl Follower {
    /// Keeps so much of each object.
    pub(super) fn new(detail: Detail) -> Self {
        Self {
            detail,
            listing: None,
        }
    }

    /// Whether a list is being received as events.
    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// Takes over an event.
    pub(super) fn follow(
        &mut self,
        view: &mut View,
        event: Event<Metadata>,
        now: Instant,
    ) -> Change {
        match event {
            Event::Init => self.listing = Some(Index::default()),
            Event::InitApply(object) => {
                let index = self.listing.get_or_insert_with(Index::default);
                put(index, object.metadata, self.detail);
            }
            Event::InitDone => {
                *view = View::Synced(self.listing.take().unwrap_or_default(), now);
                return Change::List;
            }
            Event::Apply(object) => {
                if let View::Synced(index, _) = view
                    && put(index, object.metadata, self.detail)
                {
                    return Change::Object;
                }
            }
            Event::Delete(object) => {
                if let View::Synced(index, _) = view {
                    let (namespace, name) = place(&object.metadata);
                    index.remove(namespace, name);
                    return Change::Object;
                }
            }
        }
        Change::None
    }
}

impl View {
    /// Takes note of an error, and says what to do about it.
    pub(super) fn fail(&mut self, error: &Error, lists: Lists) -> Next {
        match (&mut *self, answer(error)) {
            (_, Some(status)) if lists == Lists::AsEvents && is_misunderstood(status) => {
                Next::ListInstead
            }
            (_, Some(status)) if is_refused(status) => {
                *self = Self::Refused(Box::new(status.clone()));
                Next::BeginAnew
            }
            (Self::Unsynced(doubt), status) => {
                *doubt = status.map_or(Doubt::Unreachable, |status| {
                    Doubt::Answered(Box::new(status.clone()))
                });
                Next::GoOn
            }
            (Self::Synced(..) | Self::Refused(_) | Self::TooMany, _) => Next::GoOn,
        }
    }

    /// Whether the API server has said something about this kind, be it good or bad.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self, Self::Unsynced(Doubt::Waiting))
    }

    /// Whether a selection can be answered, be it with a refusal.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Unsynced(_))
    }

    /// What is known of the permission to watch what `selector` selects.
    pub(super) fn access(&self, selector: &Selector) -> Access {
        match self {
            Self::Synced(_, at) => Access::Granted { at: *at },
            Self::Refused(status) if status.code == 403 => Access::Denied {
                grant: grant(Verb::Watch, selector),
            },
            Self::Refused(_) | Self::Unsynced(_) | Self::TooMany => Access::Unknown,
        }
    }

    /// The objects that `selector` selects from, or why they are not known.
    pub(super) fn index(&self, selector: &Selector) -> Result<&Index, Failure> {
        Err(match self {
            Self::Synced(index, _) => return Ok(index),
            Self::Refused(status) | Self::Unsynced(Doubt::Answered(status)) => {
                Failure::from_status(Verb::Watch, selector, status, None)
            }
            Self::TooMany => Failure::too_many_kinds(selector),
            Self::Unsynced(Doubt::Waiting) => Failure::timed_out(Verb::Watch, selector),
            Self::Unsynced(Doubt::Unreachable) => Failure::unreachable(Verb::Watch, selector),
        })
    }
}

fn put(index: &mut Index, mut metadata: ObjectMeta, detail: Detail) -> bool {
    metadata.managed_fields = None;
    let whole = match detail {
        Detail::Labels => None,
        Detail::Metadata => serde_json::to_string(&metadata).ok(),
    };
    let labels = metadata.labels.take().unwrap_or_default();
    let (namespace, name) = place(&metadata);
    index.put(namespace, name, &labels, whole.map(Arc::from))
}

fn place(metadata: &ObjectMeta) -> (&str, &str) {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    (namespace, metadata.name.as_deref().unwrap_or_default())
}

/// The server does not know the request, or a value in it.
fn is_misunderstood(status: &Status) -> bool {
    matches!(status.code, 400 | 406 | 415 | 422)
}

/// It will not show objects of this kind until somebody changes something.
fn is_refused(status: &Status) -> bool {
    is_misunderstood(status) || matches!(status.code, 403..=405)
}

/// What the API server answered, if it did.
fn answer(error: &Error) -> Option<&Status> {
    match error {
        Error::WatchError(status)
        | Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        _ => None,
    }
}
