//! Starting and stopping: two listeners over one service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::books::Books;
use crate::call::Service;
use crate::connection::{Connection, CuttableListener};
use crate::store::{Durable, Store};
use crate::{api, control};

/// How long a stop waits for open answers. Faults may delay an answer for minutes, and a stop must
/// not wait so long.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// How often use counts and last-used times, which are not worth a write per call, are saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// A small but real token service for the quick start, the tests and the benchmarks.
#[derive(Clone, clap::Parser)]
#[command(name = "reference-service", version)]
pub struct Options {
    /// Address of the service. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Address of the control routes, which show all tokens and switch faults on. Loopback only.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub control_listen: SocketAddr,

    /// File that stores the tokens. Without it they are kept in memory, and lost when the process ends.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Key that may issue, list and revoke tokens. A key that was set through the control address
    /// stays valid across restarts, until another one is given here.
    #[arg(long, value_name = "KEY", env = "REFERENCE_SERVICE_ADMIN_KEY", hide_env_values = true)]
    pub admin_key: String,

    /// Do not force writes to the disk. The tokens then survive a killed process, but not a crashed
    /// machine. For tests and benchmarks.
    #[arg(long)]
    pub no_fsync: bool,
}

/// A started service. Dropping it leaves the listeners running; [`Running::stop`] ends them.
pub struct Running {
    /// Where the service listens.
    pub address: SocketAddr,
    /// Where the control routes listen.
    pub control_address: SocketAddr,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<std::io::Result<()>>>,
    saver: JoinHandle<()>,
}

/// Opens the store and binds both listeners.
///
/// Fails if the control address is not loopback, the admin key is empty, the file cannot be
/// opened (another process holds it, say) or an address is taken.
pub async fn start(options: &Options) -> anyhow::Result<Running> {
    ensure!(
        options.control_listen.ip().is_loopback(),
        "--control-listen must be a loopback address, not {}: it shows the books and switches \
         faults without asking for a credential",
        options.control_listen
    );
    ensure!(!options.admin_key.is_empty(), "the admin key is empty");
    let service = Arc::new(Service::new(open_books(options)?));
    let listener = bind(options.listen).await?;
    let control_listener = bind(options.control_listen).await?;
    let (stop, stopped) = watch::channel(false);
    Ok(Running {
        address: listener.local_addr()?,
        control_address: control_listener.local_addr()?,
        listeners: vec![
            serve(listener, api::routes(Arc::clone(&service)), stopped.clone()),
            serve(control_listener, control::routes(Arc::clone(&service)), stopped),
        ],
        saver: tokio::spawn(save_regularly(Arc::clone(&service))),
        service,
        stop,
    })
}

fn open_books(options: &Options) -> anyhow::Result<Books> {
    let durable = if options.no_fsync { Durable::AgainstKill } else { Durable::AgainstPowerLoss };
    let store = match &options.data {
        Some(path) => {
            Store::open(path, durable).with_context(|| format!("cannot open the books in {}", path.display()))?
        }
        None => Store::in_memory()?,
    };
    Books::open(store, &options.admin_key)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn serve(listener: TcpListener, routes: Router, mut stopped: watch::Receiver<bool>) -> JoinHandle<std::io::Result<()>> {
    let routes = routes.into_make_service_with_connect_info::<Connection>();
    tokio::spawn(async move {
        axum::serve(CuttableListener::new(listener), routes)
            .with_graceful_shutdown(async move {
                // An error means that the sender no longer exists, which is a stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            })
            .await
    })
}

/// Saves use counts until it is aborted. After a failed save it tries again: unsaved records stay marked.
async fn save_regularly(service: Arc<Service>) {
    loop {
        tokio::time::sleep(SAVE_INTERVAL).await;
        let service = Arc::clone(&service);
        let saved = tokio::task::spawn_blocking(move || service.books().save_uses()).await;
        if let Ok(Err(error)) = saved {
            eprintln!("cannot save the use counts: {error}");
        }
    }
}

impl Running {
    /// Closes both listeners, waits a short while for open answers, and saves the rest.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.saver.abort();
        let ended = async {
            for listener in self.listeners {
                listener.await??;
            }
            anyhow::Ok(())
        };
        if let Ok(ended) = tokio::time::timeout(STOP_LIMIT, ended).await {
            ended?;
        }
        self.service.books().save_uses()?;
        Ok(())
    }
}
