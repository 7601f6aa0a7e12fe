//! When one target is patched: one patch in flight, and one mark for everything that arrives meanwhile.
//!
//! Pure: it neither sends a patch nor knows the time; each change of state is one method.

/// The patches of one target that is not idle, counted in rounds.
///
/// A round is one patch with its retries, so that a request can say which patch answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    round: u64,
    phase: Phase,
    attempts: u32,
}

/// Where the current round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be sent; what arrives now is answered by it.
    Due,
    /// Sent; what arrives now is answered by the next round.
    InFlight { is_marked: bool },
}

/// What comes after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Something arrived meanwhile: another patch is due.
    Due,
    /// Nothing arrived: the schedule can be forgotten.
    Idle,
}

impl Schedule {
    /// An idle target becomes due.
    pub(super) fn new() -> Self {
        Self {
            round: 1,
            phase: Phase::Due,
            attempts: 0,
        }
    }

    /// Asks for a patch that has not been sent yet, and says which round that is.
    pub(super) fn request(&mut self) -> u64 {
        match &mut self.phase {
            Phase::Due => self.round,
            Phase::InFlight { is_marked } => {
                *is_marked = true;
                self.round + 1
            }
        }
    }

    /// The patch is being sent.
    pub(super) fn start(&mut self) {
        self.phase = Phase::InFlight { is_marked: false };
        self.attempts += 1;
    }

    /// How many times the patch of this round has been sent.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The patch failed and is sent again, which also answers what arrived while it was in flight.
    pub(super) fn retry(&mut self) {
        if self.is_marked() {
            self.round += 1;
        }
        self.phase = Phase::Due;
    }

    /// The round is over: says its number, and what comes next.
    pub(super) fn end(&mut self) -> (u64, Next) {
        let ended = self.round;
        if !self.is_marked() {
            return (ended, Next::Idle);
        }
        *self = Self {
            round: ended + 1,
            phase: Phase::Due,
            attempts: 0,
        };
        (ended, Next::Due)
    }

    fn is_marked(self) -> bool {
        self.phase == Phase::InFlight { is_marked: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_before_the_patch_is_sent_share_it() {
        let mut schedule = Schedule::new();
        assert_eq!(schedule.request(), 1);
        assert_eq!(schedule.request(), 1);
        schedule.start();
        assert_eq!(schedule.end(), (1, Next::Idle));
    }

    #[test]
    fn requests_during_a_patch_share_the_next_one() {
        let mut schedule = Schedule::new();
        schedule.start();
        for _ in 0..1000 {
            assert_eq!(schedule.request(), 2);
        }
        assert_eq!(schedule.end(), (1, Next::Due));
        assert_eq!(schedule.request(), 2, "not sent yet");
        schedule.start();
        assert_eq!(schedule.end(), (2, Next::Idle));
    }

    #[test]
    fn a_retry_answers_what_arrived_during_the_failed_attempt() {
        let mut schedule = Schedule::new();
        schedule.start();
        assert_eq!(schedule.request(), 2);
        schedule.retry();
        assert_eq!(schedule.request(), 2);
        schedule.start();
        assert_eq!(schedule.attempts(), 2);
        assert_eq!(schedule.end(), (2, Next::Idle));
    }

    #[test]
    fn a_retry_with_nothing_new_stays_in_its_round() {
        let mut schedule = Schedule::new();
        schedule.start();
        schedule.retry();
        schedule.start();
        assert_eq!(schedule.end(), (1, Next::Idle));
    }

    #[test]
    fn attempts_are_counted_anew_in_each_round() {
        let mut schedule = Schedule::new();
        schedule.start();
        schedule.request();
        schedule.end();
        assert_eq!(schedule.attempts(), 0);
    }
}
