//! Step one of reconciling a Receiver: read the Secret it names.
//!
//! It judges only whether there is a token, not whether the Receiver makes sense.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta},
};

use crate::{
    api::{live_secrets::LiveSets, receiver::Receiver},
    hook::{ReceiverRef, Secrets},
    reconcile::cause::cause,
};

/// What reading the Secret of a Receiver came to.
#[derive(Debug)]
pub(super) enum Reading {
    /// The Receiver names no Secret.
    NotNamed,
    /// There is a token.
    Found {
        /// What the Secret holds.
        secrets: Secrets,
        /// The resource version of the Secret.
        version: Option<String>,
        /// Which of the secrets are live, as the Receiver said no earlier than the Secret was read.
        named: LiveSets,
    },
    /// There is no token until somebody changes something.
    Missing {
        /// What to tell.
        message: String,
    },
    /// The API server did not say; the token may well be there.
    Unreadable {
        /// What to tell.
        message: String,
    },
}

impl Reading {
    /// Which secrets the Receiver names as live, if that was read anew.
    pub(super) fn named(&self) -> Option<LiveSets> {
        match self {
            Self::Found { named, .. } => Some(named.clone()),
            Self::NotNamed | Self::Missing { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Reads the Secret that a Receiver names, in the Receiver's own namespace.
pub(super) async fn load(client: &Client, receiver: &Receiver) -> Reading {
    let Some(secret) = &receiver.spec.secret_ref else {
        return Reading::NotNamed;
    };
    let namespace = ReceiverRef::of(&receiver.metadata).namespace;
    let name = &secret.name;
    if !is_name(name) {
        let message = format!(
            "unable to read token from secret '{namespace}/{name}' error: this is not a name that a Secret can have"
        );
        return Reading::Missing { message };
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let reading = interpret(&namespace, name, secrets.get(name).await);
    up_to_date(client, receiver, reading).await
}

/// The Secret may be ahead of what is watched of the Receiver: a token that was replaced must not be refused because the
/// annotation that keeps it live has not been seen yet.
async fn up_to_date(client: &Client, receiver: &Receiver, reading: Reading) -> Reading {
    let Reading::Found {
        secrets, version, ..
    } = reading
    else {
        return reading;
    };
    let mut named = LiveSets::of(&receiver.metadata);
    let has_unnamed = secrets.sets().any(|set| named.find(set).is_none());
    if has_unnamed && let Some(metadata) = metadata(client, receiver).await {
        named = LiveSets::of(&metadata);
    }
    Reading::Found {
        secrets,
        version,
        named,
    }
}

/// The metadata of a Receiver as it is now, by a list, which is a right that every replica has.
async fn metadata(client: &Client, receiver: &Receiver) -> Option<ObjectMeta> {
    let ReceiverRef { namespace, name } = ReceiverRef::of(&receiver.metadata);
    let receivers: Api<Receiver> = Api::namespaced(client.clone(), &namespace);
    let this = ListParams::default().fields(&format!("metadata.name={name}"));
    let listed = receivers.list_metadata(&this).await.ok()?;
    let object = listed.items.into_iter().next()?;
    (object.metadata.uid == receiver.metadata.uid).then_some(object.metadata)
}

/// What an answer about a Secret of this name means.
pub(super) fn interpret(
    namespace: &str,
    name: &str,
    answer: Result<Secret, kube::Error>,
) -> Reading {
    let mut secret = match answer {
        Ok(secret) => secret,
        Err(error) => {
            let is_missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
            let cause = cause(&error);
            let message =
                format!("unable to read token from secret '{namespace}/{name}' error: {cause}");
            return if is_missing {
                Reading::Missing { message }
            } else {
                Reading::Unreadable { message }
            };
        }
    };
    let version = secret.metadata.resource_version.take();
    match Secrets::of(secret.data.unwrap_or_default()) {
        Ok(secrets) => Reading::Found {
            secrets,
            version,
            named: LiveSets::default(),
        },
        Err(invalid) => Reading::Missing {
            message: format!("invalid '{namespace}/{name}' secret data: {invalid}"),
        },
    }
}

/// The CRD does not check the name, and what is not a name must not change the URL.
fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn read(secret: serde_json::Value) -> Reading {
        interpret("apps", "hook", Ok(serde_json::from_value(secret).unwrap()))
    }

    fn refused(code: u16) -> Reading {
        let status = Status {
            code,
            message: "some words".to_owned(),
            ..Status::default()
        };
        interpret("apps", "hook", Err(kube::Error::Api(Box::new(status))))
    }

    fn check_missing(reading: &Reading, words: &str) {
        let Reading::Missing { message } = reading else {
            panic!("{reading:?}");
        };
        assert_eq!(message, words);
    }

    #[test]
    fn the_token_is_taken_with_the_version_of_its_secret() {
        let secret = json!({"metadata": {"resourceVersion": "7"}, "data": {"token": "czNjcmV0"}});
        let Reading::Found {
            secrets, version, ..
        } = read(secret)
        else {
            panic!("there is a token");
        };
        assert!(secrets.token().matches(b"s3cret"));
        assert_eq!(version.as_deref(), Some("7"));
    }

    #[test]
    fn without_a_token_the_message_says_what_is_missing() {
        let required = "invalid 'apps/hook' secret data: required fields 'token'";
        check_missing(&read(json!({})), required);
        check_missing(&read(json!({"data": {"password": "eA=="}})), required);
        check_missing(
            &read(json!({"data": {"token": "Cg=="}})),
            "invalid 'apps/hook' secret data: the token is empty or blank; anyone could pass for the sender",
        );
        check_missing(
            &refused(404),
            "unable to read token from secret 'apps/hook' error: some words",
        );
    }

    #[test]
    fn an_answer_that_is_not_about_the_secret_says_nothing_of_it() {
        for code in [401, 403, 429, 500, 503] {
            let reading = refused(code);
            assert!(matches!(reading, Reading::Unreadable { .. }), "{reading:?}");
        }
    }

    #[test]
    fn a_name_cannot_change_the_url() {
        for name in [
            "",
            ".",
            "..",
            "../other/secrets/x",
            "a/b",
            "a?x",
            "a%2e",
            "A",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
        for name in ["hook", "hook-1.v2", "1"] {
            assert!(is_name(name), "{name:?}");
        }
    }
}
