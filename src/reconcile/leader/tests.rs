//! Two replicas and one lease on the embedded control plane.

use http::{Request, Response};
use kube::client::Body;
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

async fn holder(client: &Client) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "default");
    let lease = leases.get("hookgate").await.unwrap();
    lease.spec?.holder_identity
}

#[tokio::test]
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

#[tokio::test]
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
