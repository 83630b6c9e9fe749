//! Serves health and metrics on one port. No secret is served there.

pub(crate) mod health;
pub(crate) mod leader_metric;
pub(crate) mod metrics;
pub(crate) mod object_metrics;
mod page;
pub(crate) mod service_metrics;
pub(crate) mod state_metrics;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use health::{Answer, Health};
use metrics::Metrics;

/// Serves `/healthz`, `/readyz` and `/metrics` until the process ends.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(address: SocketAddr, metrics: &Metrics, health: Health) -> std::io::Result<()> {
    let registry = Arc::new(metrics.registry());
    let router = Router::new()
        .route("/healthz", get(alive).with_state(health.clone()))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(text).with_state(registry));
    axum::serve(tokio::net::TcpListener::bind(address).await?, router).await
}

async fn alive(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    told("healthz", health.alive(), query)
}

async fn ready(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    told("readyz", health.ready(), query)
}

/// As the API server's own probes: all parts where one of them fails, or where `?verbose` asks for them.
fn told(check: &str, Answer { good, parts }: Answer, query: Option<String>) -> Response {
    if !good {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{parts}{check} check failed\n")).into_response();
    }
    let verbose = query.is_some_and(|query| query.split('&').any(|word| word.starts_with("verbose")));
    if verbose { format!("{parts}{check} check passed\n").into_response() } else { "ok".into_response() }
}

async fn text(State(registry): State<Arc<Registry>>, headers: HeaderMap) -> Response {
    let mut page = String::new();
    match encode(&mut page, &registry) {
        Ok(()) => {
            let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
            let (kind, page) = page::in_format(page, accept);
            ([(CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
