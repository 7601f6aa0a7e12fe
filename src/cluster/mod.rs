//! The embedded control plane: the Kubernetes API of one node on an embedded database.
//!
//! It stores, validates and watches objects; it runs no workloads and knows nothing of hookgate.
#![expect(dead_code, reason = "the parts that use these come next")]

mod discovery;
mod listener;
mod openapi;
mod resource;
mod schema;
mod table;

pub use self::listener::{ListenError, Listener, RequestBody};
