//! Authorities, certificates, and clients that speak HTTP over a stream that a test has prepared.
//!
//! A certificate is sound unless a test spoils it.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::wire::{Answer, Delivery};

/// Who signs certificates.
pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    /// Its own certificate, and those of whoever signed it.
    chain: Vec<CertificateDer<'static>>,
    pem: String,
}

/// A certificate with its key.
pub(crate) struct Certificate {
    /// The chain, its own certificate first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The certificate in PEM.
    pub(crate) pem: String,
    key: KeyPair,
}

impl Authority {
    /// An authority that nobody signed.
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().expect("a key"));
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            params,
            key,
            chain: Vec::new(),
            pem: certificate.pem(),
        }
    }

    /// An authority that this one signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().expect("a key"));
        let certificate = params
            .signed_by(&key, &self.issuer())
            .expect("a certificate");
        let own = [certificate.der().clone()];
        Self {
            params,
            key,
            chain: own.into_iter().chain(self.chain.clone()).collect(),
            pem: certificate.pem(),
        }
    }

    /// Its certificate in PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server on loopback that is also called `name`.
    pub(crate) fn server(&self, name: &str) -> Certificate {
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        self.sign(&params(names, ExtendedKeyUsagePurpose::ServerAuth))
    }

    /// A certificate for a client with these names.
    pub(crate) fn client(&self, dns: &[&str], uris: &[&str]) -> Certificate {
        self.sign(&client_params(dns, uris))
    }

    /// A certificate for a client, spoiled.
    pub(crate) fn spoiled(
        &self,
        dns: &str,
        spoil: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let mut params = client_params(&[dns], &[]);
        spoil(&mut params);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.issuer())
            .expect("a certificate");
        let own = [certificate.der().clone()];
        Certificate {
            chain: own.into_iter().chain(self.chain.clone()).collect(),
            pem: certificate.pem(),
            key,
        }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// A client that trusts servers with certificates of this authority, and shows `certificate`.
    pub(crate) fn trusting(&self, certificate: Option<&Certificate>) -> ClientConfig {
        self.trusting_over(rustls::ALL_VERSIONS, certificate)
    }

    /// The same, speaking these versions of TLS only.
    pub(crate) fn trusting_over(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        certificate: Option<&Certificate>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = rustls::pki_types::pem::PemObject::from_pem_slice(self.pem.as_bytes());
        roots.add(root.expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions of TLS")
            .with_root_certificates(roots);
        match certificate {
            Some(certificate) => config
                .with_client_auth_cert(certificate.chain.clone(), certificate.key())
                .expect("a usable certificate"),
            None => config.with_no_client_auth(),
        }
    }
}

impl Certificate {
    /// The key in PEM.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn params(names: Vec<String>, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![usage];
    params
}

fn client_params(dns: &[&str], uris: &[&str]) -> CertificateParams {
    let names = dns.iter().map(ToString::to_string).collect();
    let mut params = params(names, ExtendedKeyUsagePurpose::ClientAuth);
    let uris = uris
        .iter()
        .map(|uri| SanType::URI((*uri).try_into().expect("ASCII")));
    params.subject_alt_names.extend(uris);
    params
}

/// Shakes hands over a stream, offering these protocols.
pub(crate) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mut client: ClientConfig,
    protocols: &[&str],
) -> io::Result<TlsStream<S>> {
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    client.alpn_protocols = protocols.collect();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
}

/// Connects and shakes hands.
pub(crate) async fn connect(
    address: SocketAddr,
    client: ClientConfig,
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    shake_hands(stream, client, protocols).await
}

/// A connection of HTTP/1.1 that can be used several times.
pub(crate) struct Line(http1::SendRequest<Full<Bytes>>);

impl Line {
    /// Speaks HTTP/1.1 over a stream.
    pub(crate) async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.expect("nothing is sent yet");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a delivery, and waits for the answer; an error when the connection ends instead.
    pub(crate) async fn send(&mut self, delivery: Delivery) -> hyper::Result<Answer> {
        let path = delivery.path.clone();
        let mut request = request(delivery, &path);
        let host = http::HeaderValue::from_static("hooks.example.com");
        request.headers_mut().insert(http::header::HOST, host);
        answer(self.0.send_request(request).await?).await
    }
}

/// Sends one delivery over HTTP/2.
pub(crate) async fn send_over_http2<S>(stream: S, delivery: Delivery) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let url = format!("https://hooks.example.com{}", delivery.path);
    answer(sender.send_request(request(delivery, &url)).await?).await
}

fn request(delivery: Delivery, target: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(delivery.body));
    *request.method_mut() = delivery.method;
    *request.uri_mut() = target.parse().expect("a target");
    *request.headers_mut() = delivery.headers;
    request
}

async fn answer(response: http::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    })
}
