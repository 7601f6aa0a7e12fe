//! What a delivery means: from a Receiver to a hook, and from bytes to an authentic event.
//!
//! Pure functions of values: no I/O, no clock, no environment, no clients.

mod selection;

pub use selection::{Selector, Target, TargetKind};
