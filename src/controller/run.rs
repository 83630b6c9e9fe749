//! Wiring: starts both kinds of controller side by side.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{join_all, ready};
use kube::Api;
use kube::runtime::reflector;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::cluster_token_service::ClusterTokenService;
use crate::api::token_service::TokenService;
use crate::controller::admin::health::{Cache, Health};
use crate::controller::admin::metrics::Metrics;
use crate::controller::election;
use crate::controller::error::StartError;
use crate::controller::leadership::Leadership;
use crate::controller::live_tokens::SharedReads;
use crate::controller::objects::Objects;
use crate::controller::pass_backoff::PassBackoff;
use crate::controller::registry::{Key, Services};
use crate::controller::settings::{Election, Settings};
use crate::controller::shared::Shared;
use crate::controller::token::controller::Caches as TokenCaches;
use crate::controller::worker::{Shutdown, scoped};
use crate::controller::world::World;
use crate::controller::{service, token};

/// How long checks of services may go on after the last pass over a token. A sweep that takes longer ends in the middle, as by a kill.
const LAST_CHECKS: Duration = Duration::from_secs(10);

/// Runs the operator in `world` over the namespaces of `scopes`, or over all with `None`, until `shutdown`. Nothing of it is left
/// running when this ends or is dropped.
///
/// # Errors
/// When it cannot start.
pub async fn run(
    world: World,
    scopes: Vec<Option<String>>,
    settings: Settings,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let (namespaces, labels) = reflector::store();
    let election = settings.election.clone();
    let leadership = if election.is_some() { Leadership::standby() } else { Leadership::without_election() };
    metrics.leader.ask(leadership.clone());
    let shared = Arc::new(Shared {
        client: world.requests,
        watches: world.watches,
        clock: world.clock,
        transport: world.transport,
        networks: world.networks,
        settings,
        leadership,
        scopes,
        services: Services::default(),
        namespaces,
        metrics,
        health,
        objects: Objects::default(),
        live_reads: SharedReads::default(),
        pass_backoff: PassBackoff::default(),
    });
    // Before the first list is complete, all parts are named: else the first one would look like the whole.
    let caches = Caches::name_all(&shared);
    service::controller::load_all(&shared).await?;
    caches.services.synced();
    // Not earlier: who cannot begin must not lead.
    let campaign = election.zip(caches.lease).map(|one| Campaign::begin(&shared, one, &shutdown));
    let (mut watches, mut services) = (JoinSet::new(), JoinSet::new());
    if let Some(cache) = caches.namespaces {
        watches.spawn(service::controller::watch_namespaces(shared.clone(), labels, cache));
        let api = Api::<ClusterTokenService>::all(shared.watches.clone());
        let rechecks = shared.services.rechecks().filter(|key| ready(key.namespace.is_none()));
        services.spawn(service::controller::run(shared.clone(), api, rechecks, shutdown.clone()));
    }
    let mut tokens = Vec::new();
    for (scope, caches) in shared.scopes.iter().zip(caches.tokens) {
        tokens.push(token::controller::run(shared.clone(), scope.clone(), caches, shutdown.clone()));
        let api = scoped::<TokenService>(&shared.watches, scope.as_deref());
        let namespace = scope.clone();
        let own =
            move |key: &Key| ready(key.namespace.is_some() && (namespace.is_none() || key.namespace == namespace));
        let rechecks = shared.services.rechecks().filter(own);
        services.spawn(service::controller::run(shared.clone(), api, rechecks, shutdown.clone()));
    }
    join_all(tokens).await;
    let _ = timeout(LAST_CHECKS, async { while services.join_next().await.is_some() {} }).await;
    services.shutdown().await;
    if let Some(campaign) = campaign {
        campaign.end().await;
    }
    Ok(())
}

/// This process stands for election. Dropping it ends that, and the Lease runs out.
struct Campaign {
    task: JoinSet<()>,
    end: oneshot::Sender<()>,
}

impl Campaign {
    fn begin(shared: &Arc<Shared>, (election, cache): (Election, Cache), shutdown: &Shutdown) -> Self {
        let (end, ended) = oneshot::channel();
        let parts = (cache, shared.health.heart("election", None));
        let mut task = JoinSet::new();
        task.spawn(election::run(shared.clone(), election, parts, shutdown.clone(), ended));
        Self { task, end }
    }

    /// Lets go of the Lease.
    async fn end(mut self) {
        drop(self.end);
        self.task.join_next().await;
    }
}

/// All that must be listed before the operator is ready.
struct Caches {
    services: Cache,
    namespaces: Option<Cache>,
    lease: Option<Cache>,
    /// Those of each scope.
    tokens: Vec<TokenCaches>,
}

impl Caches {
    fn name_all(shared: &Shared) -> Self {
        let health = &shared.health;
        let watched = shared.settings.secret_reread.is_none();
        let of_scope = |scope: &Option<String>| {
            let cache = |kind: &str| health.cache(kind, scope.as_deref());
            let secrets = watched.then(|| (cache("secrets"), cache("hand-over secrets")));
            TokenCaches { objects: cache("artifacttokens"), secrets }
        };
        Self {
            services: health.cache("services", None),
            namespaces: shared.settings.cluster_services.then(|| health.cache("namespaces", None)),
            lease: shared.settings.election.as_ref().map(|_| health.cache("lease", None)),
            tokens: shared.scopes.iter().map(of_scope).collect(),
        }
    }
}
