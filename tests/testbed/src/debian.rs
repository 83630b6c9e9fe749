//! Programs out of Debian packages, which are unpacked under the target directory. Nothing is installed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::folder::target_directory;
use crate::progress;

/// Fetches the packages and unpacks them. The list of packages may be older than the archive. A package that is not verified is not
/// unpacked. The folder gets its name when it is complete: a killed run must not leave one that looks complete.
const UNPACK: &str = r#"rm -rf partial ./*.deb
apt-get download "$@" || { apt-get update && apt-get download "$@"; }
for package in ./*.deb; do dpkg-deb --extract "$package" partial; done
mv partial unpacked"#;

/// Returns the folder with the files of `packages`, which is kept under the name `name`.
///
/// Blocks the thread: for seconds the first time. Parallel callers unpack them only once.
///
/// # Errors
/// Where this is no Debian, or its archive cannot be reached.
pub fn unpacked(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = target_directory().join("packages").join(name);
    let unpacked = folder.join("unpacked");
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let what = format!("unpacking the packages {}", packages.join(", "));
    let _lock = progress::lock(&what, &folder.join("unpack.lock"))?;
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let mut unpack = Command::new("sh");
    unpack.current_dir(&folder).args(["-euc", UNPACK, "sh"]).args(packages);
    progress::run(&what, &unpack, &folder.join("unpack.log"))
        .with_context(|| format!("get {}", packages.join(", ")))?;
    Ok(unpacked)
}
