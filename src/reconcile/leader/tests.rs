//! Two replicas and one lease on the embedded control plane.
//!
//! Time is paused: it passes only while everybody waits, so that a slow machine changes nothing.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::client::Body;
use tokio::sync::Notify;
use tower::{BoxError, service_fn};

use super::*;
use crate::cluster::{Embedded, Options, Storage};

const DEADLINE: Duration = Duration::from_secs(30);

/// One replica that competes.
struct Replica {
    leading: watch::Receiver<bool>,
    shutdown: CancellationToken,
    election: tokio::task::JoinHandle<()>,
}

impl Replica {
    fn start(client: Client, identity: &str) -> Self {
        let settings = LeaseSettings {
            duration: Duration::from_secs(2),
            renew_deadline: Duration::from_secs(1),
            retry_period: Duration::from_millis(50),
            ..LeaseSettings::new(
                "default".to_owned(),
                "hookgate".to_owned(),
                identity.to_owned(),
            )
        };
        let (sender, leading) = watch::channel(false);
        let shutdown = CancellationToken::new();
        let election = tokio::spawn(elect(client, settings, sender, shutdown.clone()));
        Self {
            leading,
            shutdown,
            election,
        }
    }

    async fn becomes(&mut self, is_leading: bool) {
        let becomes = self.leading.wait_for(|leading| *leading == is_leading);
        let became = tokio::time::timeout(DEADLINE, becomes).await;
        became.expect("leadership changes in time").unwrap();
    }

    fn is_leading(&self) -> bool {
        *self.leading.borrow()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.election.await.unwrap();
    }
}

fn cluster() -> Client {
    let options = Options {
        storage: Storage::Memory,
    };
    Embedded::open(&options).unwrap().client()
}

/// The same cluster over a wire that can be cut, after which requests hang.
fn over_wire(client: Client, is_up: &watch::Sender<bool>) -> Client {
    let is_up = is_up.subscribe();
    let service = service_fn(move |request: Request<Body>| {
        let (client, mut is_up) = (client.clone(), is_up.clone());
        async move {
            is_up.wait_for(|is_up| *is_up).await?;
            Ok::<Response<Body>, BoxError>(client.send(request).await?)
        }
    });
    Client::new(service, "default")
}

/// A change that is on its way for longer than its sender waits for it.
#[derive(Default)]
struct Late {
    is_next: Mutex<bool>,
    change: Mutex<Option<Request<Body>>>,
    has_left: Notify,
}

impl Late {
    /// Keeps the next change back until something is read.
    async fn keep_next_change(&self) {
        *self.is_next.lock().unwrap() = true;
        self.has_left.notified().await;
    }
}

/// The same cluster, where a change that was kept back arrives right after the next read.
fn with_late_change(client: Client, late: &Arc<Late>) -> Client {
    let late = Arc::clone(late);
    let service = service_fn(move |request: Request<Body>| {
        let (client, late) = (client.clone(), Arc::clone(&late));
        async move {
            if request.method() != Method::GET && std::mem::take(&mut *late.is_next.lock().unwrap())
            {
                *late.change.lock().unwrap() = Some(request);
                late.has_left.notify_one();
                return std::future::pending().await;
            }
            let response = client.send(request).await?;
            let change = late.change.lock().unwrap().take();
            if let Some(change) = change {
                client.send(change).await?;
            }
            Ok::<Response<Body>, BoxError>(response)
        }
    });
    Client::new(service, "default")
}

async fn holder(client: &Client) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "default");
    let lease = leases.get("hookgate").await.unwrap();
    lease.spec?.holder_identity
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let client = cluster();
    let mut first = Replica::start(client.clone(), "first");
    first.becomes(true).await;
    let mut second = Replica::start(client.clone(), "second");
    assert_eq!(holder(&client).await.as_deref(), Some("first"));
    assert!(!second.is_leading());
    let leading = first.leading.clone();
    let released = Instant::now();
    first.stop().await;
    assert!(!*leading.borrow());
    second.becomes(true).await;
    assert!(
        released.elapsed() < Duration::from_secs(2),
        "no need to wait for it to run out"
    );
    second.stop().await;
    assert_eq!(holder(&client).await.as_deref(), Some(""));
}

#[tokio::test(start_paused = true)]
async fn a_replica_cut_off_stops_leading_before_another_starts() {
    let client = cluster();
    let is_up = watch::Sender::new(true);
    let mut first = Replica::start(over_wire(client.clone(), &is_up), "first");
    first.becomes(true).await;
    let mut second = Replica::start(client.clone(), "second");
    is_up.send_replace(false);
    first.becomes(false).await;
    assert!(!second.is_leading());
    second.becomes(true).await;
    is_up.send_replace(true);
    assert!(!first.is_leading());
    first.stop().await;
    assert!(second.is_leading(), "only the holder releases");
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_arrives_late_does_not_keep_the_lease() {
    let client = cluster();
    let late = Arc::new(Late::default());
    let mut first = Replica::start(with_late_change(client.clone(), &late), "first");
    first.becomes(true).await;
    late.keep_next_change().await;
    first.stop().await;
    assert!(late.change.lock().unwrap().is_none(), "it arrived");
    assert_eq!(holder(&client).await.as_deref(), Some(""));
}
