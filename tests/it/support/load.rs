//! A steady stream of deliveries that goes on whatever is answered, and counts the answers.
//!
//! Which deliveries are sent can be changed on the way; how fast they are answered is not looked at.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use jiff::Timestamp;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{objects::DEADLINE, wire::Delivery};

/// Two hundred deliveries a second.
const PACE: Duration = Duration::from_millis(5);

/// Senders that take turns.
pub(crate) struct Load {
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    answered: watch::Receiver<usize>,
    stop: CancellationToken,
    sending: JoinHandle<Tally>,
}

/// What became of all deliveries.
#[derive(Debug)]
pub(crate) struct Tally {
    /// How often each status was answered.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// When the last delivery was sent.
    pub(crate) last: Timestamp,
}

impl Load {
    /// Sends these in turn from now on.
    pub(crate) fn start(authority: String, deliveries: Vec<Delivery>) -> Self {
        let deliveries = Arc::new(Mutex::new(deliveries));
        let (count, answered) = watch::channel(0);
        let stop = CancellationToken::new();
        let sending = send(authority, Arc::clone(&deliveries), count, stop.clone());
        Self {
            deliveries,
            answered,
            stop,
            sending: tokio::spawn(sending),
        }
    }

    /// Sends these instead, and waits until each of them has been answered many times.
    pub(crate) async fn go_on_with(&mut self, deliveries: Vec<Delivery>) {
        const TIMES: usize = 25;
        let more = TIMES * deliveries.len();
        *self.deliveries.lock().expect("no panic") = deliveries;
        self.answers(more).await;
    }

    /// Waits for so many more answers.
    pub(crate) async fn answers(&mut self, more: usize) {
        let wanted = *self.answered.borrow() + more;
        let answered = self.answered.wait_for(|answered| *answered >= wanted);
        timeout(DEADLINE, answered)
            .await
            .expect("deliveries are answered")
            .expect("the load goes on");
    }

    /// Sends no more, and waits for the answers that are missing.
    pub(crate) async fn end(self) -> Tally {
        self.stop.cancel();
        self.sending.await.expect("every delivery is answered")
    }
}

async fn send(
    authority: String,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    count: watch::Sender<usize>,
    stop: CancellationToken,
) -> Tally {
    let (mut ticks, mut sent) = (interval(PACE), JoinSet::new());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (next, mut last) = (AtomicUsize::new(0), Timestamp::now());
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let delivery = {
            let deliveries = deliveries.lock().expect("no panic");
            let index = next.fetch_add(1, Ordering::Relaxed) % deliveries.len();
            deliveries[index].clone()
        };
        last = Timestamp::now();
        let (authority, count) = (authority.clone(), count.clone());
        sent.spawn(async move {
            let status = delivery.send(&authority).await.status;
            count.send_modify(|answered| *answered += 1);
            status
        });
    }
    let mut statuses = BTreeMap::new();
    for status in sent.join_all().await {
        *statuses.entry(StatusCode::as_u16(&status)).or_default() += 1;
    }
    Tally { statuses, last }
}

impl Tally {
    /// How many deliveries were not accepted.
    pub(crate) fn refused(&self) -> usize {
        let refused = self
            .statuses
            .iter()
            .filter(|(code, _)| !(200..300).contains(*code));
        refused.map(|(_, count)| count).sum()
    }
}
