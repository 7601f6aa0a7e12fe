//! What the commands are told: flags and environment, checked once, as values that cannot be wrong.
//!
//! The only module that reads the environment; nothing here opens a file or a connection.

mod audit;
mod cluster;
mod crds;
mod deliveries;
mod dev;
mod entrance;
mod flux;
mod issuers;
mod logging;
mod receiver;
mod run;
mod serving;
mod values;

pub use audit::AuditLog;
pub use cluster::Cluster;
pub use crds::Crds;
pub use deliveries::{Deliveries, DeliveriesAction, OperatorServer, Output};
pub use dev::Dev;
pub use entrance::{Entrance, EntranceArgs, TlsFiles};
pub use issuers::Issuers;
pub use logging::{LogEncoding, LogLevel, Logging};
pub use receiver::{
    Connection, List, ListOutput, MatchLabel, NamedReceiver, New, Rotate, Send, Show, ShowOutput,
    TargetName, Verify,
};
pub use run::{Run, RunArgs};
pub use serving::{
    ApiBudget, CrossNamespaceRefs, Journal, LeaderElection, Retry, Role, Scope, SecretWatch,
    Serving, StatusWrites,
};
pub use values::{InvalidConfig, ListenAddr, ReceiverName};
