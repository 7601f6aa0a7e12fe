//! An API server with faults, Receivers, and gateways with journals; senders, and the ledger of what was accepted.
//!
//! What is done with them, and what counts as a finding, is for the parts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use hookgate::hook::Token;
use http::{HeaderValue, Uri};
use jiff::Timestamp;
use kube::Client;
use tempfile::TempDir;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{
    api::Api,
    connection::Connection,
    gateway::Gateway,
    ledger::{Ledger, Lost},
    objects::{self, Layout, TOKEN},
    payload::{Payload, Template},
    random::Random,
    tally::Budget,
};

/// The size of a delivery, in bytes.
const BYTES: usize = 8000;
/// How many send at a time.
const SENDERS: u64 = 8;
/// How long a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether everything accepted is done.
const TICK: Duration = Duration::from_millis(50);
/// How long a sender leaves a gateway alone that does not answer.
const PAUSE: Duration = Duration::from_millis(2);

/// Nothing is patched any more when nothing was for so long: a target is patched at most once a second.
const QUIET: Duration = Duration::from_secs(3);
/// Patches are counted but not judged.
const BUDGET: Budget = Budget { qps: 1.0, burst: 1 };

/// The number of the Receiver, and of its object, that nobody sends to: only a sweep triggers it.
pub(crate) const UNTOUCHED: usize = 0;

/// How often each status was answered; none stands for no answer.
pub(crate) type Statuses = BTreeMap<Option<u16>, u64>;

/// All that stays when gateways come and go.
pub(crate) struct Scene {
    /// The API server.
    pub(crate) api: Api,
    /// The choices that are made.
    pub(crate) random: Random,
    layout: Layout,
    client: Client,
    paths: Vec<Uri>,
    payload: Payload,
    ledger: Ledger,
    folder: TempDir,
}

impl Scene {
    /// Starts an API server without any Receiver; there will be so many, each with an object of its own.
    pub(crate) async fn open(receivers: usize, random: Random) -> anyhow::Result<Self> {
        let api = Api::start(None).await?;
        let template = Template::read().await?;
        let token = Token::new(TOKEN.into())?;
        let paths = (0..receivers).map(objects::path);
        Ok(Self {
            client: api.client()?,
            api,
            random,
            layout: Layout {
                receivers,
                objects: receivers,
            },
            paths: paths.collect::<anyhow::Result<_>>()?,
            payload: template.payload(BYTES, &token)?,
            ledger: Ledger::default(),
            folder: tempfile::tempdir()?,
        })
    }

    /// Makes the Receivers and their objects.
    pub(crate) async fn fill(&self) -> anyhow::Result<()> {
        self.layout.create(&self.client).await
    }

