//! Everything that hookgate puts out, at its most talkative, searched for what must stay inside.
//!
//! Where a hook path may stand is not searched: what `dev` prints at its start, and the Receiver itself, as in Flux.

use std::fs::{self, File};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookgate::hook::{Secrets, Sender};
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::{Api, Client, api::ListParams};

use crate::support::{
    binary::{Dev, data_dir, hookgate, run},
    wire::Delivery,
};

/// Parts of requests that nobody may see again: of the body, of an unknown header, and of the query.
const IN_BODY: &str = "canary-of-the-body";
const IN_HEADER: &str = "canary-of-a-header";
const IN_QUERY: &str = "canary-of-the-query";

/// What was put out, and what must not be in it.
#[derive(Default)]
struct Search {
    output: Vec<(String, String)>,
    forbidden: Vec<String>,
}

impl Search {
    fn forbid(&mut self, text: &str) {
        assert!(text.len() >= 8, "`{text}` may be anywhere");
        let bytes = text.as_bytes();
        self.forbidden.extend([
            text.to_owned(),
            hex::encode(bytes),
            BASE64_STANDARD.encode(bytes),
        ]);
    }

    /// The values of all headers that can prove a delivery.
    fn forbid_credentials(&mut self, delivery: &Delivery) {
        for (name, value) in &delivery.headers {
            let is_credential = ["signature", "authorization", "token"]
                .iter()
                .any(|word| name.as_str().contains(word));
            if is_credential {
                self.forbid(value.to_str().expect("text"));
            }
        }
    }

    async fn send(&mut self, what: &str, dev: &Dev, delivery: Delivery) {
        self.forbid_credentials(&delivery);
        let url = dev.url("/hook/");
        let authority = url.split('/').nth(2).expect("a URL");
        let answer = delivery.send(authority).await;
        let text = format!("{} {:?} {}", answer.status, answer.headers, answer.body);
        self.output.push((format!("the answer to {what}"), text));
    }

    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in &self.output {
            let hits = self.forbidden.iter().filter(|it| text.contains(*it));
            found.extend(hits.map(|hit| format!("`{hit}` is in {place}")));
        }
        found
    }
}

/// The Secret of a Receiver of the catalogue; those with keys of an issuer have none.
async fn secrets(client: &Client, name: &str) -> Option<Secrets> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    let secret = secrets.get_opt(&format!("{name}-receiver")).await;
    Secrets::of(secret.expect("it can be read")?.data.unwrap_or_default()).ok()
}

