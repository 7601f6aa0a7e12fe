//! Reads what a Receiver says of itself now, by a list, which is a right that a gateway has.
//!
//! What is made of it is for those who ask.

use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta},
};

use crate::{api::receiver::Receiver, hook::ReceiverRef};

/// The metadata of a Receiver; nothing when there is none.
pub(super) async fn metadata(
    client: Client,
    receiver: &ReceiverRef,
) -> kube::Result<Option<ObjectMeta>> {
    let receivers: Api<Receiver> = Api::namespaced(client, &receiver.namespace);
    let this = ListParams::default().fields(&format!("metadata.name={}", receiver.name));
    let mut listed = receivers.list_metadata(&this).await?.items.into_iter();
    Ok(listed.next().map(|found| found.metadata))
}
