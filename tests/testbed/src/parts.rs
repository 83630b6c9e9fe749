//! The binaries of the control plane and of a node, and what checks a release: found, or built from Go modules.
//!
//! Looked for in this order: the folder `KUBEBUILDER_ASSETS`, `PATH` (only releases that fit the tests), the cache
//! `target/control-plane/`. What is missing is built into that cache, once. Go keeps what it fetched and compiled in the home
//! folder, in caches that no setting here moves: what takes minutes the first time takes seconds in the next clone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::folder::target_directory;
use crate::go_toolchain::{self, version_in};
use crate::progress;

/// A binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// Garbage collection, namespace deletion, workloads.
    ControllerManager,
    /// The command line.
    Kubectl,
    /// What installs charts.
    Helm,
    /// What checks workflows.
    Actionlint,
    /// Chooses a node for each pod.
    Scheduler,
    /// Runs the pods of a node.
    Kubelet,
    /// Leads the address of a Service to its pods.
    KubeProxy,
    /// The names of Services.
    CoreDns,
}

impl Part {
    /// What every test run needs, in that order.
    pub const EVERY_RUN: [Self; 6] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Kubectl, Self::Helm, Self::Actionlint];
    /// What a node needs, with its control plane.
    pub const NODE: [Self; 8] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Kubectl,
        Self::Scheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::CoreDns,
    ];

    /// The binary's file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Actionlint => "actionlint",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::CoreDns => "coredns",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::ApiServer => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Actionlint => "github.com/rhysd/actionlint/cmd/actionlint",
            Self::Scheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
            Self::CoreDns => "coredns",
        }
    }

    fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &ETCD,
            Self::ApiServer
            | Self::ControllerManager
            | Self::Kubectl
            | Self::Scheduler
            | Self::Kubelet
            | Self::KubeProxy => &KUBE,
            Self::Helm => &HELM,
            Self::Actionlint => &ACTIONLINT,
            Self::CoreDns => &COREDNS,
        }
    }

    /// The oldest release taken from `PATH`.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Etcd => (3, 5),
            // The release of the Kubernetes types that the tests are compiled with.
            Self::ApiServer | Self::ControllerManager => (1, 33),
            // A kubectl may differ from its server by one minor release.
            Self::Kubectl => (1, 35),
            // The release that applies on the server, as the fixtures of the tests were installed.
            Self::Helm => (4, 0),
            Self::Actionlint => (1, 7),
            // They may be older than the API server, but not newer.
            Self::Scheduler | Self::Kubelet | Self::KubeProxy => (1, 33),
            Self::CoreDns => (1, 11),
        }
    }

    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Etcd
            | Self::ApiServer
            | Self::ControllerManager
            | Self::Scheduler
            | Self::Kubelet
            | Self::KubeProxy => &["--version"],
            Self::Kubectl => &["version", "--client"],
            Self::Helm => &["version", "--template", "{{.Version}}"],
            Self::Actionlint | Self::CoreDns => &["-version"],
        }
    }
}

/// A Go module whose dependencies hold the packages to build.
struct Module {
    name: &'static str,
    /// The release of Kubernetes that it pins, if it does. The build writes it into the binaries.
    kubernetes: &'static str,
    files: &'static [(&'static str, &'static str)],
}

// Separate modules, because etcd's server and the etcd client inside Kubernetes pin different releases, and Helm and CoreDNS pin other
// releases of the Kubernetes client.
static ETCD: Module = Module {
    name: "etcd",
    kubernetes: "",
    files: &[("go.mod", include_str!("../go/etcd/go.mod")), ("go.sum", include_str!("../go/etcd/go.sum"))],
};
static KUBE: Module = Module {
    name: "kube",
    kubernetes: "v1.36.3",
    files: &[("go.mod", include_str!("../go/kube/go.mod")), ("go.sum", include_str!("../go/kube/go.sum"))],
};
// The oldest release that is supported.
static OLDEST_KUBE: Module = Module {
    name: "kube-oldest",
    kubernetes: "v1.33.13",
    files: &[
        ("go.mod", include_str!("../go/kube-oldest/go.mod")),
        ("go.sum", include_str!("../go/kube-oldest/go.sum")),
    ],
};
static HELM: Module = Module {
    name: "helm",
    kubernetes: "",
    files: &[("go.mod", include_str!("../go/helm/go.mod")), ("go.sum", include_str!("../go/helm/go.sum"))],
};
static ACTIONLINT: Module = Module {
    name: "actionlint",
    kubernetes: "",
    files: &[("go.mod", include_str!("../go/actionlint/go.mod")), ("go.sum", include_str!("../go/actionlint/go.sum"))],
};
// A program of its own, which is smaller than that of its dependency.
static COREDNS: Module = Module {
    name: "coredns",
    kubernetes: "",
    files: &[
        ("go.mod", include_str!("../go/coredns/go.mod")),
        ("go.sum", include_str!("../go/coredns/go.sum")),
        ("main.go", include_str!("../go/coredns/main.go")),
    ],
};

/// Binaries that exist.
#[derive(Clone, Debug)]
pub struct Parts(BTreeMap<Part, PathBuf>);

