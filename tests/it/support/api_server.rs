//! A real Kubernetes API server for the tests, when `KUBEBUILDER_ASSETS` names a folder that holds one.
//!
//! It is started once per test process and ends with it, however the process ends.

use std::{
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use hookgate::{api::crds, cli::install};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{sync::OnceCell, time::timeout};

use super::say;

/// How long the API server may take to answer; a busy machine needs most of it.
const START_DEADLINE: Duration = Duration::from_mins(2);

/// The name of the kubeconfig in the server's folder.
const KUBECONFIG: &str = "kubeconfig";

/// Starts etcd and the API server, waits until its own standard input ends, and takes them down again.
///
/// The other end of that input belongs to the test process, and the system closes it even when that is killed.
const WATCHDOG: &str = r#"
"$ASSETS/etcd" --name e --data-dir "$DIR/etcd" --unsafe-no-fsync \
  --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
  --listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER" \
  --initial-cluster "e=http://127.0.0.1:$PEER" >"$DIR/etcd.log" 2>&1 </dev/null &
etcd=$!
"$ASSETS/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD" --bind-address=127.0.0.1 \
  --advertise-address=127.0.0.1 --secure-port="$API" --insecure-port=0 --cert-dir="$DIR/certs" \
  --endpoint-reconciler-type=none --service-account-issuer=https://kubernetes.default.svc \
  --service-account-signing-key-file="$DIR/sa.key" --service-account-key-file="$DIR/sa.pub" \
  --disable-admission-plugins=ServiceAccount --service-cluster-ip-range=10.0.0.0/24 \
  --authorization-mode=RBAC --anonymous-auth=false --token-auth-file="$DIR/tokens.csv" \
  --profiling=false >"$DIR/apiserver.log" 2>&1 </dev/null &
apiserver=$!
trap '' INT TERM HUP
cat >/dev/null
kill -9 "$apiserver" "$etcd"
wait
rm -rf "$DIR"
"#;

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
/// Whether the API server came up; tried once, so that every test after a failure fails at once.
static READY: OnceCell<bool> = OnceCell::const_new();

struct Server {
    folder: PathBuf,
    url: String,
    token: String,
    /// Holds the pipe whose end tells the watchdog to take everything down.
    _watchdog: Child,
}

/// A client for the API server with the definitions installed, or nothing when there is no API server to start.
pub(crate) async fn client() -> Option<Client> {
    let server = SERVER.get_or_init(start).as_ref()?;
    let is_ready = READY.get_or_init(async || {
        let started = async {
            let client = server.answering().await;
            let installed = install::crds(&client).await.is_ok();
            if installed {
                all_listed(&client).await;
            }
            installed
        };
        timeout(START_DEADLINE, started).await == Ok(true)
    });
    assert!(
        *is_ready.await,
        "the API server does not serve; see its logs in {}",
        server.folder.display()
    );
    Some(
        server
            .client()
            .await
            .expect("the certificate is there by now"),
    )
}

/// The kubeconfig of the API server, once it has answered.
pub(crate) fn kubeconfig() -> Option<PathBuf> {
    let server = SERVER.get()?.as_ref()?;
    Some(server.folder.join(KUBECONFIG))
}

#[expect(
    clippy::disallowed_methods,
    reason = "where to find an API server is told to the tests, not to hookgate"
)]
fn start() -> Option<Server> {
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") else {
        say("KUBEBUILDER_ASSETS is not set: nothing is tested on a real API server");
        return None;
    };
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let token = uuid::Uuid::new_v4().to_string();
    write(
        &folder,
        "tokens.csv",
        &format!("{token},admin,admin,\"system:masters\"\n"),
    );
    let key = rcgen::KeyPair::generate().expect("a key");
    write(&folder, "sa.key", &key.serialize_pem());
    write(&folder, "sa.pub", &key.public_key_pem());
    let api = free_port();
    let watchdog = Command::new("sh")
        .args(["-c", WATCHDOG])
        .env("ASSETS", assets)
        .env("DIR", &folder)
        .env("ETCD", free_port().to_string())
        .env("PEER", free_port().to_string())
        .env("API", api.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts");
    Some(Server {
        url: format!("https://127.0.0.1:{api}"),
        folder,
        token,
        _watchdog: watchdog,
    })
}

impl Server {
    /// A client, once the API server has written its certificate and says that it is ready.
    async fn answering(&self) -> Client {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            let Some(client) = self.client().await else {
                continue;
            };
            let ready = http::Request::get("/readyz")
                .body(Vec::new())
                .expect("a request");
            if client.request_text(ready).await.is_ok() {
                return client;
            }
        }
    }

    async fn client(&self) -> Option<Client> {
        let certificate = self.folder.join("certs/apiserver.crt");
        if !certificate.exists() {
            return None;
        }
        let kubeconfig = format!(
            "clusters: [{{name: test, cluster: {{server: '{}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: admin, user: {{token: '{}'}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]\n\
             current-context: test\n",
            self.url,
            certificate.display(),
            self.token
        );
        let path = self.folder.join(KUBECONFIG);
        if !path.exists() {
            write(&self.folder, KUBECONFIG, &kubeconfig);
        }
        let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).expect("a kubeconfig");
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        // A certificate that is still being written is not a certificate yet.
        Client::try_from(config.ok()?).ok()
    }
}

/// Waits until every defined kind can be listed: a new definition is served before its storage is ready.
async fn all_listed(client: &Client) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    for definition in crds::all() {
        let names = definition.spec.names;
        let path = format!("/apis/{}/v1/{}", definition.spec.group, names.plural);
        let list = || {
            http::Request::get(&path)
                .body(Vec::new())
                .expect("a request")
        };
        while client.request_text(list()).await.is_err() {
            ticks.tick().await;
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    let mut file = std::fs::File::create(&path).expect("a file");
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
        .expect("a mode");
    file.write_all(text.as_bytes()).expect("a file is written");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
