//! The contract suite: what clients of the Kubernetes API rely on, shown on every back end.
//!
//! A case never asks which back end it runs on; where servers differ, it asks the server itself, in `probe.rs`.
//!
//! A server of version 1.20 without controllers, which is the real one at hand, cannot check the cases that need
//!
//! - [`probe::Capability::Rules`]: CEL rules of definitions (1.25),
//! - [`probe::Capability::StreamingLists`]: watches that begin with the list (1.27, on by default since 1.32),
//! - [`probe::Capability::AggregatedDiscovery`] (1.26),
//! - [`probe::Capability::OpenApiV3`] (1.23),
//! - [`probe::Capability::FieldValidation`]: refusal of unknown fields by the server (1.25),
//! - [`probe::Capability::Collection`]: dependents that go with their owner, and namespaces that go (a controller manager).
//!
//! A newer server, or one with its controllers, checks them without any change here.
//! Where words differ between versions of Kubernetes, a case looks at what they have in common and says so.
//!
//! These differences are known and not looked at:
//!
//! - Definitions are not read in protobuf: their messages are in no table at hand, and `kubectl` and `kube` send JSON.
//! - Rules are checked against the fields of the schema, but not whether types fit each other.
//! - A definition that gives up a name before it could have it says so at once; Kubernetes leaves the conflict in its
//!   status.

mod controllers;
mod crud;
mod definitions;
mod fixture;
mod kubectl;
mod paging;
mod patching;
mod probe;
mod steps;
mod validation;
mod watching;
mod widgets;
mod yaml;

use fixture::Cluster;

use crate::support::BackEnd;

/// Runs one case on every back end, as one test each, so that a failure names the back end.
macro_rules! on_every_cluster {
    ($($(#[needs($capability:ident)])? async fn $name:ident($cluster:ident) $body:block)*) => {$(
        async fn $name(mut $cluster: crate::cluster::Cluster) {
            // Cases that restart nothing still get the cluster by value.
            let _ = &mut $cluster;
            $(if !$cluster.can(crate::cluster::probe::Capability::$capability).await {
                return $cluster.end().await;
            })?
            $body
            $cluster.end().await;
        }

        mod $name {
            #[tokio::test]
            async fn embedded_in_memory() {
                crate::cluster::run(crate::support::BackEnd::Memory, super::$name).await;
            }

            #[tokio::test]
            async fn embedded_over_https() {
                crate::cluster::run(crate::support::BackEnd::Https, super::$name).await;
            }

            #[tokio::test]
            async fn embedded_on_disk() {
                crate::cluster::run(crate::support::BackEnd::Disk, super::$name).await;
            }

            #[tokio::test]
            async fn api_server() {
                crate::cluster::run(crate::support::BackEnd::ApiServer, super::$name).await;
            }
        }
    )*};
}
use on_every_cluster;

/// Runs a case on a back end; does nothing where that cannot be had.
async fn run<F: Future<Output = ()>>(back_end: BackEnd, case: impl FnOnce(Cluster) -> F) {
    if let Some(cluster) = Cluster::start(back_end).await {
        case(cluster).await;
    }
}
