//! A control plane with a real node, where pods run: kubelet, container runtime, scheduler, addresses and names of Services.
//!
//! All of it is in namespaces of its own: mounts, network, processes. Nothing is installed, no port and no setting of the machine is
//! touched, and when one process ends, all of them end. No way leads from there to any other network. It needs root, and a Debian or
//! Ubuntu for the runtime's packages. The kubelet's control groups are the one thing that it makes on the machine itself.
//!
//! `programs` has what is started, `cgroups` the control groups.

mod cgroups;
mod programs;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::spawn_blocking;

use crate::control_plane::ADMIN;
use crate::control_plane::credentials::Credentials;
use crate::debian;
use crate::folder::RunFolder;
use crate::parts::{self, Part, Parts};
use crate::process::{self, Process};
use cgroups::Cgroups;

/// The image with which the runtime holds the namespaces of a pod. One of the images that a node is given must have this name, and
/// its program must do nothing for ever.
pub const SANDBOX: &str = "localhost/sandbox:1";
/// The name of the node.
pub const NAME: &str = "node1";

/// The runtime, what connects pods, what rewrites the addresses of Services, and a shell with small tools in one file.
const PACKAGES: [&str; 11] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "nftables",
    "libedit2",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libjansson4",
    "libseccomp2",
    "busybox-static",
];

/// Limit for a part to become ready: seconds on an idle machine, more beside a build.
const READY_DEADLINE: Duration = Duration::from_secs(120);
/// Limit of one command: the longest ones wait for pods.
const COMMAND_DEADLINE: Duration = Duration::from_secs(300);
/// Limit for the kernel to end everything in the namespaces.
const END_DEADLINE: Duration = Duration::from_secs(20);
/// Lines of each program's log that a failing test prints.
const TAIL_LINES: usize = 25;

/// Returns the folder with the packages of a node, unpacked.
///
/// # Errors
/// Where this is no Debian, or its archive cannot be reached.
pub fn packages() -> Result<PathBuf> {
    debian::unpacked("node", &PACKAGES).context("get the packages of a node")
}

