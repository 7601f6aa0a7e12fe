//! What an evaluation has cost so far, and when it has to end.
//!
//! It reads no clock: whoever evaluates brings the question whether to go on.

use std::fmt;

use super::{
    bounds::{MAX_COST, MAX_MADE_BYTES},
    problem::Failure,
};

/// After how many steps the caller is asked whether to go on.
const STEPS_BETWEEN_QUESTIONS: u64 = 1024;
/// How many bytes are looked at in one step.
const BYTES_PER_STEP: u64 = 32;

/// Counts what evaluations cost that share one budget.
pub struct Meter<'m> {
    spent: u64,
    made: u64,
    asked_at: u64,
    is_over: &'m dyn Fn() -> bool,
}

impl fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spent, made, .. } = self;
        let mut shown = f.debug_struct("Meter");
        shown.field("spent", spent).field("made", made);
        shown.finish_non_exhaustive()
    }
}

impl<'m> Meter<'m> {
    /// A meter that lets evaluations go on until they cost too much or `is_over` says so.
    #[must_use]
    pub fn new(is_over: &'m dyn Fn() -> bool) -> Self {
        Self {
            spent: 0,
            made: 0,
            asked_at: 0,
            is_over,
        }
    }

    /// Counts steps that are about to be taken.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        self.spent = self.spent.saturating_add(steps);
        if self.spent > MAX_COST {
            return Err(Failure::TooExpensive);
        }
        if self.spent - self.asked_at >= STEPS_BETWEEN_QUESTIONS {
            self.asked_at = self.spent;
            if (self.is_over)() {
                return Err(Failure::Interrupted);
            }
        }
        Ok(())
    }

    /// Counts bytes that are about to be looked at.
    pub(super) fn look_at(&mut self, bytes: usize) -> Result<(), Failure> {
        self.spend(bytes as u64 / BYTES_PER_STEP)
    }

    /// Counts bytes that are about to be made.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), Failure> {
        self.made = self.made.saturating_add(bytes as u64);
        if self.made > MAX_MADE_BYTES {
            return Err(Failure::TooLarge);
        }
        self.look_at(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_budget_is_spent_once() {
        let mut meter = Meter::new(&|| false);
        assert_eq!(meter.spend(MAX_COST), Ok(()));
        assert_eq!(meter.spend(1), Err(Failure::TooExpensive));
        assert_eq!(meter.spend(u64::MAX), Err(Failure::TooExpensive));
    }

    #[test]
    fn bytes_are_made_once() {
        let half = usize::try_from(MAX_MADE_BYTES / 2).unwrap();
        let mut meter = Meter::new(&|| false);
        assert_eq!(meter.make(half), Ok(()));
        assert_eq!(meter.make(half), Ok(()));
        assert_eq!(meter.make(1), Err(Failure::TooLarge));
    }

    #[test]
    fn the_caller_is_asked_now_and_then() {
        let asked = Cell::new(0);
        let is_over = || {
            asked.set(asked.get() + 1);
            asked.get() == 3
        };
        let mut meter = Meter::new(&is_over);
        let steps = (0..MAX_COST).take_while(|_| meter.spend(1).is_ok()).count();
        assert_eq!(steps as u64, 3 * STEPS_BETWEEN_QUESTIONS - 1);
    }
}
