//! `kubectl artifact-token`: what people do with tokens, beside `kubectl get` and `kubectl describe`.
//!
//! kubectl finds it by its name when it lies in a folder of `PATH`. It acts with the rights of the person who calls it.

mod cluster;
mod completion;
mod hand_over;
mod list;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Works with ArtifactTokens.
#[derive(Debug, Parser)]
#[command(name = "kubectl-artifact_token", bin_name = "kubectl artifact-token", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the tokens that live, as far as the operator knows: those in use and those that wait for their revoke.
    List(list::Arguments),
    /// Hands over a token that you made in the pages of a service without an API for tokens, and waits until it is taken up.
    HandOver(hand_over::Arguments),
    /// Prints the script that completes this command in a shell.
    Completion(completion::Arguments),
    /// Prints the version.
    Version,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In one line, also where the shell asks Rust programs for backtraces.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::List(arguments) => list::run(&arguments).await,
        Command::HandOver(arguments) => hand_over::run(&arguments).await,
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Version => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}
