//! Deliveries as lines of a table.
//!
//! Pure; how a table looks is for `cli/table.rs`.

use jiff::Timestamp;

use crate::{
    cli::table::{self, age},
    trigger::history::{Delivery, State},
};

const COLUMNS: &table::Columns = &[
    ("ID", 5),
    ("AGE", 4),
    ("RECEIVER", 24),
    ("EVENT", 8),
    ("OUTCOME", 16),
    ("TARGETS", 7),
    ("REVISION", 24),
    ("DELIVERY", 8),
];

/// A table of deliveries that is printed line by line.
pub(in crate::cli) struct Table {
    /// The time that ages are counted to.
    pub(in crate::cli) now: Timestamp,
    table: table::Table,
}

impl Table {
    /// A table as wide as these deliveries need.
    pub(in crate::cli) fn new(now: Timestamp, deliveries: &[Delivery]) -> Self {
        let rows: Vec<_> = deliveries.iter().map(|it| cells(it, now)).collect();
        let table = table::Table::new(COLUMNS, &rows);
        Self { now, table }
    }

    /// The names of the columns.
    pub(in crate::cli) fn header(&self) -> String {
        self.table.header()
    }

    /// The line of a delivery.
    pub(in crate::cli) fn line(&self, delivery: &Delivery) -> String {
        self.table.line(&cells(delivery, self.now))
    }
}

fn cells(delivery: &Delivery, now: Timestamp) -> Vec<String> {
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
        delivery.outcome.to_string()
    };
    vec![
        delivery.id.to_string(),
        age(now.duration_since(delivery.received_at).as_secs()),
        delivery.receiver.to_string(),
        delivery.event.clone(),
        outcome,
        targets,
        revision(delivery),
        delivery.delivery.clone(),
    ]
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
        let table = Table::new(now, &deliveries);
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
        let table = Table::new(delivery.received_at, &[]);
        let line = table.line(&delivery);
        assert!(line.contains("?[2J?"), "{line:?}");
        assert!(line.contains("a +1"), "{line:?}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
