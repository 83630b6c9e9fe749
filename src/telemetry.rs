//! Logs. No value, credential or body is ever given to them; `RUST_LOG` chooses what is written.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

/// No level of the Kubernetes client's own request log is ever written.
const CLIENT_OFF: &str = "kube_client::client=off";

/// Starts writing logs to standard error; `info` unless `RUST_LOG` says otherwise.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The client writes an answer that it cannot read into its log, and that answer may be a Secret.
    let filter = CLIENT_OFF.parse().map_or_else(|_| EnvFilter::new("off"), |off| filter.add_directive(off));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
