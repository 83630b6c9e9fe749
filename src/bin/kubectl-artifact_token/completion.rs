//! `kubectl artifact-token completion`: a script for the shell.

use std::io;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

/// Which shell.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints the script. It completes the plugin under its own name, `kubectl-artifact_token`.
///
/// # Errors
/// None.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut command = super::Arguments::command().bin_name("kubectl-artifact_token");
    generate(arguments.shell, &mut command, "kubectl-artifact_token", &mut io::stdout());
    Ok(())
}
