//! The line between the gateway and the Kubernetes API, which can be cut.
//!
//! What passes is not changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use http::{Method, Request};
use kube::{Client, client::Body};
use tower::service_fn;

/// A line; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<State>);

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    patches: AtomicUsize,
    secrets_read: AtomicUsize,
}

impl Line {
    /// A client that uses the line.
    pub(crate) fn client(&self, client: &Client) -> Client {
        let (line, inner) = (self.clone(), client.clone());
        let service = service_fn(move |request: Request<Body>| {
            let (line, inner) = (line.clone(), inner.clone());
            async move {
                if request.method() == Method::PATCH {
                    line.0.patches.fetch_add(1, Ordering::SeqCst);
                }
                if request.method() == Method::GET && request.uri().path().contains("/secrets/") {
                    line.0.secrets_read.fetch_add(1, Ordering::SeqCst);
                }
                if line.0.is_cut.load(Ordering::SeqCst) {
                    return Err(tower::BoxError::from("the line is cut"));
                }
                Ok(inner.send(request).await?)
            }
        });
        Client::new(service, client.default_namespace())
    }

    /// Nothing passes any more.
    pub(crate) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::SeqCst);
    }

    /// Everything passes again.
    pub(crate) fn mend(&self) {
        self.0.is_cut.store(false, Ordering::SeqCst);
    }

    /// How many times a Secret was read so far, in vain or not; lists of Secrets are not counted.
    pub(crate) fn secrets_read(&self) -> usize {
        self.0.secrets_read.load(Ordering::SeqCst)
    }

    /// How many patches were sent so far, in vain or not.
    pub(crate) fn patches(&self) -> usize {
        self.0.patches.load(Ordering::SeqCst)
    }
}
