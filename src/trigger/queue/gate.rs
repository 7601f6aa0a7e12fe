//! Whether the API server may be asked at all: shut while it is away or busy, then opened by one request that works.
//!
//! It is about the server as a whole; what fails for one target only is the target's.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// The first pause after the API server could not be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries to reach it, so that its return is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause of a busy API server that does not name one.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// No longer pause than this is obeyed.
const LONGEST_OBEYED: Duration = Duration::from_mins(15);

/// The way to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Requests may pass.
    Open,
    /// No request may pass before a moment, and then one at a time until one works.
    Shut {
        until: Instant,
        /// How often the server was away in a row.
        failures: u32,
        /// Whether the one request that tries is on its way.
        is_probed: bool,
    },
}

/// What a request may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// Pass.
    Free,
    /// Pass as the only one, to find out.
    Probe,
    /// Wait until then.
    At(Instant),
    /// Wait for the one that tries.
    Behind,
}

impl Gate {
    pub(super) fn passage(self, now: Instant) -> Passage {
        match self {
            Self::Open => Passage::Free,
            Self::Shut {
                is_probed: true, ..
            } => Passage::Behind,
            Self::Shut { until, .. } if now < until => Passage::At(until),
            Self::Shut { .. } => Passage::Probe,
        }
    }

    /// A request passes; says whether it is the one that tries.
    pub(super) fn pass(&mut self) -> bool {
        match self {
            Self::Open => false,
            Self::Shut { is_probed, .. } => {
                *is_probed = true;
                true
            }
        }
    }

    /// The server answered a request that was let through.
    pub(super) fn answered(&mut self, is_probe: bool) {
        if is_probe {
            *self = Self::Open;
        }
    }

    /// The server is too busy, and perhaps says for how long.
    pub(super) fn busy(&mut self, is_probe: bool, pause: Option<Duration>, now: Instant) {
        let pause = pause.unwrap_or(BUSY_PAUSE).min(LONGEST_OBEYED);
        self.shut(is_probe, now + pause, 0);
    }

    /// The server could not be reached, or says that it cannot serve.
    pub(super) fn away(
        &mut self,
        is_probe: bool,
        pause: Option<Duration>,
        now: Instant,
        jitter: f64,
    ) {
        let before = match *self {
            Self::Shut { failures, .. } => failures,
            Self::Open => 0,
        };
        // Those that were on their way together failed for one reason.
        let failures = if is_probe || *self == Self::Open {
            before.saturating_add(1)
        } else {
            before
        };
        let own = backoff::delay(failures, FIRST_PAUSE, LONGEST_PAUSE, jitter);
        let pause = pause.unwrap_or_default().min(LONGEST_OBEYED).max(own);
        self.shut(is_probe, now + pause, failures);
    }

    fn shut(&mut self, is_probe: bool, at: Instant, failures: u32) {
        *self = match *self {
            Self::Shut {
                until,
                failures: before,
                is_probed,
            } => Self::Shut {
                until: until.max(at),
                failures: before.max(failures),
                is_probed: is_probed && !is_probe,
            },
            Self::Open => Self::Shut {
                until: at,
                failures,
                is_probed: false,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn one_request_at_a_time_finds_out_whether_the_server_is_back() {
        let (mut gate, now) = (Gate::Open, Instant::now());
        assert!(!gate.pass());
        gate.away(false, None, now, 1.0);
        assert_eq!(gate.passage(now), Passage::At(now + FIRST_PAUSE));
        let now = now + FIRST_PAUSE;
        assert_eq!(gate.passage(now), Passage::Probe);
        assert!(gate.pass());
        assert_eq!(gate.passage(now), Passage::Behind);
        gate.away(true, None, now, 1.0);
        assert_eq!(gate.passage(now), Passage::At(now + FIRST_PAUSE * 2));
        assert!(gate.pass());
        gate.answered(true);
        assert_eq!(gate, Gate::Open);
    }

    #[test]
    fn the_pauses_grow_no_longer_than_a_return_may_go_unnoticed() {
        let (mut gate, mut now) = (Gate::Open, Instant::now());
        for _ in 0..100 {
            let is_probe = gate.pass();
            gate.away(is_probe, None, now, 1.0);
            let Passage::At(until) = gate.passage(now) else {
                panic!("{gate:?}");
            };
            assert!(until - now <= LONGEST_PAUSE);
            now = until;
        }
    }

    #[test]
    fn those_that_fail_together_count_once() {
        let (mut gate, now) = (Gate::Open, Instant::now());
        for _ in 0..8 {
            gate.away(false, None, now, 1.0);
        }
        assert_eq!(gate.passage(now), Passage::At(now + FIRST_PAUSE));
    }

    #[test]
    fn a_pause_that_was_asked_for_is_not_cut_short() {
        let (mut gate, now) = (Gate::Open, Instant::now());
        gate.busy(false, Some(millis(3000)), now);
        gate.answered(false);
        gate.away(false, None, now, 1.0);
        gate.busy(false, None, now);
        assert_eq!(gate.passage(now), Passage::At(now + millis(3000)));
        gate.busy(false, Some(Duration::MAX), now);
        assert_eq!(gate.passage(now), Passage::At(now + LONGEST_OBEYED));
    }
}
