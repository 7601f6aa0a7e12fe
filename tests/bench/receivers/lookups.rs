//! What it costs to find the hook of a path among few Receivers and among many.
//!
//! In process, without HTTP.

use std::{hint::black_box, io, time::Instant};

use hookgate::hook::{Closed, Entry, HookPath, HookTable, Listing, ReceiverRef};
use jiff::Timestamp;

const LOOKUPS: u32 = 1_000_000;

/// Prints nanoseconds per lookup for several sizes of the table, and how long one takes to fill.
pub(crate) fn measure(out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "The table of hooks, in process")?;
    for receivers in [10, 100, 1000, 10_000, 100_000] {
        let paths: Vec<String> = (0..receivers).map(|number| path(number).reveal()).collect();
        let table = HookTable::default();
        let began = Instant::now();
        for number in 0..receivers {
            publish(&table, number);
        }
        let filled = began.elapsed();
        let now = Timestamp::now();
        let began = Instant::now();
        for path in paths.iter().cycle().take(LOOKUPS as usize) {
            black_box(table.locate(black_box(path), now));
        }
        let each = began.elapsed() / LOOKUPS;
        writeln!(
            out,
            "  {receivers:>6} Receivers: filled one by one in {filled:.1?}, {} ns a lookup",
            each.as_nanos()
        )?;
    }
    Ok(())
}

fn publish(table: &HookTable, number: usize) {
    let receiver = ReceiverRef {
        namespace: "default".to_owned(),
        name: number.to_string(),
    };
    let listing = Listing {
        paths: vec![path(number).into()],
        created: 0,
        entry: Entry::Closed(Closed::Suspended),
        denied: None,
    };
    table.publish(&receiver, &listing);
}

fn path(number: usize) -> HookPath {
    HookPath::derive(None, &number.to_string(), "default")
}
