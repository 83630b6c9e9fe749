//! The two listeners, and a call from its arrival to its answer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_rustls::TlsAcceptor;

use super::call::{Call, Request, Side};
use super::caller;
use super::fault::Fault;
use super::forward::{self, Answer, Cut};
use super::plans::Plans;
use crate::control_plane::ControlPlane;
use crate::process;

/// The server that the calls of one side go to.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) url: String,
    pub(super) client: reqwest::Client,
}

/// The state that all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Inner {
    api: Upstream,
    service: Option<Upstream>,
    calls: Mutex<Vec<Call>>,
    plans: Mutex<Plans>,
    /// Processes that this proxy has killed; it passes on no more calls of them.
    dead: Mutex<HashSet<u32>>,
}

impl Inner {
    pub(super) fn new(plane: &ControlPlane, service_url: Option<&str>) -> Result<Self> {
        let api = Upstream { url: plane.url().to_owned(), client: forward::client(Some(&plane.certificate_path()))? };
        let service = match service_url {
            Some(url) => Some(Upstream { url: url.to_owned(), client: forward::client(None)? }),
            None => None,
        };
        let (calls, plans, dead) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { api, service, calls, plans, dead })
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    pub(super) fn plans(&self) -> MutexGuard<'_, Plans> {
        lock(&self.plans)
    }

    /// Numbers and records a call, and finds the faults that strike it, in one critical section, so that plans count calls in the
    /// order of their numbers.
    fn receive(&self, request: &mut Request) -> Result<Vec<Fault>, Cut> {
        if request.call.pid.is_some_and(|pid| lock(&self.dead).contains(&pid)) {
            return Err(Cut);
        }
        let mut plans = self.plans();
        let mut calls = lock(&self.calls);
        request.call.number = u32::try_from(calls.len()).unwrap_or(u32::MAX).saturating_add(1);
        calls.push(request.call.clone());
        Ok(plans.strike(request))
    }

    fn answered(&self, call: &Call, status: u16) {
        let mut calls = lock(&self.calls);
        if let Some(known) = calls.iter_mut().find(|known| known.number == call.number) {
            known.status = Some(status);
        }
    }

    fn upstream(&self, side: Side) -> &Upstream {
        match (side, &self.service) {
            (Side::Service, Some(service)) => service,
            (Side::Service, None) | (Side::Api, _) => &self.api,
        }
    }

    async fn send(self: &Arc<Self>, request: &Request) -> Result<Answer, Cut> {
        forward::send(self.upstream(request.call.side), request, self).await
    }

    /// From this moment on, the proxy passes on no more calls of the process.
    fn kill(&self, call: &Call) {
        if let Some(pid) = call.pid {
            lock(&self.dead).insert(pid);
            process::send(pid, "KILL");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server with the API server's own certificate.
pub(super) fn tls(plane: &ControlPlane) -> Result<TlsAcceptor> {
    let certificates =
        CertificateDer::pem_file_iter(plane.certificate_path()).context("read the server's certificate")?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().context("parse the server's certificate")?;
    let key = PrivateKeyDer::from_pem_file(plane.certificate_key_path()).context("read the server's key")?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key);
    Ok(TlsAcceptor::from(Arc::new(config.context("use the server's certificate")?)))
}

pub(super) async fn api(inner: Arc<Inner>, listener: TcpListener, tls: TlsAcceptor) {
    accept(listener, move |stream, pid| {
        let (inner, tls) = (inner.clone(), tls.clone());
        async move {
            // A client that is killed during its handshake is no error.
            if let Ok(stream) = tls.accept(stream).await {
                connection(inner, stream, Side::Api, pid).await;
            }
        }
    })
    .await;
}

pub(super) async fn service(inner: Arc<Inner>, listener: TcpListener) {
    accept(listener, move |stream, pid| connection(inner.clone(), stream, Side::Service, pid)).await;
}

async fn accept<Served>(
    listener: TcpListener,
    serve: impl Fn(TcpStream, Option<u32>) -> Served + Clone + Send + 'static,
) where
    Served: Future<Output = ()> + Send,
{
    // Dropped with this task; that ends the connections.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else { continue };
        let serve = serve.clone();
        connections.spawn(async move {
            // Small answers must not wait for more bytes.
            let _ = stream.set_nodelay(true);
            let own = stream.local_addr();
            let pid = match own {
                Ok(own) => pid_of(peer, own).await,
                Err(_) => None,
            };
            serve(stream, pid).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn pid_of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    spawn_blocking(move || caller::of(peer, own)).await.unwrap_or_default()
}

async fn connection<S>(inner: Arc<Inner>, stream: S, side: Side, pid: Option<u32>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let inner = inner.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
            let request = Request::new(side, pid, &parts, body);
            // In its own task, so that the call goes on when its caller leaves.
            tokio::spawn(carry(inner, request)).await.map_err(|_| Cut)?
        }
    });
    // An error ends the connection without an answer: this is how the proxy cuts a call.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Carries out one call with the faults that strike it.
async fn carry(inner: Arc<Inner>, mut request: Request) -> Result<Answer, Cut> {
    let mut strikes = None;
    for fault in inner.receive(&mut request)? {
        match fault {
            Fault::Look(look) => (look.0)(request.clone()).await,
            fault => strikes = strikes.or(Some(fault)),
        }
    }
    let answer = match strikes {
        None => inner.send(&request).await,
        Some(fault) => struck(&inner, &request, fault).await,
    }?;
    inner.answered(&request.call, answer.status().as_u16());
    Ok(answer)
}

async fn struck(inner: &Arc<Inner>, request: &Request, fault: Fault) -> Result<Answer, Cut> {
    let pid = request.call.pid;
    match fault {
        Fault::KillBefore => {
            inner.kill(&request.call);
            Err(Cut)
        }
        Fault::KillAfter => {
            let _ = inner.send(request).await;
            inner.kill(&request.call);
            Err(Cut)
        }
        Fault::LoseAnswer => {
            let _ = inner.send(request).await;
            Err(Cut)
        }
        Fault::ErrorBefore => Err(Cut),
        Fault::Answer { status, body } => forward::answer(status, body),
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            inner.send(request).await
        }
        Fault::Duplicate => {
            inner.send(request).await?;
            inner.send(request).await
        }
        Fault::StopBefore(time) => {
            pause(pid, time).await;
            inner.send(request).await
        }
        Fault::StopAfter(time) => {
            let answer = inner.send(request).await;
            pause(pid, time).await;
            answer
        }
        Fault::Look(_) => inner.send(request).await,
    }
}

async fn pause(pid: Option<u32>, time: std::time::Duration) {
    if let Some(pid) = pid {
        process::send(pid, "STOP");
        tokio::time::sleep(time).await;
        process::send(pid, "CONT");
    }
}
