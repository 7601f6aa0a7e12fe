//! The command line: one file per verb, and what the long-running verbs share.
//!
//! Flags are described and checked by `config`; nothing here decides what a delivery or a commit means.

mod budgeted;
mod catalogue;
mod connect;
mod crds;
mod deliveries;
mod delivery;
mod demo;
mod dev;
mod error;
mod load;
mod local;
mod logging;
mod manifests;
mod output;
mod phases;
mod receiver;
mod run;
mod shutdown;
mod table;

pub mod install;
pub mod recording;
pub mod serve;

use std::{process::ExitCode, time::Instant};

use clap::{Parser, Subcommand};

use crate::config;

/// The exposed endpoint of a GitOps cluster: authenticates webhooks and triggers the sources they are about.
#[derive(Parser, Debug)]
#[command(name = "hookgate", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run everything on this machine, with a small Kubernetes API of its own; its state is kept
    Dev(config::Dev),
    /// Show a signed push on its way to an annotated object, in a temporary folder
    Demo,
    /// Run against a Kubernetes cluster
    Run(Box<config::RunArgs>),
    /// Print the CustomResourceDefinitions as YAML
    Crds(config::Crds),
    /// Show what became of the last deliveries of a gateway
    Deliveries(config::Deliveries),
    /// Work with Receivers
    #[command(subcommand)]
    Receiver(receiver::Command),
}

/// Runs the command that the arguments of this process name.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => return error::usage(&refused),
    };
    // The only one in the process, so it cannot have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(cli.command, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error::report(&error),
    }
}

fn run(command: Command, started: Instant) -> anyhow::Result<()> {
    match command {
        Command::Dev(dev) => shutdown::until_signal(|stop| dev::run(dev, stop)),
        Command::Demo => shutdown::until_signal(|stop| demo::run(started, stop)),
        Command::Run(args) => {
            let run = config::Run::try_from(*args)?;
            shutdown::until_signal(|stop| run::run(run, stop))
        }
        Command::Crds(args) => crds::run(&args),
        Command::Deliveries(args) => shutdown::until_signal(|stop| deliveries::run(args, stop)),
        Command::Receiver(command) => shutdown::until_signal(|stop| receiver::run(command, stop)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of the shell blocks of a document that run this binary.
    fn commands(document: &str) -> Vec<Vec<&str>> {
        let blocks = document.split("```sh\n").skip(1);
        let lines = blocks.filter_map(|block| block.split("```").next());
        lines
            .flat_map(str::lines)
            .filter_map(|line| line.split(" | ").next())
            .map(|line| line.replace("cargo run --release --", "hookgate").leak() as &str)
            .filter(|line| line.starts_with("hookgate "))
            .map(|line| line.split_whitespace().collect())
            .collect()
    }

    #[test]
    fn the_commands_of_the_readme_are_understood() {
        let commands = commands(include_str!("../../README.md"));
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            let parsed = Cli::try_parse_from(&command);
            assert!(parsed.is_ok(), "{command:?}: {parsed:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
