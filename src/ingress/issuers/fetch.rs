//! Fetches the documents of an issuer: one or two small GETs, within fixed limits and without following redirects.
//!
//! When to fetch, and what becomes of the result, is decided elsewhere.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, Request, StatusCode, Uri,
    header::{ACCEPT, AGE, CACHE_CONTROL, USER_AGENT},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;

use super::{
    IssuerSettings,
    kept::{Fresh, Harvest},
};
use crate::hook::{Discovery, InvalidDocument, IssuerKeys, KeySet, KeySource, PlainIssuers};

/// How long connecting may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// How long one document may take, from connecting to its last byte.
const DOCUMENT_DEADLINE: Duration = Duration::from_millis(2500);
/// The largest document that is read, in bytes: the keys of large issuers have certificates with them.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// For how long a document is fresh if its issuer does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);
/// The shortest and the longest time that an issuer can ask for.
const LIFETIMES: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(24));

/// Why a document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    #[error("`{0}` is not https, and hookgate runs without --oidc-allow-http")]
    Plain(String),
    #[error("there is no way to check certificates: {0}")]
    NoRoots(Arc<rustls::Error>),
    #[error("GET {url}: {}", causes(error.as_ref()))]
    Failed {
        url: Uri,
        error: Box<dyn Error + Send + Sync>,
    },
    #[error("GET {url}: no complete answer within {DOCUMENT_DEADLINE:?}")]
    TooSlow { url: Uri },
    #[error("GET {url}: {status}, and redirects are not followed")]
    Redirected { url: Uri, status: StatusCode },
    #[error("GET {url}: {status}")]
    Refused { url: Uri, status: StatusCode },
    #[error("the document at {url} cannot be used: {problem}")]
    Invalid { url: Uri, problem: InvalidDocument },
}

/// Fetches documents for all issuers.
pub(super) struct Fetcher {
    client: Result<HttpsClient, Arc<rustls::Error>>,
    settings: IssuerSettings,
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

struct Document {
    url: Uri,
    body: Bytes,
    lifetime: Duration,
}

impl Fetcher {
    pub(super) fn new(settings: IssuerSettings) -> Self {
        Self {
            client: client(&settings).map_err(Arc::new),
            settings,
        }
    }

    /// Fetches the keys, and first the discovery document if `known` is none; notes in `harvest` what succeeded.
    pub(super) async fn fetch(
        &self,
        source: &KeySource,
        known: Option<Discovery>,
        harvest: &mut Harvest,
    ) -> Result<(), FetchError> {
        let issuer = match source {
            KeySource::Discovered(issuer) => issuer,
            KeySource::Google | KeySource::GoogleProxy => {
                return self.fetch_google(source, harvest).await;
            }
        };
        let discovery = if let Some(known) = known {
            known
        } else {
            let document = self.document(&Discovery::url(issuer)).await?;
            let fresh = document.parse(|body| Discovery::parse(body, issuer))?;
            harvest.discovery.insert(fresh).document.clone()
        };
        let document = self.document(discovery.jwks_uri()).await?;
        harvest.keys = Some(document.parse(|body| Ok(discovery.with_keys(KeySet::parse(body)?)))?);
        Ok(())
    }

    async fn fetch_google(
        &self,
        source: &KeySource,
        harvest: &mut Harvest,
    ) -> Result<(), FetchError> {
        let url = match source {
            KeySource::GoogleProxy => &self.settings.google_proxy_certs_url,
            KeySource::Google | KeySource::Discovered(_) => &self.settings.google_certs_url,
        };
        let document = self.document(url).await?;
        let keys = |body: &[u8]| Ok(IssuerKeys::of_google(source, KeySet::parse(body)?));
        harvest.keys = Some(document.parse(keys)?);
        Ok(())
    }

