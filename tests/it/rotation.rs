//! A token is changed while deliveries come in: several secrets are live at once, or the Secret is not watched.
//!
//! What proves a delivery for each sender is tested in the core.

use hookgate::{
    api::receiver::Receiver,
    hook::{Secrets, Sender, Token},
    ingress::LiveSecretUses,
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use crate::support::{
    Gateway,
    binary::{Ended, hookgate, run},
    load::Load,
    objects::{git_repository, receiver, secret, watched_secret},
    on_every_back_end, path_of,
    wire::Delivery,
};

/// A Receiver `web` for GitHub and `ci` for anything, which share the Secret `token`.
async fn apply_two(gw: &Gateway, secret: &str) {
    gw.apply(secret).await;
    gw.apply(&git_repository("podinfo", "")).await;
    gw.apply(&receiver("web", "github", "interval: 1h")).await;
    gw.apply(&receiver("ci", "generic", "interval: 1h")).await;
    gw.settled().await;
}

/// The senders of both Receivers: they post to the path of a token, and sign with a token where they sign.
fn senders(gw: &Gateway, path: &str, key: &str) -> [Delivery; 2] {
    let at = |name| path_of(path, name, gw.namespace());
    let push = Delivery::post(&at("web"), "{}").with("content-type", "application/json");
    let secrets = Secrets::from(Token::new(key.into()).expect("a token"));
    [
        push.signed_by(Sender::Github, &secrets),
        Delivery::post(&at("ci"), ""),
    ]
}

/// Names secrets as live on both Receivers, and waits until that is seen.
async fn name(gw: &Gateway, live: &str) {
    for (name, type_) in [("web", "github"), ("ci", "generic")] {
        let metadata =
            format!("{{name: {name}, annotations: {{hookgate.dev/live-secrets: '{live}'}}}}");
        let named = receiver(name, type_, "interval: 1h");
        gw.apply(&named.replace(&format!("{{name: {name}}}"), &metadata))
            .await;
    }
}

/// The keys of the Secret `token`; nothing else of it changes.
async fn store(gw: &Gateway, keys: &str) {
    gw.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: token}}\nstringData: {{{keys}}}\n"
    ))
    .await;
}

/// Waits until the status of a Receiver shows the path of a token.
async fn moved(gw: &Gateway, name: &str, token: &str) {
    let path = path_of(token, name, gw.namespace());
    gw.receiver_until(name, "moved", |receiver: &Receiver| {
        let status = receiver.status.as_ref();
        status.is_some_and(|status| status.webhook_path.as_ref() == Some(&path))
    })
    .await;
}

/// When the secrets of a Receiver were last used, as the operator sees it.
async fn last_used(gw: &Gateway, name: &str) -> Vec<(String, Option<Timestamp>)> {
    let path = format!("/secrets?receiver={}/{name}", gw.namespace());
    let answer = gw.operator(Method::GET, &path).await;
    let uses: LiveSecretUses = serde_json::from_str(&answer.body).expect("JSON");
    let uses = uses.secrets.into_iter();
    uses.map(|secret| (secret.name, secret.last_used_at))
        .collect()
}

fn hour_from_now() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1)
}

