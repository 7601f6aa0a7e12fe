//! Installs the CustomResourceDefinitions through the API and waits until they are served.
//!
//! Definitions that are installed and say the same are left alone; none is ever removed.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::PostParams,
    runtime::wait::{await_condition, conditions},
};

use crate::api::crds;

/// How long a definition may take to be served.
const ESTABLISHED_DEADLINE: Duration = Duration::from_secs(30);

/// Creates or replaces the definitions that hookgate reads, and waits until the API server serves them.
pub async fn crds(client: &Client) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let wanted = crds::all();
    for definition in &wanted {
        install(&definitions, definition).await.with_context(|| {
            format!("cannot install the definition `{}`", definition.name_any())
        })?;
    }
    for definition in &wanted {
        let name = definition.name_any();
        let established =
            await_condition(definitions.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(ESTABLISHED_DEADLINE, established)
            .await
            .with_context(|| format!("the definition `{name}` is not served in time"))?
            .with_context(|| format!("cannot watch the definition `{name}`"))?;
    }
    Ok(())
}

async fn install(
    definitions: &Api<CustomResourceDefinition>,
    wanted: &CustomResourceDefinition,
) -> kube::Result<()> {
    let name = wanted.name_any();
    let Some(mut existing) = definitions.get_opt(&name).await? else {
        return match definitions.create(&PostParams::default(), wanted).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            created => created.map(drop),
        };
    };
    if existing.spec == wanted.spec {
        return Ok(());
    }
    existing.spec = wanted.spec.clone();
    definitions
        .replace(&name, &PostParams::default(), &existing)
        .await
        .map(drop)
}
