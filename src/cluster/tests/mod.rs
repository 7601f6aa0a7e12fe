//! Tests of the control plane through its clients.

mod custom;
mod discovering;
mod events;
mod limits;
mod support;
mod verbs;
mod watching;
