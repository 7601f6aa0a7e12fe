//! `hookgate receiver list`: one line for each Receiver.
//!
//! Everything is read from the objects; no gateway is asked, and no path is shown.

use anyhow::Context;
use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::{found, summary::Summary};
use crate::{
    api::denied::DeniedTargets,
    cli::{
        connect, output,
        table::{Columns, Table, age},
    },
    config::{List, ListOutput},
};

const COLUMNS: &Columns = WIDE_COLUMNS.split_at(8).0;

const WIDE_COLUMNS: &Columns = &[
    ("NAMESPACE", 0),
    ("NAME", 0),
    ("SENDER", 0),
    ("READY", 0),
    ("AGE", 0),
    ("TRIGGERS", 0),
    ("DENIED", 0),
    ("LAST TRIGGER", 0),
    ("DELIVERY", 0),
    ("EVENTS", 0),
    ("SECRET", 0),
    ("REASON", 0),
];

/// Prints the Receivers that `args` asks for.
pub(super) async fn run(args: &List) -> anyhow::Result<()> {
    let client = connect::client_of(&args.connection).await?;
    let namespace = args.namespace.as_deref();
    let namespace = namespace.unwrap_or_else(|| client.default_namespace());
    let namespace = (!args.all_namespaces).then_some(namespace);
    let mut listed = found::all(&client, namespace).await?;
    listed.sort_by_key(|object| (object.namespace(), object.name_any()));
    output::write(&match args.output {
        ListOutput::Json => format!("{:#}\n", stored(listed)?),
        ListOutput::Yaml => serde_saphyr::to_string(&stored(listed)?)?,
        ListOutput::Name => listed.iter().map(name).collect(),
        ListOutput::Table | ListOutput::Wide if listed.is_empty() => nothing(namespace),
        ListOutput::Table => table(COLUMNS, &listed, namespace.is_none(), Timestamp::now()),
        ListOutput::Wide => table(WIDE_COLUMNS, &listed, namespace.is_none(), Timestamp::now()),
    })
}

fn nothing(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => {
            format!("no Receivers in namespace {namespace}; -A lists those of all\n")
        }
        None => "no Receivers\n".to_owned(),
    }
}

/// The line of `kubectl get --output name`.
fn name(object: &DynamicObject) -> String {
    format!(
        "receiver.notification.toolkit.fluxcd.io/{}\n",
        object.name_any()
    )
}

/// The objects as `kubectl get` prints several.
fn stored(listed: Vec<DynamicObject>) -> anyhow::Result<Value> {
    let items = listed.into_iter().map(plain);
    let items: Vec<Value> = items.collect::<anyhow::Result<_>>()?;
    Ok(
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}),
    )
}

/// An object without what nobody reads.
pub(super) fn plain(mut object: DynamicObject) -> anyhow::Result<Value> {
    object.metadata.managed_fields = None;
    serde_json::to_value(object).context("the object cannot be printed")
}

fn table(
    columns: &'static Columns,
    listed: &[DynamicObject],
    shows_namespaces: bool,
    now: Timestamp,
) -> String {
    let skipped = usize::from(!shows_namespaces);
    let row = |object| cells(&Summary::of(object), columns == WIDE_COLUMNS, now).split_off(skipped);
    let rows: Vec<_> = listed.iter().map(row).collect();
    let table = Table::new(columns.get(skipped..).unwrap_or_default(), &rows);
    let lines = rows.iter().map(|row| table.line(row));
    table.header() + &lines.collect::<String>()
}

fn cells(summary: &Summary, is_wide: bool, now: Timestamp) -> Vec<String> {
    let ago = |at: Timestamp| age(now.duration_since(at).as_secs());
    let denied = summary.denied.iter().flat_map(DeniedTargets::iter);
    let denied = denied.map(|(target, _)| target.to_owned()).collect();
    let last = summary.last.as_ref();
    let mut cells = vec![
        summary.receiver.namespace.clone(),
        summary.receiver.name.clone(),
        summary.sender.clone(),
        summary.ready.to_owned(),
        summary.created.map_or_else(String::new, ago),
        several(&summary.triggers, is_wide),
        several(&denied, is_wide),
        last.map_or_else(String::new, |last| ago(last.at)),
    ];
    if is_wide {
        cells.push(last.map_or_else(String::new, |last| last.delivery.clone()));
        cells.push(summary.events.join(","));
        cells.push(summary.secret.clone());
        let ready = summary.status.conditions.find("Ready");
        cells.push(ready.map_or_else(String::new, |ready| ready.reason.clone()));
    }
    cells
}

/// All of them, or the first and how many others there are.
fn several(texts: &Vec<String>, is_wide: bool) -> String {
    match texts.as_slice() {
        [first, others @ ..] if !is_wide && !others.is_empty() => {
            format!("{first} +{}", others.len())
        }
        texts => texts.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str, kind: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {
                "name": name, "namespace": "apps", "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {
                    "hookgate.dev/last-trigger": r#"{"at":"2026-01-01T23:55:00Z","delivery":"72d3"}"#,
                    "hookgate.dev/denied-targets": r#"{"GitRepository/apps/api":"patch on gitrepositories"}"#,
                },
            },
            "spec": {"type": kind, "secretRef": {"name": "token"}, "events": ["push"], "resources": [
                {"kind": "GitRepository", "name": "web"}, {"kind": "GitRepository", "name": "api"},
            ]},
            "status": {
                "webhookPath": "/hook/01",
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1,
                    "message": "Receiver initialized for path: /hook/01", "lastTransitionTime": "2026-01-01T00:00:00Z",
                }],
            },
        }))
        .unwrap()
    }

    fn now() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_receiver_is_a_line() {
        let listed = [receiver("ci", "github"), receiver("odd", "svn")];
        assert_eq!(
            table(COLUMNS, &listed, true, now()),
            "NAMESPACE   NAME   SENDER   READY   AGE   TRIGGERS               DENIED                   LAST TRIGGER\n\
             apps        ci     github   True    24h   GitRepository/web +1   GitRepository/apps/api   5m\n\
             apps        odd    -        False   24h   -                      GitRepository/apps/api   5m\n"
        );
    }

    #[test]
    fn a_wide_line_has_everything_but_the_path() {
        let wide = table(WIDE_COLUMNS, &[receiver("ci", "github")], false, now());
        assert_eq!(
            wide,
            "NAME   SENDER   READY   AGE   TRIGGERS                              DENIED                   LAST TRIGGER   DELIVERY   EVENTS   SECRET   REASON\n\
             ci     github   True    24h   GitRepository/web,GitRepository/api   GitRepository/apps/api   5m             72d3       push     token    Succeeded\n"
        );
    }

    #[test]
    fn objects_are_printed_as_they_are_stored() {
        let mut object = receiver("ci", "github");
        object.metadata.managed_fields = Some(Vec::new());
        let list = stored(vec![object.clone()]).unwrap();
        object.metadata.managed_fields = None;
        assert_eq!(list["items"][0], serde_json::to_value(object).unwrap());
        assert_eq!(list["kind"], "List");
    }
}
