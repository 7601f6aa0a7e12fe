//! The process that is killed: a control plane in a directory, and several writers that never stop.
//!
//! Everything goes through `kube::Client`; each writer says what it is about to do, and when it is done.

use std::{collections::BTreeMap, path::Path};

use hookgate::{
    cli::install,
    cluster::{Embedded, Options, Storage},
};
use kube::{
    Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    journal::{self, Change, Key, Kind, Note, Version},
    objects::{self, NUMBER, SHARED, WRITER},
    random::Random,
};

/// Writes until it is killed.
pub(crate) async fn run(directory: &Path, writers: usize, seed: u64) -> anyhow::Result<()> {
    let storage = Storage::Directory(directory.to_owned());
    let client = Embedded::open(&Options { storage })?.client();
    install::crds(&client).await?;
    let shared = key(Kind::Config, "default", SHARED);
    let api = objects::api(&client, &shared);
    if api.get_opt(SHARED).await?.is_none() {
        let object = DynamicObject::new(SHARED, &objects::resource(Kind::Config));
        api.create(&PostParams::default(), &object).await?;
    }
    journal::say(&Note::Serving)?;
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let random = Random::new(seed.wrapping_add(writer as u64 + 1));
        tasks.spawn(Writer::new(client.clone(), writer, random).run());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

struct Writer {
    client: Client,
    number: usize,
    name: String,
    random: Random,
    keys: Vec<Key>,
    /// What is there, by the answers so far.
    there: BTreeMap<Key, DynamicObject>,
}

impl Writer {
    fn new(client: Client, number: usize, random: Random) -> Self {
        let name = format!("w{number}");
        let own = |place: &str| format!("{name}-{place}");
        let mut keys = vec![
            key(Kind::Namespace, "", &name),
            key(Kind::Shared, "default", &name),
        ];
        for place in ["a", "b", "c", "d"] {
            keys.push(key(Kind::Config, "default", &own(place)));
            keys.push(key(Kind::Source, "default", &own(place)));
            keys.push(key(Kind::Config, &name, place));
        }
        Self {
            client,
            number,
            name,
            random,
            keys,
            there: BTreeMap::new(),
        }
    }

    async fn run(mut self) -> anyhow::Result<()> {
        for key in self
            .keys
            .clone()
            .into_iter()
            .filter(|key| key.kind != Kind::Shared)
        {
            if let Some(object) = objects::api(&self.client, &key).get_opt(&key.name).await? {
                self.there.insert(key, object);
            }
        }
        loop {
            let key = self.random.choose(&self.keys).clone();
            let number = self.random.number();
            self.step(key, number).await?;
        }
    }

    /// One request for a key, as its state allows.
    async fn step(&mut self, key: Key, number: u64) -> anyhow::Result<()> {
        let home = self::key(Kind::Namespace, "", &key.namespace);
        let is_homeless = key.namespace == self.name && !self.there.contains_key(&home);
        match (key.kind, self.there.get(&key).cloned()) {
            _ if is_homeless => Ok(()),
            (Kind::Shared, _) => self.annotate(key, number).await,
            (_, None) => self.create(key, number).await,
            (Kind::Namespace, Some(_)) => match self.random.below(4) {
                0 => self.delete(key).await,
                _ => self.merge(key, number).await,
            },
            (_, Some(live)) => match self.random.below(16) {
                0..5 => self.replace(key, live, number).await,
                5..10 => self.merge(key, number).await,
                10..13 => self.patch(key, &live, number).await,
                13..15 => self.delete(key).await,
                _ => self.delete_all().await,
            },
        }
    }

    async fn create(&mut self, key: Key, number: u64) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let object = objects::object(&key, &self.name, number);
        let request = async move { api.create(&PostParams::default(), &object).await };
        self.put(key, number, request).await
    }

    async fn replace(
        &mut self,
        key: Key,
        mut live: DynamicObject,
        number: u64,
    ) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let annotations = live.metadata.annotations.get_or_insert_default();
        annotations.insert(NUMBER.to_owned(), objects::text(number));
        let name = key.name.clone();
        let request = async move { api.replace(&name, &PostParams::default(), &live).await };
        self.put(key, number, request).await
    }

    async fn merge(&mut self, key: Key, number: u64) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let patch = json!({"metadata": {"annotations": {NUMBER: objects::text(number)}}});
        let name = key.name.clone();
        let request = async move {
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                .await
        };
        self.put(key, number, request).await
    }

    async fn patch(&mut self, key: Key, live: &DynamicObject, number: u64) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let annotations = live.metadata.annotations.as_ref();
        let before = annotations.and_then(|known| known.get(NUMBER));
        let place = format!("/metadata/annotations/{NUMBER}");
        let patch: json_patch::Patch = serde_json::from_value(json!([
            {"op": "test", "path": place, "value": before},
            {"op": "replace", "path": place, "value": objects::text(number)},
        ]))?;
        let name = key.name.clone();
        let patch = Patch::<()>::Json(patch);
        let request = async move { api.patch(&name, &PatchParams::default(), &patch).await };
        self.put(key, number, request).await
    }

    /// Changes the annotation of this writer on the object that all of them change.
    async fn annotate(&mut self, key: Key, number: u64) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let patch = json!({"metadata": {"annotations": {&key.name: objects::text(number)}}});
        let request = async move {
            api.patch(SHARED, &PatchParams::default(), &Patch::Merge(patch))
                .await
        };
        self.put(key, number, request).await
    }

    /// Deletes an object; with a namespace goes what is in it.
    async fn delete(&mut self, key: Key) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key);
        let name = key.name.clone();
        let request = async move { api.delete(&name, &DeleteParams::default()).await.map(drop) };
        let is_gone = |other: &Key| {
            *other == key || (key.kind == Kind::Namespace && other.namespace == key.name)
        };
        let gone = self.there.keys().filter(|other| is_gone(other));
        self.remove(gone.cloned().collect(), request).await
    }

    /// Deletes all of this writer's `ConfigMaps` in one namespace at once.
    async fn delete_all(&mut self) -> anyhow::Result<()> {
        let api = objects::api(&self.client, &key(Kind::Config, "default", ""));
        let params = ListParams::default().labels(&format!("{WRITER}={}", self.name));
        let request = async move {
            api.delete_collection(&DeleteParams::default(), &params)
                .await
                .map(drop)
        };
        let is_gone = |key: &&Key| key.kind == Kind::Config && key.namespace == "default";
        let gone = self.there.keys().filter(is_gone);
        self.remove(gone.cloned().collect(), request).await
    }

    async fn put(
        &mut self,
        key: Key,
        number: u64,
        request: impl Future<Output = kube::Result<DynamicObject>>,
    ) -> anyhow::Result<()> {
        let changes = vec![(key.clone(), Some(number))];
        if let Some(object) = self.send(changes, request, objects::version).await? {
            self.there.insert(key, object);
        }
        Ok(())
    }

    async fn remove(
        &mut self,
        keys: Vec<Key>,
        request: impl Future<Output = kube::Result<()>>,
    ) -> anyhow::Result<()> {
        let changes = keys.iter().map(|key| (key.clone(), None)).collect();
        if self.send(changes, request, |()| None).await?.is_some() {
            self.there.retain(|key, _| !keys.contains(key));
        }
        Ok(())
    }

    /// Sends a request between the two notes about it.
    async fn send<T>(
        &self,
        changes: Vec<Change>,
        request: impl Future<Output = kube::Result<T>>,
        version: impl FnOnce(&T) -> Option<Version>,
    ) -> anyhow::Result<Option<T>> {
        let writer = self.number;
        journal::say(&Note::Begun { writer, changes })?;
        match request.await {
            Ok(answer) => {
                let version = version(&answer);
                journal::say(&Note::Done { writer, version })?;
                Ok(Some(answer))
            }
            Err(error) => {
                let why = error.to_string();
                journal::say(&Note::Refused { writer, why })?;
                Ok(None)
            }
        }
    }
}

fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    Key {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
