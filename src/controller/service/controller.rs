//! Wiring of the service objects: loads them before the first pass over a token, then watches and checks them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as Workers};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Controller, WatchStreamExt, reflector};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::artifact_token::ServiceKind;
use crate::api::cluster_token_service::ClusterTokenService;
use crate::api::token_service::TokenService;
use crate::controller::admin::health::Cache;
use crate::controller::admin::metrics::SERVICES;
use crate::controller::admin::service_metrics::Told;
use crate::controller::error::{PassError, StartError, describe};
use crate::controller::registry::members::Members;
use crate::controller::registry::{Change, Key};
use crate::controller::service::check;
use crate::controller::service::load::{load, not_loaded};
use crate::controller::service::object::ServiceObject;
use crate::controller::service::references::ReferenceWatches;
use crate::controller::shared::Shared;
use crate::controller::watch::{touched, watched, watched_metadata};
use crate::controller::worker::{Shutdown, after_error, guarded, scoped, strip};
use crate::service::limits::PASSES;

/// How often the first list may be refused. Then the operator exits, and its administrator sees why.
const START_TRIES: u32 = 30;
/// The pause between two tries.
const START_PAUSE: Duration = Duration::from_secs(1);

/// A kind of service object.
pub(crate) trait ServiceResource:
    Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static
{
    const KIND: ServiceKind;

    /// The object without its kind.
    fn object(&self) -> ServiceObject;
}

impl ServiceResource for TokenService {
    const KIND: ServiceKind = ServiceKind::TokenService;

    fn object(&self) -> ServiceObject {
        self.into()
    }
}

impl ServiceResource for ClusterTokenService {
    const KIND: ServiceKind = ServiceKind::ClusterTokenService;

    fn object(&self) -> ServiceObject {
        self.into()
    }
}

/// Loads all service objects, without asking any service: the first passes of the tokens need to know them.
pub(in crate::controller) async fn load_all(ctx: &Shared) -> Result<(), StartError> {
    for scope in &ctx.scopes {
        load_kind::<TokenService>(scoped(&ctx.client, scope.as_deref()), ctx).await?;
    }
    if ctx.settings.cluster_services {
        load_kind::<ClusterTokenService>(Api::all(ctx.client.clone()), ctx).await?;
    }
    Ok(())
}

async fn load_kind<K: ServiceResource>(api: Api<K>, ctx: &Shared) -> Result<(), StartError> {
    let services = list_kind(&api).await?;
    let listed = services.iter().map(|service| (service.key.clone(), service.uid())).collect();
    Members::new(K::KIND, api.namespace()).list(listed, &ctx.services);
    let mut failed = Vec::new();
    for service in services {
        if load_one(&service, ctx).await.is_err() {
            failed.push(service);
        }
    }
    // One lost answer costs a moment. Whatever is not read then is read by the checks, which try until it is there.
    if !failed.is_empty() {
        tokio::time::sleep(START_PAUSE).await;
    }
    for service in failed {
        if let Err(error) = load_one(&service, ctx).await {
            tracing::warn!(service = service.key.logged(), %error, "not read at the start; tried again");
            ctx.services.put(not_loaded(&service, ctx, &error));
        }
    }
    Ok(())
}

/// Lists the objects of a kind. Only what waiting does not mend ends the start: the kind is not there, or may not be listed.
async fn list_kind<K: ServiceResource>(api: &Api<K>) -> Result<Vec<ServiceObject>, StartError> {
    let kind = K::plural(&()).into_owned();
    let mut refusals = 0;
    loop {
        let error = match api.list(&ListParams::default()).await {
            Ok(list) => return Ok(list.iter().map(K::object).collect()),
            Err(error) => error,
        };
        // The API server is not ready for a kind right after its CRD was installed.
        refusals += u32::from(matches!(&error, kube::Error::Api(status) if [401, 403, 404].contains(&status.code)));
        if refusals > START_TRIES {
            return Err(StartError::List { kind, why: describe(&error) });
        }
        tracing::warn!(kind, error = %describe(&error), "not listed yet; tried again in a second");
        tokio::time::sleep(START_PAUSE).await;
    }
}

async fn load_one(service: &ServiceObject, ctx: &Shared) -> Result<(), PassError> {
    let mut entry = load(service, ctx).await?;
    if entry.halt.is_none() {
        entry.halt = check::standing_halt(service, &entry);
    }
    ctx.services.put(entry);
    Ok(())
}

