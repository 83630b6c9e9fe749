//! Logs. They never contain a value, a credential or a body; `RUST_LOG` chooses what is written.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object per line.
    Json,
}

/// Turns the Kubernetes client's own request log off, at every level.
const CLIENT_OFF: &str = "kube_client::client=off";

/// Starts writing logs to standard error; `info` unless `RUST_LOG` says otherwise.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The client logs an answer that it cannot read, and that answer may be a Secret.
    let filter = CLIENT_OFF.parse().map_or_else(|_| EnvFilter::new("off"), |off| filter.add_directive(off));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.init(),
        // Each key at the top, so that collectors need no path.
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}
