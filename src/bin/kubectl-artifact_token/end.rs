//! How a command ends: its exit code.

use std::process::ExitCode;

/// What is no plain error, and has an exit code of its own. 1 is any other error; 2 is a wrong argument, which clap tells.
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
        None => ExitCode::FAILURE,
        Some(Special::Unchanged) => ExitCode::from(3),
        Some(Special::NoLeader(_)) => ExitCode::from(4),
    }
}
