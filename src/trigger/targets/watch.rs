//! One watch of one kind: it is begun, followed, and begun anew for as long as the kind is in use.
//!
//! What an event or an error means is the business of `view`.

use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::{
    Api, Client,
    api::ApiResource,
    core::GroupVersionKind,
    runtime::{
        utils::Backoff,
        watcher::{Config, DefaultBackoff, Event, InitialListStrategy, Result, watcher},
    },
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Detail, Watched,
    view::{Change, Follower, Lists, Metadata, Next, View},
};

/// A server that does not know lists as events may send no end of the list; this long without an event tells.
const SILENCE: Duration = Duration::from_secs(15);

/// Keeps `view` up to date for ever.
pub(super) async fn watch(
    client: Client,
    watched: Watched,
    detail: Detail,
    view: watch::Sender<View>,
    news: watch::Sender<()>,
) {
    let mut lists = Lists::AsEvents;
    let mut backoff = DefaultBackoff::default();
    loop {
        let events = watcher(api(&client, &watched), config(lists));
        let follower = Follower::new(detail);
        let next = follow(
            &watched,
            follower,
            events,
            lists,
            &view,
            &news,
            &mut backoff,
        )
        .await;
        match next {
            Next::ListInstead => lists = Lists::InPages,
            Next::GoOn | Next::BeginAnew => pause(&mut backoff).await,
        }
    }
}

/// Follows one stream of events until another one is needed.
pub(super) async fn follow(
    watched: &Watched,
    mut follower: Follower,
    events: impl Stream<Item = Result<Event<Metadata>>>,
    lists: Lists,
    view: &watch::Sender<View>,
    news: &watch::Sender<()>,
    backoff: &mut DefaultBackoff,
) -> Next {
    let mut events = std::pin::pin!(events);
    loop {
        let event = if lists == Lists::AsEvents && follower.is_listing() {
            match timeout(SILENCE, events.next()).await {
                Ok(event) => event,
                Err(_) => return Next::ListInstead,
            }
        } else {
            events.next().await
        };
        match event {
            Some(Ok(event)) => {
                let mut change = Change::None;
                let now = Instant::now();
                view.send_modify(|view| change = follower.follow(view, event, now));
                if change != Change::None {
                    news.send_replace(());
                }
                if change == Change::List {
                    backoff.reset();
                    tell_synced(watched, view);
                }
            }
            Some(Err(error)) => {
                let mut next = Next::GoOn;
                view.send_modify(|view| next = view.fail(&error, lists));
                news.send_replace(());
                if next == Next::ListInstead {
                    return next;
                }
                tracing::warn!(kind = %watched, %error, "cannot watch targets");
                if next == Next::BeginAnew {
                    return next;
                }
                pause(backoff).await;
            }
            None => return Next::BeginAnew,
        }
    }
}

fn tell_synced(watched: &Watched, view: &watch::Sender<View>) {
    if let View::Synced(index, _) = &*view.borrow() {
        tracing::debug!(kind = %watched, objects = index.len(), "targets are known");
    }
}

async fn pause(backoff: &mut DefaultBackoff) {
    if let Some(pause) = backoff.next() {
        sleep(pause).await;
    }
}

fn api(client: &Client, watched: &Watched) -> Api<Metadata> {
    let kind = &watched.kind;
    let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
    match &watched.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

fn config(lists: Lists) -> Config {
    Config {
        initial_list_strategy: match lists {
            Lists::AsEvents => InitialListStrategy::StreamingList,
            Lists::InPages => InitialListStrategy::ListWatch,
        },
        ..Config::default()
    }
}
