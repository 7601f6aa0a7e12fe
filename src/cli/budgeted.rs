//! Clients whose requests draw from the API budget of the process, for controllers.
//!
//! What must not wait, such as the renewal of a Lease, uses a client that does not.

use kube::Client;
use tower::service_fn;

use crate::trigger::Budget;

/// A client like `client` that waits for its turn before each request.
pub(super) fn client(client: &Client, budget: &Budget) -> Client {
    let (inner, budget) = (client.clone(), budget.clone());
    let service = service_fn(move |request| {
        let (inner, budget) = (inner.clone(), budget.clone());
        async move {
            budget.draw().await;
            inner.send(request).await
        }
    });
    Client::new(service, client.default_namespace()).with_valid_until(*client.valid_until())
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use http::{Request, Response};
    use kube::client::Body;
    use tokio::time::Instant;

    use super::*;
    use crate::api::rate::Rate;

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_their_turn() {
        let answer = |_: Request<Body>| async { anyhow::Ok(Response::new(Body::empty())) };
        let budget = Budget::new(Rate {
            interval: Duration::from_secs(1),
            burst: NonZeroU32::MIN,
        });
        let client = client(&Client::new(service_fn(answer), "default"), &budget);
        let started = Instant::now();
        for second in 0..5 {
            assert_eq!(started.elapsed().as_secs(), second.max(1) - 1);
            let request = Request::new(Body::empty());
            client.send(request).await.unwrap();
        }
    }
}
