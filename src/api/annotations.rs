//! The annotation, label, finalizer and Secret keys shared with Flux, spelled once.
//!
//! What hookgate adds is under `hookgate.dev/`.

/// Requests a reconciliation: any new value makes the owner of the object act once.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// The finalizer that Flux controllers and hookgate put on the objects they own.
pub const FINALIZER: &str = "finalizers.fluxcd.io";

/// Label of Secrets and ConfigMaps whose changes are acted on at once; its value is [`WATCH_ENABLED`].
pub const WATCH_LABEL: &str = "reconcile.fluxcd.io/watch";

/// The value of [`WATCH_LABEL`] that turns the watch on.
pub const WATCH_ENABLED: &str = "Enabled";

/// The key of a receiver Secret that holds the shared token.
pub const TOKEN_KEY: &str = "token";

/// On a Receiver: the targets that the gateway may not trigger; its value is a [`super::denied::DeniedTargets`].
pub const DENIED_TARGETS: &str = "hookgate.dev/denied-targets";