    async fn document(&self, url: &str) -> Result<Document, FetchError> {
        let url: Uri = url
            .parse()
            .map_err(|_| FetchError::NotAUrl(url.to_owned()))?;
        let is_allowed = match url.scheme_str() {
            Some("https") => true,
            Some("http") => self.settings.plain_issuers == PlainIssuers::Allowed,
            _ => return Err(FetchError::NotAUrl(url.to_string())),
        };
        if !is_allowed {
            return Err(FetchError::Plain(url.to_string()));
        }
        match tokio::time::timeout(DOCUMENT_DEADLINE, self.exchange(url.clone())).await {
            Ok(document) => document,
            Err(_) => Err(FetchError::TooSlow { url }),
        }
    }

    async fn exchange(&self, url: Uri) -> Result<Document, FetchError> {
        let failed = |error| FetchError::Failed {
            url: url.clone(),
            error,
        };
        let client = self.client.as_ref();
        let client = client.map_err(|error| FetchError::NoRoots(Arc::clone(error)))?;
        let request = Request::get(url.clone())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("hookgate/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| failed(error.into()))?;
        let answer = client.request(request).await;
        let (head, body) = answer.map_err(|error| failed(error.into()))?.into_parts();
        let status = head.status;
        if status.is_redirection() {
            return Err(FetchError::Redirected { url, status });
        }
        if status != StatusCode::OK {
            return Err(FetchError::Refused { url, status });
        }
        let body = Limited::new(body, MAX_DOCUMENT_BYTES).collect().await;
        Ok(Document {
            body: body.map_err(failed)?.to_bytes(),
            lifetime: lifetime(&head.headers),
            url,
        })
    }
}

impl Document {
    fn parse<T>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, InvalidDocument>,
    ) -> Result<Fresh<T>, FetchError> {
        let Self { url, lifetime, .. } = self;
        let document = read(&self.body).map_err(|problem| FetchError::Invalid { url, problem })?;
        Ok(Fresh { document, lifetime })
    }
}

/// A client that trusts what the system trusts, and the roots it is given.
fn client(settings: &IssuerSettings) -> Result<HttpsClient, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = settings.extra_roots.iter().cloned();
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_DEADLINE));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let mut client = Client::builder(TokioExecutor::new());
    Ok(client.pool_max_idle_per_host(0).build(connector))
}

/// For how long a document is fresh, as its issuer says and within bounds.
fn lifetime(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (shortest, longest) = LIFETIMES;
    let mut lifetime = DEFAULT_LIFETIME;
    for directive in text(CACHE_CONTROL).unwrap_or_default().split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return shortest;
        }
        let seconds = directive.strip_prefix("max-age=");
        if let Some(seconds) = seconds.and_then(|seconds| seconds.parse().ok()) {
            lifetime = Duration::from_secs(seconds);
        }
    }
    let age = text(AGE).and_then(|age| age.parse().ok());
    lifetime
        .saturating_sub(Duration::from_secs(age.unwrap_or_default()))
        .clamp(shortest, longest)
}

/// An error with what caused it, in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_issuer_says_for_how_long_a_document_is_fresh_within_bounds() {
        for (headers, seconds) in [
            (&[][..], 3600),
            (
                &[("cache-control", "public, max-age=7200, must-revalidate")],
                7200,
            ),
            (&[("cache-control", "Max-Age=7200")], 7200),
            (&[("cache-control", "max-age=7200"), ("age", "7000")], 300),
            (&[("cache-control", "max-age=7200"), ("age", "1000")], 6200),
            (&[("cache-control", "max-age=7200"), ("age", "99999")], 300),
            (&[("cache-control", "max-age=0")], 300),
            (&[("cache-control", "max-age=31536000")], 86400),
            (&[("cache-control", "max-age=99999999999999999999")], 3600),
            (&[("cache-control", "no-store, max-age=7200")], 300),
            (&[("cache-control", "no-cache")], 300),
            (&[("cache-control", "s-maxage=5, max-age=x")], 3600),
        ] {
            let headers = headers.iter().map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let headers: HeaderMap = headers.collect();
            assert_eq!(lifetime(&headers).as_secs(), seconds, "{headers:?}");
        }
    }
}
