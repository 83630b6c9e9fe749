//! Wiring: starts both kinds of controller side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::future::{join_all, ready};
use kube::Api;
use kube::runtime::reflector;
use tokio::task::JoinSet;

use crate::api::cluster_token_service::ClusterTokenService;
use crate::api::token_service::TokenService;
use crate::controller::admin::Readiness;
use crate::controller::admin::metrics::Metrics;
use crate::controller::error::StartError;
use crate::controller::live_tokens::SharedReads;
use crate::controller::objects::Objects;
use crate::controller::pass_backoff::PassBackoff;
use crate::controller::registry::{Key, Services};
use crate::controller::settings::Settings;
use crate::controller::shared::Shared;
use crate::controller::worker::{Shutdown, scoped};
use crate::controller::world::World;
use crate::controller::{service, token};

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
    readiness: Readiness,
    shutdown: Shutdown,
) -> Result<(), StartError> {
    let (namespaces, labels) = reflector::store();
    let shared = Arc::new(Shared {
        client: world.requests,
        watches: world.watches,
        clock: world.clock,
        transport: world.transport,
        networks: world.networks,
        settings,
        scopes,
        services: Services::default(),
        namespaces,
        metrics,
        objects: Objects::default(),
        live_reads: SharedReads::default(),
        pass_backoff: PassBackoff::default(),
    });
    service::controller::load_all(&shared).await?;
    // Dropping this set stops the service controllers, after the last pass over a token.
    let mut services = JoinSet::new();
    if shared.settings.cluster_services {
        services.spawn(service::controller::watch_namespaces(shared.clone(), labels));
        let api = Api::<ClusterTokenService>::all(shared.watches.clone());
        let rechecks = shared.services.rechecks().filter(|key| ready(key.namespace.is_none()));
        services.spawn(service::controller::run(shared.clone(), api, rechecks, shutdown.clone()));
    }
    let unlisted = AtomicUsize::new(shared.scopes.len());
    let listed = || {
        if unlisted.fetch_sub(1, Ordering::AcqRel) == 1 {
            readiness.set();
        }
    };
    let mut tokens = Vec::new();
    for scope in &shared.scopes {
        tokens.push(token::controller::run(shared.clone(), scope.clone(), listed, shutdown.clone()));
        let api = scoped::<TokenService>(&shared.watches, scope.as_deref());
        let namespace = scope.clone();
        let own =
            move |key: &Key| ready(key.namespace.is_some() && (namespace.is_none() || key.namespace == namespace));
        let rechecks = shared.services.rechecks().filter(own);
        services.spawn(service::controller::run(shared.clone(), api, rechecks, shutdown.clone()));
    }
    join_all(tokens).await;
    Ok(())
}
