//! Step four of reconciling a Receiver: finalizer, status and events, by the leader only.
//!
//! Nothing is written that is already so; what another writer changed meanwhile is read and tried again.

use jiff::Timestamp;
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams},
    core::DeserializeGuard,
};
use serde_json::{Value, json};

use super::{
    act::Standing,
    decide::{Outcome, denied_targets},
    status,
};
use crate::{
    api::{
        annotations::{FINALIZER, REQUESTED_AT},
        condition::Stamp,
        duration::Duration,
        event::of_receiver,
        receiver::{Receiver, ReceiverStatus},
    },
    hook::{ReceiverRef, Refusal},
    reconcile::event,
};

const FIELD_MANAGER: &str = "hookgate";
/// How often a write is tried when others write at the same time.
const MAX_ATTEMPTS: u32 = 5;

/// What is to be recorded of one Receiver.
pub(super) struct Record<'r> {
    /// The Receiver that was reconciled.
    pub(super) object: &'r DeserializeGuard<Receiver>,
    /// What became of it.
    pub(super) outcome: &'r Outcome,
    /// What it names and can never trigger.
    pub(super) refusals: &'r [Refusal],
    /// How it stands among those with the same path.
    pub(super) standing: &'r Standing,
    /// How long until it is reconciled again without a cause.
    pub(super) interval: Duration,
}

/// The parts of a Receiver that are written, as they are stored.
struct Stored {
    metadata: ObjectMeta,
    status: ReceiverStatus,
}

impl Record<'_> {
    /// Writes what is not so yet.
    pub(super) async fn write(&self, client: &Client) -> Result<(), kube::Error> {
        let receiver = ReceiverRef::of(self.object.meta());
        let resource = ApiResource::erase::<Receiver>(&());
        let api = Api::namespaced_with(client.clone(), &receiver.namespace, &resource);
        let mut stored = match &self.object.0 {
            Ok(receiver) => Some(Stored {
                metadata: receiver.metadata.clone(),
                status: receiver.status.clone().unwrap_or_default(),
            }),
            Err(_) => read(&api, &receiver.name).await?,
        };
        let mut attempt = 1;
        loop {
            let Some(current) = stored.filter(|stored| !self.is_superseded(stored)) else {
                return Ok(());
            };
            match self.write_over(client, &api, current).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 && attempt < MAX_ATTEMPTS => {
                    attempt += 1;
                    stored = read(&api, &receiver.name).await?;
                }
                written => return written,
            }
        }
    }

    /// A Receiver that has changed since will be reconciled again, and what is known of it now is worth nothing.
    fn is_superseded(&self, stored: &Stored) -> bool {
        let decided = self.object.meta();
        stored.metadata.uid != decided.uid || stored.metadata.generation != decided.generation
    }

    async fn write_over(
        &self,
        client: &Client,
        api: &Api<DynamicObject>,
        mut stored: Stored,
    ) -> Result<(), kube::Error> {
        let name = stored.metadata.name.clone().unwrap_or_default();
        let mut finalizers = stored.metadata.finalizers.clone().unwrap_or_default();
        let has_finalizer = finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if *self.outcome == Outcome::Deleting {
            if has_finalizer {
                finalizers.retain(|finalizer| finalizer != FINALIZER);
                patch_finalizers(api, &stored.metadata, finalizers).await?;
            }
            return Ok(());
        }
        if !has_finalizer {
            finalizers.push(FINALIZER.to_owned());
            stored.metadata = patch_finalizers(api, &stored.metadata, finalizers).await?;
        }
        let new = self.status(&stored);
        if new == stored.status {
            return Ok(());
        }
        let patch = status_patch(&stored.metadata, &new);
        api.patch_status(&name, &by_hookgate(), &Patch::Merge(patch))
            .await?;
        for happening in status::happenings(&stored.status, &new, self.standing, self.interval) {
            event::publish(client, of_receiver(&stored.metadata), &happening).await;
        }
        Ok(())
    }

    fn status(&self, stored: &Stored) -> ReceiverStatus {
        let metadata = self.object.meta();
        let annotations = metadata.annotations.as_ref();
        let requested_at = annotations.and_then(|all| all.get(REQUESTED_AT));
        let stamp = Stamp {
            generation: metadata.generation.unwrap_or_default(),
            now: Timestamp::now(),
        };
        let requested_at = requested_at.map(String::as_str);
        let mut status = status::status(
            &stored.status,
            self.outcome,
            self.standing,
            requested_at,
            stamp,
        );
        let denied = denied_targets(metadata);
        let conditions = &mut status.conditions;
        status::show_inaccessible(conditions, denied.as_ref(), self.refusals, stamp);
        status
    }
}

/// Reads a Receiver that may be malformed; a status that makes no sense counts as none.
async fn read(api: &Api<DynamicObject>, name: &str) -> Result<Option<Stored>, kube::Error> {
    let object = api.get_opt(name).await?;
    Ok(object.map(|object| {
        let status = object.data.get("status").cloned().unwrap_or_default();
        Stored {
            metadata: object.metadata,
            status: serde_json::from_value(status).unwrap_or_default(),
        }
    }))
}

async fn patch_finalizers(
    api: &Api<DynamicObject>,
    metadata: &ObjectMeta,
    finalizers: Vec<String>,
) -> Result<ObjectMeta, kube::Error> {
    let name = metadata.name.as_deref().unwrap_or_default();
    let version = &metadata.resource_version;
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    let object = api
        .patch(name, &by_hookgate(), &Patch::Merge(patch))
        .await?;
    Ok(object.metadata)
}

fn status_patch(metadata: &ObjectMeta, status: &ReceiverStatus) -> Value {
    json!({
        "metadata": {"resourceVersion": metadata.resource_version},
        "status": {
            "conditions": status.conditions,
            "lastHandledReconcileAt": status.last_handled_reconcile_at,
            "observedGeneration": status.observed_generation,
            "webhookPath": status.webhook_path,
        },
    })
}

fn by_hookgate() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}
