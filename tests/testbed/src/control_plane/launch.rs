//! The processes of a control plane: their arguments, and when they are ready.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};

use super::ADMIN;
use super::credentials::Credentials;
use crate::folder::RunFolder;
use crate::parts::{Part, Parts};
use crate::process::Process;
use crate::{audit, http};

/// The audit log's name in the run's folder.
pub(super) const AUDIT_LOG: &str = "audit.log";
/// The name of etcd's folder in the run's folder.
pub(super) const ETCD_DATA: &str = "etcd";
/// Limit for a part to become ready: seconds on an idle machine, more beside a build.
const READY_DEADLINE: Duration = Duration::from_secs(120);
/// How often a part is started again because somebody else took its port first.
const PORT_ATTEMPTS: usize = 4;
/// Megabytes at which the audit log would be rotated, and entries lost: far above what a test run writes.
const AUDIT_LOG_LIMIT: &str = "10000";
/// The controllers that the tests rely on: deletion, service accounts, quotas, roll-outs and jobs.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
    serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,\
    resourcequota-controller,deployment-controller,replicaset-controller,statefulset-controller,\
    daemonset-controller,job-controller,cronjob-controller,validatingadmissionpolicy-status-controller";

/// A server, and how it was started.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) url: String,
    name: &'static str,
    command: Command,
    log: PathBuf,
}

impl Server {
    /// Starts it again on the same port, with the same files and the same log. Does not wait until it is ready.
    pub(super) fn start_again(&mut self) -> Result<()> {
        self.process.kill();
        self.process = Process::start(self.name, &self.command, &self.log)?;
        Ok(())
    }

    /// Waits until etcd is healthy.
    pub(super) async fn healthy(&mut self) -> Result<()> {
        let health = format!("{}/health", self.url);
        self.process.wait_until("its health", READY_DEADLINE, || http::look(&health)).await
    }

    /// Waits until `/readyz` of the API server says so.
    pub(super) async fn ready(&mut self, credentials: &Credentials) -> Result<()> {
        let url = self.url.clone();
        self.process.wait_until("/readyz", READY_DEADLINE, || look(credentials, &url)).await
    }
}

/// Starts etcd and waits until it is healthy.
pub(super) async fn etcd(parts: &Parts, folder: &RunFolder) -> Result<Server> {
    let binary = parts.path(Part::Etcd)?;
    let mut attempt = 1;
    loop {
        let (clients, peers) = (loopback("http", http::free_port()?), loopback("http", http::free_port()?));
        let mut command = Command::new(binary);
        command.arg("--data-dir").arg(folder.file(ETCD_DATA));
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        // The data lives as long as the process, and syncing it would cost most of the time of a write.
        command.args(["--unsafe-no-fsync", "--log-level", "warn"]);
        let log = folder.file(&format!("etcd-{attempt}.log"));
        let process = Process::start("etcd", &command, &log)?;
        let mut server = Server { process, url: clients, name: "etcd", command, log };
        match server.healthy().await {
            Ok(()) => return Ok(server),
            Err(error) => again(&mut attempt, &server.process, error)?,
        }
        // A member that never served may have written half of its data.
        let _ = fs::remove_dir_all(folder.file(ETCD_DATA));
    }
}

/// The things that kube-apiserver needs in addition to its binary.
pub(super) struct ApiServer<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) etcd: &'a str,
    pub(super) audit: bool,
    pub(super) arguments: &'a [String],
}

impl ApiServer<'_> {
    /// Starts the server and waits until `/readyz` says so.
    pub(super) async fn start(&self, parts: &Parts, folder: &RunFolder) -> Result<Server> {
        let binary = parts.path(Part::ApiServer)?;
        let mut attempt = 1;
        loop {
            let port = http::free_port()?;
            let command = self.command(binary, folder, port)?;
            let log = folder.file(&format!("kube-apiserver-{attempt}.log"));
            let process = Process::start("kube-apiserver", &command, &log)?;
            let url = loopback("https", port);
            let mut server = Server { process, url, name: "kube-apiserver", command, log };
            match server.ready(self.credentials).await {
                Ok(()) => return Ok(server),
                Err(error) => again(&mut attempt, &server.process, error)?,
            }
        }
    }

    fn command(&self, binary: &Path, folder: &RunFolder, port: u16) -> Result<Command> {
        let mut command = Command::new(binary);
        let credentials = self.credentials;
        command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--profiling=false"]);
        // No pod reaches this server, so it has no endpoints to keep.
        command.args(["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24"]);
        command.arg(format!("--secure-port={port}")).arg(format!("--etcd-servers={}", self.etcd));
        command.arg(flag("--cert-dir", &credentials.certificates)).arg("--authorization-mode=RBAC");
        command.arg(flag("--token-auth-file", &credentials.tokens));
        command.arg(flag("--service-account-signing-key-file", &credentials.signing_key));
        command.arg(flag("--service-account-key-file", &credentials.verifying_key));
        command.arg("--service-account-issuer=https://kubernetes.default.svc");
        if self.audit {
            let policy = folder.file("audit-policy.yaml");
            fs::write(&policy, audit::POLICY).context("write the audit policy")?;
            command.arg(flag("--audit-policy-file", &policy));
            command.arg(flag("--audit-log-path", &folder.file(AUDIT_LOG)));
            // Blocking, so that every answered request is in the log and not in a buffer.
            command.args(["--audit-log-mode=blocking", "--audit-log-maxsize", AUDIT_LOG_LIMIT]);
        }
        command.args(self.arguments);
        Ok(command)
    }
}

/// Whether the API server at `url` is ready.
async fn look(credentials: &Credentials, url: &str) -> Result<(), String> {
    let ready = async {
        let request = credentials.client()?.get(format!("{url}/readyz"));
        http::answer(request.header("authorization", credentials.bearer(ADMIN)?)).await
    };
    match ready.await {
        Ok((200, _)) => Ok(()),
        Ok((status, body)) => Err(format!("{status} {body}")),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Starts kube-controller-manager and waits until it has done something: the `default` service account exists.
pub(super) async fn controller_manager(
    parts: &Parts,
    folder: &RunFolder,
    credentials: &Credentials,
    client: &Client,
) -> Result<Process> {
    let mut command = Command::new(parts.path(Part::ControllerManager)?);
    let kubeconfig = credentials.kubeconfig(super::CONTROLLER_MANAGER)?;
    command.arg(flag("--kubeconfig", &kubeconfig)).arg(format!("--controllers={CONTROLLERS}"));
    command.arg(flag("--service-account-private-key-file", &credentials.signing_key));
    command.arg(flag("--root-ca-file", &credentials.certificate()));
    // There is only one manager, so it needs no leader election; and nobody asks for its health or metrics.
    command.args(["--leader-elect=false", "--secure-port=0", "--profiling=false"]);
    let log = folder.file("kube-controller-manager.log");
    let mut process = Process::start("kube-controller-manager", &command, &log)?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let look = || async {
        match accounts.get_opt("default").await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(String::from("no service account `default`")),
            Err(error) => Err(error.to_string()),
        }
    };
    process.wait_until("the first service account", READY_DEADLINE, look).await?;
    Ok(process)
}

/// Allows another attempt when the port was taken; otherwise gives the error back.
fn again(attempt: &mut usize, process: &Process, error: anyhow::Error) -> Result<()> {
    *attempt += 1;
    if *attempt > PORT_ATTEMPTS || !process.log().contains("address already in use") {
        return Err(error);
    }
    Ok(())
}

fn loopback(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}")
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}
