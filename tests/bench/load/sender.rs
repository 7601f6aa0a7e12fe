//! The senders: each takes what is due, sends it on its connection, and notes what came back.
//!
//! Everything that can be made before is made before; per delivery there is a head and an id to write.

use std::{sync::Arc, time::Instant};

use anyhow::Context as _;
use http::StatusCode;
use jiff::Timestamp;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    mix::{Choice, Kind, Mix},
    pace::Pace,
    strangers::Victim,
    subject::Subject,
    support::{
        connection::Connection,
        ledger::Ledger,
        payload::{Payload, Template},
    },
};

/// How long an answer may take; no sender waits longer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What became of one delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// What was in order or not.
    pub(crate) kind: Kind,
    /// The place of its size.
    pub(crate) size: usize,
    /// The status of the answer; none when there was no answer.
    pub(crate) status: Option<StatusCode>,
    /// How long it took since it was due.
    pub(crate) took: std::time::Duration,
}

/// All that senders share.
pub(crate) struct Senders {
    subject: Subject,
    mix: Mix,
    payloads: Vec<Payload>,
    /// What was accepted.
    pub(crate) ledger: Ledger,
    /// Tells the deliveries of one run from those of another.
    run: u32,
}

impl Senders {
    /// Signs one body of each size.
    pub(crate) async fn new(subject: Subject, mix: Mix) -> anyhow::Result<Self> {
        let template = Template::read().await?;
        let sizes = mix.sizes().into_iter();
        let payloads = sizes.map(|bytes| template.payload(bytes, &subject.token));
        Ok(Self {
            payloads: payloads.collect::<anyhow::Result<_>>()?,
            subject,
            mix,
            ledger: Ledger::default(),
            run: Timestamp::now().subsec_nanosecond().unsigned_abs(),
        })
    }

    /// What strangers need to know.
    pub(crate) fn victim(&self) -> anyhow::Result<Victim> {
        let subject = &self.subject;
        Ok(Victim {
            address: subject.address,
            host: subject.host.clone(),
            path: subject.paths.first().context("no Receiver")?.clone(),
            payload: self.payloads.first().context("no size")?.clone(),
        })
    }

    /// Sends everything that becomes due, on so many connections, and returns when the last is answered.
    pub(crate) async fn send(
        self: &Arc<Self>,
        pace: &Arc<Pace>,
        connections: u16,
    ) -> anyhow::Result<Vec<Record>> {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(Arc::clone(self).work(Arc::clone(pace)));
        }
        let mut records = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            records.append(&mut ended??);
        }
        Ok(records)
    }

    async fn work(self: Arc<Self>, pace: Arc<Pace>) -> anyhow::Result<Vec<Record>> {
        let mut connection = None;
        let mut records = Vec::new();
        while let Some((number, due)) = pace.next().await {
            let choice = self.mix.choose(number);
            if choice.reconnects {
                connection = None;
            }
            let status = self.deliver(&mut connection, choice).await?;
            records.push(Record {
                kind: choice.kind,
                size: choice.size,
                status,
                took: Instant::now().saturating_duration_since(due),
            });
        }
        Ok(records)
    }

    /// Sends one delivery; once more when the server had closed a connection that was kept.
    async fn deliver(
        &self,
        connection: &mut Option<Connection>,
        choice: Choice,
    ) -> anyhow::Result<Option<StatusCode>> {
        let was_kept = connection.is_some();
        let mut status = self.attempt(connection, choice).await?;
        if status.is_none() && was_kept {
            status = self.attempt(connection, choice).await?;
        }
        Ok(status)
    }

    async fn attempt(
        &self,
        connection: &mut Option<Connection>,
        choice: Choice,
    ) -> anyhow::Result<Option<StatusCode>> {
        let subject = &self.subject;
        let path = match choice.kind {
            Kind::Unknown => &subject.unknown,
            _ => &subject.paths[choice.receiver],
        };
        let id = format!("{:08x}-0000-4000-8000-{:012x}", self.run, choice.id);
        let is_forged = choice.kind == Kind::Forged;
        let payload = &self.payloads[choice.size];
        let request = payload.delivery(&subject.host, path, &id, is_forged)?;
        let sent = Timestamp::now();
        let answer = async {
            let open = match connection.take() {
                Some(open) => open,
                None => Connection::open(subject.address).await?,
            };
            connection.insert(open).send(request).await
        };
        let answer = timeout(PATIENCE, answer).await;
        let Ok(Ok(status)) = answer else {
            *connection = None;
            return Ok(None);
        };
        if status.is_success() && choice.kind.is_authentic() {
            self.ledger.accept(choice.receiver, sent);
        }
        Ok(Some(status))
    }
}
