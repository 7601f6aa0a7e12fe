//! When an issuer is asked and when not, and what is told while it does not answer.

use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::time::{advance, pause, resume};

use super::*;
use crate::hook::{CertificateChecks, CrossNamespaceRefs, Hook, Policy};

#[path = "../../../tests/it/support/issuer.rs"]
mod issuer;
#[path = "../../../tests/it/support/signer.rs"]
#[expect(
    clippy::duplicate_mod,
    reason = "the tests of `hook` are nobody else's to name"
)]
mod signer;

use issuer::{DISCOVERY, Issuer as Real, KEYS};
use signer::Signer;

/// The keys of one real issuer, as a gateway keeps them.
struct Keeper {
    real: Real,
    hook: Hook,
    issuers: Arc<Issuers>,
}

impl Keeper {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let real = Real::start().await;
        let root = CertificateDer::from_pem_slice(real.authority().as_bytes()).unwrap();
        let mut settings = IssuerSettings {
            plain_issuers: PlainIssuers::Denied,
            extra_roots: vec![root],
            google_certs_url: String::new(),
            google_proxy_certs_url: String::new(),
        };
        change(&mut settings);
        let issuers = Issuers::new(settings, HookTable::default(), Metrics::new());
        Self {
            hook: hook(real.url()),
            issuers: Arc::new(issuers),
            real,
        }
    }

    fn request(&self, signer: &Signer) -> KeyRequest {
        let claims = json!({
            "iss": self.real.url(),
            "aud": "notification-controller",
            "exp": 4_000_000_000_u64,
        });
        let value = format!("Bearer {}", signer.token(&claims));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let request = self.hook.key_request(&headers, Timestamp::UNIX_EPOCH);
        request.expect("nothing but the signature is open")
    }

    /// Whether there are keys for a token that this signer made, and how long to wait if not.
    async fn keys(&self, signer: &Signer) -> Result<usize, Duration> {
        let keys = self.issuers.keys(&self.request(signer)).await;
        let count = keys.map(|keys| keys.count());
        count.map_err(|unavailable| unavailable.retry_after)
    }

    fn requests(&self) -> (usize, usize) {
        (self.real.requests(DISCOVERY), self.real.requests(KEYS))
    }
}

fn hook(issuer: &str) -> Hook {
    let receiver = json!({
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": { "name": "hook", "namespace": "team" },
        "spec": {
            "type": "generic-oidc",
            "oidcProviders": [{
                "issuerURL": issuer,
                "validations": [{ "expression": "true", "message": "never" }],
            }],
            "resources": [],
        },
    });
    let policy = Policy {
        cross_namespace_refs: CrossNamespaceRefs::Denied,
        plain_issuers: PlainIssuers::Allowed,
        certificate_checks: CertificateChecks::Possible,
    };
    Hook::compile(&serde_json::from_value(receiver).unwrap(), policy).unwrap()
}

/// Lets time pass, and nothing else.
async fn pass(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    for _ in 0..10 {
        assert_eq!(keeper.keys(&signer).await, Ok(1));
    }
    pass(30 * MINUTE).await;
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    assert_eq!(keeper.requests(), (1, 1));
    pass(31 * MINUTE).await;
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    assert_eq!(keeper.requests(), (2, 2), "after an hour they are stale");
}

#[tokio::test]
async fn whoever_comes_meanwhile_waits_for_the_same_fetch() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    keeper.real.hold();
    let keys = (0..20).map(|_| keeper.keys(&signer));
    let keys = futures::future::join_all(keys);
    let release = async {
        while keeper.real.requests(DISCOVERY) == 0 {
            tokio::task::yield_now().await;
        }
        keeper.real.release();
    };
    let (keys, ()) = tokio::join!(keys, release);
    assert_eq!(keys, vec![Ok(1); 20]);
    assert_eq!(keeper.requests(), (1, 1));
}

#[tokio::test]
async fn a_fetch_goes_on_when_who_asked_for_it_is_gone() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    keeper.real.hold();
    let asking = tokio::spawn({
        let (issuers, request) = (Arc::clone(&keeper.issuers), keeper.request(&signer));
        async move { issuers.keys(&request).await }
    });
    while keeper.real.requests(DISCOVERY) == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    keeper.real.release();
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    assert_eq!(keeper.requests(), (1, 1));
}

