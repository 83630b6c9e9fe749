//! The programs of a node: their arguments and their files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Inside, NAME, Node, SANDBOX};
use crate::control_plane::{ADMIN, CONTROLLER_MANAGER};
use crate::parts::Part;

/// The address of the node, where the API server and the names of Services are, too.
pub(super) const ADDRESS: &str = "10.99.0.1";
const PODS: &str = "10.88.0.0/24";
const SERVICES: &str = "10.96.0.0/16";
const STORE: &str = "http://127.0.0.1:2379";
const STORE_PEERS: &str = "http://127.0.0.1:2380";
const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// The users of the parts, as every cluster has them.
const SCHEDULER: &str = "system:kube-scheduler";
const PROXY: &str = "system:kube-proxy";
const KUBELET: &str = "system:node:node1";

/// The users beside those of every control plane: name and groups.
pub(super) fn users() -> Vec<(String, Vec<String>)> {
    let user =
        |name: &str, groups: &[&str]| (name.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect());
    vec![user(SCHEDULER, &[]), user(PROXY, &[]), user(KUBELET, &["system:nodes"])]
}

/// The address of the API server.
pub(super) fn url() -> String {
    format!("https://{ADDRESS}:6443")
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

impl Node {
    pub(super) fn etcd(&self) -> Result<Command> {
        let mut command = self.part(Part::Etcd)?;
        command.arg(flag("--data-dir", &self.folder.file("etcd"))).arg("--unsafe-no-fsync");
        command.args(["--listen-client-urls", STORE, "--advertise-client-urls", STORE]);
        command.args(["--listen-peer-urls", STORE_PEERS, "--initial-advertise-peer-urls", STORE_PEERS]);
        command.args(["--initial-cluster", &format!("default={STORE_PEERS}"), "--log-level", "warn"]);
        Ok(command)
    }

    pub(super) fn api_server(&self) -> Result<Command> {
        let credentials = &self.credentials;
        let mut command = self.part(Part::ApiServer)?;
        command.arg(format!("--etcd-servers={STORE}")).args(["--secure-port=6443", "--profiling=false"]);
        command.arg(format!("--bind-address={ADDRESS}")).arg(format!("--advertise-address={ADDRESS}"));
        command.arg(flag("--cert-dir", &credentials.certificates));
        command.arg(flag("--token-auth-file", &credentials.tokens));
        command.args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"]);
        command.arg(flag("--service-account-signing-key-file", &credentials.signing_key));
        command.arg(flag("--service-account-key-file", &credentials.verifying_key));
        command.arg("--service-account-issuer=https://kubernetes.default.svc");
        command.arg(format!("--service-cluster-ip-range={SERVICES}"));
        command.arg("--kubelet-preferred-address-types=InternalIP");
        Ok(command)
    }

    pub(super) fn controller_manager(&self) -> Result<Command> {
        let mut command = self.part(Part::ControllerManager)?;
        command.arg(flag("--kubeconfig", &self.credentials.kubeconfig(CONTROLLER_MANAGER)?));
        command.arg(flag("--service-account-private-key-file", &self.credentials.signing_key));
        command.arg(flag("--root-ca-file", &self.credentials.certificate()));
        // By default it waits between requests, and the first service account takes seconds more.
        command.args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
        command.args(["--leader-elect=false", "--secure-port=0", "--profiling=false"]);
        Ok(command)
    }

    pub(super) fn scheduler(&self) -> Result<Command> {
        let mut command = self.part(Part::Scheduler)?;
        command.arg(flag("--kubeconfig", &self.credentials.kubeconfig(SCHEDULER)?));
        command.args(["--leader-elect=false", "--secure-port=0", "--profiling=false"]);
        Ok(command)
    }

    pub(super) fn kube_proxy(&self) -> Result<Command> {
        let mut command = self.part(Part::KubeProxy)?;
        command.arg(flag("--kubeconfig", &self.credentials.kubeconfig(PROXY)?));
        command.args(["--proxy-mode=nftables", "--hostname-override", NAME, "--bind-address", ADDRESS]);
        command.args(["--cluster-cidr", PODS]);
        // These settings belong to the machine: leave them.
        command.args(["--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s"]);
        command.arg("--conntrack-tcp-timeout-close-wait=0s");
        Ok(command)
    }

    /// The names of Services, as a plain process at the address of the node.
    pub(super) fn coredns(&self) -> Result<Command> {
        let kubeconfig = self.credentials.kubeconfig(ADMIN)?;
        let text = format!(
            "cluster.local:53 {{\n  bind {ADDRESS}\n  kubernetes cluster.local {{\n    kubeconfig {}\n  }}\n  errors\n}}\n",
            kubeconfig.display()
        );
        let mut command = self.part(Part::CoreDns)?;
        command.arg("-conf").arg(self.write("Corefile", &text)?);
        Ok(command)
    }

    pub(super) fn containerd(&self) -> Result<Command> {
        let network = json!({
            "cniVersion": "1.0.0", "name": "pods", "plugins": [{
                "type": "ptp",
                "ipam": {
                    "type": "host-local", "dataDir": "/run/networks", "ranges": [[{"subnet": PODS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }],
        });
        fs::create_dir_all(self.folder.file("networks")).context("make a folder for the network")?;
        self.write("networks/pods.conflist", &network.to_string())?;
        // Only who has the capability SYS_RESOURCE may lower a score, and root in a container may lack it.
        let text = format!(
            "version = 2\nroot = {root:?}\nstate = \"/run/containerd\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"{SANDBOX}\"\nrestrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = {plugins:?}\nconf_dir = {networks:?}\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nBinaryName = {runc:?}\n",
            root = self.folder.file("containerd"),
            plugins = self.inside.packages.join("usr/lib/cni"),
            networks = self.folder.file("networks"),
            runc = self.inside.packages.join("usr/sbin/runc"),
        );
        let mut command = self.command(self.inside.packages.join("usr/bin/containerd"));
        command.arg("--config").arg(self.write("containerd.toml", &text)?).args(["--address", CONTAINERD]);
        Ok(command)
    }

    pub(super) fn kubelet(&self) -> Result<Command> {
        let config = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
            // By default it refuses a machine with the first version of control groups.
            "failCgroupV1": false,
            "failSwapOn": false,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{}", self.cgroups.name()),
            "enforceNodeAllocatable": ["pods"],
            // Nobody else is in this network.
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": ADDRESS,
            "readOnlyPort": 0,
            "healthzPort": 0,
            "clusterDomain": "cluster.local",
            "clusterDNS": [ADDRESS],
            "resolvConf": "",
            "podLogsDir": self.folder.file("pods"),
            "volumePluginDir": "/run/volume-plugins",
            "makeIPTablesUtilChains": false,
            // A full disk of the machine must not evict pods.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {
                "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%",
            },
            // A changed Secret reaches a pod when the pod is synchronised: by default each minute, or later.
            "syncFrequency": "1s",
            "nodeStatusUpdateFrequency": "5s",
        });
        let mut command = self.part(Part::Kubelet)?;
        command.arg("--config").arg(self.write("kubelet.json", &config.to_string())?);
        command.arg(flag("--kubeconfig", &self.credentials.kubeconfig(KUBELET)?));
        command.arg(flag("--root-dir", &self.folder.file("kubelet")));
        command.args(["--hostname-override", NAME, "--node-ip", ADDRESS]);
        Ok(command)
    }

    fn part(&self, part: Part) -> Result<Command> {
        Ok(self.command(self.parts.path(part)?))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.file(name);
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }
}

impl Inside {
    /// The command line of containerd.
    pub(super) fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.packages.join("usr/bin/ctr"));
        command.args(["--address", CONTAINERD]).args(arguments);
        command
    }
}
