//! The one thread that writes the journal, and how it goes on after a write that failed, such as on a full disk.
//!
//! All that wait share one transaction: while one is written, the next gathers.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    NotDurable, OpenError,
    file::{Changes, JournalFile},
    folder::Folder,
    ids::{Bounds, IdRows, Ids},
    ledger::{Batch, Due, Ledger},
};

/// How long to leave a disk alone after it failed; who comes meanwhile is refused at once.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// Who is told how a transaction went.
pub(super) type Waiter = oneshot::Sender<Result<(), NotDurable>>;

/// The thread; it writes what has gathered and ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when the thread has to look again.
    work: Condvar,
}

#[derive(Debug)]
struct State {
    ledger: Ledger<Waiter>,
    /// What the thread waits for; nothing while it is busy, for then it looks by itself.
    waits_for: Option<Due>,
    is_closed: bool,
}

impl Writer {
    /// Starts the thread, which takes over the file and the folder.
    pub(super) fn start(
        folder: Folder,
        file: JournalFile,
        replica: Uuid,
        ledger: Ledger<Waiter>,
    ) -> Result<Self, OpenError> {
        let state = State {
            ledger,
            waits_for: None,
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
        });
        let storage = Storage {
            folder,
            replica,
            file: Ok(file),
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_until_closed(storage)
        });
        Ok(Self {
            shared,
            thread: Some(thread.map_err(OpenError::Thread)?),
        })
    }

    /// Changes what is gathered, and wakes the thread when that is due earlier than what it waits for.
    pub(super) fn gather<T>(
        &self,
        change: impl FnOnce(&mut Ledger<Waiter>) -> T,
    ) -> Result<T, NotDurable> {
        let mut state = self.shared.lock();
        if state.is_closed {
            return Err(NotDurable::Closed);
        }
        let changed = change(&mut state.ledger);
        let due = state.ledger.due();
        if state.waits_for.is_some_and(|waits_for| due < waits_for) {
            state.waits_for = None;
            self.shared.work.notify_one();
        }
        Ok(changed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has said what went wrong, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_closed(&self, mut storage: Storage) {
        let _closing = Closing(self);
        loop {
            let (batch, is_last) = self.next();
            let written = storage.write(&batch, self);
            let waiters = self
                .lock()
                .ledger
                .settle(batch, written.is_ok(), Instant::now());
            for waiter in waiters {
                // Whoever has stopped waiting does not want to know.
                let _ = waiter.send(written.clone());
            }
            if is_last {
                return;
            }
        }
    }

    /// Waits for the next transaction, and says whether it is the last because the journal is closed.
    fn next(&self) -> (Batch<Waiter>, bool) {
        let mut state = self.lock();
        while !state.is_closed {
            let (now, due) = (Instant::now(), state.ledger.due());
            let wait = match due {
                Due::Now => break,
                Due::At(at) if at <= now => break,
                Due::At(at) => Some(at - now),
                Due::Never => None,
            };
            state.waits_for = Some(due);
            state = self.wait(state, wait);
        }
        state.waits_for = None;
        (state.ledger.take(Timestamp::now()), state.is_closed)
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        let Some(at_most) = at_most else {
            return self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        };
        let waited = self.work.wait_timeout(state, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// However the thread ends, nobody is left waiting for it.
struct Closing<'s>(&'s Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let (ids, messages) = (Ids::new(Bounds::DELIVERIES), Ids::new(Bounds::MESSAGES));
        state.ledger = Ledger::new([], ids, messages);
    }
}

/// The file, or since when and why there is none.
struct Storage {
    folder: Folder,
    replica: Uuid,
    file: Result<JournalFile, Broken>,
}

struct Broken {
    since: Instant,
    reason: NotDurable,
}

impl Storage {
    /// Writes a batch; the disk is left alone when there is nothing in it.
    fn write(&mut self, batch: &Batch<Waiter>, shared: &Shared) -> Result<(), NotDurable> {
        if batch.is_empty() {
            return Ok(());
        }
        self.make_ready(shared)?;
        self.try_write(Changes {
            marks: &batch.marks,
            ids: &batch.ids,
            messages: &batch.messages,
            history: &batch.history,
        })
    }

    /// Opens the file again after a failure, and makes it hold what was acknowledged, no less and no more.
    fn make_ready(&mut self, shared: &Shared) -> Result<(), NotDurable> {
        match &self.file {
            Ok(_) => return Ok(()),
            Err(broken) if broken.since.elapsed() < REOPEN_PAUSE => {
                return Err(broken.reason.clone());
            }
            Err(_) => {}
        }
        let (file, contents, _) = JournalFile::open(&self.folder, self.replica)
            .map_err(|error| self.fail(error.into()))?;
        let ledger = &mut shared.lock().ledger;
        let amends = ledger.differences(&contents.marks, &contents.ids, &contents.messages);
        self.file = Ok(file);
        if !amends.is_empty() {
            self.try_write(Changes {
                marks: &amends,
                ids: &IdRows::default(),
                messages: &IdRows::default(),
                history: &[],
            })?;
        }
        tracing::info!("the journal can be written again");
        Ok(())
    }

    fn try_write(&mut self, changes: Changes<'_>) -> Result<(), NotDurable> {
        let Ok(file) = &self.file else {
            return Err(NotDurable::Closed);
        };
        file.write(changes).map_err(|error| self.fail(error))
    }

    /// After an error, the database library does nothing more with what it has open.
    fn fail(&mut self, reason: NotDurable) -> NotDurable {
        let broken = Broken {
            since: Instant::now(),
            reason: reason.clone(),
        };
        if let Ok(file) = std::mem::replace(&mut self.file, Err(broken)) {
            file.abandon();
            tracing::error!(error = %reason, "nothing is durable until the journal can be written again");
        }
        reason
    }
}
