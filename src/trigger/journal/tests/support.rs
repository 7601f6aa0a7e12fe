//! Targets and marks for the tests of the journal.

use jiff::Timestamp;

use super::super::Mark;
use crate::hook::ReceiverRef;

pub(in super::super) fn mark(at: i64) -> Mark {
    Mark {
        requested_at: time(at),
        receiver: ReceiverRef {
            namespace: "apps".to_owned(),
            name: "hook".to_owned(),
        },
        delivery: format!("delivery-{at}"),
    }
}

pub(in super::super) fn time(at: i64) -> Timestamp {
    Timestamp::new(1_700_000_000 + at, 0).unwrap()
}
