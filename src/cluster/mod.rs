//! The embedded control plane: the Kubernetes API of one node on an embedded database.
//!
//! It stores, validates and watches objects; it runs no workloads and knows nothing of hookgate.

mod accept;
mod builtin;
mod content;
mod discovery;
mod documents;
mod kinds;
mod listener;
mod names;
mod object;
mod openapi;
mod options;
mod patch;
mod protobuf;
mod read;
mod reading;
mod record;
mod registry;
mod request;
mod resource;
mod response;
mod review;
mod schema;
mod selector;
mod service;
mod status;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod typed;
mod view;
mod watch;
mod write;

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::json;

use self::{
    kinds::{definition, namespace},
    object::GroupResource,
    options::Options as RequestOptions,
    registry::Registry,
    resource::Resource,
    store::Store,
    write::{Part, Write},
};
pub use self::{
    listener::{ListenError, Listener, RequestBody},
    store::{OpenError, Storage},
};

/// How the control plane is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the objects are kept.
    pub storage: Storage,
}

/// A running control plane; clones are handles to the same one.
#[derive(Clone)]
pub struct Embedded {
    cluster: Arc<Cluster>,
}

impl Embedded {
    /// Opens the stored objects and serves them; the initial namespaces are made when they are missing.
    ///
    /// It blocks while it reads the database.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let cluster = Cluster {
            store: Arc::new(Store::open(&options.storage)?),
            registry: ArcSwap::from_pointee(Registry::built_in()),
        };
        cluster.load();
        cluster.create_namespaces()?;
        Ok(Self {
            cluster: Arc::new(cluster),
        })
    }

    /// A client of this control plane, without a network; its default namespace is `default`.
    ///
    /// It must be called within a Tokio runtime.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.clone(), "default")
    }

    /// Lets go of the database and ends all watches; changes are refused from then on.
    pub fn close(&self) {
        self.cluster.store.close();
    }
}

/// The objects and the types that are served.
struct Cluster {
    store: Arc<Store>,
    registry: ArcSwap<Registry>,
}

impl Cluster {
    /// Serves the built-in types and those of the stored definitions.
    fn load(&self) {
        for resource in self.registry.load().resources() {
            self.store.declare(&resource.group_resource());
        }
        for object in self
            .store
            .snapshot(&builtin::definitions())
            .objects
            .values()
        {
            if !definition::is_established(&object.value) {
                continue;
            }
            match definition::compile(&object.value) {
                Ok(versions) => self.serve(&definition::defined(&object.value), versions),
                Err(errors) => {
                    let name = object::text(&object.value, &["metadata", "name"]);
                    tracing::warn!(name, error = %errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), "a stored definition is not served");
                }
            }
        }
    }

    /// Makes the initial namespaces in one change; those that exist already are left as they are.
    fn create_namespaces(&self) -> Result<(), OpenError> {
        let options = RequestOptions::default();
        let registry = self.registry.load();
        let Some(resource) = registry.find("", "v1", "namespaces") else {
            return Ok(());
        };
        let namespaces = namespace::INITIAL.map(|name| json!({"metadata": {"name": name}}));
        Write::new(self, resource, "", Part::Main, &options)
            .create_missing(namespaces)
            .map_err(|failure| OpenError::Namespaces {
                detail: failure.message,
            })
    }

    /// Serves these versions of a defined type from now on; none ends it.
    fn serve(&self, resource: &GroupResource, versions: Vec<Arc<Resource>>) {
        if !versions.is_empty() {
            self.store.declare(resource);
        }
        self.registry
            .store(Arc::new(self.registry.load().with(resource, versions)));
    }
}
