//! Prometheus' own tool that checks rules and metrics: found on `PATH`, or taken from Debian's package `prometheus`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::folder::target_directory;
use crate::progress;

/// Returns `promtool`, which is unpacked under the target directory where `PATH` has none. Nothing is installed.
///
/// Blocks the thread: for seconds the first time. Parallel callers unpack it only once.
///
/// # Errors
/// Where `PATH` has none, and this is no Debian, or its archive cannot be reached.
pub fn ensure() -> Result<PathBuf> {
    if Command::new("promtool").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("promtool"));
    }
    let folder = target_directory().join("prometheus");
    let tool = folder.join("promtool");
    if tool.is_file() {
        return Ok(tool);
    }
    let _lock = progress::lock("unpacking promtool", &folder.join("unpack.lock"))?;
    if tool.is_file() {
        return Ok(tool);
    }
    let mut unpack = Command::new("sh");
    // The list of packages may be older than the archive. A package that is not verified is not unpacked.
    unpack.current_dir(&folder).args([
        "-euc",
        "apt-get download prometheus || { apt-get update && apt-get download prometheus; }
         dpkg-deb --extract prometheus_*.deb unpacked",
    ]);
    progress::run("unpacking promtool from the package prometheus", &unpack, &folder.join("unpack.log"))
        .context("get promtool: install the package prometheus, or put promtool on PATH")?;
    // Moved when it is complete: a killed run must not leave a file that looks like the tool.
    fs::rename(folder.join("unpacked/usr/bin/promtool"), &tool).context("move promtool")?;
    Ok(tool)
}
