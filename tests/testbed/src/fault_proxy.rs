//! A proxy in the test process that stands between operators and both the API server and a token service, and breaks calls.
//!
//! The API side speaks TLS with the API server's own certificate, so that a kubeconfig differs only in the port
//! ([`FaultProxy::kubeconfig`]); the service side speaks plain HTTP ([`FaultProxy::service_url`]). All calls of one proxy
//! are numbered in one order and recorded ([`FaultProxy::calls`]). Watches are passed on event by event.
//!
//! | plan | strikes |
//! |---|---|
//! | [`FaultProxy::once`] | the n-th call that a closure wants |
//! | [`FaultProxy::always`] | every call that a closure wants, until [`Planned::withdraw`] |
//! | [`FaultProxy::on_event`] | the n-th watch event that a closure wants |
//!
//! **Who calls.** The proxy looks up the process at the other end of each connection in `/proc`. So a fault that kills or stops a
//! process strikes the one that made the call, and several operators can share a proxy. After the proxy has killed a process, it
//! passes on no more calls of that process.
//!
//! **The proxy carries out every call that has come in, whatever its caller does**: a call that it holds past the caller's time-out
//! still lands.

mod call;
mod caller;
mod fault;
mod forward;
mod plans;
mod serve;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::control_plane::{ADMIN, ControlPlane};
use crate::folder::RunFolder;
use crate::poll;

pub use call::{Call, Kind, Request, Side};
pub use fault::{EventFault, Fault, Look};
use plans::{Plans, Struck};
use serve::Inner;

/// A running proxy. Dropping it closes its listeners and connections.
#[derive(Debug)]
pub struct FaultProxy {
    inner: Arc<Inner>,
    kubeconfig: PathBuf,
    service_url: Option<String>,
    listeners: Vec<AbortHandle>,
    _folder: RunFolder,
}

impl FaultProxy {
    /// Starts a proxy in front of `plane`, for its user [`ADMIN`], and in front of the service at `service_url`, if there is one.
    ///
    /// It runs in the current runtime, and ends with that.
    pub async fn start(plane: &ControlPlane, service_url: Option<&str>) -> Result<Self> {
        let folder = RunFolder::create("fault-proxy")?;
        let inner = Arc::new(Inner::new(plane, service_url)?);
        let api = listen().await?;
        let kubeconfig = folder.file("kubeconfig.yaml");
        let url = format!("https://{}", api.local_addr().context("read the proxy's port")?);
        plane.write_kubeconfig_at(ADMIN, &url, &kubeconfig)?;
        let tls = serve::tls(plane)?;
        let mut listeners = vec![tokio::spawn(serve::api(inner.clone(), api, tls)).abort_handle()];
        let mut own_service_url = None;
        if service_url.is_some() {
            let service = listen().await?;
            own_service_url = Some(format!("http://{}", service.local_addr().context("read the proxy's port")?));
            listeners.push(tokio::spawn(serve::service(inner.clone(), service)).abort_handle());
        }
        Ok(Self { inner, kubeconfig, service_url: own_service_url, listeners, _folder: folder })
    }

    /// The kubeconfig of an operator whose API calls go through this proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// The address of the service through this proxy, `http://127.0.0.1:PORT`. An error if the proxy was started without a service.
    pub fn service_url(&self) -> Result<String> {
        self.service_url.clone().ok_or_else(|| anyhow!("this proxy was started without a service"))
    }

    /// Strikes the `nth` call for which `wanted` is true, counted from 1 and from now on.
    ///
    /// If several plans want a call, all [`Fault::Look`]s happen, and the first other fault.
    pub fn once(&self, nth: u32, fault: Fault, wanted: impl FnMut(&Request) -> bool + Send + 'static) -> Planned {
        Planned(self.plans().add(nth, Some(1), fault, Box::new(wanted)))
    }

    /// Strikes every call for which `wanted` is true, until the plan is withdrawn.
    pub fn always(&self, fault: Fault, wanted: impl FnMut(&Request) -> bool + Send + 'static) -> Planned {
        Planned(self.plans().add(1, None, fault, Box::new(wanted)))
    }

    /// Drops or doubles the `nth` watch event for which `wanted` is true, counted from 1 and from now on. `wanted` gets the event as
    /// the API server sent it: `{"type": "MODIFIED", "object": {...}}`.
    pub fn on_event(
        &self,
        nth: u32,
        fault: EventFault,
        wanted: impl FnMut(&Value) -> bool + Send + 'static,
    ) -> Planned {
        Planned(self.plans().add_event(nth, fault, Box::new(wanted)))
    }

    /// Shows every answer of the API server and the service to `tap`, except watches. `tap` sees an answer before the caller gets it,
    /// also if the caller never gets it. It sees secrets.
    pub fn tap(&self, tap: impl Fn(&Request, u16, &[u8]) + Send + Sync + 'static) {
        self.plans().add_tap(Arc::new(tap));
    }

    /// All calls so far, in the order in which they came in.
    pub fn calls(&self) -> Vec<Call> {
        self.inner.calls()
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, Plans> {
        self.inner.plans()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

/// A fault that waits for its calls. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Planned(Arc<Struck>);

impl Planned {
    /// The calls that the plan struck so far; for an event, its watch.
    pub fn struck(&self) -> Vec<Call> {
        self.0.calls()
    }

    /// Waits until it has struck once.
    pub async fn until_struck(&self, deadline: Duration) -> Result<Call> {
        let look = || {
            let first = self.struck().into_iter().next().ok_or_else(|| String::from("no call that it wants"));
            std::future::ready(first)
        };
        poll("a planned fault to strike", deadline, look).await
    }

    /// Ends it.
    pub fn withdraw(&self) {
        self.0.withdraw();
    }
}

async fn listen() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await.context("listen for a proxy")
}