#[tokio::test]
async fn an_unknown_key_makes_one_fetch_in_each_interval() {
    let keeper = Keeper::new().await;
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    keeper.real.publish(&[&old]);
    for _ in 0..10 {
        assert_eq!(
            keeper.keys(&new).await,
            Ok(1),
            "they are told what there is"
        );
    }
    assert_eq!(keeper.requests(), (1, 1));
    pass(kept::INTERVAL).await;
    for _ in 0..10 {
        assert_eq!(keeper.keys(&new).await, Ok(1));
    }
    assert_eq!(keeper.requests(), (1, 2), "where the keys are is known");
    keeper.real.publish(&[&old, &new]);
    pass(kept::INTERVAL).await;
    assert_eq!(keeper.keys(&new).await, Ok(2));
    assert_eq!(keeper.requests(), (1, 3));
}

#[tokio::test]
async fn an_outage_fails_nobody_whose_keys_are_known_and_costs_one_request_in_each_interval() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    keeper.real.fail();
    pass(61 * MINUTE).await;
    for outage in 1..=5 {
        for _ in 0..10 {
            assert_eq!(keeper.keys(&signer).await, Ok(1));
        }
        while keeper.real.requests(DISCOVERY) <= outage {
            tokio::task::yield_now().await;
        }
        assert_eq!(keeper.requests(), (1 + outage, 1));
        while keeper.issuers.is_fetching() {
            tokio::task::yield_now().await;
        }
        pass(kept::INTERVAL).await;
    }
    keeper.real.publish(&[&signer]);
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    while keeper.real.requests(KEYS) < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_keys_the_sender_is_told_when_to_come_back() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    for _ in 0..10 {
        let wait = keeper.keys(&signer).await.unwrap_err();
        assert!(wait <= kept::INTERVAL && !wait.is_zero(), "{wait:?}");
    }
    assert_eq!(keeper.requests(), (1, 0));
    keeper.real.publish(&[&signer]);
    pass(kept::INTERVAL).await;
    assert_eq!(keeper.keys(&signer).await, Ok(1));
}

#[tokio::test]
async fn an_issuer_that_takes_too_long_is_not_waited_for() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    keeper.real.hold();
    let patience = async {
        while keeper.real.requests(DISCOVERY) == 0 {
            tokio::task::yield_now().await;
        }
        pass(Duration::from_secs(3)).await;
    };
    let (keys, ()) = tokio::join!(keeper.keys(&signer), patience);
    assert!(keys.is_err());
}

#[tokio::test]
async fn a_new_key_cannot_be_judged_while_the_issuer_is_away() {
    let keeper = Keeper::new().await;
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    keeper.real.publish(&[&old]);
    assert_eq!(keeper.keys(&old).await, Ok(1));
    keeper.real.fail();
    pass(kept::INTERVAL).await;
    for _ in 0..10 {
        assert!(keeper.keys(&new).await.is_err());
        assert_eq!(keeper.keys(&old).await, Ok(1));
    }
    assert_eq!(keeper.requests(), (1, 2));
}

#[tokio::test]
async fn keys_that_nobody_renewed_for_a_week_are_not_used() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    keeper.real.fail();
    pass(Duration::from_hours(7 * 24 - 1)).await;
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    pass(Duration::from_hours(1)).await;
    assert!(keeper.keys(&signer).await.is_err());
}

#[tokio::test]
async fn keys_live_as_long_as_the_issuer_says() {
    let (keeper, signer) = (Keeper::new().await, Signer::new("ES256", "1"));
    keeper.real.publish(&[&signer]);
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let headers = [("cache-control", "max-age=600")];
    keeper.real.answer(KEYS, StatusCode::OK, &headers, &keys);
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    pass(11 * MINUTE).await;
    assert_eq!(keeper.keys(&signer).await, Ok(1));
    assert_eq!(keeper.requests(), (1, 2));
}

