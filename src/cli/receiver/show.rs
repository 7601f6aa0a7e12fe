//! `hookgate receiver show`: everything that is known of one Receiver.
//!
//! The object is read from the cluster, and the last deliveries from a gateway, which may not be there.

use std::fmt::Write as _;

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};

use super::{found, list::plain, summary::Summary};
use crate::{
    api::{
        annotations::{DENIED_TARGETS, LAST_TRIGGER, SENDER},
        condition::{Condition, ConditionStatus, READY},
        denied::DeniedTargets,
    },
    cli::{
        connect,
        deliveries::{client::Server, table},
        output,
        table::{age, printable},
    },
    config::{Show, ShowOutput},
    ingress::LiveSecretUses,
    trigger::history::Delivery,
};

/// How many deliveries are shown.
const DELIVERIES: usize = 10;

/// What all annotations of hookgate begin with.
const PREFIX: &str = "hookgate.dev/";

/// The annotations that are shown in words of their own.
const TOLD: [&str; 3] = [DENIED_TARGETS, LAST_TRIGGER, SENDER];

/// Prints the Receiver that `args` names.
pub(super) async fn run(args: &Show) -> anyhow::Result<()> {
    let client = connect::client_of(&args.connection).await?;
    let name = args.receiver.within(client.default_namespace())?;
    let stored = found::stored(&client, &name).await?;
    match args.output {
        ShowOutput::Json => return output::write(&format!("{:#}\n", plain(stored)?)),
        ShowOutput::Yaml => return output::write(&serde_saphyr::to_string(&plain(stored)?)?),
        ShowOutput::Text => {}
    }
    let now = Timestamp::now();
    let summary = Summary::of(&stored);
    output::write(&description(&summary, &settings(&stored), now))?;
    let server = &args.server.server;
    let query = format!("limit={DELIVERIES}&receiver={name}");
    let listed = async { Server::at(server)?.list(&query).await }.await;
    // A gateway of an earlier version does not know.
    if listed.is_ok()
        && let Ok(uses) = Server::at(server)?.secrets(&name.to_string()).await
    {
        output::write(&secrets(&uses, now))?;
    }
    output::write(&deliveries(server, &listed, now))
}

/// When each live secret last proved a delivery, as the gateway that was asked knows it.
fn secrets(uses: &LiveSecretUses, now: Timestamp) -> String {
    let ago = |at: Timestamp| format!("{} ago", age(now.duration_since(at).as_secs()));
    let mut text = String::new();
    for (index, secret) in uses.secrets.iter().enumerate() {
        let label = if index == 0 { "Live secrets" } else { "" };
        let last = secret.last_used_at.map_or_else(
            || format!("not used since the gateway started, {}", ago(uses.since)),
            |at| format!("last used {at}, {}", ago(at)),
        );
        let until = secret.until;
        let until = until.map_or_else(String::new, |until| format!(", live until {until}"));
        let line = format!("{}: {last}{until}", secret.name);
        // Writing to a String does not fail.
        let _ = writeln!(text, "{label:<14}{}", printable(&line));
    }
    text
}

/// The annotations that say how deliveries are judged.
fn settings(object: &DynamicObject) -> Vec<String> {
    let annotations = object.annotations().iter();
    let settings = annotations
        .filter(|(key, _)| key.starts_with(PREFIX) && !TOLD.contains(&key.as_str()))
        .map(|(key, value)| format!("{key}: {value}"));
    settings.collect()
}

/// What the object says, in words.
fn description(summary: &Summary, settings: &[String], now: Timestamp) -> String {
    let since = |at: Timestamp| format!("{} ago", age(now.duration_since(at).as_secs()));
    let mut text = format!("Receiver {}\n\n", summary.receiver);
    let mut say = |label: &str, lines: Vec<String>| {
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{label:<14}{}", printable(line));
        }
    };
    if let Err(problem) = &summary.parsed {
        say("Malformed", vec![problem.clone()]);
    }
    say("Sender", vec![summary.sender.clone()]);
    say("Ready", vec![readiness(summary)]);
    let conditions = summary.status.conditions.iter();
    say(
        "Conditions",
        conditions
            .filter(|condition| condition.type_ != READY)
            .map(condition)
            .collect(),
    );
    let path = summary.status.webhook_path.iter().cloned();
    say("Path", path.collect());
    if !summary.secret.is_empty() {
        say("Secret", vec![summary.secret.clone()]);
    }
    say("Events", vec![events(summary)]);
    say("Triggers", summary.triggers.clone());
    let denied = summary.denied.iter().flat_map(DeniedTargets::iter);
    let denied = denied.map(|(target, grant)| format!("{target}: grant `{grant}`"));
    say("Denied", denied.collect());
    say("Settings", settings.to_vec());
    if let Some(created) = summary.created {
        say("Created", vec![format!("{created}, {}", since(created))]);
    }
    let last = summary.last.as_ref();
    let last = last.map_or_else(
        || "none is known".to_owned(),
        |last| {
            let event = Some(&last.event).filter(|event| !event.is_empty());
            let event = event.map_or_else(String::new, |event| format!("{event}, "));
            let (at, delivery) = (last.at, &last.delivery);
            format!("{at}, {}: {event}delivery {delivery}", since(at))
        },
    );
    say("Last trigger", vec![last]);
    text
}

