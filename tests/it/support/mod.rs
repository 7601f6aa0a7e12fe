//! What the tests stand on: back ends, the gateway under test, and a language to describe its behaviour.
//!
//! Everything here is the real thing; nothing of hookgate's own is imitated.

pub(crate) mod api_server;
pub(crate) mod back_end;
pub(crate) mod binary;
pub(crate) mod gateway;
pub(crate) mod issuer;
pub(crate) mod line;
pub(crate) mod load;
pub(crate) mod objects;
pub(crate) mod replica;
pub(crate) mod rights;
pub(crate) mod signer;
pub(crate) mod tls;
pub(crate) mod wire;

pub(crate) use back_end::BackEnd;
pub(crate) use gateway::Gateway;

/// Runs one behaviour on every back end, as one test each, so that a failure names the back end.
macro_rules! on_every_back_end {
    ($(async fn $name:ident($gw:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn behaviour(mut $gw: crate::support::Gateway) {
                // Behaviours that change nothing of the gateway itself still get it by value.
                let _ = &mut $gw;
                $body
                $gw.end().await;
            }

            #[tokio::test]
            async fn embedded_in_memory() {
                crate::support::run(crate::support::BackEnd::Memory, behaviour).await;
            }

            #[tokio::test]
            async fn embedded_over_https() {
                crate::support::run(crate::support::BackEnd::Https, behaviour).await;
            }

            #[tokio::test]
            async fn embedded_on_disk() {
                crate::support::run(crate::support::BackEnd::Disk, behaviour).await;
            }

            #[tokio::test]
            async fn api_server() {
                crate::support::run(crate::support::BackEnd::ApiServer, behaviour).await;
            }
        }
    )*};
}
pub(crate) use on_every_back_end;

/// The path as Flux derives it, computed here once more so that no test asks what it checks.
pub(crate) fn path_of(token: &str, name: &str, namespace: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(format!("{token}{name}{namespace}"));
    format!("/hook/{}", hex::encode(digest))
}

/// Tells whoever runs the tests what is not tested, and why.
#[expect(clippy::print_stderr, reason = "this is for people to read")]
pub(crate) fn say(sentence: &str) {
    eprintln!("{sentence}");
}

/// Runs a behaviour against a gateway on `back_end`; does nothing where that back end cannot be had.
pub(crate) async fn run<F: Future<Output = ()>>(
    back_end: BackEnd,
    behaviour: impl FnOnce(Gateway) -> F,
) {
    if let Some(gateway) = Gateway::start(back_end).await {
        behaviour(gateway).await;
    }
}
