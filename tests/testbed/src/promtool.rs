//! Prometheus, and its own tool that checks rules and metrics: found on `PATH`, or taken from Debian's package `prometheus`.

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
    program("promtool")
}

/// Returns the server itself.
///
/// Blocks the thread, as [`debian::unpacked`] does.
///
/// # Errors
/// Where `PATH` has none, and the package cannot be fetched.
pub fn server() -> Result<PathBuf> {
    program("prometheus")
}

fn program(name: &str) -> Result<PathBuf> {
    if Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from(name));
    }
    let package = debian::unpacked("prometheus", &["prometheus"]);
    let package = package.with_context(|| format!("get {name}: install the package prometheus, or put it on PATH"))?;
    Ok(package.join("usr/bin").join(name))
}
