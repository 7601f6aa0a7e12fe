//! Selections while objects, permissions and definitions come and go, on the embedded control plane.
//!
//! A wire between it and the watches says no where a real API server would.

use std::{future::pending, sync::Mutex, time::Duration};

use futures::{StreamExt, stream};
use http::{Request, Response};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
    client::Body,
    runtime::watcher::{DefaultBackoff, Event},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::{BoxError, service_fn};

use super::{
    view::{Follower, Lists, Next},
    *,
};
use crate::trigger::tests::embedded::{cluster, publish, refusing, repositories};

const DEADLINE: Duration = Duration::from_secs(30);

/// What the wire answers instead of the cluster, for requests whose query contains a text.
type Refusals = Arc<Mutex<Vec<(&'static str, u16)>>>;

struct Bench {
    client: Client,
    table: HookTable,
    targets: Targets,
    refusals: Refusals,
    shutdown: CancellationToken,
}

impl Bench {
    /// Watches what hooks in an empty table will ask for.
    async fn new() -> Self {
        let client = cluster().await;
        let refusals = Refusals::default();
        let table = HookTable::default();
        let wire = over_wire(client.clone(), Arc::clone(&refusals));
        let targets = Targets::new(wire, table.clone(), WatchScope::Cluster);
        let shutdown = CancellationToken::new();
        tokio::spawn(targets.clone().run(shutdown.clone()));
        Self {
            client,
            table,
            targets,
            refusals,
            shutdown,
        }
    }

    fn use_kind(&self, kind: &str) {
        publish(
            &self.table,
            "ci",
            &json!([{"kind": kind, "name": "*", "matchLabels": {}}]),
        );
    }

    fn refuse(&self, query: &'static str, code: u16) {
        self.refusals.lock().unwrap().push((query, code));
    }

    fn permit(&self) {
        self.refusals.lock().unwrap().clear();
    }

    async fn select(&self, selector: &Selector) -> Result<Vec<String>, Failure> {
        let selected = self.targets.select(selector, Instant::now() + DEADLINE);
        let targets = selected.await?.into_iter();
        Ok(targets.map(|target| target.name).collect())
    }

    /// Waits until what is known of a kind is as wanted.
    async fn until(&self, kind: &TargetKind, is_wanted: impl Fn(&View) -> bool) {
        let watched = WatchScope::Cluster.watched(kind, "");
        let reached = async {
            let mut view = self
                .targets
                .0
                .known(&watched, Detail::Labels)
                .await
                .unwrap();
            view.wait_for(is_wanted).await.unwrap();
        };
        timeout(DEADLINE, reached).await.expect("it is so in time");
    }

    async fn label(&self, name: &str, labels: &Value) {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let (repositories, params) = (repositories(&self.client), PatchParams::default());
        repositories.patch(name, &params, &patch).await.unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn over_wire(client: Client, refusals: Refusals) -> Client {
    refusing(client, move |request| {
        let (query, refusals) = (request.uri().to_string(), refusals.lock().unwrap());
        let refusal = refusals.iter().find(|(text, _)| query.contains(text));
        refusal.map(|(_, code)| *code)
    })
}

fn kind(kind: &str, group: &str) -> TargetKind {
    TargetKind {
        group: format!("{group}.toolkit.fluxcd.io"),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: match kind {
            "GitRepository" => "gitrepositories".to_owned(),
            other => format!("{}s", other.to_lowercase()),
        },
    }
}

fn git_repository() -> TargetKind {
    kind("GitRepository", "source")
}

fn labelled(kind: &TargetKind, labels: &[(&str, &str)]) -> Selector {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Selector::Labelled {
        kind: kind.clone(),
        namespace: "default".to_owned(),
        labels: labels.iter().map(owned).collect(),
    }
}

fn knows(names: &'static [&'static str]) -> impl Fn(&View) -> bool {
    move |view| {
        let View::Synced(index, _) = view else {
            return false;
        };
        let shop = [("app".to_owned(), "shop".to_owned())].into();
        index
            .select("default", &shop)
            .iter()
            .map(|name| &**name)
            .eq(names.iter().copied())
    }
}

#[tokio::test]
async fn a_selection_follows_labels_and_objects() {
    let bench = Bench::new().await;
    bench.use_kind("GitRepository");
    let shop = labelled(&git_repository(), &[("app", "shop")]);
    assert_eq!(bench.select(&shop).await, Ok(vec!["api".to_owned()]));
    bench
        .label("web", &json!({"app": "shop", "env": "prod"}))
        .await;
    bench.until(&git_repository(), knows(&["api", "web"])).await;
    bench.label("api", &json!({"app": null})).await;
    bench.until(&git_repository(), knows(&["web"])).await;
    let (repositories, params) = (repositories(&bench.client), DeleteParams::default());
    repositories.delete("web", &params).await.unwrap();
    bench.until(&git_repository(), knows(&[])).await;
    assert_eq!(bench.select(&shop).await, Ok(vec![]));
    let everything = labelled(&git_repository(), &[]);
    assert_eq!(bench.select(&everything).await, Ok(vec!["api".to_owned()]));
}

#[tokio::test]
async fn a_kind_is_watched_from_its_first_use_to_its_last() {
    let bench = Bench::new().await;
    let mut views = bench.targets.0.views.subscribe();
    assert!(views.borrow().is_empty());
    bench.use_kind("GitRepository");
    bench.until(&git_repository(), View::is_known).await;
    let watched = WatchScope::Cluster.watched(&git_repository(), "default");
    let mut view = bench.targets.0.view(&watched).unwrap();
    bench.use_kind("Kustomization");
    let kustomization = kind("Kustomization", "kustomize");
    bench.until(&kustomization, View::is_known).await;
    views
        .wait_for(|views| !views.contains_key(&watched))
        .await
        .unwrap();
    let ended = timeout(DEADLINE, view.wait_for(|_| false)).await;
    assert!(
        ended.expect("in time").is_err(),
        "nobody writes to it any more"
    );
    assert_eq!(views.borrow().len(), 1);
}

#[tokio::test]
async fn a_server_that_sends_no_lists_as_events_is_asked_for_pages() {
    let bench = Bench::new().await;
    bench.refuse("sendInitialEvents=true", 422);
    bench.use_kind("GitRepository");
    let shop = labelled(&git_repository(), &[("app", "shop")]);
    assert_eq!(bench.select(&shop).await, Ok(vec!["api".to_owned()]));
    bench.label("web", &json!({"app": "shop"})).await;
    bench.until(&git_repository(), knows(&["api", "web"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_ends_such_a_list_is_asked_for_pages() {
    let events = stream::iter([Ok(Event::Init)]).chain(stream::once(pending()));
    let watched = WatchScope::Cluster.watched(&git_repository(), "");
    let (view, _known) = tokio::sync::watch::channel(View::Unsynced(Doubt::Waiting));
    let mut backoff = DefaultBackoff::default();
    let news = Sender::default();
    let next = watch::follow(
        &watched,
        Follower::new(Detail::Labels),
        events,
        Lists::AsEvents,
        &view,
        &news,
        &mut backoff,
    );
    assert_eq!(next.await, Next::ListInstead);
}

#[tokio::test]
async fn what_may_not_be_watched_is_refused_until_it_may() {
    let bench = Bench::new().await;
    bench.refuse("/gitrepositories", 403);
    bench.use_kind("GitRepository");
    let shop = labelled(&git_repository(), &[("app", "shop")]);
    let Err(Failure::Forbidden { reason }) = bench.select(&shop).await else {
        panic!("it is forbidden");
    };
    assert_eq!(
        reason,
        "not allowed to watch `GitRepository/default/* app=shop`: grant `list` and `watch` on \
         `gitrepositories.source.toolkit.fluxcd.io` to the service account of hookgate"
    );
    timeout(DEADLINE, bench.targets.settled())
        .await
        .expect("a refusal is an answer");
    bench.permit();
    bench.until(&git_repository(), knows(&["api"])).await;
}

#[tokio::test]
async fn a_kind_whose_definition_goes_away_is_refused_until_it_is_back() {
    let bench = Bench::new().await;
    bench.use_kind("GitRepository");
    bench.until(&git_repository(), knows(&["api"])).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bench.client.clone());
    let name = "gitrepositories.source.toolkit.fluxcd.io";
    let definition = definitions.get(name).await.unwrap();
    definitions
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    let is_refused = |view: &View| matches!(view, View::Refused(_));
    bench.until(&git_repository(), is_refused).await;
    let everything = labelled(&git_repository(), &[]);
    let Err(Failure::Refused { reason }) = bench.select(&everything).await else {
        panic!("it is refused");
    };
    assert!(
        reason.contains("does not serve `gitrepositories."),
        "{reason}"
    );
    let fresh = json!({"metadata": {"name": name}, "spec": definition.spec});
    let fresh = serde_json::from_value(fresh).unwrap();
    definitions
        .create(&kube::api::PostParams::default(), &fresh)
        .await
        .unwrap();
    bench
        .until(&git_repository(), |view| matches!(view, View::Synced(..)))
        .await;
    assert_eq!(bench.select(&everything).await, Ok(vec![]));
}

#[tokio::test]
async fn a_server_in_trouble_leaves_what_is_known() {
    let bench = Bench::new().await;
    bench.refuse("/gitrepositories", 503);
    bench.use_kind("GitRepository");
    let shop = labelled(&git_repository(), &[("app", "shop")]);
    timeout(DEADLINE, bench.targets.settled())
        .await
        .expect("a failure is an answer");
    let selected = bench.targets.select(&shop, Instant::now()).await;
    assert!(
        matches!(selected, Err(Failure::Transient { .. })),
        "{selected:?}"
    );
    bench.permit();
    assert_eq!(bench.select(&shop).await, Ok(vec!["api".to_owned()]));
    bench.refuse("/gitrepositories", 503);
    assert_eq!(bench.select(&shop).await, Ok(vec!["api".to_owned()]));
}

/// A client whose requests are never answered.
fn silent() -> Client {
    let service = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, BoxError>>());
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn a_selection_waits_for_the_first_list_until_its_deadline() {
    let table = HookTable::default();
    let targets = Targets::new(silent(), table.clone(), WatchScope::Cluster);
    tokio::spawn(targets.clone().run(CancellationToken::new()));
    let deadline = Instant::now() + Duration::from_millis(2500);
    let everything = labelled(&git_repository(), &[]);
    for _ in 0..2 {
        let selected = targets.select(&everything, deadline).await;
        assert_eq!(selected, Err(Failure::timed_out(Verb::Watch, &everything)));
        assert_eq!(Instant::now().duration_since(deadline).as_millis(), 0);
        publish(
            &table,
            "ci",
            &json!([{"kind": "GitRepository", "name": "*", "matchLabels": {}}]),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn kinds_that_nobody_serves_cannot_keep_others_from_being_watched() {
    let table = HookTable::default();
    let made_up = |version: usize| {
        let version = format!("a.example/v{version}");
        json!({"kind": "Bucket", "apiVersion": version, "name": "*", "matchLabels": {}})
    };
    publish(&table, "many", &(0..2 * MAX_WATCHES).map(made_up).collect());
    publish(
        &table,
        "ci",
        &json!([{"kind": "GitRepository", "name": "*", "matchLabels": {}}]),
    );
    let targets = Targets::new(silent(), table, WatchScope::Cluster);
    let mut running = Watches::default();
    targets.0.adjust(&mut running);
    assert_eq!(running.running.len(), MAX_WATCHES);
    assert_eq!(targets.0.views.borrow().len(), 2 * MAX_WATCHES + 1);
    let watched = WatchScope::Cluster.watched(&git_repository(), "");
    assert!(running.running.contains_key(&watched));
    let surplus = TargetKind {
        group: "a.example".to_owned(),
        version: "v99".to_owned(),
        ..kind("Bucket", "")
    };
    let selected = targets
        .select(&labelled(&surplus, &[]), Instant::now())
        .await;
    let Err(Failure::Refused { reason }) = selected else {
        panic!("it is refused: {selected:?}");
    };
    assert!(reason.contains("too many kinds"), "{reason}");
}

#[tokio::test]
async fn what_filters_look_at_is_known_once_there_is_a_filter() {
    let bench = Bench::new().await;
    bench.use_kind("GitRepository");
    let everything = labelled(&git_repository(), &[]);
    assert!(!bench.select(&everything).await.unwrap().is_empty());
    let hasty = bench.targets.candidates(&everything, Instant::now());
    let Err(Failure::Transient { reason, .. }) = hasty.await else {
        panic!("only labels are known")
    };
    assert!(reason.contains("took too long"), "{reason}");
    let filtered =
        json!([{"kind": "GitRepository", "name": "*", "matchLabels": {}, "filter": "true"}]);
    publish(&bench.table, "filtered", &filtered);
    let candidates = async |selector: &Selector| {
        let found = bench
            .targets
            .candidates(selector, Instant::now() + DEADLINE);
        found.await
    };
    let found = candidates(&everything).await.unwrap();
    let (target, metadata) = found.iter().find(|(it, _)| it.name == "api").unwrap();
    let metadata: Value = serde_json::from_str(metadata).unwrap();
    assert_eq!(metadata["name"], "api");
    assert_eq!(metadata["labels"]["app"], "shop");
    assert!(metadata["uid"].is_string() && metadata["managedFields"].is_null());
    let named = candidates(&Selector::Named(target.clone())).await.unwrap();
    assert_eq!(named.len(), 1);
    let missing = Target {
        name: "missing".to_owned(),
        ..target.clone()
    };
    let Err(Failure::Refused { reason }) = candidates(&Selector::Named(missing)).await else {
        panic!("it is not there")
    };
    assert!(reason.contains("does not exist"), "{reason}");
}
