//! The control plane, the operator for it, and kubectl, which acts as a user does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use artifact_token_operator::api::artifact_token::ArtifactToken;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use testbed::control_plane::Options;
use testbed::parts::{self, Part};
use testbed::{ControlPlane, Operator, operator};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use crate::binaries::Binaries;
use crate::service::Service;

/// The namespace of the tour, which users get who name none.
pub const NAMESPACE: &str = "default";

/// Flags that shorten the operator's waits for services that do not know their own tokens at once. The defaults are
/// right for real services. `--refusal-settle` matters most where a person revokes: a deletion takes ten of it, because no
/// other token of the service is there whose acceptance would make the refusals certain sooner.
const SHORT_WAITS: [&str; 4] = ["--token-settle=2s", "--settle-margin=2s", "--first-retry=1s", "--refusal-settle=1s"];
/// Lines of the operator's log that a failed tour shows.
const TAIL_LINES: usize = 40;

/// A control plane with the CRDs and a running operator.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order.
    operator: Operator,
    plane: ControlPlane,
    kubectl: PathBuf,
    plugin: PathBuf,
}

impl Cluster {
    /// Finds or builds the control plane, starts it, installs the CRDs and runs the operator.
    pub async fn start(binaries: &Binaries, service: &Service) -> Result<Self> {
        println!(
            "Starting a control plane: etcd and kube-apiserver. The first time they are built, which takes minutes."
        );
        let wanted = [Part::Etcd, Part::ApiServer, Part::Kubectl];
        let parts = spawn_blocking(move || parts::ensure(&wanted)).await.context("look for the binaries")??;
        let kubectl = parts.path(Part::Kubectl)?.to_owned();
        let options = Options { audit: false, ..Options::default() };
        let plane = ControlPlane::start(options).await.context("start the control plane")?;
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        testbed::cluster::apply_crds(&plane.client().await?, &crds).await.context("install the CRDs")?;
        println!("Running the operator with {}.", SHORT_WAITS.join(" "));
        println!("With these flags and a short overlap in the YAML the tour takes about a minute.");
        let mut options = operator::Options::new(&binaries.operator, plane.kubeconfig_path()?)
            .variable("RUST_LOG", "info,artifact_token_operator=debug");
        options.arguments.extend(SHORT_WAITS.map(str::to_owned));
        let operator = Operator::start(options).await.context("start the operator")?;
        if let Some((written, real)) = &service.address {
            println!("The YAML is applied with {real} in place of {written}.");
        }
        Ok(Self { operator, plane, kubectl, plugin: binaries.plugin.clone() })
    }

    /// A client for reading.
    pub async fn client(&self) -> Result<Client> {
        self.plane.client().await
    }

    /// Shows a kubectl command and its output.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<()> {
        println!("\n$ kubectl {}", arguments.join(" "));
        self.run(arguments, None).await
    }

    /// The same with an input, which is not shown.
    pub async fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<()> {
        println!("\n$ kubectl {}", arguments.join(" "));
        self.run(arguments, Some(input)).await
    }

    /// Shows and runs `kubectl apply -f` for every YAML file of the service's folder.
    pub async fn apply(&self, service: &Service) -> Result<()> {
        let folder = service.kind.folder();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        println!("\n$ kubectl apply -f examples/{name}/");
        let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        for file in files {
            self.run(&["apply", "-f", "-"], Some(&service.yaml(&file)?)).await?;
        }
        Ok(())
    }

    async fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<()> {
        let mut command = Command::from(self.plane.kubectl()?);
        command.args(["--namespace", NAMESPACE]).args(arguments).kill_on_drop(true);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().context("start kubectl")?;
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).await.context("write to kubectl")?;
        }
        let status = child.wait().await.context("wait for kubectl")?;
        ensure!(status.success(), "kubectl {}: {status}", arguments.join(" "));
        Ok(())
    }

    /// The ArtifactToken, if it is there.
    pub async fn token(&self, client: &Client, name: &str) -> Result<Option<ArtifactToken>> {
        let api: Api<ArtifactToken> = Api::namespaced(client.clone(), NAMESPACE);
        api.get_opt(name).await.with_context(|| format!("read the ArtifactToken {name}"))
    }

    /// The Secret, if it is there.
    pub async fn secret(&self, client: &Client, name: &str) -> Result<Option<Secret>> {
        let api: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
        api.get_opt(name).await.with_context(|| format!("read the Secret {name}"))
    }

    /// The end of the operator's log.
    pub fn operator_log(&self) -> String {
        let log = self.operator.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// The commands to type in another terminal before kubectl talks to this cluster.
    pub fn environment(&self) -> Result<String> {
        let kubeconfig = self.plane.kubeconfig_path()?;
        let mut lines = format!("  export KUBECONFIG={}", kubeconfig.display());
        for (folder, what) in [(&self.kubectl, "kubectl"), (&self.plugin, "kubectl artifact-token")] {
            if let Some(folder) = folder.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                lines.push_str(&format!("\n  export PATH=\"$PATH:{}\"     # for {what}", folder.display()));
            }
        }
        Ok(lines)
    }
}
