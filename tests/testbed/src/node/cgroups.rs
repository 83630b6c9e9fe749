//! The control groups of a node. The machine's own hierarchies have them, so they must be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::random::random_hex;

const ROOT: &str = "/sys/fs/cgroup";
/// The names of the groups begin with this; the number of the process that made them follows.
const PREFIX: &str = "testbed-node-";
/// Limit for the kernel to take leave of the last process in a group.
const REMOVE_DEADLINE: Duration = Duration::from_secs(10);

/// One group in each hierarchy, all with the same name. Dropping it removes them, once no process is there any more.
#[derive(Debug)]
pub(super) struct Cgroups {
    name: String,
    folders: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes the groups, and removes those whose makers are gone.
    pub(super) fn create() -> Result<Self> {
        let hierarchies = hierarchies()?;
        hierarchies.iter().for_each(|hierarchy| remove_abandoned(hierarchy));
        let name = format!("{PREFIX}{}-{}", std::process::id(), random_hex(3)?);
        let folders = hierarchies.iter().map(|hierarchy| hierarchy.join(&name)).collect();
        let this = Self { name, folders };
        for (hierarchy, folder) in hierarchies.iter().zip(&this.folders) {
            fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
            // In the first version a group takes no process before it has these.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let (true, Ok(all)) = (this.folders.len() > 1, fs::read(hierarchy.join(file))) {
                    fs::write(folder.join(file), all).with_context(|| format!("write {file}"))?;
                }
            }
        }
        Ok(this)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let began = Instant::now();
        for folder in &self.folders {
            while !remove(folder) && began.elapsed() < REMOVE_DEADLINE {
                sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Each controller has a hierarchy of its own in the first version of control groups; in the second version all share one.
fn hierarchies() -> Result<Vec<PathBuf>> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        return Ok(vec![PathBuf::from(ROOT)]);
    }
    let entries = fs::read_dir(ROOT).with_context(|| format!("list {ROOT}"))?.flatten();
    // Some are there under a second name.
    let own = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(own.map(|entry| entry.path()).filter(|path| path.join("cgroup.procs").exists()).collect())
}

fn remove_abandoned(hierarchy: &Path) {
    for entry in fs::read_dir(hierarchy).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            remove(&entry.path());
        }
    }
}

/// Removes a group with all groups in it; returns whether it is gone.
fn remove(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    fs::remove_dir(folder).is_ok() || !folder.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_removed_with_all_that_is_in_them() {
        let Ok(groups) = Cgroups::create() else {
            println!("skipped: only root may make control groups");
            return;
        };
        let folders = groups.folders.clone();
        assert!(!folders.is_empty());
        fs::create_dir_all(folders[0].join("pods/one")).unwrap();
        drop(groups);
        let left: Vec<_> = folders.iter().filter(|folder| folder.exists()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
