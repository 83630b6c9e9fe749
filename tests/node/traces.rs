//! What a node could leave on the machine.

use std::fs;
use std::path::{Path, PathBuf};

use testbed::Node;

/// Settings of the machine that a kubelet or a network would change.
const SETTINGS: [&str; 5] =
    ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"];
/// Links of the node's network.
const LINKS: [&str; 2] = ["up0", "up1"];

/// The settings as they are now.
pub fn settings() -> Vec<(&'static str, String)> {
    let read = |name| fs::read_to_string(Path::new("/proc/sys").join(name)).expect("read a setting of the machine");
    SETTINGS.map(|name| (name, read(name))).to_vec()
}

/// What tells that something belongs to a node.
pub struct Traces {
    folder: PathBuf,
    cgroup: String,
    namespace: PathBuf,
}

impl Traces {
    pub fn of(node: &Node) -> Self {
        let namespace = namespace_of(&Path::new("/proc").join(node.first_process().to_string()));
        let namespace = namespace.expect("the first process is there");
        Self { folder: node.folder().to_owned(), cgroup: node.cgroup().to_owned(), namespace }
    }

    /// What is on the machine now, for people.
    pub fn left(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read the mounts");
        let folder = self.folder.display().to_string();
        let mounts = mounts.lines().filter(|line| line.contains(&folder)).map(|line| format!("mount {line}"));
        let mut left: Vec<String> = mounts.collect();
        let processes =
            entries("/proc").into_iter().filter(|path| namespace_of(path).as_ref() == Some(&self.namespace));
        left.extend(processes.map(|path| format!("process {}", path.display())));
        let hierarchies = [vec![PathBuf::from("/sys/fs/cgroup")], entries("/sys/fs/cgroup")].concat();
        let groups = hierarchies.into_iter().map(|hierarchy| hierarchy.join(&self.cgroup));
        left.extend(groups.filter(|path| path.exists()).map(|path| format!("control group {}", path.display())));
        let links = LINKS.map(|link| Path::new("/sys/class/net").join(link)).into_iter();
        left.extend(links.filter(|path| path.exists()).map(|path| format!("link {}", path.display())));
        left.extend(self.folder.exists().then(|| format!("folder {folder}")));
        left
    }
}

fn entries(folder: &str) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The namespace of a process, if there is such a process.
fn namespace_of(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/pid")).ok()
}
