//! The process in front of the API server: one door that is open, and one at which things go wrong and are counted.
//!
//! Behind both is the embedded control plane, in memory, or a cluster; it ends with its standard input.

use std::{
    convert::Infallible,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Context as _;
use bytes::Bytes;
use hookgate::{
    cli::install,
    cluster::{Embedded, Options, Storage},
};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    faults::{Errors, Faults, Order, Outage, Reply},
    random::Random,
    tally::Arrivals,
};

/// What the path of a patch that is a trigger has in it: Receivers and Leases are patched for other reasons.
const SOURCES: &str = "/source.toolkit.fluxcd.io/";

/// Serves until standard input ends.
pub(crate) async fn run(kubeconfig: Option<&Path>) -> anyhow::Result<()> {
    let client = client(kubeconfig).await?;
    install::crds(&client).await?;
    let (tell, changes) = watch::channel(Faults::default());
    let faulty = Door::new(client.clone(), changes);
    // The sender is held to the end, for a door without changes is one that is never shut.
    let (_unchanged, never) = watch::channel(Faults::default());
    let direct = Door::new(client, never);
    say(&Reply::Serving {
        direct: direct.open().await?,
        faulty: faulty.clone().open().await?,
    })?;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = orders.next_line().await? {
        let order = serde_json::from_str(&line).context("not an order")?;
        say(&match order {
            Order::Fail(wanted) => {
                tell.send_replace(wanted);
                Reply::Done
            }
            Order::Count(budget) => Reply::Counted(faulty.arrivals().tally(budget)),
            Order::Forget => {
                faulty.arrivals().forget();
                Reply::Done
            }
        })?;
    }
    Ok(())
}

async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let Some(path) = kubeconfig else {
        let storage = Storage::Memory;
        return Ok(Embedded::open(&Options { storage })?.client());
    };
    let options = KubeConfigOptions::default();
    let kubeconfig = Kubeconfig::read_from(path)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}

fn say(reply: &Reply) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// One address, what is behind it, and what goes wrong there.
#[derive(Clone)]
struct Door {
    client: Client,
    faults: watch::Receiver<Faults>,
    began: Instant,
    arrivals: Arc<Mutex<Arrivals>>,
    random: Arc<Mutex<Random>>,
}

impl Door {
    fn new(client: Client, faults: watch::Receiver<Faults>) -> Self {
        Self {
            client,
            faults,
            began: Instant::now(),
            arrivals: Arc::default(),
            random: Arc::new(Mutex::new(Random::new(0))),
        }
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_hit(&self, per_mille: u64) -> bool {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.below(1000) < per_mille
    }

    /// Begins to serve on a free port, and says which.
    async fn open(self) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(self.serve(listener, address));
        Ok(address)
    }

    /// Serves; while connections are refused nobody listens.
    async fn serve(self, mut listener: TcpListener, address: SocketAddr) -> anyhow::Result<()> {
        let refuses = |faults: &Faults| faults.outage == Some(Outage::Refuse);
        let mut changes = self.faults.clone();
        loop {
            let cut = CancellationToken::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let connection = self.clone().connection(accepted?.0);
                        let cut = cut.clone();
                        tokio::spawn(async move { cut.run_until_cancelled(connection).await });
                    }
                    refusing = changes.wait_for(refuses) => {
                        refusing?;
                        break;
                    }
                }
            }
            drop(listener);
            cut.cancel();
            changes.wait_for(|faults| !refuses(faults)).await?;
            listener = TcpListener::bind(address).await?;
        }
    }

    async fn connection(self, stream: TcpStream) {
        let service = service_fn(|request| {
            let door = self.clone();
            async move { Ok::<_, Infallible>(door.answer(request).await) }
        });
        // A connection that breaks off is what this is for.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(mut self, request: Request<Incoming>) -> Response<Body> {
        let _patching = self.count(&request);
        let hangs = |faults: &Faults| faults.outage == Some(Outage::Hang);
        let faults = match self.faults.wait_for(|faults| !hangs(faults)).await {
            Ok(faults) => faults.clone(),
            Err(_) => return failure(StatusCode::SERVICE_UNAVAILABLE, None),
        };
        if !faults.delay.is_zero() {
            sleep(faults.delay).await;
        }
        if let Some(errors) = &faults.errors
            && self.is_hit(errors.per_mille)
        {
            let Errors {
                status,
                retry_after,
                ..
            } = *errors;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return failure(status, retry_after);
        }
        match self.pass_on(request).await {
            Ok(response) => response,
            Err(_) => failure(StatusCode::BAD_GATEWAY, None),
        }
    }

    async fn pass_on(&self, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let body: Bytes = body.collect().await?.to_bytes();
        head.headers.remove(header::HOST);
        let request = Request::from_parts(head, Body::from(body));
        Ok(self.client.send(request).await?)
    }

    /// Counts a request, and a patch of a source until it is let go of.
    fn count(&self, request: &Request<Incoming>) -> Option<Patching> {
        let at = self.began.elapsed();
        let mut arrivals = self.arrivals();
        let path = request.uri().path();
        if request.method() == Method::PATCH && path.contains(SOURCES) {
            arrivals.patch(at, path);
            Some(Patching(self.clone()))
        } else {
            arrivals.other();
            None
        }
    }
}

/// A patch that waits for its answer, or whose connection is cut.
struct Patching(Door);

impl Drop for Patching {
    fn drop(&mut self) {
        self.0.arrivals().patched();
    }
}

fn failure(code: StatusCode, retry_after: Option<u64>) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "message": "made to fail",
        "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
