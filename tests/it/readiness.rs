//! What a process that has only just started tells a probe, and takes of senders.
//!
//! That it is ready in the end is shown by every test that waits for it.

use std::{convert::Infallible, num::NonZeroU32, time::Duration};

use hookgate::{
    cli::serve::{Addresses, Serving},
    config::ApiBudget,
};
use http::{Request, Response};
use kube::{Client, client::Body};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    gateway::config,
    objects::{git_repository, receiver, secret},
    on_every_back_end,
    wire::Delivery,
};

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

/// So many that reading each of their Secrets takes seconds with the budget below.
const RECEIVERS: usize = 80;

on_every_back_end! {
    async fn receivers_that_are_ready_are_served_before_their_secrets_were_read(gw) {
        gw.apply(&secret("token", "t0ken")).await;
        gw.apply(&git_repository("app", "")).await;
        let resources = "resources: [{kind: GitRepository, name: app}]";
        for number in 0..RECEIVERS {
            gw.apply(&receiver(&format!("ci-{number}"), "generic", resources)).await;
        }
        gw.settled().await;
        let before = gw.line().secrets_read();
        let (interval, burst) = (Duration::from_millis(100), NonZeroU32::new(5).unwrap());
        gw.keep_to(ApiBudget { interval, burst }).await;
        assert!(gw.line().secrets_read() - before < RECEIVERS, "it was not ready earlier");
        for name in ["ci-0", "ci-40", "ci-79"] {
            let answer = gw.send(Delivery::post(&gw.path(name).await, "")).await;
            assert!(answer.status.is_success(), "{name}: {} {}", answer.status, answer.body);
        }
    }
}
