//! Watches the objects and Secrets of one scope, and begins their passes.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config as Workers};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Controller, WatchStreamExt, reflector};
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use crate::api::artifact_token::ArtifactToken;
use crate::controller::admin::health::Cache;
use crate::controller::admin::metrics::TOKENS;
use crate::controller::error::PassError;
use crate::controller::objects::Index;
use crate::controller::registry::{Change, Key};
use crate::controller::shared::Shared;
use crate::controller::token::context::Context;
use crate::controller::token::memories::Memories;
use crate::controller::token::offers::Offers;
use crate::controller::token::reconcile::reconcile;
use crate::controller::token::rereads::Rereads;
use crate::controller::token::secret_index::SecretIndex;
use crate::controller::watch::{ListTimes, touched, watched, watched_metadata};
use crate::controller::worker::{Shutdown, after_error, guarded, scoped, strip};
use crate::secret::metadata::{HAND_OVER, MANAGED};
use crate::service::limits::PASSES;

/// What must be listed of one scope before passes may begin.
#[derive(Debug)]
pub(in crate::controller) struct Caches {
    pub objects: Cache,
    /// The Secrets, and those that hand over tokens; `None` where they are not watched.
    pub secrets: Option<(Cache, Cache)>,
}

/// Runs the passes over the tokens of one scope until `shutdown`.
pub(in crate::controller) async fn run(shared: Arc<Shared>, scope: Option<String>, caches: Caches, shutdown: Shutdown) {
    let Caches { objects: objects_cache, secrets: secrets_caches } = caches;
    let (touch, touches) = mpsc::unbounded();
    let index = Arc::<Index>::default();
    let (objects, writer) = reflector::store::<ArtifactToken>();
    let ctx = Arc::new(Context {
        shared: shared.clone(),
        secrets: SecretIndex::default(),
        rereads: shared.settings.secret_reread.map(Rereads::new),
        offers: Offers::default(),
        memories: Memories::default(),
        objects: objects.clone(),
        index: index.clone(),
        listed: ListTimes::default(),
    });
    shared.objects.include(objects.clone(), index.clone());
    shared.metrics.state_metrics.include(objects.clone(), shared.clock.clone());
    let changes = shared.services.changes();
    let (listed, first_list) = oneshot::channel();
    let (offered, first_offers) = oneshot::channel();
    // Dropping this set ends the watches.
    let mut watches = JoinSet::new();
    let api = || scoped(&shared.watches, scope.as_deref());
    // Where nothing of them is listed, the senders are dropped, which ends the wait for it.
    if let Some((secrets_cache, offers_cache)) = secrets_caches {
        watches.spawn(watch_secrets(api(), ctx.clone(), touch.clone(), (secrets_cache, listed)));
        watches.spawn(watch_offers(api(), ctx.clone(), touch, (offers_cache, offered)));
    } else {
        drop((touch, listed, offered));
    }
    // A shut-down also ends the wait for the first lists. The order is fixed, so that nothing here is left to chance.
    tokio::select! {
        biased;
        _ = async { (first_list.await, first_offers.await) } => {}
        () = shutdown.clone() => {}
    }
    tracing::info!(namespace = scope.as_deref().unwrap_or("all"), "ready: the first lists are complete");
    let seen = ctx.clone();
    let events = watched(scoped::<ArtifactToken>(&shared.watches, scope.as_deref()), watcher::Config::default());
    let indexed = index.clone();
    // The index comes before the reflector, so it is never older than the store.
    let events = events.default_backoff().modify(strip).inspect_ok(move |event| indexed.apply(event));
    let events = events.reflect(writer).inspect(move |event| {
        // This comes after the reflector: a list counts once its objects are in the store.
        if let Ok(event) = event {
            seen.listed.apply(event);
            for gone in seen.memories.apply(event) {
                seen.shared.services.cleared(&gone);
                seen.shared.services.forget_answers(&gone, seen.shared.clock.now().time());
                seen.shared.pass_backoff.succeeded(&gone);
            }
            match event {
                Event::Delete(token) => {
                    last_user_gone(&Key::of(token), &seen.shared);
                    if seen.rereads.is_some() {
                        seen.offers.saw(&token.namespace().unwrap_or_default(), &token.name_any(), None);
                    }
                }
                Event::InitDone => objects_cache.synced(),
                Event::Init | Event::InitApply(_) | Event::Apply(_) => {}
            }
        }
    });
    let stream = touched(events, ctx.objects.clone());
    let concerned = move |change: Change| futures::stream::iter(index.concerned(&change));
    Controller::for_stream(stream, ctx.objects.clone())
        .with_config(Workers::default().concurrency(PASSES))
        .reconcile_on(touches)
        .reconcile_on(changes.flat_map(concerned))
        .reconcile_on(shared.health.heart("artifacttokens", scope.as_deref()).beats())
        .graceful_shutdown_on(shutdown)
        .run(one_pass, |object, error, ctx| after_error(&*object, error, &ctx.shared), ctx.clone())
        .for_each(|_| async {})
        .await;
}

