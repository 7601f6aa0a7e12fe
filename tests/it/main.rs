//! Behaviour tests: the real gateway and controllers on every back end, and the built binary.
//!
//! What pure functions do is tested beside them; here it is what a user can see.

mod abuse;
mod cli;
mod client_certificates;
mod cluster;
mod deliver;
mod dev;
mod filter;
mod full_disk;
mod history;
mod issuers;
mod limits;
mod lossless;
mod operator;
mod proxies;
mod readiness;
mod receiver;
mod replay;
mod replicas;
mod rights;
mod rotation;
mod run;
mod secrecy;
mod select;
mod support;
mod tls;