/// The recorded push of a sender with a canary in its body, signed; what only an issuer can sign has a made-up token.
async fn push(search: &mut Search, dev: &Dev, sender: Sender) -> Delivery {
    let (name, client) = (sender.as_str(), dev.client().await);
    let path = dev.hook(&format!("default/{name} "));
    let path = format!("/hook/{}", path.split("/hook/").nth(1).expect("a path"));
    search.forbid(path.trim_start_matches("/hook/"));
    let mut delivery = Delivery::recorded(&format!("receivers/{name}/push.http"))
        .await
        .to(&path)
        .with("x-canary", IN_HEADER);
    let body = String::from_utf8(delivery.body.to_vec()).expect("text");
    let canary = format!(r#"{{"canary":"{IN_BODY}","#);
    delivery.body = body.replacen('{', &canary, 1).into();
    if sender.is_vouched_for() {
        return delivery.with("authorization", "Bearer aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl");
    }
    match secrets(&client, name).await {
        Some(secrets) => delivery.signed_by(sender, &secrets),
        None => delivery,
    }
}

/// Deliveries that end in every phase that a stranger or a sender can reach.
async fn knock(search: &mut Search, dev: &Dev, sender: Sender) {
    let (name, good) = (sender.as_str(), push(search, dev, sender).await);
    let path = good.path.clone();
    let bad = [
        ("one bit", good.clone().with_flipped_body_bit(3)),
        ("no event", good.clone().with("x-github-event", "")),
        ("an encoding", good.clone().with("content-encoding", "gzip")),
        (
            "another media type",
            good.clone().with("content-type", "text/plain"),
        ),
        (
            "a query",
            good.clone().to(&format!("{path}?canary={IN_QUERY}")),
        ),
        ("another path", good.clone().to(&format!("{path}0"))),
    ];
    search.send(name, dev, good).await;
    for (what, delivery) in bad {
        search
            .send(&format!("{name} with {what}"), dev, delivery)
            .await;
    }
}

async fn forbid_secrets(search: &mut Search, client: &Client) {
    let secrets: Api<Secret> = Api::all(client.clone());
    let all = secrets.list(&ListParams::default()).await.expect("a list");
    for (key, value) in all.into_iter().filter_map(|it| it.data).flatten() {
        if ["token", "signing-token"].contains(&key.as_str()) {
            search.forbid(String::from_utf8(value.0).expect("text").trim());
        }
    }
}

/// What can be asked for afterwards.
async fn look_around(search: &mut Search, dev: &Dev, data: &std::path::Path) {
    let events: Api<Event> = Api::all(dev.client().await);
    let events = events.list(&ListParams::default()).await.expect("a list");
    let events = serde_json::to_string(&events.items).expect("JSON");
    search.output.push(("an Event".to_owned(), events));
    let admin = dev.url("/readyz");
    let authority = admin.split('/').nth(2).expect("a URL");
    let mut ask = Delivery::post("/metrics", "");
    ask.method = http::Method::GET;
    let metrics = ask.send(authority).await.body;
    assert!(metrics.contains("hookgate_deliveries_total"), "{metrics}");
    search.output.push(("the metrics".to_owned(), metrics));
    for arguments in [["deliveries", "-o", "json"], ["receiver", "list", "-owide"]] {
        let mut command = hookgate(arguments);
        match arguments[0] {
            "deliveries" => command.arg("--server").arg(dev.operator()),
            _ => command.arg("--data-dir").arg(data),
        };
        let ended = run(&mut command).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        search
            .output
            .push((arguments.join(" "), ended.stdout + &ended.stderr));
    }
}

async fn nothing_shows(format: &str) {
    let (folder, data) = data_dir();
    let log = folder.path().join("log");
    let to = File::create(&log).expect("a file");
    let record = folder.path().join("audit");
    let audit = record.to_str().expect("text");
    let settings = [
        "--log-level=trace",
        "--log-encoding",
        format,
        "--audit-log",
        audit,
    ];
    let dev = Dev::start_telling(&data, &settings, to).await;
    let mut search = Search::default();
    for canary in [IN_BODY, IN_HEADER, IN_QUERY] {
        search.forbid(canary);
    }
    forbid_secrets(&mut search, &dev.client().await).await;
    for sender in Sender::ALL {
        knock(&mut search, &dev, sender).await;
    }
    look_around(&mut search, &dev, &data).await;
    dev.end("INT").await;

    let log = fs::read_to_string(log).expect("a log");
    let phases = log.matches("phase entered").count();
    assert!(phases > Sender::ALL.len(), "it tells everything: {log}");
    assert!(log.contains("delivery answered") && log.contains("delivery refused"));
    search.output.push(("the log".to_owned(), log));
    let audit = fs::read_to_string(&record).expect("an audit record");
    assert!(audit.contains("GitRepository/default/podinfo"), "{audit}");
    search.output.push(("the audit record".to_owned(), audit));
    assert_eq!(search.found(), Vec::<String>::new());
}

#[tokio::test]
async fn no_secret_signature_body_or_path_is_put_out_in_json() {
    nothing_shows("json").await;
}

#[tokio::test]
async fn no_secret_signature_body_or_path_is_put_out_for_people() {
    nothing_shows("console").await;
}
