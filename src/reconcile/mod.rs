//! Events in: one controller per kind, each in four steps: load, decide, act, record.
//!
//! It never meets the ingress: they share objects and the table of hooks, and nothing else.

mod cause;
mod event;
pub mod leader;
mod receiver;

pub use receiver::{
    Foresight, ReceiverController, ReceiverOptions, ReceiverStatusWriting, Scope, foresee,
};
