//! Wiring: watches in, passes out.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{self, BoxFuture, FutureExt, join_all, ready};
use k8s_openapi::api::core::v1::Secret;
use kube::client::ClientBuilder;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as Workers};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Controller, WatchStreamExt, reflector};
use kube::{Api, Client, Config, Resource, ResourceExt};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::api::artifact_token::ArtifactToken;
use crate::api::cluster_token_service::ClusterTokenService;
use crate::api::token_service::TokenService;
use crate::controller::admin::{Metrics, Readiness};
use crate::controller::clock::{Clock, ClockLayer};
use crate::controller::context::{Context, Settings, Shared};
use crate::controller::finalizer_time;
use crate::controller::memories::Memories;
use crate::controller::pass::Pass;
use crate::controller::perform::PassError;
use crate::controller::secret_index::SecretIndex;
use crate::controller::service_watch;
use crate::controller::services::{Change, Key, Services};
use crate::controller::watches::{Listed, touched, watched, watched_metadata};
use crate::secret::layout::{MANAGED, OWNER};

/// Passes at a time. The client speaks HTTP/1.1, so this bounds its connections, too.
pub(super) const WORKERS: u16 = 32;
/// The longest wait for the API server's answer to a request. Watches have none.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A pass that could not go on is begun again after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// After a panic, an object is left alone for so long.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// When it resolves, the operator stops: passes end, none begins.
pub type Shutdown = future::Shared<BoxFuture<'static, ()>>;

/// Why the operator cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The client cannot be made.
    #[error("make the Kubernetes client: {0}")]
    Client(Box<kube::Error>),
    /// The first list failed.
    #[error("list {kind}: {why}: are the CRDs installed, and may this account list them?")]
    List {
        /// What was listed.
        kind: String,
        /// What the API server said.
        why: String,
    },
    /// A service object could not be loaded.
    #[error("load a service object: {0}")]
    Load(PassError),
}

/// The two clients: requests have a time-out and are never sent twice; watches wait as long as it takes.
struct Clients {
    requests: Client,
    watches: Client,
    clock: Clock,
}

fn clients(mut config: Config) -> Result<Clients, kube::Error> {
    let clock = Clock::default();
    // A retried POST or PATCH is a second act without a second record; every retry is the protocol's own.
    config.default_retry = false;
    let watches = ClientBuilder::try_from(config.clone())?.with_layer(&ClockLayer(clock.clone())).build();
    config.read_timeout = Some(READ_TIMEOUT);
    let requests = ClientBuilder::try_from(config)?.with_layer(&ClockLayer(clock.clone())).build();
    Ok(Clients { requests, watches, clock })
}

/// Runs the operator over the namespaces of `scopes`, or over all with `None`, until `shutdown`.
///
/// # Errors
/// When it cannot start.
pub async fn run(
    config: Config,
    scopes: Vec<Option<String>>,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let clients = clients(config).map_err(|error| StartError::Client(Box::new(error)))?;
    let (namespaces, labels) = reflector::store();
    let shared = Arc::new(Shared {
        client: clients.requests,
        watches: clients.watches,
        clock: clients.clock,
        settings,
        scopes,
        services: Services::default(),
        namespaces,
        metrics,
    });
    service_watch::load_all(&shared).await?;
    let mut shared_services = JoinSet::new();
    if shared.settings.cluster_services {
        shared_services.spawn(service_watch::watch_namespaces(shared.clone(), labels));
        let api = Api::<ClusterTokenService>::all(shared.watches.clone());
        let rechecks = shared.services.rechecks().filter(|key| ready(key.namespace.is_none()));
        shared_services.spawn(service_watch::run(shared.clone(), api, rechecks, shutdown.clone()));
    }
    let unlisted = AtomicUsize::new(shared.scopes.len());
    let listed = || {
        if unlisted.fetch_sub(1, Ordering::AcqRel) == 1 {
            readiness.set();
        }
    };
    join_all(shared.scopes.iter().map(|scope| keep(&shared, scope.as_deref(), listed, shutdown.clone()))).await;
    Ok(())
}

/// Keeps the tokens of one scope, until `shutdown`; says when the first list of its Secrets is complete.
async fn keep(shared: &Arc<Shared>, scope: Option<&str>, listed: impl Fn(), shutdown: Shutdown) {
    let (touch, touches) = mpsc::unbounded();
    let (objects, writer) = reflector::store::<ArtifactToken>();
    let ctx = Arc::new(Context {
        shared: shared.clone(),
        secrets: SecretIndex::default(),
        memories: Memories::default(),
        objects: objects.clone(),
        listed: Listed::default(),
    });
    ctx.metrics.census.include(objects.clone(), ctx.clock.clone());
    let changes = ctx.services.changes();
    let (synced, first_list) = futures::channel::oneshot::channel();
    // They end with this set.
    let mut watches = JoinSet::new();
    watches.spawn(watch_secrets(scoped(&ctx.watches, scope), ctx.clone(), touch, synced));
    let namespace = scope.map(str::to_owned);
    let own = move |key: &Key| ready(key.namespace.is_some() && (namespace.is_none() || key.namespace == namespace));
    let (api, rechecks) = (scoped::<TokenService>(&ctx.watches, scope), ctx.services.rechecks().filter(own));
    watches.spawn(service_watch::run(shared.clone(), api, rechecks, shutdown.clone()));
    // A shut-down before the first list is complete ends the wait, too.
    tokio::select! {
        _ = first_list => {}
        () = shutdown.clone() => {}
    }
    listed();
    tracing::info!(namespace = scope.unwrap_or("all"), "ready: keeping tokens");
    let seen = ctx.clone();
    let events = watched(scoped::<ArtifactToken>(&ctx.watches, scope)).default_backoff().modify(strip).reflect(writer);
    let events = events.inspect(move |event| {
        // After the reflector: a list counts once its objects are in the store.
        if let Ok(event) = event {
            seen.listed.apply(event);
            for gone in seen.memories.apply(event) {
                seen.services.cleared(&gone);
            }
        }
    });
    let stream = touched(events, ctx.objects.clone());
    let concerned = move |change: Change| futures::stream::iter(concerned(&objects, &change));
    Controller::for_stream(stream, ctx.objects.clone())
        .with_config(Workers::default().concurrency(WORKERS))
        .reconcile_on(touches)
        .reconcile_on(changes.flat_map(concerned))
        .graceful_shutdown_on(shutdown)
        .run(token_pass, |_, error, _| after_error(error), ctx.clone())
        .for_each(|_| async {})
        .await;
}

