//! Which connections are open, and which must go when there is no room for another: the one that has waited longest for
//! a request, of the network that holds the most.
//!
//! So nobody keeps others out by holding connections, and nobody needs to be told how many one client may have: behind
//! a proxy all senders are one client. What goes over a connection is not known here.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// All open connections; clones share them.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Books>>);

/// One open connection, until it is dropped.
pub(super) struct Connection {
    all: Connections,
    id: u64,
    cut: CancellationToken,
    changed: Notify,
}

/// A request that is being answered, until it is dropped.
pub(super) struct Work(Arc<Connection>);

/// The body of an answer; one whose end is open keeps the connection busy, and any other is soon gone.
pub(super) struct Tracked {
    body: Body,
    _work: Option<Work>,
}

impl Tracked {
    pub(super) fn new(body: Body, work: Work) -> Self {
        let has_an_end = http_body::Body::size_hint(&body).exact().is_some();
        Self {
            body,
            _work: (!has_an_end).then_some(work),
        }
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Connections {
    /// Takes in a connection from a network.
    pub(super) fn open(&self, network: IpAddr) -> Arc<Connection> {
        let cut = CancellationToken::new();
        let id = self.books().open(network, cut.clone());
        Arc::new(Connection {
            all: self.clone(),
            id,
            cut,
            changed: Notify::new(),
        })
    }

    /// Cuts off the connection that must go first, if there is one that does nothing at the moment.
    pub(super) fn make_room(&self) {
        let cut = self.books().make_room();
        if let Some(cut) = cut {
            cut.cancel();
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The connection turns out to be of another network than that of who made it.
    pub(super) fn belongs_to(&self, network: IpAddr) {
        self.all.books().relocate(self.id, network);
    }

    /// A request has arrived.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        self.all.books().begin(self.id);
        Work(Arc::clone(self))
    }

    /// Waits until the connection must go.
    pub(super) async fn cut_off(&self) {
        self.cut.cancelled().await;
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.all.books().is_busy(self.id)
    }

    /// Waits until a request has been answered.
    pub(super) async fn answered(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.books().close(self.id);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.all.books().end(self.0.id);
        self.0.changed.notify_one();
    }
}

#[derive(Default)]
struct Books {
    next: u64,
    connections: HashMap<u64, Open>,
    networks: HashMap<IpAddr, Network>,
    /// The networks with idle connections, by the number of all their connections.
    by_size: BTreeSet<(usize, IpAddr)>,
}

struct Open {
    network: IpAddr,
    requests: usize,
    /// Its place in the order in which connections became idle, while it is.
    idle: Option<u64>,
    cut: CancellationToken,
}

#[derive(Default)]
struct Network {
    open: usize,
    /// Its idle connections, the one that has been so longest first.
    idle: BTreeSet<(u64, u64)>,
}

impl Books {
    fn open(&mut self, network: IpAddr, cut: CancellationToken) -> u64 {
        let id = self.tick();
        let open = Open {
            network,
            requests: 0,
            idle: Some(id),
            cut,
        };
        self.connections.insert(id, open);
        self.change(network, |network| {
            network.open += 1;
            network.idle.insert((id, id));
        });
        id
    }

    fn relocate(&mut self, id: u64, network: IpAddr) {
        let Some(open) = self.connections.get_mut(&id) else {
            return;
        };
        let (idle, before) = (open.idle, std::mem::replace(&mut open.network, network));
        if before == network {
            return;
        }
        self.change(before, |network| {
            network.open = network.open.saturating_sub(1);
            if let Some(since) = idle {
                network.idle.remove(&(since, id));
            }
        });
        self.change(network, |network| {
            network.open += 1;
            network.idle.extend(idle.map(|since| (since, id)));
        });
    }

    fn begin(&mut self, id: u64) {
        let Some(open) = self.connections.get_mut(&id) else {
            return;
        };
        open.requests += 1;
        let (network, idle) = (open.network, open.idle.take());
        if let Some(since) = idle {
            self.change(network, |network| {
                network.idle.remove(&(since, id));
            });
        }
    }

    fn end(&mut self, id: u64) {
        let since = self.tick();
        let Some(open) = self.connections.get_mut(&id) else {
            return;
        };
        open.requests = open.requests.saturating_sub(1);
        if open.requests == 0 && !open.cut.is_cancelled() {
            open.idle = Some(since);
            let network = open.network;
            self.change(network, |network| {
                network.idle.insert((since, id));
            });
        }
    }

    fn close(&mut self, id: u64) {
        let Some(open) = self.connections.remove(&id) else {
            return;
        };
        self.change(open.network, |network| {
            network.open = network.open.saturating_sub(1);
            if let Some(since) = open.idle {
                network.idle.remove(&(since, id));
            }
        });
    }

    fn is_busy(&self, id: u64) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|open| open.requests > 0)
    }

    /// The connection that must go; it does not count as idle any more.
    fn make_room(&mut self) -> Option<CancellationToken> {
        let (_, network) = *self.by_size.last()?;
        let (_, id) = *self.networks.get(&network)?.idle.first()?;
        let open = self.connections.get_mut(&id)?;
        let (since, cut) = (open.idle.take(), open.cut.clone());
        if let Some(since) = since {
            self.change(network, |network| {
                network.idle.remove(&(since, id));
            });
        }
        Some(cut)
    }

    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Network)) {
        let network = self.networks.entry(address).or_default();
        self.by_size.remove(&(network.open, address));
        change(network);
        if !network.idle.is_empty() {
            self.by_size.insert((network.open, address));
        }
        if network.open == 0 {
            self.networks.remove(&address);
        }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_cut(connection: &Connection) -> bool {
        connection.cut.is_cancelled()
    }

    #[test]
    fn the_longest_idle_one_of_the_largest_network_goes_first() {
        let all = Connections::default();
        let few = [1; 2].map(|last| all.open(network(last)));
        let many = [2; 4].map(|last| all.open(network(last)));
        drop(many[0].work());
        all.make_room();
        assert!(is_cut(&many[1]), "the first became idle again after it");
        all.make_room();
        all.make_room();
        assert!(is_cut(&many[2]) && is_cut(&many[3]));
        all.make_room();
        assert!(is_cut(&many[0]));
        assert!(!few.iter().any(|connection| is_cut(connection)));
        drop(many);
        all.make_room();
        assert!(is_cut(&few[0]) && !is_cut(&few[1]));
    }

    #[test]
    fn a_connection_counts_for_whom_a_proxy_speaks() {
        let all = Connections::default();
        let behind = [2; 3].map(|_| all.open(network(1)));
        let direct = [2; 2].map(|last| all.open(network(last)));
        for (last, connection) in (3..).zip(&behind) {
            connection.belongs_to(network(last));
            connection.belongs_to(network(last));
        }
        all.make_room();
        assert!(is_cut(&direct[0]), "its network has the most");
        drop((behind, direct));
        assert!(all.books().networks.is_empty() && all.books().by_size.is_empty());
    }

    #[test]
    fn a_connection_with_a_request_stays() {
        let all = Connections::default();
        let busy = all.open(network(1));
        let (first, second) = (busy.work(), busy.work());
        all.make_room();
        drop(first);
        all.make_room();
        assert!(busy.is_busy() && !is_cut(&busy));
        drop(second);
        all.make_room();
        assert!(is_cut(&busy));
    }

    #[test]
    fn nothing_is_kept_of_what_is_closed() {
        let all = Connections::default();
        for last in 0..100 {
            let connection = all.open(network(last));
            drop(connection.work());
            all.make_room();
        }
        let books = all.books();
        assert!(books.connections.is_empty() && books.networks.is_empty());
        assert!(books.by_size.is_empty());
    }
}
