//! `kubectl artifact-token`: what people do with tokens, beside `kubectl get` and `kubectl describe`.
//!
//! kubectl finds it by its name when it lies in a folder of `PATH`. It acts with the rights of the person who calls it. One file for
//! each command; what several need stands beside them.

mod ask;
mod change;
mod check_service;
mod cluster;
mod completion;
mod consumers;
mod doctor;
mod each;
mod end;
mod git;
mod hand_over;
mod leader;
mod list;
mod orphans;
mod output;
mod places;
mod printing;
mod revoke;
mod rotate;
mod services;
mod status;
mod suspend;
mod target;
mod verify;
mod wait;
mod watching;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows the tokens that the operator keeps in Secrets, and has it do what you want now: rotate, verify, revoke.
#[derive(Debug, Parser)]
#[command(name = "kubectl-artifact_token", bin_name = "kubectl artifact-token", version, after_help = EXIT_CODES)]
struct Arguments {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t)]
    color: output::Color,
    #[command(subcommand)]
    command: Command,
}

/// The end of the help.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 something went wrong, 2 wrong arguments, 3 nothing changed (--fail-if-unchanged), 4 no operator leads.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the tokens that live, as far as the operator knows: those in use and those that wait for their revoke.
    List(list::Arguments),
    /// Shows a token with its service, its Secret, who uses that, what happened and what happens next.
    Status(status::Arguments),
    /// Asks for a new token now; the old one lives on for the overlap.
    Rotate(ask::Arguments),
    /// A token leaked: revokes it at once, waits until the service refuses it, and has it replaced.
    Revoke(revoke::Arguments),
    /// Has the operator look at the Secret and ask the service about the token now.
    Verify(ask::Arguments),
    /// Stops new tokens. Repair, verification, revokes and deletion go on.
    Suspend(suspend::Arguments),
    /// Ends a suspension.
    Resume(suspend::Arguments),
    /// Hands over a token that you made in the pages of a service without an API for tokens, and waits until it is taken up.
    HandOver(hand_over::Arguments),
    /// Lists tokens that may live at a service although no object needs them.
    Orphans(orphans::Arguments),
    /// Looks whether everything is there that tokens need, and says what to do if not.
    Doctor(doctor::Arguments),
    /// Tries the declaration of a service at the live service: generate, verify, list, revoke. Leaves nothing behind.
    CheckService(check_service::Arguments),
    /// Prints the script that completes this command in a shell.
    Completion(completion::Arguments),
    /// Prints the version.
    Version,
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(words) = completion::asked(std::env::args_os()) {
        completion::answer(&words).await;
        return ExitCode::SUCCESS;
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            end::code(&error)
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    arguments.color.apply();
    match arguments.command {
        Command::List(arguments) => list::run(&arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Rotate(arguments) => rotate::run(&arguments).await,
        Command::Revoke(arguments) => revoke::run(&arguments).await,
        Command::Verify(arguments) => verify::run(&arguments).await,
        Command::Suspend(arguments) => suspend::run(&arguments, true).await,
        Command::Resume(arguments) => suspend::run(&arguments, false).await,
        Command::HandOver(arguments) => hand_over::run(&arguments).await,
        Command::Orphans(arguments) => orphans::run(&arguments).await,
        Command::Doctor(arguments) => doctor::run(&arguments).await,
        Command::CheckService(arguments) => check_service::run(&arguments).await,
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Version => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}
