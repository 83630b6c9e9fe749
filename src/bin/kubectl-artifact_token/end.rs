//! How a command ends: its exit code.

use std::process::ExitCode;

/// The arguments, or the file that they name, are not what the command takes. Most of these clap tells.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// What is no plain error, and has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum Special {
    /// With `--fail-if-unchanged`: all was as it should be.
    #[error("nothing changed")]
    Unchanged,
    /// No operator leads, so nobody would do what the command waits for.
    #[error("{0}")]
    NoLeader(String),
}

/// The exit code of an error.
pub fn code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Special>() {
        None if error.is::<Usage>() => ExitCode::from(2),
        None => ExitCode::FAILURE,
        Some(Special::Unchanged) => ExitCode::from(3),
        Some(Special::NoLeader(_)) => ExitCode::from(4),
    }
}
