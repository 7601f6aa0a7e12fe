//! The front door from the outside: real sockets, real TLS, and the client that everyone uses.
//!
//! The service behind it is a small one; what the real one answers is tested with it.

mod kubectl;

use std::{convert::Infallible, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::{ListenError, Listener, RequestBody};

struct Running {
    directory: TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    /// What is sent here comes out of `/stream`.
    lines: mpsc::UnboundedSender<Bytes>,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn start() -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = Listener::bind(loopback(), directory.path())
        .await
        .expect("binds");
    let (lines, from) = mpsc::unbounded_channel::<Bytes>();
    let from = std::sync::Arc::new(std::sync::Mutex::new(Some(from)));
    let service = service_fn(move |request: Request<RequestBody>| {
        let from = std::sync::Arc::clone(&from);
        async move {
            let body: UnsyncBoxBody<Bytes, Infallible> = if request.uri().path() == "/stream" {
                let from = from.lock().expect("a lock").take().expect("one stream");
                let frames = futures::stream::unfold(from, async |mut from| {
                    from.recv().await.map(|line| (Ok(Frame::data(line)), from))
                });
                StreamBody::new(frames).boxed_unsync()
            } else {
                let path = request.uri().path().to_owned();
                match request.into_body().collect().await {
                    Ok(body) => {
                        Full::from(format!("{path} {}", body.to_bytes().len())).boxed_unsync()
                    }
                    Err(_) => Full::from("too large").boxed_unsync(),
                }
            };
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    let (address, stop) = (listener.address(), CancellationToken::new());
    let served = tokio::spawn(listener.serve(service, stop.clone()));
    Running {
        directory,
        address,
        stop,
        served,
        lines,
    }
}

async fn client(directory: &Path, change: impl FnOnce(&mut Config)) -> Client {
    let kubeconfig = Kubeconfig::read_from(directory.join("kubeconfig")).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("is complete");
    change(&mut config);
    Client::try_from(config).expect("a client")
}

async fn send(client: &Client, request: Request<Body>) -> (StatusCode, String) {
    let response = client.send(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, String::from_utf8(body.to_vec()).expect("text"))
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn kubeconfig_opens_the_door() {
    let running = start().await;
    let client = client(running.directory.path(), |_| {}).await;
    assert_eq!(
        send(&client, get("/here")).await,
        (StatusCode::OK, "/here 0".to_owned())
    );
}

#[tokio::test]
async fn wrong_and_missing_tokens_are_refused() {
    let running = start().await;
    let tokens = [None, Some("wrong".to_owned()), Some("0".repeat(64))];
    for token in tokens {
        let client = client(running.directory.path(), |config| {
            config.auth_info.token = token.map(Into::into);
        })
        .await;
        let (code, body) = send(&client, get("/")).await;
        assert_eq!(code, StatusCode::UNAUTHORIZED);
        let status: serde_json::Value = serde_json::from_str(&body).expect("a Status");
        assert_eq!(status["reason"], "Unauthorized");
        assert_eq!(status["code"], 401);
    }
}

#[tokio::test]
async fn requests_that_name_other_hosts_are_refused() {
    let running = start().await;
    let port = running.address.port();
    let client = client(running.directory.path(), |_| {}).await;
    let cases = [
        (format!("127.0.0.1:{port}"), StatusCode::OK),
        (format!("LOCALHOST:{port}"), StatusCode::OK),
        (format!("[::1]:{port}"), StatusCode::OK),
        ("127.0.0.1".to_owned(), StatusCode::FORBIDDEN),
        (format!("127.0.0.1:{}", port ^ 1), StatusCode::FORBIDDEN),
        (format!("rebound.example.com:{port}"), StatusCode::FORBIDDEN),
        (format!("localhost:{port}:{port}"), StatusCode::FORBIDDEN),
        (String::new(), StatusCode::FORBIDDEN),
    ];
    for (host, expected) in cases {
        let mut request = get("/");
        let value = host.parse().expect("a header");
        request.headers_mut().insert(header::HOST, value);
        assert_eq!(send(&client, request).await.0, expected, "{host}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let running = start().await;
    let client = client(running.directory.path(), |_| {}).await;
    let post = |size: usize| {
        Request::post("/")
            .body(Body::from(vec![b' '; size]))
            .expect("a request")
    };
    assert_eq!(
        send(&client, post(3 << 20)).await,
        (StatusCode::OK, "/ 3145728".to_owned())
    );
    assert_eq!(
        send(&client, post((3 << 20) + 1)).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn streams_are_passed_on_at_once_and_end_with_the_server() {
    let running = start().await;
    let client = client(running.directory.path(), |_| {}).await;
    let response = client.send(get("/stream")).await.expect("an answer");
    let mut body = BodyStream::new(response.into_body());
    for line in ["one\n", "two\n"] {
        running.lines.send(Bytes::from(line)).expect("is read");
        let frame = body.next().await.expect("a frame").expect("is whole");
        assert_eq!(frame.into_data().expect("data"), line);
    }
    running.stop.cancel();
    assert!(body.next().await.is_none(), "ends without an error");
    running.served.await.expect("ends");
}

#[tokio::test]
async fn old_kubeconfig_is_good_after_a_restart_on_the_same_port() {
    let running = start().await;
    let client = client(running.directory.path(), |_| {}).await;
    let before =
        std::fs::read_to_string(running.directory.path().join("kubeconfig")).expect("a file");
    running.stop.cancel();
    running.served.await.expect("ends");
    let listener = Listener::bind(running.address, running.directory.path())
        .await
        .expect("binds");
    assert_eq!(listener.url(), format!("https://{}", running.address));
    let service = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new(Full::from("again")))
    });
    tokio::spawn(listener.serve(service, CancellationToken::new()));
    assert_eq!(
        send(&client, get("/")).await,
        (StatusCode::OK, "again".to_owned())
    );
    let after =
        std::fs::read_to_string(running.directory.path().join("kubeconfig")).expect("a file");
    assert_eq!(before, after);
}

#[tokio::test]
async fn secrets_are_readable_by_the_owner_only() {
    let running = start().await;
    let mode = |path: &str| {
        let path = running.directory.path().join(path);
        path.metadata().expect("is there").permissions().mode() & 0o777
    };
    assert_eq!(mode("pki"), 0o700);
    for file in ["pki/ca.key", "pki/ca.crt", "pki/token", "kubeconfig"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    let names: Vec<_> = std::fs::read_dir(running.directory.path())
        .expect("a directory")
        .collect();
    assert_eq!(names.len(), 2, "nothing is left over: {names:?}");
}

#[tokio::test]
async fn what_keeps_the_door_shut_is_said_in_one_sentence() {
    let running = start().await;
    let error = Listener::bind(running.address, running.directory.path())
        .await
        .expect_err("is in use");
    assert!(matches!(error, ListenError::InUse(_)));
    let expected = format!(
        "`{}` is in use by another process: stop it or choose another address",
        running.address
    );
    assert_eq!(error.to_string(), expected);

    let file = running.directory.path().join("kubeconfig");
    let error = Listener::bind(loopback(), &file)
        .await
        .expect_err("is no directory");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot use `{}/pki`: ", file.display())),
        "{error}"
    );

    let token = running.directory.path().join("pki/token");
    std::fs::write(&token, "short").expect("writes");
    let error = Listener::bind(loopback(), running.directory.path())
        .await
        .expect_err("is damaged");
    assert!(
        error
            .to_string()
            .starts_with(&format!("`{}` is damaged", token.display())),
        "{error}"
    );
}
