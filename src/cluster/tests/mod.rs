//! Tests of the control plane through its clients.

mod custom;
mod discovering;
mod limits;
mod support;
mod verbs;
mod watching;
