//! Medians and the like of measured times.
//!
//! Nothing is thrown away as an outlier.

use std::time::Duration;

/// Times of the same thing, in order of length.
#[derive(Clone, Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Sorts times, of which there is at least one.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    /// The time that `percent` of all are not longer than.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        self.per_mille(percent * 10)
    }

    /// The time that so many of a thousand are not longer than.
    pub(crate) fn per_mille(&self, per_mille: usize) -> Duration {
        let last = self.0.len() - 1;
        self.0[last * per_mille / 1000]
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The longest.
    pub(crate) fn longest(&self) -> Duration {
        self.percentile(100)
    }
}

/// Milliseconds with one decimal.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Whole microseconds.
pub(crate) fn micros(time: Duration) -> String {
    format!("{} µs", time.as_micros())
}