#[tokio::test]
async fn what_is_no_key_set_of_the_issuer_is_not_used() {
    let signer = Signer::new("ES256", "1");
    let discovery =
        |issuer: &str, keys: &str| json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
    let large = format!("{{\"keys\":[],\"more\":\"{}\"}}", "x".repeat(256 * 1024));
    let keeper = Keeper::new().await;
    let url = keeper.real.url().to_owned();
    let elsewhere = format!("{url}/elsewhere");
    let keys = format!("{url}{KEYS}");
    let plain = keys.replace("https:", "http:");
    for (path, status, body) in [
        (DISCOVERY, 404, String::new()),
        (DISCOVERY, 204, String::new()),
        (DISCOVERY, 301, String::new()),
        (DISCOVERY, 200, String::new()),
        (DISCOVERY, 200, discovery(&format!("{url}/"), &keys)),
        (DISCOVERY, 200, discovery(&url, &plain)),
        (DISCOVERY, 200, discovery(&url, "file:///etc/passwd")),
        (DISCOVERY, 200, discovery(&url, "/keys")),
        (KEYS, 302, String::new()),
        (KEYS, 503, String::new()),
        (KEYS, 200, "{}".to_owned()),
        (KEYS, 200, large),
    ] {
        keeper.real.publish(&[&signer]);
        let redirect = [("location", elsewhere.as_str())];
        let code = StatusCode::from_u16(status).unwrap();
        keeper.real.answer(path, code, &redirect, &body);
        assert!(
            keeper.keys(&signer).await.is_err(),
            "{path} {status} {body:.60}"
        );
        pass(25 * 60 * MINUTE).await;
    }
    assert_eq!(
        keeper.real.requests("/elsewhere"),
        0,
        "redirects are not followed"
    );
    keeper.real.publish(&[&signer]);
    assert_eq!(keeper.keys(&signer).await, Ok(1));
}

#[tokio::test]
async fn an_issuer_with_a_certificate_that_nobody_trusts_gives_no_keys() {
    let signer = Signer::new("ES256", "1");
    let other = Real::start().await;
    let keeper = Keeper::with(|settings| {
        let root = CertificateDer::from_pem_slice(other.authority().as_bytes());
        settings.extra_roots = vec![root.unwrap()];
    })
    .await;
    keeper.real.publish(&[&signer]);
    assert!(keeper.keys(&signer).await.is_err());
    assert_eq!(keeper.requests(), (0, 0));
}

#[tokio::test]
async fn a_plain_issuer_is_asked_only_where_that_is_allowed() {
    let hook = hook("http://127.0.0.1:9");
    let real = Real::start().await;
    let root = CertificateDer::from_pem_slice(real.authority().as_bytes()).unwrap();
    for (plain_issuers, said) in [
        (PlainIssuers::Denied, "--oidc-allow-http"),
        (PlainIssuers::Allowed, "GET http://127.0.0.1:9/"),
    ] {
        let fetcher = Fetcher::new(IssuerSettings {
            plain_issuers,
            extra_roots: vec![root.clone()],
            google_certs_url: String::new(),
            google_proxy_certs_url: String::new(),
        });
        let source = KeySource::Discovered(Arc::clone(hook.issuers().next().unwrap()));
        let mut harvest = Harvest::default();
        let error = fetcher.fetch(&source, None, &mut harvest).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn issuers_that_no_receiver_names_any_more_are_forgotten() {
    let keeper = Keeper::new().await;
    let known = |issuers: &Issuers| issuers.asked.lock().unwrap().len();
    for name in ["one", "two", "three"] {
        keeper.issuers.issuer(&KeySource::Discovered(name.into()));
        assert_eq!(known(&keeper.issuers), 1, "{name}");
    }
    keeper.issuers.issuer(&KeySource::Google);
    keeper.issuers.issuer(&KeySource::Discovered("four".into()));
    assert_eq!(known(&keeper.issuers), 2);
}

impl Issuers {
    fn is_fetching(&self) -> bool {
        let asked = self.asked.lock().unwrap();
        asked
            .values()
            .any(|issuer| issuer.state().under_way().is_some())
    }
}
