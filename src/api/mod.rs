//! What users write: the custom resources, their conditions and references.
//!
//! Types only: nothing here reads a cluster or decides what an object means.

mod absent;
pub mod annotations;
pub mod clients;
pub mod condition;
pub mod crds;
pub mod denied;
pub mod duration;
pub mod event;
pub mod git_repository;
pub mod kustomization;
pub mod last_trigger;
pub mod live_secrets;
pub mod rate;
pub mod receiver;
pub mod reference;

#[cfg(test)]
mod tests;