/// Watches the service objects of `api` and checks them, until `shutdown`. `rechecks` has the ones of this kind and scope to
/// check again.
pub(in crate::controller) async fn run<K>(
    ctx: Arc<Shared>,
    api: Api<K>,
    rechecks: impl futures::Stream<Item = Key> + Send + 'static,
    shutdown: Shutdown,
) where
    K: ServiceResource,
{
    let (store, writer) = reflector::store::<K>();
    let heart = ctx.health.heart(&K::plural(&()), api.namespace());
    let members = Members::new(K::KIND, api.namespace());
    let mut known = Known { ctx: ctx.clone(), members, references: ReferenceWatches::default() };
    let events = watched(api, watcher::Config::default()).default_backoff().modify(strip).reflect(writer).inspect(
        move |event| {
            if let Ok(event) = event {
                known.apply(event);
            }
        },
    );
    let shown = store.clone();
    ctx.metrics.service_metrics.include(move || shown.state().iter().map(|service| told(&service.object())).collect());
    let stream = touched(events, store.clone());
    let named = |key: Key| {
        let named = ObjectRef::new(&key.name);
        key.namespace.iter().fold(named, |named, namespace| named.within(namespace))
    };
    Controller::for_stream(stream, store)
        .with_config(Workers::default().concurrency(PASSES))
        .reconcile_on(rechecks.map(named))
        .reconcile_on(heart.beats())
        .graceful_shutdown_on(shutdown)
        .run(check_one, |object, error, ctx| after_error(&*object, error, &ctx), ctx)
        .for_each(|_| async {})
        .await;
}

fn told(service: &ServiceObject) -> Told {
    Told { key: service.key.clone(), suspended: service.spec.suspend, status: service.status.clone() }
}

/// What the watch of one kind and scope feeds.
struct Known {
    ctx: Arc<Shared>,
    members: Members,
    references: ReferenceWatches,
}

impl Known {
    fn apply<K: ServiceResource>(&mut self, event: &Event<K>) {
        let member = |service: &K| {
            let service = service.object();
            let uid = service.uid();
            (service.key, uid)
        };
        self.members.apply(event, member, &self.ctx.services);
        match event {
            Event::Apply(service) | Event::InitApply(service) => self.references.follow(&service.object(), &self.ctx),
            Event::Delete(_) | Event::InitDone => self.references.retain(|key| self.ctx.services.has(key)),
            Event::Init => {}
        }
    }
}

async fn check_one<K: ServiceResource>(service: Arc<K>, ctx: Arc<Shared>) -> Result<Action, PassError> {
    let checked = async {
        match ctx.leadership.is_leading() {
            true => check::check(service.object(), &ctx).await,
            false => follow(&service.object(), &ctx).await,
        }
    };
    guarded(checked, SERVICES, &*service, &ctx).await
}

/// What a standby does instead of a check: it reads what changed, so that it can go on at once, and asks and writes nothing.
async fn follow(service: &ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let stale = ctx.services.take_stale(&service.key);
    let known = ctx.services.get_object(&service.key, &service.uid());
    // Of one that is being deleted, the last good credential counts.
    let deleting = service.meta.deletion_timestamp.is_some() && known.is_some();
    if deleting || !stale && check::unchanged(service, known.as_deref()) {
        return Ok(Action::await_change());
    }
    let loaded = load_one(service, ctx).await;
    if loaded.is_err() {
        ctx.services.set_stale(&service.key);
    }
    loaded.map(|()| Action::await_change())
}

/// Keeps the labels of all namespaces, and wakes the tokens in one whose labels may have changed.
pub(in crate::controller) async fn watch_namespaces(
    ctx: Arc<Shared>,
    writer: Writer<PartialObjectMeta<Namespace>>,
    cache: Cache,
) {
    let api: Api<Namespace> = Api::all(ctx.watches.clone());
    let only_labels = |namespace: &mut PartialObjectMeta<Namespace>| {
        namespace.metadata.managed_fields = None;
        namespace.metadata.annotations = None;
    };
    let events =
        watched_metadata(api, watcher::Config::default()).default_backoff().modify(only_labels).reflect(writer);
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let notify =
            |namespace: &PartialObjectMeta<Namespace>| ctx.services.notify(Change::Namespace(namespace.name_any()));
        match event {
            Ok(Event::Apply(namespace) | Event::Delete(namespace)) => notify(&namespace),
            // The labels in a list are in the store once the list is complete.
            Ok(Event::InitDone) => {
                ctx.namespaces.state().iter().for_each(|namespace| notify(namespace));
                cache.synced();
            }
            Ok(Event::Init | Event::InitApply(_)) => {}
            Err(error) => tracing::warn!(%error, "the watch of namespaces broke; it starts again"),
        }
    }
}