impl Parts {
    /// A binary that [`ensure`] was asked for; an error for any other.
    pub fn path(&self, part: Part) -> Result<&Path> {
        let path = self.0.get(&part).ok_or_else(|| anyhow!("{} was not asked for", part.name()))?;
        Ok(path)
    }
}

/// Finds or builds `parts`.
///
/// Blocks the thread: for milliseconds when everything exists, for minutes on a new machine, with a line on the
/// standard error stream every few seconds. Parallel callers, in this process or another, build a part only once.
pub fn ensure(parts: &[Part]) -> Result<Parts> {
    ensure_in(&target_directory().join("control-plane"), parts)
}

/// Builds the control plane of the oldest supported release, and returns the folder with it: a run with this `KUBEBUILDER_ASSETS` uses it.
pub fn ensure_oldest() -> Result<PathBuf> {
    let cache = target_directory().join("control-plane");
    let folder = cache.join("oldest");
    for part in [Part::ApiServer, Part::ControllerManager, Part::Kubectl] {
        build(part, &OLDEST_KUBE, &cache, &folder).with_context(|| format!("build an old {}", part.name()))?;
    }
    Ok(folder)
}

fn ensure_in(cache: &Path, parts: &[Part]) -> Result<Parts> {
    let mut found = BTreeMap::new();
    for part in parts {
        let path = match find(*part, cache) {
            Some(path) => path,
            None => build(*part, part.module(), cache, cache).with_context(|| format!("build {}", part.name()))?,
        };
        found.insert(*part, path);
    }
    Ok(Parts(found))
}

fn find(part: Part, cache: &Path) -> Option<PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(|folder| Path::new(&folder).join(part.name()));
    // The user who sets that variable has chosen the release, so it is not checked.
    let assets = assets.filter(|path| path.is_file());
    let on_path = || {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(part.name())).find(|path| fits(part, path))
    };
    let cached = || Some(cache.join(part.name())).filter(|path| path.is_file());
    assets.or_else(on_path).or_else(cached)
}

fn fits(part: Part, path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let output = Command::new(path).args(part.version_arguments()).output();
    let version = output.ok().and_then(|output| version_in(&String::from_utf8_lossy(&output.stdout)));
    version.is_some_and(|version| version >= part.oldest())
}

/// Builds one part into a folder of the cache. Each part has its own lock, so that a caller waits only for its own parts.
fn build(part: Part, module: &Module, cache: &Path, folder: &Path) -> Result<PathBuf> {
    let name = part.name();
    let _lock = progress::lock(&format!("building {name}"), &folder.join(format!("{name}.lock")))?;
    let binary = folder.join(name);
    if binary.is_file() {
        return Ok(binary);
    }
    let go = go_toolchain::ensure(cache)?;
    let source = write_module(module, cache)?;
    // Renamed when it is complete: a killed build must not leave a file that looks like a binary.
    let partial = folder.join(format!("{name}.partial"));
    let mut command = Command::new(go);
    command.current_dir(&source).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "auto").env("GOWORK", "off");
    command.args(["build", "-trimpath"]);
    let version = match module.kubernetes {
        "" => String::new(),
        release => format!(" -X k8s.io/component-base/version.gitVersion={release}"),
    };
    command.arg(format!("-ldflags=-s -w{version}"));
    command.arg("-o").arg(&partial).arg(part.package());
    let what = format!("building {name} from Go modules");
    progress::run(&what, &command, &folder.join(format!("{name}.log")))?;
    fs::rename(&partial, &binary).with_context(|| format!("rename {}", partial.display()))?;
    Ok(binary)
}

fn write_module(module: &Module, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("src").join(module.name);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for (file, wanted) in module.files {
        let path = folder.join(file);
        // A correct file stays untouched: another part of the same module may be building.
        if fs::read_to_string(&path).is_ok_and(|text| text == *wanted) {
            continue;
        }
        let partial = folder.join(format!("{file}.{}", std::process::id()));
        fs::write(&partial, wanted).with_context(|| format!("write {}", partial.display()))?;
        fs::rename(&partial, &path).with_context(|| format!("rename {}", partial.display()))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::RunFolder;

    /// Takes half a minute or more, so it runs only by name: `cargo test -p testbed -- --ignored`.
    #[test]
    #[ignore = "builds etcd from source"]
    fn a_part_that_is_nowhere_is_built_once() {
        let cache = RunFolder::create("parts").unwrap();
        let build_all = || {
            let mut builders = Vec::new();
            for _ in 0..2 {
                let cache = cache.path().to_owned();
                builders.push(std::thread::spawn(move || build(Part::Etcd, &ETCD, &cache, &cache).unwrap()));
            }
            builders.into_iter().map(|builder| builder.join().unwrap()).collect::<Vec<_>>()
        };
        let paths = build_all();
        assert_eq!(paths[0], paths[1]);
        assert!(fits(Part::Etcd, &paths[0]));
        let built = fs::metadata(&paths[0]).unwrap().modified().unwrap();
        assert_eq!(fs::metadata(&build_all()[0]).unwrap().modified().unwrap(), built);
    }
}
