//! TLS at the exposed listener: what is spoken, what is refused, and certificates that change under open connections.
//!
//! The listener is the real one over loopback, with files as Kubernetes mounts them.

mod files;
mod handshakes;

use std::{net::SocketAddr, os::unix::fs::symlink, path::Path, time::Duration};

use axum::{Router, routing::get};
use hookgate::{
    ingress::{Listener, Tls, TlsFiles},
    telemetry::Metrics,
};
use http::{Method, Version};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{
    objects::DEADLINE,
    tls::{Authority, Certificate, Line, connect},
    wire::Delivery,
};

const ROOM: usize = 4;

/// A listener over TLS, and what it was made of.
struct Door {
    authority: Authority,
    folder: TempDir,
    address: SocketAddr,
    metrics: Metrics,
}

impl Door {
    async fn open() -> Self {
        Self::open_for(DEADLINE).await
    }

    /// Opens a door at which a connection may take so long to begin.
    async fn open_for(entrance_deadline: Duration) -> Self {
        let (authority, metrics) = (Authority::new("servers"), Metrics::new());
        let folder = tempfile::tempdir().expect("a temporary folder");
        mount(
            folder.path(),
            "1",
            &authority.server("one.example.com"),
            None,
        );
        let files = TlsFiles {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
            client_authorities: None,
        };
        let tls = Tls::load(files, Duration::from_millis(5), metrics.clone());
        let tls = tls.expect("files that can be used");
        tokio::spawn(tls.clone().follow_files());
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await;
        let listener = listener
            .expect("a free port")
            .with_max_connections(ROOM)
            .with_entrance_deadline(entrance_deadline)
            .counted_by(metrics.clone())
            .with_tls(tls);
        let address = listener.address();
        let router = Router::new().route(
            "/",
            get(|version: Version| async move { format!("{version:?}") }),
        );
        tokio::spawn(listener.serve(router, CancellationToken::new()));
        Self {
            authority,
            folder,
            address,
            metrics,
        }
    }

    async fn line(&self) -> (Line, Vec<u8>) {
        let stream = connect(self.address, self.authority.trusting(None), &["http/1.1"]).await;
        let stream = stream.expect("a handshake");
        let certificates = stream
            .get_ref()
            .1
            .peer_certificates()
            .expect("a server has one");
        let shown = certificates[0].to_vec();
        (Line::over(stream).await, shown)
    }

    /// Waits until a line is in the metrics.
    async fn counts(&self, line: &str) {
        let counted = async {
            while !self.metrics.encode().contains(line) {
                tokio::task::yield_now().await;
            }
        };
        let counted = timeout(DEADLINE, counted).await;
        assert!(counted.is_ok(), "no {line} in {}", self.metrics.encode());
    }
}

/// Puts a pair of files where Kubernetes would: in a folder of a version, to which a link leads that is replaced.
fn mount(folder: &Path, version: &str, certificate: &Certificate, key: Option<&Certificate>) {
    let version = folder.join(version);
    let (data, next) = (folder.join("..data"), folder.join("..next"));
    std::fs::create_dir(&version).expect("a new folder");
    std::fs::write(version.join("tls.crt"), &certificate.pem).expect("a file");
    let key = key.unwrap_or(certificate).key_pem();
    std::fs::write(version.join("tls.key"), key).expect("a file");
    symlink(&version, &next).expect("a link");
    std::fs::rename(&next, &data).expect("it replaces the one before");
    for name in ["tls.crt", "tls.key"] {
        if !folder.join(name).exists() {
            symlink(Path::new("..data").join(name), folder.join(name)).expect("a link");
        }
    }
}

fn question() -> Delivery {
    let mut question = Delivery::post("/", "");
    question.method = Method::GET;
    question
}

/// Everything that still comes, until the connection ends; an error where it does not in time.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let end = timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
    // Whoever is cut off with unread bytes gets a reset.
    let _ = end.expect("it ends in time");
    rest
}
