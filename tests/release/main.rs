//! What a release is made of.
//!
//! | module | what is checked |
//! |---|---|
//! | `image` | the image, made without a container engine |
//! | `monitoring` | the metrics, the alerts and the dashboard, by Prometheus' own tool |
//! | `prometheus` | what a real Prometheus reads and judges |
//! | `workflows` | the workflows that make a release, which only a maintainer can run |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod image;
mod monitoring;
mod prometheus;
mod workflows;

use std::process::Command;

/// Runs a command, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", printed(&output.stdout), printed(&output.stderr));
    printed(&output.stdout)
}
