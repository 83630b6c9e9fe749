//! Outages of a control plane: its API server ends and comes back, its store forgets its history, or an administrator puts the store
//! back to a backup.
//!
//! The ports, certificates and users stay, so that clients and kubeconfigs stay good.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{ControlPlane, launch};
use crate::folder::RunFolder;
use crate::process::Signal;
use crate::{http, poll};

/// Limit for the API server to end in good order.
const END_DEADLINE: Duration = Duration::from_secs(90);
/// Limit for a signal to arrive.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(10);
/// The state of a stopped process in `/proc/PID/stat`.
const STOPPED: &str = "T";

/// The store as it was. Its files go with it.
#[derive(Debug)]
pub struct Snapshot {
    folder: RunFolder,
}

impl ControlPlane {
    /// Ends the API server: in good order, which closes its watches, or by SIGKILL.
    pub async fn end_api_server(&mut self, in_good_order: bool) -> Result<()> {
        if in_good_order {
            let ended = self.api_server.process.stop(Signal::Terminate, END_DEADLINE).await;
            ended.context("end kube-apiserver")?;
        } else {
            self.api_server.process.kill();
        }
        Ok(())
    }

    /// Starts the API server again, on the same port with the same store. Waits until it is ready.
    pub async fn start_api_server(&mut self) -> Result<()> {
        self.api_server.start_again()?;
        self.api_server.ready(&self.credentials).await.context("start kube-apiserver again")
    }

    /// Stops the store, copies it, and lets it go on: the copy is like a backup of its disk.
    ///
    /// The copy has every write that was answered before: etcd answers a write once its log has it, and reads the log at the next
    /// start.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let folder = RunFolder::create("snapshot")?;
        self.etcd.process.signal(Signal::Pause)?;
        let stat = format!("/proc/{}/stat", self.etcd.process.pid());
        let stopped = || {
            let state = fs::read_to_string(&stat).unwrap_or_default();
            let state = state.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
            std::future::ready(if state.as_deref() == Some(STOPPED) { Ok(()) } else { Err(format!("{state:?}")) })
        };
        let copied = match poll("etcd to stand still", SIGNAL_DEADLINE, stopped).await {
            Ok(()) => copy(&self.folder.file(launch::ETCD_DATA), &folder.file(launch::ETCD_DATA)),
            Err(error) => Err(error),
        };
        self.etcd.process.signal(Signal::Resume)?;
        copied.map(|()| Snapshot { folder })
    }

    /// Kills the API server and etcd, puts the store back, and waits until both are ready again. Nothing that was written since
    /// `snapshot` has happened, and resourceVersions count on from there.
    pub async fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.api_server.process.kill();
        self.etcd.process.kill();
        let data = self.folder.file(launch::ETCD_DATA);
        fs::remove_dir_all(&data).context("remove the store")?;
        copy(&snapshot.folder.file(launch::ETCD_DATA), &data)?;
        self.etcd.start_again()?;
        self.etcd.healthy().await.context("start etcd with the snapshot")?;
        self.start_api_server().await
    }

    /// The store's revision: the newest resourceVersion.
    pub async fn revision(&self) -> Result<u64> {
        let status = self.ask_etcd("maintenance/status", &json!({})).await?;
        let revision = status["header"]["revision"].as_str().and_then(|text| text.parse().ok());
        revision.ok_or_else(|| anyhow!("no revision in {status}"))
    }

    /// Makes the store forget all versions before the newest one, so that old watches cannot go on.
    pub async fn compact(&self) -> Result<()> {
        let revision = self.revision().await?;
        let wanted = json!({"revision": revision.to_string(), "physical": true});
        self.ask_etcd("kv/compaction", &wanted).await.map(drop)
    }

    async fn ask_etcd(&self, path: &str, body: &Value) -> Result<Value> {
        let request = http::client()?.post(format!("{}/v3/{path}", self.etcd.url));
        let (status, text) = http::answer(http::with_json(request, body)).await?;
        if status != 200 {
            bail!("etcd answers {path} with {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("read etcd's answer: {text}"))
    }
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.with_context(|| format!("list {}", from.display()))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    // The store refuses a folder that others may read.
    let permissions = fs::metadata(from).with_context(|| format!("look at {}", from.display()))?.permissions();
    fs::set_permissions(to, permissions).with_context(|| format!("protect {}", to.display()))
}
