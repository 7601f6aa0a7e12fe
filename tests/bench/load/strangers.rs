//! Strangers beside the senders, from other networks: sockets that send a byte a second, and deliveries that are badly
//! signed.
//!
//! They have a thread of their own. What is answered to them is counted, and how long that takes does not matter.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use http::{HeaderValue, StatusCode, Uri};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    arguments::Load,
    support::{connection::Connection, payload::Payload},
};

/// How many connections badly signed deliveries come on.
const FORGERS: u32 = 128;
/// How many of them come from one network, fewer than are slowed down.
const FROM_ONE_NETWORK: u32 = 15;
/// How long a slow socket waits between two bytes, and before it connects anew.
const SLOWNESS: Duration = Duration::from_secs(1);

/// The strangers, until they are told to go.
pub(crate) struct Strangers {
    thread: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    answers: Answers,
}

/// What was answered to badly signed deliveries.
pub(crate) type Tally = BTreeMap<Option<StatusCode>, u64>;

type Answers = Arc<Mutex<Tally>>;

/// What they are told of the gateway.
#[derive(Clone)]
pub(crate) struct Victim {
    pub(crate) address: SocketAddr,
    pub(crate) host: HeaderValue,
    pub(crate) path: Uri,
    pub(crate) payload: Payload,
}

impl Strangers {
    /// Lets them come, if there are to be any.
    pub(crate) fn come(load: &Load, victim: Victim) -> Option<Self> {
        let (slow, forged) = (load.slow_sockets, load.strangers);
        if slow == 0 && forged == 0 {
            return None;
        }
        let (stop, answers) = (CancellationToken::new(), Answers::default());
        let (until, tally) = (stop.clone(), Arc::clone(&answers));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(until.run_until_cancelled(annoy(slow, forged, victim, tally)));
            Ok(())
        });
        Some(Self {
            thread,
            stop,
            answers,
        })
    }

    /// Sends them away, and says what they were answered.
    pub(crate) fn go(self) -> anyhow::Result<Tally> {
        self.stop.cancel();
        let ended = self.thread.join();
        ended.ok().context("the strangers' thread broke down")??;
        let answers = self.answers.lock();
        Ok(answers.unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn annoy(slow: u32, forged: u32, victim: Victim, answers: Answers) {
    let mut tasks = JoinSet::new();
    for number in 0..slow {
        tasks.spawn(dawdle(number, victim.address, victim.host.clone()));
    }
    if forged > 0 {
        let gap = Duration::from_secs(1) * FORGERS / forged;
        for number in 0..FORGERS {
            tasks.spawn(forge(number, gap, victim.clone(), Arc::clone(&answers)));
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Connects from the network of this number; all of 127.0.0.0/8 is this machine.
async fn connect(network: u32, to: SocketAddr) -> std::io::Result<TcpStream> {
    let [_, _, high, low] = network.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::new(127, high.wrapping_add(64), low, 2);
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    socket.connect(to).await
}

/// Sends the head of a request byte by byte, for ever.
async fn dawdle(number: u32, to: SocketAddr, host: HeaderValue) {
    let mut head = b"POST /hook/0 HTTP/1.1\r\nHost: ".to_vec();
    head.extend_from_slice(host.as_bytes());
    head.extend_from_slice(b"\r\nX-Padding: ");
    loop {
        if let Ok(mut stream) = connect(number, to).await {
            let bytes = head.iter().chain(std::iter::repeat(&b'x'));
            for byte in bytes {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(SLOWNESS).await;
            }
        }
        sleep(SLOWNESS).await;
    }
}

/// Sends badly signed deliveries, again and again from another network.
async fn forge(number: u32, gap: Duration, victim: Victim, answers: Answers) {
    let mut ticks = interval(gap);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0.. {
        let network = 4096 + number + FORGERS * (round % 400);
        let opened = async { Connection::over(connect(network, victim.address).await?).await };
        let mut connection = opened.await.ok();
        for _ in 0..FROM_ONE_NETWORK {
            ticks.tick().await;
            let status = match &mut connection {
                Some(connection) => attempt(connection, &victim).await.ok(),
                None => None,
            };
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            *answers.entry(status).or_default() += 1;
        }
    }
}

async fn attempt(connection: &mut Connection, victim: &Victim) -> anyhow::Result<StatusCode> {
    let Victim {
        host,
        path,
        payload,
        ..
    } = victim;
    let request = payload.delivery(host, path, "0", true)?;
    connection.send(request).await
}
