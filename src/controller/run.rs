//! Wiring: starts both kinds of controller side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{join_all, ready};
use kube::client::ClientBuilder;
use kube::runtime::reflector;
use kube::{Api, Client, Config};
use reqwest::header::{HeaderValue, USER_AGENT};
use tokio::task::JoinSet;

use crate::api::cluster_token_service::ClusterTokenService;
use crate::api::token_service::TokenService;
use crate::controller::admin::Readiness;
use crate::controller::admin::metrics::Metrics;
use crate::controller::clock::{Clock, ClockLayer};
use crate::controller::error::StartError;
use crate::controller::pass_backoff::PassBackoff;
use crate::controller::registry::{Key, Services};
use crate::controller::settings::Settings;
use crate::controller::shared::Shared;
use crate::controller::worker::{Shutdown, scoped};
use crate::controller::{service, token};

/// The longest wait for the API server's answer to a request. Watches have no time-out.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The name that the API server sees in its audit log and its metrics.
const OWN_NAME: &str = concat!("artifact-token-operator/", env!("CARGO_PKG_VERSION"));

/// The two clients: one sends each request once and with a time-out, the other runs watches without a time-out.
struct Clients {
    requests: Client,
    watches: Client,
    clock: Clock,
}

fn clients(mut config: Config) -> Result<Clients, kube::Error> {
    let clock = Clock::default();
    // A retried POST or PATCH would act twice with one record. Only the protocol itself retries.
    config.default_retry = false;
    config.headers.push((USER_AGENT, HeaderValue::from_static(OWN_NAME)));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn both_clients_tell_the_api_server_who_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let Clients { requests, watches, .. } = clients(Config::new(url)).unwrap();
        for client in [requests, watches] {
            let asked = tokio::spawn(async move { client.apiserver_version().await });
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
            assert!(head.contains("\r\nuser-agent: artifact-token-operator/0."), "{head}");
            asked.abort();
        }
    }
}
