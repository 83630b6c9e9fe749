//! A real control plane: etcd, kube-apiserver and, when asked, kube-controller-manager.
//!
//! Ready some seconds after the binaries exist; see [`crate::parts`] for those. About 300 MB while idle.
//! `outage` ends and restarts its parts, and puts its store back to an earlier state.

pub(crate) mod credentials;
mod launch;
mod outage;

pub use outage::Snapshot;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::audit::{self, Entry, Mark};
use crate::folder::RunFolder;
use crate::parts::{self, Part};
use crate::process::Process;
use crate::random::random_hex;
use crate::{http, poll};
use credentials::Credentials;
use launch::Server;

/// The user with all rights (`system:masters`).
pub const ADMIN: &str = "admin";
/// The user of the controller manager; also with all rights.
pub(crate) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// A client gives up on a silent server after this time: longer than any watch the server keeps open for a test.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Limit for an answered request to appear in the audit log, which is written within milliseconds.
const AUDIT_DEADLINE: Duration = Duration::from_secs(20);
/// The request that shows how far the audit log has been written. It is left out of what callers see.
const PROBE: &str = "/version?testbed-probe=";

static SHARED: OnceCell<(Options, Arc<ControlPlane>)> = OnceCell::const_new();

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether to start kube-controller-manager. Without it nothing is garbage-collected, no namespace ever
    /// finishes its deletion, no roll-out moves, and no namespace gets its `default` service account. It learns of
    /// new CRDs every 30 s, so garbage collection of their objects can take that long.
    pub controller_manager: bool,
    /// Whether to record every request for [`ControlPlane::audit`].
    pub audit: bool,
    /// Users beside [`ADMIN`]: name and groups. They have the rights that RBAC gives them. A name such as
    /// `system:serviceaccount:NAMESPACE:NAME` has those of that service account.
    pub users: Vec<(String, Vec<String>)>,
    /// More arguments of kube-apiserver.
    pub arguments: Vec<String>,
}

impl Default for Options {
    /// With audit, without controller manager and without more users.
    fn default() -> Self {
        Self { controller_manager: false, audit: true, users: Vec::new(), arguments: Vec::new() }
    }
}

impl Options {
    /// Adds a user.
    #[must_use]
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((name.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect()));
        self
    }

    /// Adds an argument of kube-apiserver.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts kube-controller-manager too.
    #[must_use]
    pub fn with_controller_manager(mut self) -> Self {
        self.controller_manager = true;
        self
    }
}

/// A running control plane. Dropping it kills its processes and removes its data.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: processes before those that they depend on, the folder last.
    controller_manager: Option<Process>,
    api_server: Server,
    etcd: Server,
    credentials: Credentials,
    audit: bool,
    /// The last known position in the audit log, so that a mark need not read it from the beginning.
    audited: Mutex<Mark>,
    folder: RunFolder,
}

impl ControlPlane {
    /// Starts a control plane on free ports of 127.0.0.1 and waits until it is ready, at most 120 s.
    ///
    /// Builds missing binaries first, which takes minutes on a new machine and says so. The error carries the ends
    /// of the logs.
    pub async fn start(options: Options) -> Result<Self> {
        http::install_tls_provider();
        let mut wanted = vec![Part::Etcd, Part::ApiServer];
        wanted.extend(options.controller_manager.then_some(Part::ControllerManager));
        let parts = spawn_blocking(move || parts::ensure(&wanted)).await.context("look for the binaries")??;
        let folder = RunFolder::create("control-plane")?;
        let credentials = Credentials::create(&folder, &options.users)?;
        let etcd = launch::etcd(&parts, &folder).await.context("start etcd")?;
        let (audit, arguments) = (options.audit, options.arguments.as_slice());
        let server = launch::ApiServer { credentials: &credentials, etcd: &etcd.url, audit, arguments };
        let server = server.start(&parts, &folder).await.context("start kube-apiserver")?;
        credentials.write_kubeconfigs(&server.url)?;
        let mut this = Self {
            controller_manager: None,
            api_server: server,
            etcd,
            credentials,
            audit: options.audit,
            audited: Mutex::new(Mark::START),
            folder,
        };
        if options.controller_manager {
            let client = this.client().await?;
            let process = launch::controller_manager(&parts, &this.folder, &this.credentials, &client).await;
            this.controller_manager = Some(process.context("start kube-controller-manager")?);
        }
        Ok(this)
    }

    /// The control plane that all tests of one test binary share; the first call starts it.
    ///
    /// Every call must give the same options: a different set is an error. A static is never dropped; the processes
    /// end with the test binary (see [`crate::process`]) and the next start of anything removes the data.
    pub async fn shared(options: Options) -> Result<Arc<Self>> {
        let wanted = options.clone();
        let start = || async { Self::start(wanted).await.map(|started| (options.clone(), Arc::new(started))) };
        let (first, shared) = SHARED.get_or_try_init(start).await?;
        if *first != options {
            bail!("the shared control plane was started with {first:?}, and is now asked for with {options:?}");
        }
        Ok(Arc::clone(shared))
    }

    /// The kubeconfig of [`ADMIN`], with the certificate inside.
    pub fn kubeconfig_path(&self) -> Result<PathBuf> {
        self.credentials.kubeconfig(ADMIN)
    }

