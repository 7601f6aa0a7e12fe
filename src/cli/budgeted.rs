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
