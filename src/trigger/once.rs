//! Messages that may come only once: who works on which, and which were there before.
//!
//! What became of a delivery, and whether that counts, is for who works on it to say.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, NotDurable};
use crate::hook::{MessageDigest, ReceiverRef};

/// The messages that are being worked on; clones share them.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<Working>>);

/// Each message that is being worked on, and what ends when that does.
type Working = HashMap<(ReceiverRef, MessageDigest), CancellationToken>;

/// What a message is that has come.
#[derive(Debug)]
pub enum Once {
    /// Nobody else has it, and it was not there before.
    First(Claimed),
    /// It was there before.
    Replayed,
    /// Another delivery of it was still being worked on at the deadline.
    Undecided,
}

/// A message that nobody else may work on; unless it is kept, it may come again as soon as this is dropped.
#[derive(Debug)]
pub struct Claimed {
    journal: Journal,
    under_way: UnderWay,
    key: (ReceiverRef, MessageDigest),
}

impl UnderWay {
    /// Lets one of all that bring a message go on; the others wait until that one has kept it, or given it up.
    pub(super) async fn once(
        &self,
        journal: &Journal,
        receiver: &ReceiverRef,
        message: &MessageDigest,
        deadline: Instant,
    ) -> Once {
        let key = (receiver.clone(), *message);
        loop {
            let Some(other) = self.claim(&key) else {
                let claimed = Claimed {
                    journal: journal.clone(),
                    under_way: self.clone(),
                    key,
                };
                // Whoever kept it did so before he let go of it.
                let is_seen = journal.has_seen(receiver, message);
                return if is_seen {
                    Once::Replayed
                } else {
                    Once::First(claimed)
                };
            };
            if timeout_at(deadline, other.cancelled()).await.is_err() {
                return Once::Undecided;
            }
        }
    }

    /// Takes a message, or says when another has let go of it.
    fn claim(&self, key: &(ReceiverRef, MessageDigest)) -> Option<CancellationToken> {
        match self.working().entry(key.clone()) {
            Entry::Occupied(other) => Some(other.get().clone()),
            Entry::Vacant(place) => {
                place.insert(CancellationToken::new());
                None
            }
        }
    }

    fn working(&self) -> MutexGuard<'_, Working> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claimed {
    /// The message was done with: it may not come again. Returns when that is on disk; if it fails, it may.
    pub async fn keep(&self) -> Result<(), NotDurable> {
        let (receiver, message) = &self.key;
        self.journal.see(receiver, message).await
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(ended) = self.under_way.working().remove(&self.key) {
            ended.cancel();
        }
    }
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnderWay")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn receiver() -> ReceiverRef {
        ReceiverRef {
            namespace: "apps".to_owned(),
            name: "ci".to_owned(),
        }
    }

    async fn come(under_way: &UnderWay, journal: &Journal, message: &[u8]) -> Once {
        let deadline = Instant::now() + Duration::from_secs(30);
        let message = MessageDigest::of(message);
        under_way
            .once(journal, &receiver(), &message, deadline)
            .await
    }

    async fn first(under_way: &UnderWay, journal: &Journal, message: &[u8]) -> Claimed {
        match come(under_way, journal, message).await {
            Once::First(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_was_kept_does_not_come_again_and_what_was_given_up_does() {
        let (under_way, journal) = (UnderWay::default(), Journal::off().journal);
        drop(first(&under_way, &journal, b"1").await);
        first(&under_way, &journal, b"1")
            .await
            .keep()
            .await
            .unwrap();
        let again = come(&under_way, &journal, b"1").await;
        assert!(matches!(again, Once::Replayed), "{again:?}");
        first(&under_way, &journal, b"2").await;
        assert!(under_way.working().is_empty(), "nobody is left behind");
    }

    #[tokio::test]
    async fn of_many_at_once_one_goes_on_and_the_others_follow_its_end() {
        for keeps in [true, false] {
            let (under_way, journal) = (UnderWay::default(), Journal::off().journal);
            let claimed = first(&under_way, &journal, b"1").await;
            let others: Vec<_> = (0..20)
                .map(|_| {
                    let (under_way, journal) = (under_way.clone(), journal.clone());
                    tokio::spawn(async move {
                        match come(&under_way, &journal, b"1").await {
                            Once::First(claimed) => {
                                claimed.keep().await.unwrap();
                                true
                            }
                            Once::Replayed => false,
                            Once::Undecided => panic!("it was decided"),
                        }
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            if keeps {
                claimed.keep().await.unwrap();
            }
            drop(claimed);
            let mut went_on = 0;
            for other in others {
                went_on += usize::from(other.await.unwrap());
            }
            assert_eq!(went_on, usize::from(!keeps));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_another_beyond_the_deadline() {
        let (under_way, journal) = (UnderWay::default(), Journal::off().journal);
        let _claimed = first(&under_way, &journal, b"1").await;
        let other = come(&under_way, &journal, b"1").await;
        assert!(matches!(other, Once::Undecided), "{other:?}");
        first(&under_way, &journal, b"another").await;
    }

    #[tokio::test]
    async fn what_was_kept_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap().journal;
        let under_way = UnderWay::default();
        first(&under_way, &journal, b"1")
            .await
            .keep()
            .await
            .unwrap();
        drop(first(&under_way, &journal, b"2").await);
        drop((under_way, journal));
        let journal = Journal::open(folder.path()).unwrap().journal;
        let under_way = UnderWay::default();
        let again = come(&under_way, &journal, b"1").await;
        assert!(matches!(again, Once::Replayed), "{again:?}");
        first(&under_way, &journal, b"2").await;
    }
}
