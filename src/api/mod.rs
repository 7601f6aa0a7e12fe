//! What users write: the custom resources, their conditions and references.
//!
//! Types only: nothing here reads a cluster or decides what an object means.

pub mod annotations;
pub mod condition;
pub mod duration;
pub mod receiver;
