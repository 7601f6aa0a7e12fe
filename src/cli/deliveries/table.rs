//! Deliveries as lines of a table, as `kubectl` writes them.
//!
//! Pure. Columns keep their width once they are printed, so that a watch can go on below.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::trigger::history::{Delivery, State};

const COLUMNS: [&str; 8] = [
    "ID", "AGE", "RECEIVER", "EVENT", "OUTCOME", "TARGETS", "REVISION", "DELIVERY",
];
/// The widths at which columns begin, when there is nothing to measure.
const WIDTHS: [usize; 8] = [5, 4, 24, 8, 16, 7, 24, 8];
const GAP: &str = "   ";

/// A table that is printed line by line.
pub(super) struct Table {
    /// The time that ages are counted to.
    pub(super) now: Timestamp,
    widths: [usize; 8],
}

impl Table {
    /// A table as wide as these deliveries need.
    pub(super) fn new(now: Timestamp, deliveries: &[Delivery]) -> Self {
        let mut table = Self {
            now,
            widths: if deliveries.is_empty() {
                WIDTHS
            } else {
                COLUMNS.map(str::len)
            },
        };
        for delivery in deliveries {
            for (width, cell) in table.widths.iter_mut().zip(cells(delivery, now)) {
                *width = cell.chars().count().max(*width);
            }
        }
        table
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> String {
        self.format(&COLUMNS.map(str::to_owned))
    }

    /// The line of a delivery.
    pub(super) fn line(&mut self, delivery: &Delivery) -> String {
        self.format(&cells(delivery, self.now))
    }

    fn format(&self, cells: &[String; 8]) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(self.widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:<width$}{GAP}");
        }
        format!("{}\n", line.trim_end())
    }
}

fn cells(delivery: &Delivery, now: Timestamp) -> [String; 8] {
    let done = delivery
        .targets
        .iter()
        .filter(|triggered| matches!(triggered.state, State::Triggered { .. }));
    let targets = format!(
        "{}/{}",
        done.count(),
        delivery.targets.len() + delivery.more_targets
    );
    let outcome = if delivery.is_redelivery {
        format!("{} (again)", delivery.outcome)
    } else {
        delivery.outcome.clone()
    };
    [
        delivery.id.to_string(),
        age(now.duration_since(delivery.received_at).as_secs()),
        delivery.receiver.to_string(),
        delivery.event.clone(),
        outcome,
        targets,
        revision(delivery),
        delivery.delivery.clone(),
    ]
    .map(|cell| printable(&cell))
}

/// The first revision, and how many others there are.
fn revision(delivery: &Delivery) -> String {
    let mut revisions: Vec<_> = delivery
        .targets
        .iter()
        .filter_map(|triggered| match &triggered.state {
            State::Triggered { revision, .. } => revision.as_deref(),
            _ => None,
        })
        .collect();
    revisions.dedup();
    match revisions.as_slice() {
        [] => "-".to_owned(),
        [one] => (*one).to_owned(),
        [first, others @ ..] => format!("{first} +{}", others.len()),
    }
}

/// An age in its largest unit.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// What a sender wrote must not move the cursor of a terminal.
fn printable(cell: &str) -> String {
    let shown = cell.chars().map(|c| if c.is_control() { '?' } else { c });
    let shown: String = shown.collect();
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(event: &str, revisions: &[&str]) -> Delivery {
        let targets = revisions.iter().map(|revision| {
            serde_json::json!({
                "group": "g", "version": "v1", "kind": "K", "plural": "ks", "namespace": "apps", "name": "web",
                "state": "triggered", "at": "2026-01-01T00:00:01Z", "revision": revision,
            })
        });
        serde_json::from_value(serde_json::json!({
            "id": 7, "delivery": "72d3162e", "receiver": "apps/hook", "sender": "github",
            "event": event, "receivedAt": "2026-01-01T00:00:00Z", "outcome": "triggered",
            "targets": targets.collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    #[test]
    fn a_delivery_is_a_line_under_its_column() {
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        let deliveries = [delivery("push", &["main@sha1:1234"]), delivery("", &[])];
        let mut table = Table::new(now, &deliveries);
        let mut text = table.header();
        text.extend(deliveries.iter().map(|delivery| table.line(delivery)));
        assert_eq!(
            text,
            "ID   AGE   RECEIVER    EVENT   OUTCOME     TARGETS   REVISION         DELIVERY\n\
             7    5m    apps/hook   push    triggered   1/1       main@sha1:1234   72d3162e\n\
             7    5m    apps/hook   -       triggered   0/0       -                72d3162e\n"
        );
    }

    #[test]
    fn nothing_moves_the_cursor() {
        let delivery = delivery("\u{1b}[2J\n", &["a", "a", "b"]);
        let mut table = Table::new(delivery.received_at, &[]);
        let line = table.line(&delivery);
        assert!(line.contains("?[2J?"), "{line:?}");
        assert!(line.contains("a +1"), "{line:?}");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn ages_read_as_in_kubectl() {
        let ages = [-1, 0, 119, 120, 7199, 7200, 172_799, 172_800].map(age);
        assert_eq!(ages, ["0s", "0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }
}
