//! Watches the phases of deliveries as the gateway enters them, for `demo` to show.
//!
//! It reads the log of this process and nothing else, so what is shown is what happened.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Context;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{self, Layer, SubscriberExt},
    util::SubscriberInitExt,
};

/// A phase that a delivery has entered.
#[derive(Clone, Debug)]
pub(super) struct Entered {
    /// Its name.
    pub(super) phase: String,
    /// When it was entered.
    pub(super) at: Instant,
}

/// The phases that deliveries have entered; clones share them.
#[derive(Clone, Default)]
pub(super) struct Phases(Arc<Mutex<Vec<Entered>>>);

impl Phases {
    /// Starts to watch this process; nothing is written anywhere.
    pub(super) fn watch() -> anyhow::Result<Self> {
        let phases = Self::default();
        let watched = tracing_subscriber::registry().with(phases.clone());
        watched.try_init().context("the log is started already")?;
        Ok(phases)
    }

    /// Takes what was entered since the last call.
    pub(super) fn take(&self) -> Vec<Entered> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Phases {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if let (Some(phase), true) = (line.phase, line.is_entry) {
            let mut phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            phases.push(Entered {
                phase,
                at: Instant::now(),
            });
        }
    }
}

/// What one log line says of phases.
#[derive(Default)]
struct Line {
    phase: Option<String>,
    is_entry: bool,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "phase" {
            self.phase = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.is_entry = format!("{value:?}") == "phase entered";
        }
    }
}
