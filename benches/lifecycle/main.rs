//! What a life costs, beside a raw client that does only the needed writes: `cargo bench --bench lifecycle -- --objects 1000`.
//!
//! | work | what happens to all objects at once |
//! |---|---|
//! | W0 | the raw client does what the operator would have to write in W1, W3a and W4: the floor for their rates |
//! | W1 | they are created, and get their first token |
//! | W3a | they are asked to rotate, and the old token is revoked |
//! | W5 | the operator is killed and starts again; nothing is due |
//! | W4 | they are deleted with their tokens |
//! | services | not of objects: so many `TokenService`s at rest, for the memory that one costs |
//!
//! The control plane, the service, the operator and the raw client (this process) are separate processes. The counts are exact, and a
//! wrong one fails the run. Times are only printed: they say something about this machine, and only their ratios about the operator.

mod gates;
mod measure;
mod observer;
mod options;
mod raw;
mod report;
mod works;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use options::Options;
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("wrong counts:\n  {}", wrong.join("\n  "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the run broke off: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the works, and returns which counts are wrong.
async fn run(options: &Options) -> Result<Vec<String>> {
    let rows = works::run(options).await?;
    let report = Report { objects: options.objects, services: options.services, rows };
    println!("{}", report.table());
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()?)?;
    }
    Ok(report.rows.iter().flat_map(gates::wrong).collect())
}
