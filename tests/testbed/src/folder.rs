//! Where files live: the workspace's target directory, with one folder for every run of a part.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::random::random_hex;

/// The file in a run's folder that its owner keeps locked.
const OWNER: &str = "owner";
/// The file that marks a folder that outlives its owner.
const KEPT: &str = "kept";

/// The workspace's target directory: `CARGO_TARGET_DIR`, else `target/` at the workspace's root.
pub fn target_directory() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap_or(root);
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

/// A folder under `target/testbed/` that is removed with its handle, unless `TESTBED_KEEP` is set.
///
/// When the owner is killed, the handle cannot do that. The operating system then frees the lock on the file
/// `owner`, and the next [`RunFolder::create`] in any process removes the folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    keep: bool,
    _owner: File,
}

impl RunFolder {
    /// Creates a folder whose name begins with `kind`, and removes the folders whose owners are gone.
    pub fn create(kind: &str) -> Result<Self> {
        let parent = target_directory().join("testbed");
        fs::create_dir_all(&parent).with_context(|| format!("create {}", parent.display()))?;
        // Creating and cleaning exclude each other, because a folder without a locked owner would look abandoned.
        let registry = File::create(parent.join(".lock")).context("create the lock of the run folders")?;
        registry.lock().context("lock the run folders")?;
        remove_abandoned(&parent);
        let path = parent.join(format!("{kind}-{}", random_hex(5)?));
        fs::create_dir(&path).with_context(|| format!("create {}", path.display()))?;
        let owner = File::create(path.join(OWNER)).context("create the owner's lock")?;
        owner.lock().context("lock the run folder")?;
        let keep = std::env::var_os("TESTBED_KEEP").is_some_and(|value| !value.is_empty());
        if keep {
            File::create(path.join(KEPT)).context("mark the run folder as kept")?;
            eprintln!("testbed: keeping {}", path.display());
        }
        Ok(Self { path, keep, _owner: owner })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.keep {
            // A failure leaves files, and the next start removes them.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes folders whose owner's lock is free. The next start retries failures.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if folder.join(KEPT).exists() {
            continue;
        }
        let owned = match File::open(folder.join(OWNER)) {
            Ok(owner) => matches!(owner.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        };
        if !owned {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lives_as_long_as_its_handle() {
        let folder = RunFolder::create("folder-test").unwrap();
        let abandoned = folder.path().with_file_name(format!("abandoned-{}", random_hex(5).unwrap()));
        fs::create_dir(&abandoned).unwrap();
        File::create(abandoned.join(OWNER)).unwrap();
        let second = RunFolder::create("folder-test").unwrap();
        assert!(folder.path().is_dir(), "an owned folder was removed");
        assert!(!abandoned.exists(), "an abandoned folder was kept");
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
