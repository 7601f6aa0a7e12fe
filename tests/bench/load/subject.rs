//! What is loaded: hookgate, started here between senders and an API server, or a gateway that runs already.
//!
//! It knows where deliveries go and whose CPU time they cost; how many there are is not decided here.

use std::{
    collections::BTreeMap, ffi::OsString, fs::File, net::SocketAddr, path::Path, process::Stdio,
};

use anyhow::{Context as _, bail, ensure};
use hookgate::hook::Token;
use http::{HeaderValue, Uri};
use jiff::Timestamp;
use kube::Client;
use tempfile::TempDir;
use tokio::net::lookup_host;

use crate::{
    arguments::{Arguments, Journal, Role},
    bare::Bare,
    support::{
        api::Api,
        gateway::Gateway,
        objects::{self, Layout, TOKEN},
    },
};

/// A path of as many characters as that of a hook, which no Receiver has.
const UNKNOWN: &str = "/hook/0000000000000000000000000000000000000000000000000000000000000000";

/// One gateway under load.
pub(crate) struct Subject {
    /// What it is called in the figures.
    pub(crate) name: String,
    /// Where deliveries go.
    pub(crate) address: SocketAddr,
    /// The same as senders write it.
    pub(crate) host: HeaderValue,
    /// The path of each Receiver.
    pub(crate) paths: Vec<Uri>,
    /// A path that none has.
    pub(crate) unknown: Uri,
    /// The token of all of them.
    pub(crate) token: Token,
    /// The process, when it is known.
    pub(crate) process: Option<String>,
}

/// All that is started around hookgate.
pub(crate) struct Stage {
    /// The API server, with its faults.
    pub(crate) api: Api,
    /// Its Receivers and objects.
    pub(crate) layout: Layout,
    client: Client,
    _gateway: Gateway,
    _journal: TempDir,
}

impl Subject {
    /// Starts hookgate and what it needs.
    pub(crate) async fn own(arguments: &Arguments) -> anyhow::Result<(Self, Stage)> {
        let own = &arguments.own;
        let layout = own.layout();
        let mut api = Api::start(own.cluster.as_deref()).await?;
        let client = api.client()?;
        layout.create(&client).await?;
        api.fail(arguments.faults.steady()).await?;
        let log = match &own.log {
            Some(path) => File::create(path)?.into(),
            None => Stdio::null(),
        };
        let journal = match &own.journal_on {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let given = gateway_arguments(arguments, journal.path());
        let mut gateway = Gateway::start(api.kubeconfig(), &given, log)?;
        gateway.ready().await?;
        let subject = Self {
            name: match own.journal {
                Journal::On => "hookgate",
                Journal::Off => "hookgate without journal",
            }
            .to_owned(),
            address: gateway.address,
            host: HeaderValue::from_str(&gateway.address.to_string())?,
            paths: paths(layout)?,
            unknown: Uri::from_static(UNKNOWN),
            token: Token::new(TOKEN.into())?,
            process: Some(gateway.id()?),
        };
        let stage = Stage {
            api,
            layout,
            client,
            _gateway: gateway,
            _journal: journal,
        };
        Ok((subject, stage))
    }

    /// The bare server, with the paths that hookgate would have.
    pub(crate) fn bare(bare: &Bare, arguments: &Arguments) -> anyhow::Result<Self> {
        Ok(Self {
            name: "a bare server".to_owned(),
            address: bare.address,
            host: HeaderValue::from_str(&bare.address.to_string())?,
            paths: paths(arguments.own.layout())?,
            unknown: Uri::from_static(UNKNOWN),
            token: Token::new(TOKEN.into())?,
            process: Some(bare.id.clone()),
        })
    }

    /// A gateway that runs already, by its place among the URLs.
    pub(crate) async fn other(arguments: &Arguments, place: usize) -> anyhow::Result<Self> {
        let other = &arguments.other;
        let url = &other.url[place];
        let secret = other.secret.get(place);
        let secret = secret.with_context(|| format!("`{url}` has no `--secret`"))?;
        let scheme = url.scheme_str().unwrap_or_default();
        ensure!(scheme == "http", "`{url}`: only `http` is spoken here");
        let authority = url.authority().context("a URL without a host")?;
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(80));
        let Some(address) = lookup_host((host, port)).await?.next() else {
            bail!("`{host}` has no address");
        };
        let path = url.path_and_query().context("a URL without a path")?;
        let mut unknown = path.as_str().to_owned();
        let last = unknown.pop();
        unknown.push(if last == Some('0') { '1' } else { '0' });
        Ok(Self {
            name: authority.to_string(),
            address,
            host: HeaderValue::from_str(authority.as_str())?,
            paths: vec![Uri::from(path.clone())],
            unknown: unknown.parse()?,
            token: Token::new(secret.clone().into_bytes())?,
            process: other.pid.get(place).map(ToString::to_string),
        })
    }
}

impl Stage {
    /// When each object was triggered last.
    pub(crate) async fn annotated(&self) -> anyhow::Result<BTreeMap<usize, Timestamp>> {
        objects::annotated(&self.client).await
    }
}

fn paths(layout: Layout) -> anyhow::Result<Vec<Uri>> {
    (0..layout.receivers).map(objects::path).collect()
}

fn gateway_arguments(arguments: &Arguments, journal: &Path) -> Vec<OsString> {
    let role = match arguments.own.role {
        Role::All => "all",
        Role::Gateway => "gateway",
    };
    let mut given = vec![
        format!("--role={role}"),
        "--enable-leader-election=false".to_owned(),
        match arguments.own.journal {
            Journal::On => "--journal=on".to_owned(),
            Journal::Off => "--journal=off".to_owned(),
        },
        format!("--journal-dir={}", journal.display()),
    ];
    if let Some(budget) = arguments.limits.budget() {
        given.push(format!("--kube-api-qps={}", budget.qps));
        given.push(format!("--kube-api-burst={}", budget.burst));
    }
    given.extend(arguments.own.gateway_arg.iter().cloned());
    given.into_iter().map(OsString::from).collect()
}
