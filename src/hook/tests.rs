//! What the tests of tokens, of the senders that have them, and of issuers share.
//!
//! It tests nothing itself.

#[path = "../../tests/it/support/signer.rs"]
pub(super) mod signer;