    /// Starts a gateway with the journal of this name; its log is kept beside it.
    pub(crate) fn start(&self, journal: &str, arguments: &[&str]) -> anyhow::Result<Gateway> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{journal}.log")))?;
        let mut given: Vec<OsString> = vec!["--journal-dir".into(), self.journal(journal).into()];
        given.extend(arguments.iter().map(OsString::from));
        Gateway::start(self.api.kubeconfig(), &given, log.into())
    }

    /// Throws a journal away.
    pub(crate) fn lose(&self, journal: &str) -> anyhow::Result<()> {
        Ok(fs::remove_dir_all(self.journal(journal))?)
    }

    /// Fails when a journal was found damaged, which no killed process may leave behind.
    pub(crate) fn check_intact(&self, journal: &str) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.journal(journal))? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            ensure!(
                !name.contains("damaged"),
                "the journal was found damaged: {name}"
            );
        }
        Ok(())
    }

    /// Leaves journals and logs behind and says where they are.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Sends to some Receivers, in a closed loop or each sender with a gap, until told to stop.
    pub(crate) async fn send(
        &self,
        address: SocketAddr,
        receivers: &[usize],
        gap: Duration,
        stop: &CancellationToken,
    ) -> anyhow::Result<Statuses> {
        let seed = self.random.clone().number();
        let senders = (0..SENDERS).map(|number| {
            let random = Random::new(seed.wrapping_add(number));
            self.send_alone(address, receivers, gap, stop, random)
        });
        let mut all = Statuses::new();
        for statuses in join_all(senders).await {
            for (status, count) in statuses? {
                *all.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }

    async fn send_alone(
        &self,
        address: SocketAddr,
        receivers: &[usize],
        gap: Duration,
        stop: &CancellationToken,
        mut random: Random,
    ) -> anyhow::Result<Statuses> {
        let host = HeaderValue::from_str(&address.to_string())?;
        let mut connection = None;
        let mut statuses = Statuses::new();
        while !stop.is_cancelled() {
            let receiver = *random.choose(receivers);
            let id = format!("{:032x}", random.number());
            let request = self
                .payload
                .delivery(&host, &self.paths[receiver], &id, false)?;
            let sent = Timestamp::now();
            let answer = async {
                let open = match connection.take() {
                    Some(open) => open,
                    None => Connection::open(address).await?,
                };
                connection.insert(open).send(request).await
            };
            let status = timeout(PATIENCE, answer).await.ok().and_then(Result::ok);
            match status {
                Some(status) if status.is_success() => self.ledger.accept(receiver, sent),
                Some(_) => {}
                None => {
                    connection = None;
                    stop.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
            *statuses.entry(status.map(|it| it.as_u16())).or_default() += 1;
            stop.run_until_cancelled(sleep(gap)).await;
        }
        Ok(statuses)
    }

    /// What was accepted and is not done yet.
    pub(crate) async fn missing(&self) -> anyhow::Result<Vec<Lost>> {
        let annotated = objects::annotated(&self.client).await?;
        let targets = |receiver| self.layout.targets(receiver);
        Ok(self.ledger.missing(targets, &annotated))
    }

    /// Waits until everything accepted is done; fails with what is not. Returns how long it took.
    pub(crate) async fn settle(&self, within: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut ticks = interval(TICK);
        loop {
            let missing = self.missing().await?;
            let Some(first) = missing.first() else {
                return Ok(began.elapsed());
            };
            ensure!(
                began.elapsed() < within,
                "{} objects were not triggered in {} s for a delivery that was accepted: {first}",
                missing.len(),
                within.as_secs()
            );
            ticks.tick().await;
        }
    }

    /// Waits until nothing is patched any more.
    pub(crate) async fn quiet(&mut self) -> anyhow::Result<()> {
        let mut before = None;
        loop {
            let patches = self.api.count(BUDGET).await?.patches;
            if before == Some(patches) {
                return Ok(());
            }
            before = Some(patches);
            sleep(QUIET).await;
        }
    }

    /// When the object that nobody sends to was triggered, if it ever was.
    pub(crate) async fn untouched(&self) -> anyhow::Result<Option<Timestamp>> {
        let annotated = objects::annotated(&self.client).await?;
        Ok(annotated.get(&UNTOUCHED).copied())
    }

    /// All Receivers that are sent to.
    pub(crate) fn receivers(&self) -> Vec<usize> {
        (UNTOUCHED + 1..self.layout.receivers).collect()
    }

    fn journal(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// How often each status was answered, in words.
pub(crate) fn described(statuses: &Statuses) -> String {
    let each = statuses.iter().map(|(status, count)| match status {
        Some(status) => format!("{count} times {status}"),
        None => format!("{count} times nothing"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Adds up statuses.
pub(crate) fn add(all: &mut Statuses, more: &Statuses) {
    for (status, count) in more {
        *all.entry(*status).or_default() += count;
    }
}

/// Fails when something was answered that is not among these.
pub(crate) fn expect_only(statuses: &Statuses, expected: &[u16]) -> anyhow::Result<()> {
    let is_expected = |status: &Option<u16>| status.is_some_and(|it| expected.contains(&it));
    let others = statuses.keys().find(|status| !is_expected(status));
    match others {
        Some(_) => Err(anyhow::anyhow!(
            "expected nothing but {expected:?}, got {}",
            described(statuses)
        )),
        None => statuses.keys().next().map(drop).context("nothing was sent"),
    }
}
