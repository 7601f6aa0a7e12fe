//! What a search finds, and what it costs at most, against the embedded API.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::json;
use tower::{BoxError, service_fn};

use super::*;
use crate::{
    api::receiver::Receiver,
    cluster::{Embedded, Options, Storage},
    hook::{
        CertificateChecks, CrossNamespaceRefs, Entry, Hook, Listing, PlainIssuers, Policy, Secrets,
        SetIdentity, Token,
    },
};

/// An API whose Secrets are read, and how often.
struct Bench {
    secrets: Api<Secret>,
    reader: SecretReader,
    table: HookTable,
    reads: Arc<AtomicUsize>,
}

impl Bench {
    async fn new() -> Self {
        let options = Options {
            storage: Storage::Memory,
        };
        let client = Embedded::open(&options).unwrap().client();
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": "apps"}})).unwrap();
        let namespaces = Api::all(client.clone());
        let params = PostParams::default();
        namespaces.create(&params, &namespace).await.unwrap();
        let (table, reads) = (HookTable::default(), Arc::new(AtomicUsize::new(0)));
        let (inner, counted) = (client.clone(), Arc::clone(&reads));
        let service = service_fn(move |request: Request<Body>| {
            if request.method() == Method::GET && request.uri().path().contains("/secrets/") {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let inner = inner.clone();
            async move { Ok::<_, BoxError>(inner.send(request).await?) }
        });
        Self {
            secrets: Api::namespaced(client, "apps"),
            reader: SecretReader::new(Client::new(service, "apps"), table.clone()),
            table,
            reads,
        }
    }

    async fn store(&self, name: &str, token: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name}, "stringData": {"token": token},
        });
        let params = PatchParams::default();
        if self.secrets.get_opt(name).await.unwrap().is_some() {
            let patch = Patch::Merge(&secret);
            self.secrets.patch(name, &params, &patch).await.unwrap();
        } else {
            let secret = serde_json::from_value(secret).unwrap();
            let params = PostParams::default();
            self.secrets.create(&params, &secret).await.unwrap();
        }
    }

    /// A Receiver with a Secret of its name, and both are known.
    async fn publish(&self, name: &str, token: &str) {
        self.store(name, token).await;
        let receiver: Receiver = serde_json::from_value(json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
            "metadata": {"name": name, "namespace": "apps"},
            "spec": {"type": "generic", "secretRef": {"name": name}, "resources": []},
        }))
        .unwrap();
        let policy = Policy {
            cross_namespace_refs: CrossNamespaceRefs::Denied,
            plain_issuers: PlainIssuers::Denied,
            certificate_checks: CertificateChecks::Possible,
        };
        let hook = Hook::compile(&receiver, policy).unwrap();
        let secrets = Secrets::from(Token::new(token.into()).unwrap());
        let hook = hook.with_secrets(&secrets, Timestamp::now()).unwrap();
        let listing = Listing {
            paths: hook.sets().map(SetIdentity::path).collect(),
            created: 0,
            entry: Entry::Open(Arc::new(hook.clone())),
            denied: None,
        };
        self.table.publish(hook.receiver(), &listing);
    }

    /// Whether a path leads anywhere after a search for it, and how many Secrets were read meanwhile.
    async fn find(&self, search: &Search, path: &str) -> (bool, usize) {
        let before = self.reads.load(Ordering::Relaxed);
        search.look_for(path, &self.reader).await;
        let is_found = self.table.locate(path, Timestamp::now()).is_some();
        (is_found, self.reads.load(Ordering::Relaxed) - before)
    }
}

fn path(token: &str, name: &str) -> String {
    let token = Token::new(token.into()).unwrap();
    HookPath::derive(Some(&token), name, "apps").reveal()
}

#[tokio::test]
async fn the_path_of_a_token_that_was_changed_unseen_is_found() {
    let bench = Bench::new().await;
    let search = Search::new(bench.table.clone());
    for name in ["a", "b", "c"] {
        bench.publish(name, "old").await;
    }
    for round in 0..5 {
        let token = format!("new-{round}");
        let path = path(&token, "b");
        assert_eq!(bench.find(&search, &path).await, (false, 3));
        bench.store("b", &token).await;
        let (is_found, reads) = bench.find(&search, &path).await;
        assert!(is_found && reads <= 3);
    }
}

#[tokio::test]
async fn watched_secrets_and_what_is_no_path_cost_nothing() {
    let bench = Bench::new().await;
    let search = Search::new(bench.table.clone());
    bench.publish("a", "old").await;
    for nonsense in ["/hook/", "/hook/abc", "/", ""] {
        assert_eq!(bench.find(&search, nonsense).await, (false, 0));
    }
    bench
        .table
        .watch_secret(("apps".to_owned(), "a".to_owned()));
    assert_eq!(bench.find(&search, &path("new", "a")).await, (false, 0));
}

#[tokio::test]
async fn not_even_looking_for_secrets_is_without_bound() {
    let bench = Bench::new().await;
    let search = Search::new(bench.table.clone());
    let started = Instant::now();
    for _ in 0..BURST {
        bench.find(&search, &path("guess", "a")).await;
    }
    let mut progress = search.progress.lock().await;
    assert_eq!(progress.reads.take(started, 1), 0, "all are spent");
}

#[tokio::test]
async fn a_stranger_causes_no_more_reads_than_there_are_to_give() {
    let bench = Bench::new().await;
    let search = Search::new(bench.table.clone());
    for name in 0..30 {
        bench.publish(&format!("r-{name}"), "old").await;
    }
    let started = Instant::now();
    let mut reads = 0;
    for guess in 0..200 {
        let (is_found, more) = bench
            .find(&search, &path("guess", &guess.to_string()))
            .await;
        assert!(!is_found);
        reads += more;
    }
    let earned = started.elapsed().as_millis() / INTERVAL.as_millis();
    assert!(
        reads >= usize::try_from(BURST).unwrap(),
        "they are all given"
    );
    assert!(reads <= usize::try_from(BURST).unwrap() + usize::try_from(earned).unwrap());
}
