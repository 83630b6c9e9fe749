//! Prometheus' own tool that checks rules and metrics: found on `PATH`, or taken from Debian's package `prometheus`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian;

/// Returns `promtool`.
///
/// Blocks the thread, as [`debian::unpacked`] does.
///
/// # Errors
/// Where `PATH` has none, and the package cannot be fetched.
pub fn ensure() -> Result<PathBuf> {
    if Command::new("promtool").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("promtool"));
    }
    let package = debian::unpacked("prometheus", &["prometheus"]);
    let package = package.context("get promtool: install the package prometheus, or put promtool on PATH")?;
    Ok(package.join("usr/bin/promtool"))
}
