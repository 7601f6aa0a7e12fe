//! The annotation, label, finalizer and Secret keys, spelled once: Flux's own, and the extensions of hookgate.
//!
//! Extensions are annotations under `hookgate.dev/`, so that an object valid here is valid in Flux.

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

/// On a Receiver: the last delivery that triggered something; its value is a [`super::last_trigger::LastTrigger`].
pub const LAST_TRIGGER: &str = "hookgate.dev/last-trigger";

/// Names the sender behind a Receiver whose type several kinds of sender share, such as `gitea` on `generic-hmac`.
pub const SENDER: &str = "hookgate.dev/sender";

/// How far the time that a delivery was signed at may be from now, in Go's notation; five minutes when absent.
pub const REPLAY_WINDOW: &str = "hookgate.dev/replay-window";

/// On a Receiver: which secrets are live beside the current ones; its value is [`super::live_secrets::LiveSets`].
pub const LIVE_SECRETS: &str = "hookgate.dev/live-secrets";

/// Lets in only clients with a certificate: `required`, or the DNS names and URIs that it may be for, comma-separated.
pub const CLIENT_CERTIFICATE: &str = "hookgate.dev/client-certificate";

/// On a Receiver: the networks that its deliveries may come from; its value is a [`super::clients::ClientNetworks`].
pub const ALLOWED_CLIENTS: &str = "hookgate.dev/allowed-clients";

/// On a Receiver: how often its deliveries trigger targets, as a [`super::rate::Rate`]; what is above it waits.
pub const RATE: &str = "hookgate.dev/rate";

/// On a Receiver: whether a delivery that was signed before triggers again, `trigger` when absent, or not: `refuse`.
pub const REPLAYS: &str = "hookgate.dev/replays";

/// The annotations that change what a Receiver accepts or what is said of it; Kubernetes does not count them as a new
/// generation.
pub const SETTINGS: [&str; 8] = [
    SENDER,
    REPLAY_WINDOW,
    LIVE_SECRETS,
    CLIENT_CERTIFICATE,
    DENIED_TARGETS,
    ALLOWED_CLIENTS,
    RATE,
    REPLAYS,
];

/// The key of a receiver Secret that holds a key to sign with (`whsec_…`), once GitLab has one.
pub const SIGNING_TOKEN_KEY: &str = "signing-token";

/// The key of a receiver Secret that holds the key to check ed25519 signatures with (`whpk_…`).
pub const PUBLIC_KEY_KEY: &str = "public-key";

/// The key of a receiver Secret that holds the address of the service account that Google must vouch for.
pub const EMAIL_KEY: &str = "email";

/// The key of a receiver Secret that holds the audience that Google's tokens must be for.
pub const AUDIENCE_KEY: &str = "audience";

/// The key of a receiver Secret that holds the user name for basic authentication.
pub const USERNAME_KEY: &str = "username";
