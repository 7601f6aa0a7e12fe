//! What the kernel says of a process, read from `/proc`; there is none but on Linux, and elsewhere nothing is measured.
//!
//! It measures only; nothing here is judged.

use std::{fmt, fs, time::Duration};

/// Clock ticks per second in `/proc/PID/stat`; a constant of the kernel's interface on all usual machines.
const TICKS: u64 = 100;

/// The memory of a process, in kB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident now (`VmRSS`).
    pub(crate) resident: u64,
    /// Of that, without files: heap and stacks (`RssAnon`).
    pub(crate) anonymous: u64,
    /// The most that was ever resident (`VmHWM`).
    pub(crate) peak: u64,
    /// How many threads it has.
    pub(crate) threads: u64,
}

impl Memory {
    /// The memory of a process, or of this one for `self`; nothing where there is no `/proc`.
    pub(crate) fn of(process: &str) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            resident: field("VmRSS:")?,
            anonymous: field("RssAnon:")?,
            peak: field("VmHWM:")?,
            threads: field("Threads:")?,
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MB resident ({} MB anonymous), peak {} MB, {} threads",
            megabytes(self.resident),
            megabytes(self.anonymous),
            megabytes(self.peak),
            self.threads,
        )
    }
}

/// A number of kB as MB (1,000 kB as the kernel counts them, 1,024 bytes each), with one decimal.
pub(crate) fn megabytes(kilobytes: u64) -> String {
    format!("{}.{}", kilobytes / 1000, kilobytes % 1000 / 100)
}

/// Lets the peak begin anew at what is resident now.
pub(crate) fn forget_peak() {
    // Refused in some containers; the peak is then that of the whole life of the process.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The CPU time of all threads of a process so far, or of this one for `self`, in steps of 10 ms;
/// nothing where there is no `/proc`.
pub(crate) fn cpu(process: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program comes first, in parentheses, and may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 1000 / TICKS))
}
