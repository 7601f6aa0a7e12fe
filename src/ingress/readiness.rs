//! Whether everything that must serve does.
//!
//! Each part opens its own gate once; a gate that is dropped unopened stays closed.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// The gates of a process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<watch::Sender<Gates>>);

type Gates = BTreeMap<&'static str, bool>;

/// One part that must be ready.
#[derive(Debug)]
pub struct Gate {
    name: &'static str,
    gates: Arc<watch::Sender<Gates>>,
}

impl Readiness {
    /// Adds a part that must be ready, under the name that operators see.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        self.0.send_modify(|gates| {
            gates.insert(name, false);
        });
        Gate {
            name,
            gates: Arc::clone(&self.0),
        }
    }

    /// The parts that are not ready.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<&'static str> {
        let gates = self.0.borrow();
        gates
            .iter()
            .filter(|(_, open)| !**open)
            .map(|(name, _)| *name)
            .collect()
    }

    /// Waits until every part is ready.
    pub async fn ready(&self) {
        let all_open = |gates: &Gates| gates.values().all(|open| *open);
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(all_open).await;
    }
}

impl Gate {
    /// Tells that the part is ready.
    pub fn open(self) {
        self.gates.send_modify(|gates| {
            gates.insert(self.name, true);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_is_when_every_gate_is_open() {
        let readiness = Readiness::default();
        let (table, gateway) = (readiness.gate("hook table"), readiness.gate("gateway"));
        assert_eq!(readiness.waiting_for(), ["gateway", "hook table"]);
        table.open();
        assert_eq!(readiness.waiting_for(), ["gateway"]);
        gateway.open();
        readiness.ready().await;
        assert!(readiness.waiting_for().is_empty());
    }
}