/// Whether it takes deliveries, and what the controller says of that.
fn readiness(summary: &Summary) -> String {
    let ready = summary.status.conditions.find(READY);
    let said = ready.map_or_else(
        || "no controller has said anything of it yet".to_owned(),
        |ready| format!("{}: {}", ready.reason, ready.message),
    );
    match summary.ready {
        "Unknown" if ready.is_some() => {
            format!("Unknown, for it has changed since this was said: {said}")
        }
        word => format!("{word}, {said}"),
    }
}

fn condition(condition: &Condition) -> String {
    let status = match &condition.status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
        ConditionStatus::Foreign(status) => status,
    };
    let Condition {
        type_,
        reason,
        message,
        ..
    } = condition;
    format!("{type_} is {status}, {reason}: {message}")
}

fn events(summary: &Summary) -> String {
    let Ok(receiver) = &summary.parsed else {
        return String::new();
    };
    match crate::hook::Sender::of(receiver) {
        Ok(sender) if !sender.names_events() => "the sender names none, so all trigger".to_owned(),
        _ if summary.events.is_empty() => "all".to_owned(),
        _ => summary.events.join(", "),
    }
}

/// The last deliveries, or why they are not known.
fn deliveries(server: &str, listed: &anyhow::Result<Vec<Delivery>>, now: Timestamp) -> String {
    match listed {
        Err(_) => format!(
            "\nDeliveries are not shown: no gateway answers at {server}; in a cluster, run `kubectl port-forward POD 9441`\n"
        ),
        Ok(deliveries) if deliveries.is_empty() => {
            format!("\nThe gateway at {server} has had no deliveries\n")
        }
        Ok(deliveries) => {
            let table = table::Table::new(now, deliveries);
            let lines = deliveries.iter().map(|delivery| table.line(delivery));
            format!(
                "\nDeliveries at {server}\n{}{}",
                table.header(),
                lines.collect::<String>()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_told_in_words() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {
                "name": "ci", "namespace": "apps", "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {
                    "hookgate.dev/allowed-clients": "192.0.2.0/24",
                    "hookgate.dev/rate": "10/s",
                    "hookgate.dev/replay-window": "1m",
                    "example.com/other": "1",
                    "hookgate.dev/last-trigger": r#"{"at":"2026-01-01T23:55:00Z","delivery":"72d3","event":"push"}"#,
                    "hookgate.dev/denied-targets": r#"{"GitRepository/apps/api":"patch on gitrepositories"}"#,
                },
            },
            "spec": {"type": "github", "secretRef": {"name": "token"}, "events": ["push", "ping"], "resources": [
                {"kind": "GitRepository", "name": "web"}, {"kind": "GitRepository", "name": "api"},
            ]},
            "status": {
                "webhookPath": "/hook/01",
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1,
                    "message": "it works", "lastTransitionTime": "2026-01-01T00:00:00Z",
                }, {
                    "type": "TargetsAccessible", "status": "False", "reason": "Forbidden", "observedGeneration": 1,
                    "message": "not all", "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        }))
        .unwrap();
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let text = description(&Summary::of(&object), &settings(&object), now);
        assert_eq!(
            text,
            "Receiver apps/ci\n\
             \n\
             Sender        github\n\
             Ready         True, Succeeded: it works\n\
             Conditions    TargetsAccessible is False, Forbidden: not all\n\
             Path          /hook/01\n\
             Secret        token\n\
             Events        push, ping\n\
             Triggers      GitRepository/web\n\
             \x20             GitRepository/api\n\
             Denied        GitRepository/apps/api: grant `patch on gitrepositories`\n\
             Settings      hookgate.dev/allowed-clients: 192.0.2.0/24\n\
             \x20             hookgate.dev/rate: 10/s\n\
             \x20             hookgate.dev/replay-window: 1m\n\
             Created       2026-01-01T00:00:00Z, 24h ago\n\
             Last trigger  2026-01-01T23:55:00Z, 5m ago: push, delivery 72d3\n"
        );
    }

    #[test]
    fn the_last_use_of_each_live_secret_is_told() {
        let uses = serde_json::from_value(json!({
            "since": "2026-01-01T00:00:00Z",
            "secrets": [
                {"receiver": "apps/ci", "name": "current"},
                {
                    "receiver": "apps/ci", "name": "previous",
                    "until": "2026-01-03T00:00:00Z", "lastUsedAt": "2026-01-01T23:55:00Z",
                },
            ],
        }));
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(
            secrets(&uses.unwrap(), now),
            "Live secrets  current: not used since the gateway started, 24h ago\n\
             \x20             previous: last used 2026-01-01T23:55:00Z, 5m ago, live until 2026-01-03T00:00:00Z\n"
        );
    }

    #[test]
    fn a_gateway_that_is_not_there_is_no_error() {
        let text = deliveries(
            "http://x",
            &Err(anyhow::anyhow!("refused")),
            Timestamp::UNIX_EPOCH,
        );
        assert!(text.contains("no gateway answers at http://x"), "{text}");
    }
}