/// How to run a command in the namespaces.
#[derive(Clone, Debug)]
struct Inside {
    first: u32,
    packages: PathBuf,
    path: OsString,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Inside {
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--net", "--pid", "--uts", "--ipc", "--"]);
        command.arg(program).env("PATH", &self.path).env("KUBECONFIG", &self.kubeconfig);
        command.env("LD_LIBRARY_PATH", self.packages.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
        // What kubectl remembers of an earlier node, which had the same address, would be wrong.
        command.env("KUBECACHEDIR", &self.cache);
        command
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(&self.kubectl);
        command.args(arguments);
        output(command).await
    }

    /// Whether `kubectl` prints this and nothing else, in the form that [`Process::wait_until`] takes.
    async fn says(&self, arguments: &[&str], wanted: &str) -> Result<(), String> {
        match self.kubectl(arguments).await {
            Ok(said) if said.trim() == wanted => Ok(()),
            Ok(said) => Err(format!("{arguments:?}: {said}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}

/// Runs a command to its end, and returns what it printed.
async fn output(command: Command) -> Result<String> {
    let what = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    let ended = tokio::time::timeout(COMMAND_DEADLINE, command.kill_on_drop(true).output()).await;
    let output = ended.with_context(|| format!("{what} takes too long"))?.with_context(|| what.clone())?;
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        bail!("{what}: {}{}", printed(&output.stdout), printed(&output.stderr));
    }
    Ok(printed(&output.stdout))
}

/// A running node with its control plane. Dropping it ends everything there and removes its data; a test that is failing then prints
/// the ends of all logs.
#[derive(Debug)]
pub struct Node {
    // Dropped in this order: the folder last.
    programs: Vec<(&'static str, Process)>,
    namespaces: Process,
    inside: Inside,
    cgroups: Cgroups,
    parts: Parts,
    credentials: Credentials,
    folder: RunFolder,
}

impl Node {
    /// Starts a node that has these images, each an OCI archive, and waits until pods can run there.
    ///
    /// Builds missing binaries first, which takes minutes on a new machine and says so. The error carries the ends of the logs.
    pub async fn start(images: &[PathBuf]) -> Result<Self> {
        let parts = spawn_blocking(|| parts::ensure(&Part::NODE)).await.context("look for the binaries")??;
        let packages = spawn_blocking(packages).await.context("look for the packages")??;
        let folder = RunFolder::create("node")?;
        let credentials = Credentials::create(&folder, &programs::users())?;
        let cgroups = Cgroups::create().context("make control groups, which needs root")?;
        let (namespaces, first) = namespaces(&folder).await?;
        let inside = Inside {
            first,
            path: path(&packages)?,
            packages,
            kubectl: parts.path(Part::Kubectl)?.to_owned(),
            kubeconfig: credentials.kubeconfig(ADMIN)?,
            cache: folder.file("kubectl-cache"),
        };
        let mut node = Self { programs: Vec::new(), namespaces, inside, cgroups, parts, credentials, folder };
        node.control_plane().await?;
        node.runtime(images).await?;
        node.ready().await?;
        Ok(node)
    }

    /// A command in the namespaces: with their network and their processes, `KUBECONFIG` for all rights, and the small tools of
    /// `busybox`. It runs in the root folder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.inside.command(program)
    }

    /// Runs a command to its end, and returns what it printed. It fails with that when the command does.
    pub async fn run(&self, command: Command) -> Result<String> {
        output(command).await
    }

    /// Runs `kubectl` with these arguments, and returns what it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.inside.kubectl(arguments).await
    }

    /// The `kubectl` in the namespaces, for what runs longer than a look.
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.inside.command(&self.inside.kubectl);
        command.args(arguments);
        command
    }

    /// Applies every document of `yaml`. Namespaced objects go to the namespace they name, else to `namespace`.
    pub async fn apply(&self, yaml: &str, namespace: &str) -> Result<()> {
        let file = self.folder.file("applied.yaml");
        fs::write(&file, yaml).context("write what is applied")?;
        let file = file.to_str().context("a path in UTF-8")?;
        self.kubectl(&["apply", "--namespace", namespace, "--filename", file])
            .await
            .with_context(|| yaml.to_owned())?;
        Ok(())
    }

    /// The folder of the node, which goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The name of its control groups, which go with it.
    pub fn cgroup(&self) -> &str {
        self.cgroups.name()
    }

    /// The first process in its namespaces, with which all others there end.
    pub fn first_process(&self) -> u32 {
        self.inside.first
    }

    /// Starts a program in the namespaces, and returns its process.
    fn begin(&mut self, name: &'static str, command: &Command) -> Result<&mut Process> {
        let process = Process::start(name, command, &self.folder.file(&format!("{name}.log")))?;
        self.programs.push((name, process));
        let (_, process) = self.programs.last_mut().ok_or_else(|| anyhow!("just pushed"))?;
        Ok(process)
    }

    async fn control_plane(&mut self) -> Result<()> {
        self.begin("etcd", &self.etcd()?)?;
        // The server writes the key after the certificate.
        let key = self.credentials.certificate().with_extension("key");
        let server = self.begin("kube-apiserver", &self.api_server()?)?;
        let look = || std::future::ready(if key.is_file() { Ok(()) } else { Err("no certificate".to_owned()) });
        server.wait_until("its certificate", READY_DEADLINE, look).await?;
        self.credentials.write_kubeconfigs(&programs::url())?;
        let inside = self.inside.clone();
        let (_, server) = self.programs.last_mut().ok_or_else(|| anyhow!("just started"))?;
        let look = || inside.says(&["get", "--raw", "/readyz"], "ok");
        server.wait_until("/readyz", READY_DEADLINE, look).await?;
        self.begin("kube-controller-manager", &self.controller_manager()?)?;
        self.begin("kube-scheduler", &self.scheduler()?)?;
        Ok(())
    }

    async fn runtime(&mut self, images: &[PathBuf]) -> Result<()> {
        let inside = self.inside.clone();
        let command = self.containerd()?;
        let containerd = self.begin("containerd", &command)?;
        let look = || async { output(inside.ctr(&["version"])).await.map(drop).map_err(|error| format!("{error:#}")) };
        containerd.wait_until("its answer", READY_DEADLINE, look).await?;
        for image in images {
            let image = image.to_str().context("a path in UTF-8")?;
            output(self.inside.ctr(&["--namespace", "k8s.io", "images", "import", image])).await?;
        }
        Ok(())
    }

    /// Starts the kubelet and what pods need, and waits until a pod would be accepted.
    async fn ready(&mut self) -> Result<()> {
        self.begin("kube-proxy", &self.kube_proxy()?)?;
        self.begin("coredns", &self.coredns()?)?;
        let inside = self.inside.clone();
        let kubelet = self.kubelet()?;
        let kubelet = self.begin("kubelet", &kubelet)?;
        let condition = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        let node = ["get", "node", NAME, "--output", condition];
        let look = || inside.says(&node, "True");
        kubelet.wait_until("the node to be Ready", READY_DEADLINE, look).await?;
        let account = ["get", "serviceaccount", "default", "--output", "name"];
        let look = || inside.says(&account, "serviceaccount/default");
        kubelet.wait_until("the first service account", READY_DEADLINE, look).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (name, process) in &self.programs {
                eprintln!("end of the log of {name}:\n{}\n", process.log_tail(TAIL_LINES));
            }
        }
        // The kernel ends all processes there with the first one, and unshare, which waits for that one, ends last.
        process::send(self.inside.first, "KILL");
        let began = std::time::Instant::now();
        while self.namespaces.is_running() && began.elapsed() < END_DEADLINE {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.programs.clear();
    }
}

/// Makes the namespaces, and returns the process that waits for their end, and the number of the first process there.
async fn namespaces(folder: &RunFolder) -> Result<(Process, u32)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/namespaces");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]);
    command.arg(script).arg(programs::ADDRESS);
    let (log, stdout) = (folder.file("namespaces.log"), folder.file("namespaces.stdout"));
    let mut process = Process::start_with_stdout("the namespaces of a node", &command, &log, &stdout)?;
    let line = process.first_line(READY_DEADLINE).await.context("make namespaces, which needs root")?;
    let first = line.parse().with_context(|| format!("read the number of the first process: {line}"))?;
    Ok((process, first))
}

/// Where programs are looked for: first in the packages.
fn path(packages: &Path) -> Result<OsString> {
    let own = ["usr/sbin", "usr/bin", "sbin", "bin"].map(|folder| packages.join(folder));
    let machine = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(own.into_iter().chain(std::env::split_paths(&machine))).context("join the folders of PATH")
}
