//! An issuer of OpenID Connect tokens: real HTTPS on loopback, with a certificate of an authority of its own.
//!
//! It serves what a test publishes and counts who asks. The unit tests of the ingress use this file, too.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use super::signer::Signer;

/// Where an issuer says where its keys are.
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where the keys are.
pub(crate) const KEYS: &str = "/keys";

/// An issuer that answers until it is dropped.
pub(crate) struct Issuer {
    url: String,
    authority: String,
    desk: Arc<Desk>,
    serving: AbortHandle,
}

/// What is served, and what was asked for.
struct Desk {
    documents: Mutex<BTreeMap<String, Document>>,
    requests: Mutex<Vec<String>>,
    is_held: watch::Sender<bool>,
}

#[derive(Clone)]
struct Document {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Issuer {
    /// Starts an issuer that knows of nothing yet.
    pub(crate) async fn start() -> Self {
        let (tls, authority) = identity();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let desk = Arc::new(Desk {
            documents: Mutex::default(),
            requests: Mutex::default(),
            is_held: watch::Sender::new(false),
        });
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&desk)));
        Self {
            url: format!("https://{address}"),
            authority,
            desk,
            serving: serving.abort_handle(),
        }
    }

    /// The URL that its tokens name.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of its authority, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Publishes these keys and the discovery document that leads to them.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        let names: Vec<_> = signers.iter().map(|signer| signer.algorithm).collect();
        let discovery = json!({
            "issuer": self.url,
            "jwks_uri": format!("{}{KEYS}", self.url),
            "id_token_signing_alg_values_supported": names,
        });
        self.answer(DISCOVERY, StatusCode::OK, &[], &discovery.to_string());
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        let keys: Value = json!({ "keys": keys });
        self.answer(KEYS, StatusCode::OK, &[], &keys.to_string());
    }

    /// Answers requests for a path with this from now on.
    pub(crate) fn answer(
        &self,
        path: &str,
        status: StatusCode,
        headers: &[(&'static str, &str)],
        body: &str,
    ) {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).expect("a header value");
            (HeaderName::from_static(name), value)
        });
        let document = Document {
            status,
            headers: headers.collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        self.desk.documents().insert(path.to_owned(), document);
    }

    /// Refuses everything from now on.
    pub(crate) fn fail(&self) {
        for document in self.desk.documents().values_mut() {
            document.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
    }

    /// Answers nobody until the issuer is released.
    pub(crate) fn hold(&self) {
        self.desk.is_held.send_replace(true);
    }

    /// Answers everybody who waits.
    pub(crate) fn release(&self) {
        self.desk.is_held.send_replace(false);
    }

    /// How often a path was asked for.
    pub(crate) fn requests(&self, path: &str) -> usize {
        let requests = self.desk.requests.lock().expect("no test failed with it");
        requests.iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Desk {
    fn documents(&self) -> MutexGuard<'_, BTreeMap<String, Document>> {
        self.documents.lock().expect("no test failed with it")
    }

    fn note(&self, path: &str) {
        let mut requests = self.requests.lock().expect("no test failed with it");
        requests.push(path.to_owned());
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        self.note(path);
        let mut is_held = self.is_held.subscribe();
        is_held.wait_for(|held| !held).await.expect("it is served");
        let found = self.documents().get(path).cloned();
        let mut response = Response::new(Full::default());
        match found {
            Some(document) => {
                *response.status_mut() = document.status;
                *response.headers_mut() = document.headers;
                *response.body_mut() = Full::new(document.body);
            }
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, desk: Arc<Desk>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (tls, desk) = (tls.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            // Who does not trust the certificate goes away.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let answer = service_fn(|request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(desk.answer(&request).await) }
            });
            let connection = http1::Builder::new();
            let _ = connection
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

/// A certificate for loopback, and the authority that signed it, in PEM.
fn identity() -> (TlsAcceptor, String) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let root = authority.self_signed(&authority_key).expect("a root");
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]);
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let leaf = leaf.expect("a name").signed_by(&key, &issuer);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.expect("a certificate").der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        );
    let tls = TlsAcceptor::from(Arc::new(config.expect("a usable certificate")));
    (tls, root.pem())
}
