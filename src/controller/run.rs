//! Wiring: watches in, passes out.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::client::ClientBuilder;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as Workers};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt, reflector};
use kube::{Api, Client, Config, Resource, ResourceExt};
use thiserror::Error;

use crate::api::artifact_token::ArtifactToken;
use crate::api::token_service::TokenService;
use crate::controller::admin::{Metrics, Readiness};
use crate::controller::clock::{Clock, ClockLayer};
use crate::controller::context::{Context, Settings};
use crate::controller::finalizer_time;
use crate::controller::memory::Memories;
use crate::controller::pass::Pass;
use crate::controller::perform::{PassError, told};
use crate::controller::references::ReferenceWatches;
use crate::controller::secret_index::SecretIndex;
use crate::controller::service_check;
use crate::controller::services::{Key, Services};
use crate::secret::layout::{MANAGED, OWNER};

/// Passes at a time. The client speaks HTTP/1.1, so this bounds its connections, too.
const WORKERS: u16 = 32;
/// The longest wait for the API server's answer to a request. Watches have none.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A pass that could not go on is begun again after this time.
const AGAIN: Duration = Duration::from_secs(2);
/// Tries of the first list; then the operator ends, and whoever runs it sees why.
const START_TRIES: u32 = 30;
/// The pause between two of them.
const START_PAUSE: Duration = Duration::from_secs(1);
/// After a panic, an object is left alone for so long.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// When it resolves, the operator stops: passes end, none begins.
pub type Shutdown = Shared<BoxFuture<'static, ()>>;

/// Why the operator cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The client cannot be made.
    #[error("make the Kubernetes client: {0}")]
    Client(Box<kube::Error>),
    /// The first list failed.
    #[error("list TokenServices: {0}: are the CRDs installed, and may this account list them?")]
    List(String),
    /// A service object could not be loaded.
    #[error("load a TokenService: {0}")]
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

/// Runs the operator over one namespace, or over all with `None`, until `shutdown`.
///
/// # Errors
/// When it cannot start.
pub async fn run(
    config: Config,
    namespace: Option<String>,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let clients = clients(config).map_err(|error| StartError::Client(Box::new(error)))?;
    let (recheck, rechecks) = mpsc::unbounded();
    let (changed, changes) = mpsc::unbounded();
    let (touched, touches) = mpsc::unbounded();
    let (objects, writer) = reflector::store::<ArtifactToken>();
    let ctx = Arc::new(Context {
        client: clients.requests,
        clock: clients.clock,
        settings,
        services: Services::new(recheck, changed),
        secrets: SecretIndex::default(),
        memories: Memories::default(),
        objects: objects.clone(),
        metrics,
    });
    ctx.metrics.census.include(objects.clone(), ctx.clock.clone());
    load_services(&ctx, namespace.as_deref()).await?;
    let (synced, first_list) = futures::channel::oneshot::channel();
    let watch = watch_secrets(scoped(&clients.watches, namespace.as_deref()), ctx.clone(), touched, synced);
    let secrets = tokio::spawn(watch);
    let services =
        tokio::spawn(run_services(ctx.clone(), clients.watches.clone(), namespace.clone(), rechecks, shutdown.clone()));
    // A shut-down before the first list is complete ends the wait, too.
    tokio::select! {
        _ = first_list => {}
        () = shutdown.clone() => {}
    }
    readiness.set();
    tracing::info!(namespace = namespace.as_deref().unwrap_or("all"), "ready: keeping tokens");
    let api = scoped::<ArtifactToken>(&clients.watches, namespace.as_deref());
    let stream =
        watcher(api, watcher::Config::default()).default_backoff().modify(strip).reflect(writer).touched_objects();
    let of_service = move |key: Key| futures::stream::iter(users(&objects, &key));
    Controller::for_stream(stream, ctx.objects.clone())
        .with_config(Workers::default().concurrency(WORKERS))
        .reconcile_on(touches)
        .reconcile_on(changes.flat_map(of_service))
        .graceful_shutdown_on(shutdown)
        .run(token_pass, |_, error, _| after_error(error), ctx.clone())
        .for_each(|_| async {})
        .await;
    secrets.abort();
    services.abort();
    Ok(())
}

/// The objects whose tokens a service issues.
fn users(objects: &Store<ArtifactToken>, key: &Key) -> Vec<ObjectRef<ArtifactToken>> {
    let uses =
        |token: &Arc<ArtifactToken>| token.namespace().as_ref() == Some(&key.0) && token.spec.service_ref.name == key.1;
    let mut users: Vec<_> = objects.state().into_iter().filter(uses).collect();
    // The oldest tokens first: a leak at the service is answered in this order.
    users.sort_by_key(|token| token.status.as_ref()?.ledger.current.as_ref().map(|current| current.claimed_time));
    users.iter().map(|token| ObjectRef::from_obj(&**token)).collect()
}