/// The deletion of a service waits for the last object that may have tokens of it.
fn last_user_gone(key: &Key, shared: &Shared) {
    if shared.objects.users(key, 0).0 == 0 {
        shared.services.users_gone(key);
    }
}

async fn one_pass(object: Arc<ArtifactToken>, ctx: Arc<Context>) -> Result<Action, PassError> {
    if !may_begin(&object, &ctx).await {
        return Ok(Action::await_change());
    }
    let pass = async {
        let Some(memory) = ctx.memories.of(&object.uid().unwrap_or_default()) else {
            return Ok(Action::await_change());
        };
        let mut memory = memory.lock().await;
        reconcile(&ctx, &mut memory, object.clone()).await
    };
    guarded(pass, TOKENS, &*object, &ctx.shared).await
}

/// A process that does not lead begins no pass. Only an attempt that it has in flight it brings to its end: nobody else has that token's
/// value, so everybody else would have to give the token up.
async fn may_begin(object: &ArtifactToken, ctx: &Context) -> bool {
    if ctx.shared.leadership.is_leading() {
        return true;
    }
    match ctx.memories.of(&object.uid().unwrap_or_default()) {
        Some(memory) => memory.lock().await.in_flight.is_some(),
        None => false,
    }
}

/// Feeds the index, and wakes who keeps each Secret that changes. After a complete list it wakes all objects, because a list
/// does not show which Secrets are gone.
async fn watch_secrets(
    api: Api<Secret>,
    ctx: Arc<Context>,
    touch: mpsc::UnboundedSender<ObjectRef<ArtifactToken>>,
    (cache, listed): (Cache, oneshot::Sender<()>),
) {
    let mut listed = Some(listed);
    let selector = watcher::Config::default().labels(&format!("{MANAGED}=true"));
    let mut events = std::pin::pin!(watched_metadata(api, selector).default_backoff());
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the watch of Secrets broke; it starts again");
                continue;
            }
        };
        ctx.secrets.apply(&event);
        match &event {
            Event::Apply(secret) | Event::Delete(secret) => {
                // The receiver lives as long as the controller; when it stops, nobody needs the trigger.
                for keeper in keepers_of(&ctx, secret) {
                    let _ = touch.unbounded_send(keeper);
                }
            }
            Event::InitDone => {
                for object in ctx.objects.state() {
                    let _ = touch.unbounded_send(ObjectRef::from_obj(&*object));
                }
                cache.synced();
                if let Some(listed) = listed.take() {
                    let _ = listed.send(());
                }
            }
            Event::Init | Event::InitApply(_) => {}
        }
    }
}

/// The objects that keep a Secret of this name, whatever its owner annotation says: somebody may have edited it.
fn keepers_of(ctx: &Context, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<ArtifactToken>> {
    ctx.index.keepers(&secret.namespace().unwrap_or_default(), &secret.name_any())
}

/// Feeds the index of Secrets that hand over tokens, and wakes who is to have each one that changes.
async fn watch_offers(
    api: Api<Secret>,
    ctx: Arc<Context>,
    touch: mpsc::UnboundedSender<ObjectRef<ArtifactToken>>,
    (cache, listed): (Cache, oneshot::Sender<()>),
) {
    let mut listed = Some(listed);
    let selector = watcher::Config::default().labels(HAND_OVER);
    let mut events = std::pin::pin!(watched_metadata(api, selector).default_backoff());
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the watch of Secrets that hand over tokens broke; it starts again");
                continue;
            }
        };
        for (namespace, name) in ctx.offers.apply(&event) {
            let object = ObjectRef::new(&name).within(&namespace);
            // Anybody may name any object on a label.
            if ctx.objects.get(&object).is_some() {
                let _ = touch.unbounded_send(object);
            }
        }
        if matches!(event, Event::InitDone) {
            cache.synced();
            if let Some(listed) = listed.take() {
                let _ = listed.send(());
            }
        }
    }
}