on_every_back_end! {
    async fn a_rotation_under_load_loses_and_refuses_nothing(gw) {
        apply_two(&gw, &watched_secret("token", "one")).await;
        gw.keep_journal().await;
        let (old, new) = (senders(&gw, "one", "one"), senders(&gw, "two", "two"));
        let half = senders(&gw, "one", "two");
        let mut load = Load::start(gw.authority(), old.to_vec());
        load.answers(50).await;

        store(&gw, "token: one, token.previous: one").await;
        name(&gw, &format!("previous until {}", hour_from_now())).await;
        store(&gw, "token: two, token.previous: one").await;
        moved(&gw, "web", "two").await;
        moved(&gw, "ci", "two").await;
        load.go_on_with([&old[..], &half, &new].concat()).await;
        load.go_on_with(new.to_vec()).await;
        name(&gw, "").await;
        let without = "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\ndata: {token.previous: null}\n";
        gw.apply(without).await;
        load.go_on_with(new.to_vec()).await;

        let tally = load.end().await;
        assert_eq!(tally.refused(), 0, "{tally:?}");
        gw.triggered_since("GitRepository", "podinfo", tally.last).await;
    }

    async fn a_token_of_an_unwatched_secret_is_rotated_under_load(gw) {
        apply_two(&gw, &secret("token", "one")).await;
        gw.keep_journal().await;
        let (old, new) = (senders(&gw, "one", "one"), senders(&gw, "two", "two"));
        name(&gw, "previous").await;
        let mut load = Load::start(gw.authority(), old.to_vec());
        load.answers(50).await;

        // Nobody tells the gateway of this.
        store(&gw, "token: two, token.previous: one").await;
        load.answers(50).await;
        load.go_on_with([&old[..], &new].concat()).await;

        let tally = load.end().await;
        assert_eq!(tally.refused(), 0, "{tally:?}");
        gw.triggered_since("GitRepository", "podinfo", tally.last).await;
    }

    async fn a_token_changed_in_an_unwatched_secret_counts_from_the_second_delivery_at_the_latest(gw) {
        apply_two(&gw, &secret("token", "one")).await;
        for (old, new) in [("one", "two"), ("two", "three"), ("three", "four")] {
            let [web, ci] = senders(&gw, new, new);
            assert_eq!(gw.send(ci.clone()).await.status, StatusCode::NOT_FOUND);
            assert_eq!(gw.send(web.clone()).await.status, StatusCode::NOT_FOUND);
            store(&gw, &format!("token: {new}")).await;
            for sender in [web, ci] {
                gw.send(sender.clone()).await;
                assert_eq!(gw.send(sender).await.status, StatusCode::OK, "{new}");
            }
            let [web, _] = senders(&gw, old, new);
            assert_eq!(gw.send(web).await.status, StatusCode::OK, "the path stays for now");
            let [web, _] = senders(&gw, old, old);
            assert_eq!(gw.send(web).await.status, StatusCode::UNAUTHORIZED);
        }
    }

    async fn a_credential_of_another_kind_is_looked_for_in_the_secret(gw) {
        let key = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
        gw.apply(&secret("token", "one")).await;
        gw.apply(&git_repository("podinfo", "")).await;
        gw.apply(&receiver("web", "gitlab", "interval: 1h")).await;
        gw.settled().await;
        let push = Delivery::post(&gw.path("web").await, "{}");
        let data = format!("token: one, signing-token: {key}");

        store(&gw, &data).await;

        let signed = push.signed_by(Sender::Gitlab, &gw.secrets("token").await);
        assert_eq!(gw.send(signed).await.status, StatusCode::OK);
    }

    async fn what_has_ended_is_refused_and_its_path_unknown(gw) {
        apply_two(&gw, &watched_secret("token", "two")).await;
        store(&gw, "token.previous: one").await;
        let [old_web, old_ci] = senders(&gw, "one", "one");
        let [half, _] = senders(&gw, "two", "one");
        name(&gw, &format!("previous until {}", hour_from_now())).await;
        while gw.send(old_ci.clone()).await.status == StatusCode::NOT_FOUND {
            tokio::task::yield_now().await;
        }
        for sender in [old_web.clone(), half.clone()] {
            while gw.send(sender.clone()).await.status != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        }

        name(&gw, &format!("previous until {}", Timestamp::now())).await;

        for (sender, status) in [
            (old_ci, StatusCode::NOT_FOUND),
            (old_web, StatusCode::NOT_FOUND),
            (half, StatusCode::UNAUTHORIZED),
        ] {
            while gw.send(sender.clone()).await.status == StatusCode::OK {
                tokio::task::yield_now().await;
            }
            assert_eq!(gw.send(sender).await.status, status);
        }
        for sender in senders(&gw, "two", "two") {
            assert_eq!(gw.send(sender).await.status, StatusCode::OK);
        }
    }

    async fn what_is_wrong_with_live_secrets_is_a_condition_and_no_more(gw) {
        apply_two(&gw, &watched_secret("token", "one")).await;
        name(&gw, "previous, next until tomorrow").await;
        let tells = |receiver: &Receiver| {
            let conditions = receiver.status.as_ref().map(|status| &status.conditions);
            let told = conditions.and_then(|all| all.find("LiveSecretsUsable"));
            told.is_some_and(|told| {
                told.message.contains("no key `token.previous`") && told.message.contains("tomorrow")
            })
        };
        for name in ["web", "ci"] {
            gw.receiver_until(name, "tells of it", tells).await;
            assert_eq!(gw.condition(name, "Ready").await, "True Succeeded");
        }
        for sender in senders(&gw, "one", "one") {
            assert_eq!(gw.send(sender).await.status, StatusCode::OK);
        }
        name(&gw, "").await;
        let is_over = |receiver: &Receiver| {
            let conditions = receiver.status.as_ref().map(|status| &status.conditions);
            conditions.is_some_and(|all| all.find("LiveSecretsUsable").is_none())
        };
        gw.receiver_until("web", "is well again", is_over).await;
    }

    async fn the_last_use_of_each_secret_is_visible(gw) {
        apply_two(&gw, &watched_secret("token", "two")).await;
        store(&gw, "token.previous: one").await;
        name(&gw, "previous").await;
        let before = Timestamp::now();
        let [half, ci] = [senders(&gw, "two", "one")[0].clone(), senders(&gw, "one", "one")[1].clone()];
        for sender in [half, ci] {
            while gw.send(sender.clone()).await.status != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        }
        for name in ["web", "ci"] {
            let uses = last_used(&gw, name).await;
            let [(current, None), (previous, Some(at))] = uses.as_slice() else {
                panic!("{uses:?}");
            };
            assert_eq!([current, previous], ["current", "previous"]);
            assert!(*at >= before);
        }
        let deliveries = gw.operator(Method::GET, "/deliveries").await.body;
        assert!(deliveries.contains(r#""secret":"previous""#), "{deliveries}");
        let metrics = gw.admin("/metrics").await.body;
        let labels = format!(r#"{{namespace="{}",name="ci",secret="previous"}}"#, gw.namespace());
        let line = format!("hookgate_live_secret_last_used_timestamp_seconds{labels} ");
        assert!(metrics.contains(&line), "{metrics}");

        // What was `current` is `previous` now, and nobody has used what took its place.
        store(&gw, "token: three, token.previous: two").await;
        moved(&gw, "ci", "three").await;
        let uses = last_used(&gw, "ci").await;
        assert!(uses.iter().all(|(_, at)| at.is_none()), "{uses:?}");
    }
}

/// Runs `hookgate receiver rotate` for a Receiver of the test.
async fn rotate(gw: &Gateway, receiver: &str, flags: &[&str]) -> Ended {
    let name = format!("{}/{receiver}", gw.namespace());
    let kubeconfig = gw.kubeconfig();
    let mut command = hookgate(["receiver", "rotate", &name, "--kubeconfig"]);
    run(command.arg(kubeconfig).args(flags)).await
}

/// The keys of the Secret `token` that belong to an old token.
async fn kept(gw: &Gateway) -> usize {
    let secret = gw.object("Secret", "token").await;
    let data = secret["data"].as_object().expect("data");
    data.keys().filter(|key| key.ends_with(".previous")).count()
}

/// The token that stands in the printed form.
fn token_in(form: &str) -> String {
    let is_token = |word: &&str| word.len() == 64 && !word.contains('/');
    let token = form.split_whitespace().find(is_token);
    token.expect("a token").to_owned()
}

async fn the_command_changes_a_token_under_load(gw: Gateway) {
    gw.apply(&secret("token", "one")).await;
    gw.apply(&git_repository("podinfo", "")).await;
    gw.apply(&receiver("web", "github", "interval: 1h")).await;
    gw.settled().await;
    let old = senders(&gw, "one", "one")[0].clone();
    let mut load = Load::start(gw.authority(), vec![old.clone()]);
    load.answers(50).await;

    let url = ["--url", "https://hooks.example.com"];
    let rotated = rotate(&gw, "web", &url).await;
    assert_eq!((rotated.code, rotated.stderr.as_str()), (Some(0), ""));
    let token = token_in(&rotated.stdout);
    let new = senders(&gw, &token, &token)[0].clone();
    let url = format!("https://hooks.example.com{}", new.path);
    assert!(rotated.stdout.contains(&url), "{}", rotated.stdout);
    assert_eq!(gw.path("web").await, new.path);
    assert_eq!(kept(&gw).await, 1);
    load.go_on_with(vec![old, new.clone()]).await;

    let again = rotate(&gw, "web", &[]).await;
    assert_eq!(token_in(&again.stdout), token, "nothing was changed");
    assert!(
        again.stderr.contains("nothing was changed"),
        "{}",
        again.stderr
    );

    load.go_on_with(vec![new.clone()]).await;
    let finished = rotate(&gw, "web", &["--finish"]).await;
    assert!(
        finished.stdout.contains("is refused from now on"),
        "{finished:?}"
    );
    load.go_on_with(vec![new]).await;
    let tally = load.end().await;
    assert_eq!(tally.refused(), 0, "{tally:?}");
    assert_eq!(kept(&gw).await, 0);
    let annotations = &gw.object("Receiver", "web").await["metadata"]["annotations"];
    assert!(
        annotations.get("hookgate.dev/live-secrets").is_none(),
        "{annotations}"
    );
    let finished = rotate(&gw, "web", &["--finish"]).await;
    assert!(finished.stdout.contains("has no old token"), "{finished:?}");
    gw.end().await;
}

async fn the_command_goes_on_where_it_broke_off(gw: Gateway) {
    apply_two(&gw, &secret("token", "one")).await;
    // The token is kept and named, and then the command was killed.
    store(&gw, "token.previous: one, username.previous: stale").await;
    name(&gw, "next").await;
    let until = hour_from_now();
    let annotation = format!("next, previous until {until}");
    let patched = receiver("web", "github", "interval: 1h").replace(
        "{name: web}",
        &format!("{{name: web, annotations: {{hookgate.dev/live-secrets: '{annotation}'}}}}"),
    );
    gw.apply(&patched).await;

    // What is stale is not the current set, so the overlap counts as begun.
    let rotated = rotate(&gw, "web", &[]).await;
    assert!(
        rotated.stderr.contains("nothing was changed"),
        "{rotated:?}"
    );
    let without =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\ndata: {username.previous: null}\n";
    gw.apply(without).await;
    let rotated = rotate(&gw, "web", &["--overlap", "48h"]).await;
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let token = token_in(&rotated.stdout);
    let secrets = gw.secrets("token").await;
    assert!(secrets.token().matches(token.as_bytes()));
    assert!(
        secrets
            .set("previous")
            .expect("a set")
            .token()
            .matches(b"one")
    );
    let object = gw.object("Receiver", "web").await;
    let annotation = &object["metadata"]["annotations"]["hookgate.dev/live-secrets"];
    let annotation = annotation.as_str().expect("text");
    // The other Receiver of the Secret is not forgotten.
    let other = format!("`hookgate receiver rotate {}/ci`", gw.namespace());
    assert!(rotated.stdout.contains(&other), "{}", rotated.stdout);
    for old_or_new in ["one", &token] {
        let [_, ci] = senders(&gw, old_or_new, old_or_new);
        while gw.send(ci.clone()).await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    }
    assert!(
        annotation.starts_with("next, previous until ") && !annotation.contains(&until.to_string())
    );
    gw.end().await;
}

async fn the_command_refuses_what_would_be_undone_or_lost(gw: Gateway) {
    apply_two(&gw, &secret("token", "one")).await;
    let [_, ci] = senders(&gw, "one", "one");
    name(&gw, "Next").await;
    let refused = rotate(&gw, "web", &[]).await;
    assert!(
        refused.sentence().contains("the part `Next`"),
        "{refused:?}"
    );
    name(&gw, "").await;
    let owned = secret("token", "one").replace(
        "{name: token}",
        "{name: token, labels: {kustomize.toolkit.fluxcd.io/name: apps}}",
    );
    gw.apply(&owned).await;
    let refused = rotate(&gw, "web", &[]).await;
    assert!(
        refused.sentence().contains("Kustomization `apps`"),
        "{refused:?}"
    );
    assert_eq!(kept(&gw).await, 0);
    assert_eq!(gw.send(ci).await.status, StatusCode::OK);
    let refused = rotate(&gw, "nobody", &[]).await;
    assert!(
        refused.sentence().contains("there is no Receiver"),
        "{refused:?}"
    );
    gw.end().await;
}

/// The command needs an API that listens.
macro_rules! with_an_api_that_listens {
    ($($behaviour:ident)*) => {$(
        mod $behaviour {
            use crate::support::{BackEnd, run};

            #[tokio::test]
            async fn embedded_over_https() {
                run(BackEnd::Https, super::$behaviour).await;
            }

            #[tokio::test]
            async fn api_server() {
                run(BackEnd::ApiServer, super::$behaviour).await;
            }
        }
    )*};
}

with_an_api_that_listens! {
    the_command_changes_a_token_under_load
    the_command_goes_on_where_it_broke_off
    the_command_refuses_what_would_be_undone_or_lost
}