/// Without asking any service: the first passes of the tokens need to know them.
async fn load_services(ctx: &Context, namespace: Option<&str>) -> Result<(), StartError> {
    let api = scoped::<TokenService>(&ctx.client, namespace);
    let mut tries = 0;
    let list = loop {
        match api.list(&ListParams::default()).await {
            Ok(list) => break list,
            // Right after its CRD was installed the API server is not ready for a kind.
            Err(error) if tries < START_TRIES => {
                tries += 1;
                tracing::warn!(error = %told(&error), "TokenServices cannot be listed yet; tried again in a second");
                tokio::time::sleep(START_PAUSE).await;
            }
            Err(error) => return Err(StartError::List(told(&error))),
        }
    };
    for service in list {
        let mut entry = service_check::load(&service, ctx).await.map_err(StartError::Load)?;
        if entry.halt.is_none() {
            entry.halt = service_check::standing_halt(&service, &entry);
        }
        ctx.services.put(service_check::key(&service), entry);
    }
    Ok(())
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Managed fields are two thirds of an object in memory.
fn strip<K: Resource>(object: &mut K) {
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

async fn service_pass(service: Arc<TokenService>, ctx: Arc<Context>) -> Result<Action, PassError> {
    let check = service_check::check(service.clone(), &ctx);
    guarded(check, "tokenservice", &service.name_any(), &ctx).await
}

/// A panic in one pass must not end the others.
async fn guarded(
    pass: impl Future<Output = Result<Action, PassError>>,
    controller: &'static str,
    name: &str,
    ctx: &Context,
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

fn after_error(error: &impl fmt::Display) -> Action {
    tracing::warn!(%error, "a pass could not go on; it is begun again in 2 s");
    Action::requeue(AGAIN)
}

/// Feeds the index, and wakes the owner of every Secret that changes.
async fn watch_secrets(
    api: Api<Secret>,
    ctx: Arc<Context>,
    touched: mpsc::UnboundedSender<ObjectRef<ArtifactToken>>,
    synced: futures::channel::oneshot::Sender<()>,
) {
    let mut synced = Some(synced);
    let selector = watcher::Config::default().labels(&format!("{MANAGED}=true"));
    let mut events = std::pin::pin!(watch_metadata(api, selector).default_backoff());
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
            Event::Apply(secret) | Event::Delete(secret) | Event::InitApply(secret) => {
                // The receiver lives as long as the controller; when it stops, nobody needs the trigger.
                for owner in owner(secret).map_or_else(|| keepers(&ctx, secret), |owner| vec![owner]) {
                    let _ = touched.unbounded_send(owner);
                }
            }
            Event::InitDone => {
                if let Some(synced) = synced.take() {
                    let _ = synced.send(());
                }
            }
            Event::Init => {}
        }
    }
}

#[allow(deprecated)] // The metadata-only form of `watcher` needs an `Api` of partial objects, which a scope cannot make.
pub(super) fn watch_metadata<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<Event<PartialObjectMeta<K>>, watcher::Error>> + Send
where
    K: Resource + Clone + serde::de::DeserializeOwned + fmt::Debug + Send + 'static,
{
    watcher::metadata_watcher(api, config)
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

async fn run_services(
    ctx: Arc<Context>,
    client: Client,
    namespace: Option<String>,
    rechecks: mpsc::UnboundedReceiver<Key>,
    shutdown: Shutdown,
) {
    let (store, writer) = reflector::store::<TokenService>();
    let watches = Arc::new(ReferenceWatches::default());
    let (followed, watching) = (ctx.clone(), client.clone());
    let stream = watcher(scoped::<TokenService>(&client, namespace.as_deref()), watcher::Config::default())
        .default_backoff()
        .modify(strip)
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(Event::Apply(service) | Event::InitApply(service)) => watches.follow(service, &watching, &followed),
            Ok(Event::Delete(service)) => {
                watches.leave(service);
                followed.services.remove(&service_check::key(service));
            }
            Ok(Event::Init | Event::InitDone) | Err(_) => {}
        })
        .touched_objects();
    Controller::for_stream(stream, store)
        .with_config(Workers::default().concurrency(WORKERS))
        .reconcile_on(rechecks.map(|(namespace, name)| ObjectRef::new(&name).within(&namespace)))
        .graceful_shutdown_on(shutdown)
        .run(service_pass, |_, error, _| after_error(error), ctx)
        .for_each(|_| async {})
        .await;
}
