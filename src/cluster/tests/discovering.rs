//! What clients learn about the server before they use it.

use http::Request;
use http_body_util::BodyExt as _;
use kube::{Discovery, client::Body};
use tower::ServiceExt as _;

use super::support::{client, define, embedded};

#[tokio::test]
async fn discovery_finds_built_in_and_defined_types() {
    let client = client();
    define(&client).await;
    for discovery in [
        Discovery::new(client.clone()).run().await,
        Discovery::new(client).run_aggregated().await,
    ] {
        let discovery = discovery.unwrap();
        for (group, kind) in [("", "Secret"), ("x.io", "Thing")] {
            let found = discovery.get(group).unwrap().recommended_kind(kind);
            assert_eq!(found.unwrap().0.kind, kind);
        }
    }
}

#[tokio::test]
async fn version_is_one_that_clients_know() {
    let version = client().apiserver_version().await.unwrap();
    assert!(version.minor.parse::<u32>().unwrap() >= 32);
}

async fn check(method: &str, path: &str, expected: u16) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let answer = embedded().oneshot(request).await.unwrap();
    assert_eq!(answer.status().as_u16(), expected, "{method} {path}");
}

#[tokio::test]
async fn paths_and_methods_are_answered() {
    check("GET", "/healthz", 200).await;
    check("GET", "/readyz", 200).await;
    check("GET", "/openapi/v3", 200).await;
    check("GET", "/openapi/v3/api/v1", 200).await;
    check("GET", "/openapi/v3/apis/none/v1", 404).await;
    check("GET", "/metrics", 404).await;
    check("POST", "/version", 405).await;
    check("POST", "/api/v1/secrets", 405).await;
    check("PUT", "/api/v1/namespaces/default/secrets", 405).await;
    check("GET", "/api/v1/secrets/x", 404).await;
    check("GET", "/api/v1/namespaces/default/secrets/x/status", 404).await;
    check("GET", "/api/v1/namespaces/default/namespaces/x", 404).await;
    check("GET", "/apis/none/v1/things", 404).await;
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    check("GET", reviews, 405).await;
    check("POST", &format!("{reviews}/x"), 405).await;
}

/// The text of a document.
async fn document(embedded: &crate::cluster::Embedded, path: &str, accept: &str) -> String {
    let request = Request::get(path).header("Accept", accept);
    let request = request.body(Body::empty()).unwrap();
    let answer = embedded.clone().oneshot(request).await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

#[tokio::test]
async fn documents_change_with_what_is_served() {
    let embedded = embedded();
    let json = "application/json";
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let documents = [
        ("/apis", json),
        ("/apis", aggregated),
        ("/openapi/v3", json),
    ];
    for (path, accept) in documents {
        let before = document(&embedded, path, accept).await;
        assert!(!before.contains("x.io"), "{path} {accept}");
        assert_eq!(document(&embedded, path, accept).await, before);
    }
    let v1 = "/openapi/v3/apis/x.io/v1";
    assert!(!document(&embedded, v1, json).await.contains("Thing"));
    define(&embedded.client()).await;
    for (path, accept) in documents {
        let text = document(&embedded, path, accept).await;
        assert!(text.contains("x.io"), "{path} {accept}");
    }
    assert!(document(&embedded, v1, json).await.contains("Thing"));
}
