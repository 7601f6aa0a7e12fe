//! What a probe is told by a process that has only just started.
//!
//! That it is ready in the end is shown by every test that waits for it.

use std::convert::Infallible;

use hookgate::cli::serve::{Addresses, Serving};
use http::{Request, Response};
use kube::{Client, client::Body};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::gateway::config;

/// Enough for a race between the start and a question that waits already.
const STARTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_ready_before_the_cluster_has_answered() {
    let silent = tower::service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    let client = Client::new(silent, "default");
    for _ in 0..STARTS {
        let config = config("default");
        let addresses = Addresses::bind(&config).await.expect("free ports");
        let probes = addresses.admin().next().expect("an address");
        let mut asked = TcpStream::connect(probes).await.expect("it listens");
        asked
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
            .await
            .expect("a question");

        let serving =
            Serving::start(addresses, &client, &config).expect("there is no journal to open");

        let mut told = String::new();
        asked.read_to_string(&mut told).await.expect("an answer");
        assert!(told.starts_with("HTTP/1.1 503"), "{told}");
        serving.end().await;
    }
}