/// The objects that a change may mean something to.
fn concerned(objects: &Store<ArtifactToken>, change: &Change) -> Vec<ObjectRef<ArtifactToken>> {
    let mut concerned: Vec<_> = objects.state().into_iter().filter(|token| change.concerns(token)).collect();
    // The oldest tokens first: a leak at the service is answered in this order.
    concerned.sort_by_key(|token| token.status.as_ref()?.ledger.current.as_ref().map(|current| current.claimed_time));
    concerned.iter().map(|token| ObjectRef::from_obj(&**token)).collect()
}

pub(super) fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Managed fields are two thirds of an object in memory.
pub(super) fn strip<K: Resource>(object: &mut K) {
    finalizer_time::keep_only(object.meta_mut());
}

async fn token_pass(object: Arc<ArtifactToken>, ctx: Arc<Context>) -> Result<Action, PassError> {
    let pass = async {
        let Some(memory) = ctx.memories.of(&object.uid().unwrap_or_default()) else {
            return Ok(Action::await_change());
        };
        let mut memory = memory.lock().await;
        Pass::begin(&ctx, &mut memory, object.clone()).await?.run().await
    };
    guarded(pass, "artifacttoken", &object.name_any(), &ctx).await
}

/// A panic in one pass must not end the others.
pub(super) async fn guarded(
    pass: impl Future<Output = Result<Action, PassError>>,
    controller: &'static str,
    name: &str,
    ctx: &Shared,
) -> Result<Action, PassError> {
    match AssertUnwindSafe(pass).catch_unwind().await {
        Ok(result) => {
            ctx.metrics.passed(controller, if result.is_ok() { "ok" } else { "error" });
            result
        }
        Err(_) => {
            tracing::error!(controller, name, "a pass panicked; it is begun again in a minute");
            ctx.metrics.panicked();
            Ok(Action::requeue(AFTER_PANIC))
        }
    }
}

pub(super) fn after_error(error: &impl fmt::Display) -> Action {
    tracing::warn!(%error, "a pass could not go on; it is begun again in 2 s");
    Action::requeue(AGAIN)
}

/// Feeds the index, and wakes the owner of every Secret that changes; after a complete list everybody, for a list does not tell what
/// is gone.
async fn watch_secrets(
    api: Api<Secret>,
    ctx: Arc<Context>,
    touch: mpsc::UnboundedSender<ObjectRef<ArtifactToken>>,
    synced: futures::channel::oneshot::Sender<()>,
) {
    let mut synced = Some(synced);
    let selector = watcher::Config::default().labels(&format!("{MANAGED}=true"));
    let mut events = std::pin::pin!(watched_metadata(api, selector).default_backoff());
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the watch of Secrets broke; it is begun again");
                continue;
            }
        };
        ctx.secrets.apply(&event);
        match &event {
            Event::Apply(secret) | Event::Delete(secret) => {
                // The receiver lives as long as the controller; when it stops, nobody needs the trigger.
                for owner in owner(secret).map_or_else(|| keepers(&ctx, secret), |owner| vec![owner]) {
                    let _ = touch.unbounded_send(owner);
                }
            }
            Event::InitDone => {
                for object in ctx.objects.state() {
                    let _ = touch.unbounded_send(ObjectRef::from_obj(&*object));
                }
                if let Some(synced) = synced.take() {
                    let _ = synced.send(());
                }
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }
}

/// The objects that keep a Secret of this name: whoever took its owner annotation off wakes them, too.
fn keepers(ctx: &Context, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<ArtifactToken>> {
    let keeps = |token: &&Arc<ArtifactToken>| {
        token.namespace() == secret.namespace() && token.spec.secret.name == secret.name_any()
    };
    ctx.objects.state().iter().filter(keeps).map(|token| ObjectRef::from_obj(&**token)).collect()
}

fn owner(secret: &PartialObjectMeta<Secret>) -> Option<ObjectRef<ArtifactToken>> {
    let mut parts = secret.annotations().get(OWNER)?.splitn(3, '/');
    let (kind, name) = (parts.next()?, parts.next()?);
    let namespace = secret.namespace()?;
    (kind == "ArtifactToken").then(|| ObjectRef::new(name).within(&namespace))
}