    /// The kubeconfig of a user of [`Options::users`].
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        self.credentials.kubeconfig(user)
    }

    /// Writes to `file` a kubeconfig of a user for a server at another address that shows this one's certificate.
    pub fn write_kubeconfig_at(&self, user: &str, url: &str, file: &Path) -> Result<()> {
        self.credentials.write_kubeconfig(user, url, file)
    }

    /// The file with the API server's certificate.
    pub fn certificate_path(&self) -> PathBuf {
        self.credentials.certificate()
    }

    /// The file with the private key of that certificate.
    pub fn certificate_key_path(&self) -> PathBuf {
        self.credentials.certificate().with_extension("key")
    }

    /// A client of [`ADMIN`] that never retries by itself. Belongs to the runtime in which it is made, so every test
    /// makes its own.
    pub async fn client(&self) -> Result<Client> {
        self.client_for(ADMIN).await
    }

    /// Like [`ControlPlane::client`], for a user of [`Options::users`].
    pub async fn client_for(&self, user: &str) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig_for(user)?).context("read the kubeconfig")?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.context("use the kubeconfig")?;
        // Retries in the client would hide how many requests were needed.
        config.default_retry = false;
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        Client::try_from(config).context("build a client")
    }

    /// `kubectl` for [`ADMIN`]. Found or built on the first call, which then blocks the thread for a minute.
    pub fn kubectl(&self) -> Result<Command> {
        let parts = parts::ensure(&[Part::Kubectl])?;
        let mut command = Command::new(parts.path(Part::Kubectl)?);
        command.env("KUBECONFIG", self.kubeconfig_path()?);
        // A discovery cache of an earlier control plane on the same port would be wrong.
        command.env("KUBECACHEDIR", self.folder.file("kubectl-cache"));
        Ok(command)
    }

    /// `helm` for [`ADMIN`], with its caches in this control plane's folder. Found or built on the first call, which then blocks the thread
    /// for some minutes.
    pub fn helm(&self) -> Result<Command> {
        let parts = parts::ensure(&[Part::Helm])?;
        let mut command = Command::new(parts.path(Part::Helm)?);
        command.env("KUBECONFIG", self.kubeconfig_path()?);
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(folder, self.folder.file("helm"));
        }
        Ok(command)
    }

    /// Writes a kubeconfig with a fresh token of a service account, as a pod of that account gets one. The token lives for an hour.
    pub async fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let answer = accounts.create_token_request(account, &PostParams::default(), &TokenRequest::default()).await;
        let answer = answer.with_context(|| format!("ask for a token of {namespace}/{account}"))?;
        let token = answer.status.context("an answer with a token")?.token;
        let file = self.folder.file(&format!("kubeconfig-{namespace}-{account}.yaml"));
        self.credentials.write_kubeconfig_with(account, &token, self.url(), &file)?;
        Ok(file)
    }

    /// The server's address, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.api_server.url
    }

    /// The API server's process: pausing it is an outage, and its log helps.
    pub fn api_server(&self) -> &Process {
        &self.api_server.process
    }

    /// The store's process.
    pub fn etcd(&self) -> &Process {
        &self.etcd.process
    }

    /// The controller manager's process, when it was asked for.
    pub fn controller_manager(&self) -> Option<&Process> {
        self.controller_manager.as_ref()
    }

    /// The current end of the audit log: every request answered so far stands before it.
    pub async fn mark(&self) -> Result<Mark> {
        let known = *self.audited.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, end) = self.settled(known).await?;
        *self.audited.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(end)
    }

    /// Every request answered so far, for any user, including the control plane's own parts.
    pub async fn audit(&self) -> Result<Vec<Entry>> {
        self.audit_since(Mark::START).await
    }

    /// Every request answered since `mark`.
    pub async fn audit_since(&self, mark: Mark) -> Result<Vec<Entry>> {
        let (mut entries, _) = self.settled(mark).await?;
        entries.retain(|entry| !entry.request_uri.starts_with(PROBE));
        Ok(entries)
    }

    /// Sends a request, and reads the audit log once that request stands in it.
    ///
    /// The server writes an entry when its handler is done, which can be just after the client has read the answer.
    /// A whole later round trip in the log means that the earlier ones are there.
    async fn settled(&self, from: Mark) -> Result<(Vec<Entry>, Mark)> {
        if !self.audit {
            bail!("this control plane was started without audit");
        }
        let log = self.folder.file(launch::AUDIT_LOG);
        let probe = format!("{PROBE}{}", random_hex(8)?);
        let request = self.credentials.client()?.get(format!("{}{probe}", self.url()));
        http::answer(request.header("authorization", self.credentials.bearer(ADMIN)?)).await?;
        let look = || {
            let seen = match audit::read(&log, from) {
                Ok(read) if read.0.iter().any(|entry| entry.request_uri == probe) => Ok(read),
                Ok((entries, _)) => Err(format!("{} other entries", entries.len())),
                Err(error) => Err(format!("{error:#}")),
            };
            std::future::ready(seen)
        };
        poll("a request in the audit log", AUDIT_DEADLINE, look).await
    }
}
