//! How long to wait after a failure: twice as long each time, spread at random.
//!
//! The randomness is passed in.

use std::time::Duration;

/// The delay after so many failures in a row: `first`, doubled for each further one, at most `longest`.
///
/// With `jitter` between 0 and 1 it is between half of that and all of it.
pub(super) fn delay(failures: u32, first: Duration, longest: Duration, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(longest);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(50), Duration::from_mins(15));
        let full = |failures| delay(failures, first, longest, 1.0);
        assert_eq!(full(1), first);
        assert_eq!(full(2), first * 2);
        assert_eq!(full(15), first * 16384);
        for failures in [16, 100, u32::MAX] {
            assert_eq!(full(failures), longest);
            assert_eq!(delay(failures, first, longest, 0.0), longest / 2);
        }
    }
}
