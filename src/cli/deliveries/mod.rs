//! `hookgate deliveries`: shows the last deliveries of a gateway, and triggers one's targets again.
//!
//! It asks the gateway's operator's listener and reads no cluster.

pub(super) mod client;
pub(super) mod table;

use anyhow::bail;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::{client::Server, table::Table};
use super::output;
use crate::{
    config::{self, DeliveriesAction, Output},
    trigger::history::Delivery,
};

/// Does what `args` say; a watch goes on until `stop` or the end of the gateway.
pub(super) async fn run(args: config::Deliveries, stop: CancellationToken) -> anyhow::Result<()> {
    let work = async {
        match &args.action {
            Some(DeliveriesAction::Redeliver { id, server }) => redeliver(&server.server, id).await,
            None if args.watch => watch(&args).await,
            None => list(&args).await,
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

async fn list(args: &config::Deliveries) -> anyhow::Result<()> {
    let deliveries = Server::at(&args.server.server)?.list(&query(args)).await?;
    match args.output {
        Output::Json => output::write(&format!("{}\n", serde_json::to_string_pretty(&deliveries)?)),
        Output::Table if deliveries.is_empty() => output::write("no deliveries yet\n"),
        Output::Table => {
            let table = Table::new(Timestamp::now(), &deliveries);
            output::write(&table.header())?;
            let lines = deliveries.iter().map(|delivery| table.line(delivery));
            output::write(&lines.collect::<String>())
        }
    }
}

async fn watch(args: &config::Deliveries) -> anyhow::Result<()> {
    let mut watch = Server::at(&args.server.server)?.watch(&query(args)).await?;
    let mut table = Table::new(Timestamp::now(), &[]);
    if args.output == Output::Table {
        output::write(&table.header())?;
    }
    while let Some(delivery) = watch.next().await? {
        match args.output {
            Output::Json => output::write(&format!("{}\n", serde_json::to_string(&delivery)?))?,
            Output::Table => {
                table.now = Timestamp::now();
                output::write(&table.line(&delivery))?;
            }
        }
    }
    bail!("the gateway has ended")
}

async fn redeliver(server: &str, id: &str) -> anyhow::Result<()> {
    let again = Server::at(server)?.redeliver(id).await?;
    let Delivery {
        id: number,
        outcome,
        ..
    } = &again.delivery;
    if !again.is_accepted {
        bail!("delivery `{id}` was not accepted again: {outcome}; see delivery {number}");
    }
    output::write(&format!("redelivered as {number}: {outcome}\n"))
}

fn query(args: &config::Deliveries) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    if let Some(receiver) = &args.receiver {
        query.append_pair("receiver", &receiver.to_string());
    }
    query.finish()
}
