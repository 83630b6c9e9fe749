//! `cargo run --example quickstart`: a token from its first issue to its deletion, on a real control plane, without any account.
//!
//! | file | what it has |
//! |---|---|
//! | `main.rs` | arguments, start and end, Ctrl-C |
//! | `binaries.rs` | builds the operator, the reference service and kubectl's plugin |
//! | `service.rs` | the token service of the tour: the reference service, or Verdaccio |
//! | `by_hand.rs` | the pages of Seal and Akinon, as a person uses them |
//! | `cluster.rs` | control plane, operator, kubectl, the YAML files |
//! | `picture.rs` | the service, the ledger and the Secret at one moment, and whether they agree |
//! | `tour.rs` | the steps, each an action, a wait and a picture |
//! | `tour/by_hand.rs` | the steps where a person makes and revokes the tokens |
//! | `npm.rs` | a real `npm` as the consumer |
//!
//! Everything runs on loopback and ends with this process; only files under `target/` stay.

mod binaries;
mod by_hand;
mod cluster;
mod npm;
mod picture;
mod service;
mod tour;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::Cluster;
use crate::service::{Kind, Service};
use crate::tour::Tour;

/// The exit code that a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Shows the life of a token: issue, rotation, revoke, leak, repair, deletion.
#[derive(Debug, Parser)]
struct Arguments {
    /// End after the tour: with code 1 if the service's list and the cluster disagreed at any step.
    #[arg(long)]
    once: bool,
    /// The service that issues the tokens. Verdaccio is the npm registry server; it needs Node.js with npm. With Seal and
    /// Akinon a person makes and revokes them: the tour does what that person would do in the browser.
    #[arg(long, value_enum, default_value_t = Kind::Reference)]
    service: Kind,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(until_interrupted(&arguments));
    // An interrupted build still holds a thread; its processes end with this one.
    runtime.shutdown_background();
    code
}

/// Runs the tour. Dropping it ends every process that it started.
async fn until_interrupted(arguments: &Arguments) -> ExitCode {
    let ended = tokio::select! {
        ended = run(arguments) => ended,
        () = interrupted() => return ExitCode::from(INTERRUPTED),
    };
    match ended {
        Ok(_) if arguments.once => ExitCode::SUCCESS,
        Ok(tour) => {
            tokio::select! {
                () = interrupted() => {}
                Err(error) = tour.guide() => eprintln!("\nerror: {error:#}"),
            }
            println!("\nEnding the operator, the service and the control plane.");
            drop(tour);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the finished tour, with everything still running.
async fn run(arguments: &Arguments) -> Result<Tour> {
    let binaries = binaries::build().await.context("build the binaries")?;
    let service = Service::start(arguments.service, &binaries.reference_service).await;
    let service = service.context("start the token service")?;
    let cluster = Cluster::start(&binaries, &service).await?;
    let mut tour = Tour::new(cluster, service)?;
    if let Err(error) = tour.run().await {
        eprintln!("\nThe end of the operator's log:\n{}", tour.operator_log());
        return Err(error);
    }
    if !arguments.once {
        tour.leave_something_to_try().await?;
    }
    Ok(tour)
}

/// Waits for Ctrl-C or SIGTERM. If this process cannot listen for them, they end it by themselves.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
