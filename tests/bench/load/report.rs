//! The figures of one gateway, in a few lines, and what of them is a failure.
//!
//! Latencies are those of authentic deliveries, answered in whatever way; nothing is left out as an outlier.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    arguments::{Arguments, Limits, Load},
    measure::{Came, Measured},
    mix::Mix,
    sender::Record,
    support::{
        figures::{Times, micros},
        process::megabytes,
    },
};

/// At most so many losses are named.
const NAMED: usize = 5;
/// A patch is counted when it arrives and not when it is sent. Those under way at the edge of a window, at most
/// so many, may be counted in it although they were paid for before.
const UNDER_WAY: u32 = 8;

/// The figures of a gateway as they are printed.
pub(crate) struct Report<'m> {
    /// The gateway.
    pub(crate) measured: &'m Measured,
    /// What it was loaded with.
    pub(crate) arguments: &'m Arguments,
}

impl Report<'_> {
    /// What was lost or exceeded, one sentence each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let Some(came) = &self.measured.came else {
            return Vec::new();
        };
        let mut failures = exceeded(came, &self.arguments.limits);
        if !came.lost.is_empty() {
            let named: Vec<String> = came
                .lost
                .iter()
                .take(NAMED)
                .map(ToString::to_string)
                .collect();
            failures.push(format!(
                "{} objects were not triggered for an accepted delivery: {}",
                came.lost.len(),
                named.join("; ")
            ));
        }
        failures
    }

    fn rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { records, took, .. } = self.measured;
        let sizes = Mix::new(&self.arguments.load, 1).sizes();
        let answered = count(records.iter().filter(|record| record.status.is_some()));
        let bytes: u64 = records.iter().map(|record| sizes[record.size] as u64).sum();
        let seconds = took.as_secs_f64();
        writeln!(
            f,
            "  deliveries    {} in {seconds:.1} s: {:.0} answered a second, {:.1} MB a second",
            records.len(),
            answered / seconds,
            to_float(bytes) / 1e6 / seconds,
        )?;
        let cpu = |cpu: Option<Duration>| match cpu {
            Some(cpu) if !cpu.is_zero() && !records.is_empty() => format!(
                "{:.2} s, {:.0} deliveries per CPU-second, {} each",
                cpu.as_secs_f64(),
                answered / cpu.as_secs_f64(),
                micros(cpu.div_f64(answered.max(1.0))),
            ),
            Some(_) => "less than can be measured".to_owned(),
            None => "not known".to_owned(),
        };
        writeln!(f, "  CPU, gateway  {}", cpu(self.measured.gateway_cpu))?;
        writeln!(f, "  CPU, senders  {}", cpu(self.measured.sender_cpu))?;
        match &self.measured.memory {
            Some(memory) => writeln!(f, "  memory        peak {} MB", megabytes(memory.peak)),
            None => writeln!(f, "  memory        not known"),
        }
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authentic = |record: &&Record| record.kind.is_authentic();
        let all: Vec<&Record> = self.measured.records.iter().filter(authentic).collect();
        latency(f, "all", &all)?;
        let sizes = Mix::new(&self.arguments.load, 1).sizes();
        if sizes.len() == 1 {
            return Ok(());
        }
        let mut places: Vec<usize> = (0..sizes.len()).collect();
        places.sort_by_key(|place| sizes[*place]);
        for place in places {
            let these: Vec<&Record> = all.iter().copied().filter(|it| it.size == place).collect();
            latency(f, &format!("{} kB", sizes[place] / 1000), &these)?;
        }
        Ok(())
    }

    fn statuses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = BTreeMap::new();
        for record in &self.measured.records {
            *counts.entry((record.kind, record.status)).or_insert(0_u64) += 1;
        }
        for ((kind, status), count) in counts {
            let status = status.map_or("no answer".to_owned(), |status| status.as_str().to_owned());
            writeln!(f, "  {:<13} {status}: {count}", kind.name())?;
        }
        for (status, count) in &self.measured.strangers {
            let status = status.map_or("no answer".to_owned(), |status| status.as_str().to_owned());
            writeln!(f, "  strangers     {status}: {count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {}",
            self.measured.name,
            described(&self.arguments.load)
        )?;
        self.rates(f)?;
        self.latencies(f)?;
        self.statuses(f)?;
        match &self.measured.came {
            Some(came) => write!(f, "{came}"),
            None => writeln!(
                f,
                "  triggered     not known: the objects of this gateway are not read"
            ),
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        writeln!(
            f,
            "  patches       {} of {} objects; in a second at most {}, of one object {}; waiting at most {}",
            tally.patches,
            tally.objects,
            tally.in_a_second,
            tally.of_one_in_a_second,
            tally.at_once
        )?;
        writeln!(
            f,
            "  API budget    at {} a second a burst of {} was needed; {} other requests",
            self.budget.qps, tally.burst, tally.others
        )?;
        match self.lost.len() {
            0 => writeln!(
                f,
                "  triggered     everything accepted, {:.1} s after the last answer",
                self.settled.as_secs_f64()
            ),
            lost => writeln!(
                f,
                "  triggered     {lost} objects were NOT, for an accepted delivery"
            ),
        }
    }
}

fn exceeded(came: &Came, limits: &Limits) -> Vec<String> {
    let tally = &came.tally;
    let mut failures = Vec::new();
    if let Some(budget) = limits.budget()
        && tally.burst > budget.burst + UNDER_WAY
    {
        failures.push(format!(
            "the API budget was exceeded: a burst of {} instead of {} at {} a second",
            tally.burst, budget.burst, budget.qps
        ));
    }
    if limits
        .most_of_one
        .is_some_and(|most| tally.of_one_in_a_second > most)
    {
        failures.push(format!(
            "one object was patched {} times in a second",
            tally.of_one_in_a_second
        ));
    }
    if limits.most_at_once.is_some_and(|most| tally.at_once > most) {
        failures.push(format!("{} patches waited at one time", tally.at_once));
    }
    failures
}

fn described(load: &Load) -> String {
    match load.in_flight {
        Some(in_flight) => format!("closed loop, {in_flight} in flight"),
        None => format!("open loop, {} a second", load.rate),
    }
}

fn latency(f: &mut fmt::Formatter<'_>, of: &str, records: &[&Record]) -> fmt::Result {
    if records.is_empty() {
        return Ok(());
    }
    let times = Times::new(records.iter().map(|record| record.took).collect());
    let millis = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    writeln!(
        f,
        "  ms, {of:<9} p50 {}, p99 {}, p99.9 {}, max {}",
        millis(times.median()),
        millis(times.percentile(99)),
        millis(times.per_mille(999)),
        millis(times.longest()),
    )
}

fn count(of: impl Iterator) -> f64 {
    to_float(of.count() as u64)
}

/// A number of things as a float, which is exact up to 2^53.
fn to_float(number: u64) -> f64 {
    let (high, low) = (number >> 32, number & u64::from(u32::MAX));
    let part = |part: u64| f64::from(u32::try_from(part).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}
