//! Builds the operator, the reference service and kubectl's plugin, because cargo builds them by itself only for tests, not for examples.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

const OPERATOR: &str = "artifact-token-operator";
const REFERENCE_SERVICE: &str = "reference-service";
const PLUGIN: &str = "kubectl-artifact_token";

/// The programs of the tour, by their paths.
pub struct Binaries {
    pub operator: PathBuf,
    pub reference_service: PathBuf,
    /// For the person who goes on after the tour.
    pub plugin: PathBuf,
}

/// Builds all in the profile of this example. Cargo shows its own progress.
pub async fn build() -> Result<Binaries> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--bin", OPERATOR, "--bin", REFERENCE_SERVICE, "--bin", PLUGIN, "--profile", &profile()?]);
    // Cargo's messages have the path of a binary, for any target directory and any target.
    command.arg("--message-format=json-render-diagnostics").current_dir(env!("CARGO_MANIFEST_DIR"));
    // `cargo run` describes this package to its child. Build scripts of dependencies that look at these variables (ring's
    // does) would run again, and with them half of the build, here and in the next cargo command.
    let described = |key: &str| key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_") || key == "OUT_DIR";
    for (key, _) in env::vars_os().filter(|(key, _)| key.to_str().is_some_and(described)) {
        command.env_remove(key);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let output = command.spawn().context("start cargo")?.wait_with_output().await.context("wait for cargo")?;
    if !output.status.success() {
        bail!("cargo build: {}", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = |name| executable(&messages, name).with_context(|| format!("cargo named no binary {name}"));
    Ok(Binaries { operator: path(OPERATOR)?, reference_service: path(REFERENCE_SERVICE)?, plugin: path(PLUGIN)? })
}

/// The profile of this example, from the name of its directory: `target/PROFILE/examples/quickstart`.
fn profile() -> Result<String> {
    let here = env::current_exe().context("find this program")?;
    let directory = here.parent().and_then(|examples| examples.parent()).and_then(|profile| profile.file_name());
    let name = directory.context("this program is not in a cargo target directory")?.to_string_lossy().into_owned();
    // Only this profile has a directory with another name.
    Ok(if name == "debug" { "dev".to_owned() } else { name })
}

/// The path in cargo's message about the binary `name`.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let found = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
        message["executable"].as_str().filter(|_| found).map(PathBuf::from)
    })
}
