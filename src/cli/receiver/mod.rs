//! `hookgate receiver`: everything an operator does with one Receiver, or sees of all of them; one file per verb.
//!
//! What the commands are told is checked by `config`; what a delivery means is `hook`'s.

mod choice;
mod form;
mod found;
mod list;
mod new;
mod rotate;
mod send;
mod show;
mod summary;
mod token;
mod verify;

use anyhow::bail;
use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use crate::config;

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Show Receivers, what they trigger and when they last did
    List(config::List),
    /// Show everything that is known of one Receiver
    Show(config::Show),
    /// Print a Secret and a Receiver ready to apply, and what to enter at the host
    New(config::New),
    /// Give a Receiver a new token, and keep the old one live for a time
    Rotate(config::Rotate),
    /// Sign a recorded request with a Receiver's Secret and send it
    Send(config::Send),
    /// Tell in which phase a recorded request would stop, and why
    Verify(config::Verify),
}

/// Does what the command says, unless `stop` comes first.
pub(super) async fn run(command: Command, stop: CancellationToken) -> anyhow::Result<()> {
    let work = async {
        match command {
            Command::List(args) => list::run(&args).await,
            Command::Show(args) => Box::pin(show::run(&args)).await,
            Command::New(args) => new::run(&args),
            Command::Rotate(args) => Box::pin(rotate::run(&args)).await,
            Command::Send(args) => send::run(&args).await,
            Command::Verify(args) => Box::pin(verify::run(&args)).await,
        }
    };
    match stop.run_until_cancelled(work).await {
        Some(done) => done,
        None => bail!("interrupted"),
    }
}
